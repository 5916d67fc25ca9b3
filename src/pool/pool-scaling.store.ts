/** The state of a pool's scaling: when to look next, what the last look saw, and how many visitors found no free number. */
import { sql, timestamp, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import type { FittingNumbers } from "./fitting-numbers.js";
import { AVAILABLE_ABROAD } from "./number-picks.store.js";
import type { LockedNumber } from "./numbers.store.js";
import { NUMBER_COLUMNS } from "./numbers.store.js";

export interface PoolScaling {
  readonly now: Instant;
  /** Null: due. */
  readonly nextScaleAt: Instant | null;
  readonly triedAt: Instant | null;
  readonly exhausted: number;
  readonly exhaustedSeen: number;
  readonly seenAt: Instant;
}

const SCALING = `ringmatch_now() as now, next_scale_at as "nextScaleAt", tried_at as "triedAt", exhausted, exhausted_seen as "exhaustedSeen", seen_at as "seenAt"`;
const SELECT = sql("pool_scaling_select", `select ${SCALING} from pool_scaling where pool_id = $1`);
const LOCK = sql("pool_scaling_lock", `select ${SCALING} from pool_scaling where pool_id = $1 for update`);
const UPDATE_LOOK = sql(
  "pool_scaling_update_look",
  `update pool_scaling set next_scale_at = $2, tried_at = $3, exhausted_seen = $4, seen_at = $5 where pool_id = $1`,
);
const MAKE_DUE = sql("pool_scaling_make_due", `update pool_scaling set next_scale_at = null where pool_id = $1`);
const START_AFRESH = sql(
  "pool_scaling_start_afresh",
  `update pool_scaling set next_scale_at = null, exhausted_seen = exhausted, seen_at = ringmatch_now() where pool_id = $1`,
);
// In one order for everybody, so that two processes never wait for each other. least() passes over nulls.
const ADD_EXHAUSTIONS = sql(
  "pool_scaling_add_exhaustions",
  `with added as materialized (
     select s.pool_id, a.count, a.is_urgent
     from unnest($1::text[], $2::bigint[], $3::boolean[]) as a (pool_id, count, is_urgent) join pool_scaling s on s.pool_id = a.pool_id
     order by s.pool_id for no key update of s
   )
   update pool_scaling s set exhausted = s.exhausted + a.count,
     next_scale_at = case when a.is_urgent then least(s.next_scale_at, ringmatch_now()) else s.next_scale_at end
   from added a where s.pool_id = a.pool_id`,
);
const SELECT_DUE = sql(
  "pool_scaling_select_due",
  `select w.pool_id as "poolId" from (
     select p.id as pool_id from pool p where p.deleted_at is null and p.autoscale @> '{"enabled": true}'
     union select d.pool_id from scale_decision d where d.on_order > 0
   ) w join pool_scaling s on s.pool_id = w.pool_id
   where coalesce(s.next_scale_at, s.seen_at) <= ringmatch_now() - make_interval(secs => $1)
   order by s.next_scale_at nulls first limit $2`,
);
const SELECT_NUMBERS = sql(
  "pool_scaling_select_numbers",
  `select ringmatch_now() as now, count(*) filter (where n.role = 'pool') as usable,
     count(*) filter (where n.role = 'pool' and n.locked_until > ringmatch_now()) as locked,
     min(n.last_presented_at) filter (where n.role = 'pool' and n.locked_until <= ringmatch_now()) as "nextPresentedAt"
   from promo_number n where n.pool_id = $1 and n.state = 'assigned'`,
);
const COUNT_AVAILABLE = sql(
  "pool_scaling_count_available",
  `select count(*) from (
     select from promo_number n where n.state = 'available' and n.number_type = $1 and ($2::text[] is null or n.npa = any ($2)) limit $3) a`,
);
export const COUNT_ABROAD = sql(
  "pool_scaling_count_abroad",
  `select count(*) from (select from promo_number n where ${AVAILABLE_ABROAD} limit $2) a`,
);
// Longer in the pool than that, not presented, not held open by a page, and not called.
const UNUSED = `n.pool_id = $1 and n.state = 'assigned' and n.role = 'pool' and n.last_presented_at < ringmatch_now() - make_interval(secs => $2)
  and n.locked_until < ringmatch_now() - make_interval(secs => $2) and n.state_since < ringmatch_now() - make_interval(secs => $2) and n.retained_until < ringmatch_now()
  and not exists (select from call c where c.promo_number = n.e164 and c.received_at >= ringmatch_now() - make_interval(secs => $2))`;
export const COUNT_UNUSED = sql(
  "pool_scaling_count_unused",
  `select count(*) from (select from promo_number n where ${UNUSED} limit $3) u`,
);
export const PICK_UNUSED = sql(
  "pool_scaling_pick_unused",
  `select ${NUMBER_COLUMNS}, ringmatch_now() as now from promo_number n where ${UNUSED} order by n.last_presented_at, n.id limit $3 for update`,
);

/** After the pool's own row and before the account's: presenting processes write it as well, several at a time. */
export async function lockScaling(tx: Queryable, poolId: string): Promise<PoolScaling> {
  const [row] = await tx.query<PoolScaling>(LOCK, [poolId]);
  return row as PoolScaling;
}

export async function readScaling(db: Queryable, poolId: string): Promise<PoolScaling> {
  const [row] = await db.query<PoolScaling>(SELECT, [poolId]);
  return row as PoolScaling;
}

export async function writeLook(
  tx: Queryable,
  poolId: string,
  look: { nextScaleAt: Instant; triedAt: Instant | null; exhaustedSeen: number; seenAt: Instant },
): Promise<void> {
  const { nextScaleAt, triedAt, exhaustedSeen, seenAt } = look;
  await tx.query(UPDATE_LOOK, [poolId, timestamp(nextScaleAt), timestamp(triedAt), exhaustedSeen, timestamp(seenAt)]);
}

/** The job looks at it in its next round. */
export async function makeDue(tx: Queryable, poolId: string): Promise<void> {
  await tx.query(MAKE_DUE, [poolId]);
}

/** Autoscaling begins now: what happened before is no reason to grow. */
export async function startAfresh(tx: Queryable, poolId: string): Promise<void> {
  await tx.query(START_AFRESH, [poolId]);
}

export interface Exhaustions {
  readonly poolId: string;
  readonly count: number;
  /** The pool is looked at next, whenever it was meant to be. */
  readonly isUrgent: boolean;
}

export async function addExhaustions(db: Queryable, exhaustions: readonly Exhaustions[]): Promise<void> {
  await db.query(ADD_EXHAUSTIONS, [
    exhaustions.map((e) => e.poolId),
    exhaustions.map((e) => e.count),
    exhaustions.map((e) => e.isUrgent),
  ]);
}

/** Autoscaled pools, and pools with numbers on order, whose look is overdue by `graceS`; the longest overdue first. */
export async function listDuePools(db: Queryable, input: { graceS: number; limit: number }): Promise<string[]> {
  const rows = await db.query<{ poolId: string }>(SELECT_DUE, [input.graceS, input.limit]);
  return rows.map((row) => row.poolId);
}

export interface PoolLoad {
  readonly now: Instant;
  readonly usable: number;
  readonly locked: number;
  /** When the number that is next was presented last; -Infinity: never; null: none is free. */
  readonly nextPresentedAt: Instant | null;
}

export async function readLoad(db: Queryable, poolId: string): Promise<PoolLoad> {
  const [row] = await db.query<PoolLoad>(SELECT_NUMBERS, [poolId]);
  return row as PoolLoad;
}

/** Counted up to `limit`. */
export async function countAvailable(
  db: Queryable,
  input: { fitting: readonly FittingNumbers[]; limit: number },
): Promise<number> {
  let count = 0;
  for (const { type, npas, callingCode } of input.fitting) {
    const missing = input.limit - count;
    if (missing <= 0) break;
    const [row] =
      callingCode === null
        ? await db.query<{ count: number }>(COUNT_AVAILABLE, [type, npas, missing])
        : await db.query<{ count: number }>(COUNT_ABROAD, [callingCode, missing]);
    count += row?.count ?? 0;
  }
  return count;
}

/** Numbers for visitors that nobody used for `idleS`, counted up to `limit`. */
export async function countUnused(
  db: Queryable,
  input: { poolId: string; idleS: number; limit: number },
): Promise<number> {
  const [row] = await db.query<{ count: number }>(COUNT_UNUSED, [input.poolId, input.idleS, input.limit]);
  return row?.count ?? 0;
}

/** Presented longest ago first. */
export async function pickUnused(
  tx: Queryable,
  input: { poolId: string; idleS: number; limit: number },
): Promise<LockedNumber[]> {
  return tx.query<LockedNumber>(PICK_UNUSED, [input.poolId, input.idleS, input.limit]);
}
