/**
 * How a pool stood in some stretch of the past: how much of its numbers' time was taken, whom it turned away, how far back its calls could be told apart.
 * For the pool report; what size the pool should have is pool-sizing.ts, whose measures and rules this uses.
 */
import { type Queryable, sql, timestamp } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { sizePool, WINDOW_S_MAX } from "./pool-sizing.js";
import type { Pool } from "./pools.store.js";
import { DEFAULT_TARGETS } from "./size-pool.js";

/** A tenth of what sizing reads for one pool: a report asks for many. The error of a rate stays about one in a hundred. */
const VISITS_READ_MAX = 20_000;

export interface PoolLoad {
  /** Where what was measured begins; a month before `to` at the most. */
  readonly from: Instant;
  readonly to: Instant;
  /** Held on average, the overflow number and draining ones included. */
  readonly numbers: number;
  /** Of those, that visitors could get for themselves. */
  readonly usable: number;
  /** Visitors who were given a number, a second; null like all that follows when there was none. */
  readonly lambdaPerS: number | null;
  readonly holdS: number | null;
  readonly erlangs: number | null;
  /** The share of the usable numbers' time for which they were locked. */
  readonly utilisation: number | null;
  /** N/λ */
  readonly horizonS: number | null;
  /** Expected from traffic and call delays, for every call; the calls' own confidence says more about those there were. */
  readonly misattribution: number | null;
  /** Visitors who found no free number, to the quarter hour. */
  readonly turnedAway: number;
  /** They, of all who needed one. */
  readonly overflowShare: number | null;
}

const TURNED_AWAY = sql(
  "pool_turned_away",
  `select coalesce(sum(visitors), 0)::bigint as visitors from pool_turned_away where pool_id = $1 and quarter >= $2 and quarter < $3`,
);

/** @param input `numbers`: how many the pool held on average, in the last month of it at the most; `to` is not in the future */
export async function readPoolLoad(
  db: Queryable,
  input: { pool: Pool; from: Instant; to: Instant; numbers: number },
): Promise<PoolLoad> {
  const { pool, to, numbers } = input;
  const windowS = Math.max(1, Math.min((to - input.from) / 1_000, WINDOW_S_MAX));
  const from = to - windowS * 1_000;
  const { traffic, plan, usable } = await sizePool(db, {
    pool: { ...pool, size: Math.round(numbers) },
    windowS,
    endsAt: to,
    targets: DEFAULT_TARGETS,
    visitsMax: VISITS_READ_MAX,
  });
  const [away] = await db.query<{ visitors: number }>(TURNED_AWAY, [pool.id, timestamp(from), timestamp(to)]);
  const turnedAway = away?.visitors ?? 0;
  const mean = plan?.mean ?? null;
  // Of a log too long to be read whole the end alone was; who was turned away is known for all of it.
  const observedS = traffic.profile?.observedS ?? 0;
  const spanS = Math.min(windowS, Math.max(observedS, (to - pool.createdAt) / 1_000));
  const served = (mean?.lambdaPerS ?? 0) * spanS;
  return {
    from,
    to,
    numbers,
    usable,
    lambdaPerS: mean?.lambdaPerS ?? null,
    holdS: traffic.profile?.holdS ?? null,
    erlangs: mean?.erlangs ?? null,
    // λ counts who was given a number, so λ · hold is what was carried, not what was offered.
    utilisation: mean === null || usable === 0 ? null : Math.min(1, mean.erlangs / usable),
    horizonS: mean === null || usable === 0 ? null : mean.horizonS,
    misattribution: mean?.misattribution ?? null,
    turnedAway,
    overflowShare: turnedAway + served === 0 ? null : turnedAway / (turnedAway + served),
  };
}
