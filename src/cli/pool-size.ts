import { parseArgs } from "node:util";
import type { Database } from "../db/database.js";
import { showSizing, sizingQuery, type SizingOut, type SizingQuery } from "../http/contract/sizing.js";
import { AppError } from "../kernel/errors.js";
import { seededRandom } from "../kernel/seeded-random.js";
import { callDelays, type DelayPart } from "../pool/call-delays.js";
import { getPool } from "../pool/pools.store.js";
import { type PoolSizing, sizePool } from "../pool/pool-sizing.js";
import { poissonVisits } from "../pool/poisson-visits.js";
import { simulatePool, type Visit } from "../pool/simulate-pool.js";
import { planPool, type SizingTargets } from "../pool/size-pool.js";
import { HOUR_S, steadyTraffic } from "../pool/traffic-profile.js";
import { readArrivals } from "../pool/traffic.store.js";
import type { Command } from "./command.js";
import { type SimulatedSize, sizingTable } from "./sizing-table.js";
import { withDatabase } from "./with-database.js";

/** Visits that a simulation holds in memory; a busier pool's window is shortened to them. */
const VISITS_MAX = 500_000;
/** Made-up visits: enough that a share's own error is under 0.002. */
const VISITS_MADE_UP = 200_000;

const OPTIONS = {
  pool: { type: "string" },
  window: { type: "string" },
  overflow: { type: "string" },
  protect: { type: "string" },
  price: { type: "string" },
  "per-hour": { type: "string" },
  lifetime: { type: "string", default: "1800" },
  "page-time": { type: "string", default: "0" },
  retention: { type: "string", default: "259200" },
  size: { type: "string" },
  simulate: { type: "boolean", default: false },
  seed: { type: "string", default: "1" },
  json: { type: "boolean", default: false },
} as const;

export const poolSizeCommand: Command = {
  help: `Usage: ringmatch pool size --pool ID [--window SECONDS] [options]
       ringmatch pool size --per-hour VISITORS [--lifetime SECONDS] [--page-time SECONDS] [--retention SECONDS] [--size N] [options]

How many numbers a pool should have: from its own log, or for visitors an hour that are only expected. With each size: the share of visitors who find
no number (Erlang B), the share of calls matched to somebody else (retention horizon), and what one point less of that takes.

  --overflow SHARE   visitors who may find no number in the busiest hour (0.01)
  --protect SHARE    calls that shall come before their number goes to somebody else (0.95)
  --price PRICE      of one number; prices a point of accuracy
  --simulate         plays the pool's visits (or made-up ones) against the present and the recommended size, as a check
  --seed N           of the simulation's randomness (1)
  --json             for programs

GET /v1/pools/:id/sizing answers the same as --pool.`,
  run: async (words) => {
    const { values } = parseArgs({ args: [...words], options: OPTIONS });
    const query = readQuery(values);
    const seed = numberOf("seed", values.seed, 0);
    const { pool, "per-hour": perHour } = values;
    if ((pool === undefined) === (perHour === undefined)) {
      throw new AppError(
        "invalid_value",
        "Give either --pool, an existing pool, or --per-hour, the visitors expected.",
      );
    }
    const planned =
      pool === undefined
        ? plannedPool({
            perHour: numberOf("per-hour", perHour, 0.001),
            lifetimeS: numberOf("lifetime", values.lifetime, 1),
            pageTimeS: numberOf("page-time", values["page-time"], 0),
            retentionS: numberOf("retention", values.retention, 1),
            size: values.size === undefined ? 0 : Math.floor(numberOf("size", values.size, 1)),
            query,
          })
        : await withDatabase((db) => existingPool(db, { id: pool, query, withVisits: values.simulate }));
    const simulated = values.simulate ? simulate(planned, seed) : [];
    const { shown } = planned;
    console.log(values.json ? JSON.stringify({ ...shown, simulated }) : sizingTable(shown, simulated));
  },
};

interface Planned {
  readonly shown: SizingOut;
  readonly delays: readonly DelayPart[];
  readonly lockS: number;
  readonly retentionS: number;
  readonly visits: (seed: number) => { visits: readonly Visit[]; periodS: number };
}

