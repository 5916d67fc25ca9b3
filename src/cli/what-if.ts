/** The what-if of `ringmatch replay`: its options, and the three plays it compares: what happened, the pool as it is set, and the settings tried. */
import { type AllocationOrder, lockedAtPeak, playWhatIf, type WhatIf } from "../attribution/replay/what-if.js";
import { type PoolPast, readPoolPast } from "../attribution/replay/what-if.store.js";
import type { Database } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import { seededRandom } from "../kernel/seeded-random.js";
import { getPool, type Pool } from "../pool/pools.store.js";
import { wholeOption } from "./time-option.js";

const SIZE_MAX = 100_000;
/** As in pools: retention is 72 h at most. */
const RETENTION_S_MAX = 259_200;
const SEED_MAX = 2 ** 32 - 1;

interface Settings {
  readonly size: number;
  readonly lifetimeS: number;
  readonly retentionS: number;
  readonly order: AllocationOrder;
}

interface Tried {
  readonly poolId: string;
  readonly accountId: string | null;
  readonly changes: Partial<Settings>;
  readonly pageTimeS: number;
  readonly seed: number;
}

interface Words {
  readonly pool?: string;
  readonly account?: string;
  readonly size?: string;
  readonly lifetime?: string;
  readonly retention?: string;
  readonly order?: string;
  readonly "page-time"?: string;
  readonly seed?: string;
}

/** @returns null when no setting is to be tried. @throws AppError("invalid_value") */
export function readWhatIf(words: Words): Tried | null {
  const { pool, size, lifetime, retention, order } = words;
  const whole = (name: keyof Words, most: number, least = 1): number | undefined =>
    words[name] === undefined ? undefined : wholeOption(name, words[name], { least, most });
  if (order !== undefined && order !== "lru" && order !== "random")
    throw new AppError("invalid_value", "--order takes lru or random.");
  if ([size, lifetime, retention, order].every((option) => option === undefined)) return null;
  if (pool === undefined) throw new AppError("invalid_value", "Say with --pool which pool the settings are tried on.");
  const changes = {
    size: whole("size", SIZE_MAX),
    lifetimeS: whole("lifetime", RETENTION_S_MAX),
    retentionS: whole("retention", RETENTION_S_MAX),
    order,
  };
  return {
    poolId: pool,
    accountId: words.account ?? null,
    changes: Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)),
    pageTimeS: whole("page-time", RETENTION_S_MAX, 0) ?? 0,
    seed: whole("seed", SEED_MAX, 0) ?? 1,
  };
}

export interface WhatIfAnswer {
  readonly pool: Pool;
  readonly seed: number;
  readonly pageTimeS: number;
  readonly past: PoolPast;
  readonly actualLockedAtPeak: number;
  readonly asSet: Settings & WhatIf;
  readonly tried: Settings & WhatIf;
}

/** @throws AppError("invalid_value") for a lifetime above the retention, and for a window with more visits than can be held */
export async function tryPool(db: Database, input: Tried & { from: Instant; to: Instant }): Promise<WhatIfAnswer> {
  const { from, to, seed, pageTimeS } = input;
  const pool = await getPool(db, { id: input.poolId, accountId: input.accountId });
  const asSet: Settings = {
    size: pool.size - (pool.overflowNumber === null ? 0 : 1),
    lifetimeS: pool.sessionLifetimeS,
    retentionS: pool.retentionS,
    order: "lru",
  };
  const tried = { ...asSet, ...input.changes };
  if (tried.lifetimeS > tried.retentionS)
    throw new AppError("invalid_value", "The lifetime must not be above the retention.");
  // Whoever was presented a number before that holds nothing and is matched to nothing when the window begins.
  const warmUpS = Math.max(tried.retentionS, asSet.retentionS) + pageTimeS;
  const past = await readPoolPast(db, { pool, warmUpFrom: from - warmUpS * 1000, from, to });
  if (past.isTooLong)
    throw new AppError("invalid_value", "There is more in this window than one process can hold; make it shorter.");
  const play = (settings: Settings): Settings & WhatIf => ({
    ...settings,
    ...playWhatIf({
      visits: past.visits,
      calls: past.calls,
      countFromS: from / 1000,
      rules: {
        numbers: settings.size,
        lockS: settings.lifetimeS + pageTimeS,
        retentionS: settings.retentionS,
        reusesOldest: pool.overflow === "reuse_oldest",
      },
      order: settings.order,
      random: seededRandom(seed),
    }),
  });
  const actualLockedAtPeak = lockedAtPeak(past.locks, from / 1000);
  return { pool, seed, pageTimeS, past, actualLockedAtPeak, asSet: play(asSet), tried: play(tried) };
}
