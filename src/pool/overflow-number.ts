/**
 * Which of a pool's numbers is its overflow number, when the pool's settings change. A number changes its part only when nobody is attributed to it any
 * more, and no page holds it: a visitor's number whose retention and lock are over may be shared from now on; a shared one may go to a visitor once
 * those it was shown to have had as long.
 */
import type { Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { pickUnheld } from "./number-picks.store.js";
import { type LockedNumber, writeMove } from "./numbers.store.js";
import type { NumberRole } from "./promo-number.js";
import { readOverflowShown } from "./overflow-use.store.js";
import type { Pool } from "./pools.store.js";
import { lacksOverflow } from "./ring-pool.js";

/**
 * Reserves one of the pool's numbers where it should have an overflow number and has none. Where every number is somebody's, it stays without, and gets one
 * with the next number that is added.
 */
export async function reserveOverflow(tx: Queryable, pool: Pool, actor: string): Promise<void> {
  if (!lacksOverflow(pool, 0)) return;
  const known = await pickUnheld(tx, pool.id);
  if (known === null) return;
  await changeRole(tx, known, { role: "overflow", reason: "reserved as the overflow number", actor });
}

/**
 * Gives the overflow number of a pool that shares none any more to visitors. Not before what was shown until the pool changed is written down.
 * @returns when to look again, because it was shown of late; null: it is done
 */
export async function freeOverflow(
  tx: Queryable,
  known: LockedNumber,
  input: { retentionS: number; actor: string },
): Promise<Instant | null> {
  const shown = await readOverflowShown(tx, known);
  const until = shown.at === null ? null : shown.at + input.retentionS * 1000;
  if (until !== null && until > known.now) return until;
  await changeRole(tx, known, { role: "pool", reason: "the pool has no overflow number any more", actor: input.actor });
  return null;
}

async function changeRole(
  tx: Queryable,
  known: LockedNumber,
  { role, reason, actor }: { role: NumberRole; reason: string; actor: string },
): Promise<void> {
  const { state, accountId, poolId } = known;
  await writeMove(tx, known, { state, role, accountId, poolId, nextCheckAt: null, reason, actor });
}