interface Expected {
  readonly perHour: number;
  readonly lifetimeS: number;
  readonly pageTimeS: number;
  readonly retentionS: number;
  readonly size: number;
  readonly query: SizingQuery;
}

function plannedPool({ perHour, lifetimeS, pageTimeS, retentionS, size, query }: Expected): Planned {
  const lockS = lifetimeS + pageTimeS;
  const traffic = steadyTraffic({ perHour, holdS: lockS });
  const delays = callDelays({ delaysS: [], horizonS: Infinity });
  const plan = planPool({ traffic, delays, retentionS, size, overflowFrom: Infinity, targets: targetsOf(query) });
  const measured = { profile: traffic, visitsPerS: perHour / HOUR_S, pageTimeS, sampledShare: 1 };
  const sizing: PoolSizing = { traffic: measured, delays, usable: size, plan };
  const ratePerS = perHour / HOUR_S;
  const periodS = VISITS_MADE_UP / ratePerS;
  return {
    shown: showSizing({ pool: { size, retentionS, sessionLifetimeS: lifetimeS }, query, sizing }),
    delays: delays.parts,
    lockS,
    retentionS,
    visits: (seed) => ({ visits: poissonVisits({ ratePerS, spanS: periodS, random: seededRandom(seed) }), periodS }),
  };
}

async function existingPool(
  db: Database,
  input: { id: string; query: SizingQuery; withVisits: boolean },
): Promise<Planned> {
  const { query } = input;
  const pool = await getPool(db, { id: input.id, accountId: null });
  const sizing = await sizePool(db, { pool, windowS: query.window_s, targets: targetsOf(query) });
  const { traffic, delays } = sizing;
  const windowS = Math.min(query.window_s, VISITS_MAX / traffic.visitsPerS);
  const arrivals = input.withVisits && traffic.profile !== null ? await readArrivals(db, { pool, windowS }) : [];
  const periodS = Math.min(windowS, traffic.profile?.observedS ?? windowS);
  return {
    shown: showSizing({ pool, query, sizing }),
    delays: delays.parts,
    lockS: pool.sessionLifetimeS + (traffic.pageTimeS ?? 0),
    retentionS: pool.retentionS,
    visits: () => ({ visits: visitsOf(arrivals), periodS }),
  };
}

/** From zero, and with numbers for the visitors' ids. */
function visitsOf(arrivals: readonly { atS: number; visitor: string }[]): Visit[] {
  const known = new Map<string, number>();
  const startS = arrivals[0]?.atS ?? 0;
  return arrivals.map(({ atS, visitor }) => {
    const number = known.get(visitor) ?? known.size;
    known.set(visitor, number);
    return { atS: atS - startS, visitor: number };
  });
}

/** The present size and the recommended one. */
function simulate(planned: Planned, seed: number): SimulatedSize[] {
  const { shown, lockS, retentionS, delays } = planned;
  const { visits, periodS } = planned.visits(seed);
  const sizes = new Set([shown.size, shown.recommended_size]);
  return shown.curve
    .filter(({ size }) => sizes.has(size))
    .map(({ size, usable }) => {
      const rules = { numbers: usable, lockS, retentionS };
      return { size, usable, seed, ...simulatePool({ visits, periodS, rules, delays, random: seededRandom(seed) }) };
    });
}

function targetsOf(query: SizingQuery): SizingTargets {
  return { overflowShare: query.target_overflow, protectedShare: query.protect };
}

/** The same limits and defaults as the API's. */
function readQuery(values: { window?: string; overflow?: string; protect?: string; price?: string }): SizingQuery {
  const { window, overflow, protect, price } = values;
  const asked = { window_s: window, target_overflow: overflow, protect, number_price: price };
  const result = sizingQuery.safeParse(asked);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new AppError("invalid_value", `${String(issue?.path[0])}: ${issue?.message ?? "is not acceptable"}.`);
}

function numberOf(name: string, text: string | undefined, least: number): number {
  const value = Number(text);
  if (text === undefined || text.trim() === "" || !(value >= least && value <= Number.MAX_SAFE_INTEGER)) {
    throw new AppError("invalid_value", `--${name} must be a number of at least ${least}.`);
  }
  return value;
}
