/**
 * Keeps pools' delay models up to date: measures one pool after the other from its own log and calls, and stores a new version when it differs from the
 * one in use. A chore of the leader (jobs/housekeeping.ts); calls are judged with what is newest when they end.
 */
import type { Database, Queryable } from "../../db/database.js";
import type { Clock } from "../../kernel/clock.js";
import type { Log } from "../../kernel/log.js";
import { horizonOf } from "../../pool/pool-sizing.js";
import { listPools, type Pool } from "../../pool/pools.store.js";
import { CALLS_READ_MAX, readCallDelays, readTraffic } from "../../pool/traffic.store.js";
import { meanRate } from "../../pool/traffic-profile.js";
import { readBackground } from "./background.store.js";
import { hasChanged, modelOf, type NewModel, PRIOR_MODEL } from "./delay-model.js";
import { insertModel, readNewestModels } from "./delay-model.store.js";

/** Two weeks have every weekday twice, and of a quiet pool enough calls to say something. */
const WINDOW_S = 14 * 86_400;
/** A pool with more calls than are read has enough of them in a part of the window. */
const WINDOW_CUT = 4;
/** Of the log, a pool: some 50 ms of reading. A sample's λ is as good here as all of it. */
const VISITS_MAX = 20_000;
/** A turn is a second or two of one connection's work; a thousand pools take an hour and a half. */
const POOLS_A_TURN = 10;
/** What people do does not change by the minute. */
const ROUND_EVERY_MS = 3_600_000;

export interface MeasureDeps {
  readonly db: Database;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
}

/** @returns one turn's work: some pools, or nothing until the next round is due. Never two at a time */
export function createModelRounds({ db, clock, log }: MeasureDeps): () => Promise<void> {
  let after = "";
  let nextRoundAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = clock.monotonicMs();
    if (after === "") {
      if (now < nextRoundAt) return;
      nextRoundAt = now + ROUND_EVERY_MS;
    }
    const pools = await listPools(db, { after, accountId: null, limit: POOLS_A_TURN });
    for (const pool of pools) {
      // First, so that a pool that cannot be measured holds up no other one: it is tried again in the next round.
      after = pool.id;
      const id = await updateModel(db, pool);
      if (id !== null) log.info("pool.delay_model", { poolId: pool.id, modelId: id });
    }
    if (pools.length < POOLS_A_TURN) after = "";
  };
}

/** @returns the id of the new version; null when the one in use is still good */
export async function updateModel(db: Queryable, pool: Pool): Promise<number | null> {
  const measured = await measureModel(db, pool);
  const inUse = (await readNewestModels(db, [pool.id])).get(pool.id) ?? PRIOR_MODEL;
  return hasChanged(inUse, measured) ? insertModel(db, pool.id, measured) : null;
}

async function measureModel(db: Queryable, pool: Pool, windowS = WINDOW_S): Promise<NewModel> {
  const traffic = await readTraffic(db, { pool, windowS }, VISITS_MAX);
  const observedS = Math.ceil(traffic.profile?.observedS ?? windowS);
  const delaysS = await readCallDelays(db, { pool, windowS: observedS });
  if (delaysS.length >= CALLS_READ_MAX && observedS > WINDOW_CUT) {
    return measureModel(db, pool, Math.ceil(observedS / WINDOW_CUT));
  }
  const background = await readBackground(db, { poolId: pool.id, windowS: observedS });
  return modelOf({
    delaysS,
    horizonS: horizonOf(pool, traffic),
    matchedCalls: delaysS.length,
    presentations: traffic.profile === null ? 0 : meanRate(traffic.profile) * observedS,
    unexplainedCalls: background.calls,
    unexplainedNumberS: background.numberS,
  });
}
