/** The plan for a pool from its own log: measures, then asks the pure rules. */
import type { Queryable } from "../db/database.js";
import { type CallDelays, callDelays } from "./call-delays.js";
import type { Pool } from "./pools.store.js";
import { planPool, type PoolPlan, type SizingTargets, usableOf } from "./size-pool.js";
import { meanRate } from "./traffic-profile.js";
import { type PoolTraffic, type PoolWindow, readCallDelays, readTraffic } from "./traffic.store.js";

/** A week has every day once. */
export const WINDOW_S_DEFAULT = 604_800;
export const WINDOW_S_MIN = 1;
/** What is older tells of another season, and is not read at a request. */
export const WINDOW_S_MAX = 31 * 86_400;

export interface PoolSizing {
  readonly traffic: PoolTraffic;
  readonly delays: CallDelays;
  /** Numbers that visitors get for themselves. */
  readonly usable: number;
  /** Null when nobody was presented a number in the window: nothing was measured. */
  readonly plan: PoolPlan | null;
}

export async function sizePool(
  db: Queryable,
  input: PoolWindow & { pool: Pool; targets: SizingTargets; visitsMax?: number },
): Promise<PoolSizing> {
  const { pool, targets } = input;
  const { size, retentionS } = pool;
  const overflowFrom = overflowFromOf(pool);
  const usable = usableOf({ overflowFrom }, size);
  const traffic = await readTraffic(db, input, input.visitsMax);
  const { profile } = traffic;
  const horizonS = horizonOf(pool, traffic);
  const delays = callDelays({ delaysS: await readCallDelays(db, input), horizonS });
  const plan =
    profile === null ? null : planPool({ traffic: profile, delays, retentionS, size, overflowFrom, targets });
  return { traffic, delays, usable, plan };
}

/** N/λ, seconds: how long after its presentation a number is presented to somebody else. Infinity when nobody was presented one. */
export function horizonOf(pool: Pool, { profile }: PoolTraffic): number {
  if (profile === null) return Infinity;
  return usableOf({ overflowFrom: overflowFromOf(pool) }, pool.size) / meanRate(profile);
}

/** A pool of one number has no room for an overflow number, and one whose numbers are all somebody's gets its own when it grows. */
function overflowFromOf({ overflow, overflowNumber, size }: Pool): number {
  if (overflowNumber !== null) return 1;
  return overflow === "overflow_number" ? Math.max(2, size + 1) : Infinity;
}
