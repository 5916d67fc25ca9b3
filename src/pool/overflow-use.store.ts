/**
 * When a pool's overflow number was last shown. Showing it writes nothing of its own, so this is told by what is counted beside: visitors turned away, by
 * the quarter of an hour, and numbers withheld from suspected bots, by account and hour. Both are written down some seconds late.
 */
import { sql, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { invariant } from "../kernel/invariant.js";
import type { LockedNumber } from "./numbers.store.js";

const SELECT_SHOWN = sql(
  "overflow_shown_until",
  `select greatest(
     (select max(t.quarter) + interval '15 minutes' from pool_turned_away t where t.pool_id = $1),
     (select max(b.hour) + interval '1 hour' from bot_hour b where b.account_id = $2 and b.withheld > 0)) as at`,
);

/** @returns not before it was last shown, and not after `now`; null: never, since it is this pool's */
export async function readOverflowShown(tx: Queryable, number: LockedNumber): Promise<Instant | null> {
  invariant(number.poolId !== null && number.accountId !== null, "an overflow number is a pool's");
  const [row] = await tx.query<{ at: Instant | null }>(SELECT_SHOWN, [number.poolId, number.accountId]);
  const at = row?.at ?? null;
  return at === null || at < number.stateSince ? null : Math.min(at, number.now);
}
