/**
 * When a pool's overflow number was last shown. Showing it writes nothing of its own, so this is told by what is counted beside: visitors turned away, by
 * the quarter of an hour, and numbers withheld from suspected bots, by account and hour. Both are written down some seconds late.
 */
import { sql, timestamp, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { invariant } from "../kernel/invariant.js";
import type { LockedNumber } from "./numbers.store.js";

/** After this what was shown is written down (bot-tally.ts, exhaustion-counter.ts), but for a process that died before. */
export const WRITTEN_AFTER_MS = 10_000;

const SELECT_SHOWN = sql(
  "overflow_shown",
  `with began as (
     -- One that was taken back while it drained has been the pool's overflow number all the time.
     select least($3::timestamptz, (
       select min(e.at) from number_event e
       where e.number_id = $5 and e.id > (
         select coalesce(max(o.id), 0) from number_event o
         where o.number_id = $5 and (o.pool_id is distinct from $1 or o.role is distinct from 'overflow')))) as at
   )
   select greatest(
     (select max(t.quarter) + interval '15 minutes' from pool_turned_away t where t.pool_id = $1),
     (select max(b.hour) + interval '1 hour' from bot_hour b where b.account_id = $2 and b.withheld > 0)) as at,
     began.at as since,
     -- With a number that nobody held in that time, no visitor can have been turned away.
     exists (select from promo_number f where f.pool_id = $1 and f.state = 'assigned' and f.role = 'pool'
       and f.locked_until <= $4::timestamptz and f.state_since <= greatest(began.at, $4::timestamptz)) as "wasFree"
   from began`,
);

export interface OverflowShown {
  /** Not before it was last shown, and not after now; null: never, since it is this pool's. As far as it is written down. */
  readonly at: Instant | null;
  /** Nothing can be missing from that. */
  readonly isComplete: boolean;
}

export async function readOverflowShown(tx: Queryable, number: LockedNumber): Promise<OverflowShown> {
  const { id, poolId, accountId, stateSince, now } = number;
  invariant(poolId !== null && accountId !== null, "an overflow number is a pool's");
  const [row] = await tx.query<{ at: Instant | null; since: Instant; wasFree: boolean }>(SELECT_SHOWN, [
    poolId,
    accountId,
    timestamp(stateSince),
    timestamp(now - WRITTEN_AFTER_MS),
    id,
  ]);
  invariant(row !== undefined, "it is one row whatever there is");
  const { at, since, wasFree } = row;
  return { at: at === null || at < since ? null : Math.min(at, now), isComplete: wasFree };
}
