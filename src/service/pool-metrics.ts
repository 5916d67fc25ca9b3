/**
 * What /metrics says of pools: sums over all of them, and what was decided. Labels are words of the code, never pools or accounts: one pool's figures
 * are in GET /v1/pools/:id and its scale_decisions.
 */
import { Counter, Gauge, type Registry } from "prom-client";
import { sql, type Queryable } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { ScaleDecision } from "../pool/scale-decisions.store.js";

/** Counting reads every assigned number; several processes, each scraped every few seconds, must not do it each time. */
const READ_EVERY_MS = 30_000;

const SELECT_SUMS = sql(
  "pool_metrics_select_sums",
  `select count(*) filter (where s.usable > s.locked) as open, count(*) filter (where s.usable <= s.locked) as full,
     coalesce(sum(s.usable - s.locked), 0)::int as free, coalesce(sum(s.locked), 0)::int as locked,
     coalesce(sum(s.overflow), 0)::int as overflow
   from pool p left join lateral (
     select count(*) filter (where n.role = 'pool') as usable,
       count(*) filter (where n.role = 'pool' and n.locked_until > now()) as locked, count(*) filter (where n.role = 'overflow') as overflow
     from promo_number n where n.pool_id = p.id and n.state = 'assigned') s on true
   where p.deleted_at is null`,
);

interface Sums {
  readonly open: number;
  readonly full: number;
  readonly free: number;
  readonly locked: number;
  readonly overflow: number;
}

export interface PoolMetrics {
  exhausted(): void;
  decided(decision: ScaleDecision): void;
}

export function createPoolMetrics(input: {
  registry: Registry;
  db: Queryable;
  clock: Pick<Clock, "monotonicMs">;
  log: Log;
}): PoolMetrics {
  const registers = [input.registry];
  const exhaustions = new Counter({
    name: "ringmatch_pool_exhaustions_total",
    help: "Presentations that found no free number in their pool",
    registers,
  });
  const decisions = new Counter({
    name: "ringmatch_scale_decisions_total",
    help: "Decisions about pools' sizes, by what asked for them and what came of it",
    labelNames: ["trigger", "outcome"],
    registers,
  });
  const moved = new Counter({
    name: "ringmatch_scaled_numbers_total",
    help: "Numbers that decisions added to pools and removed from them",
    labelNames: ["direction"],
    registers,
  });
  addSums(input, registers);
  return {
    exhausted: () => exhaustions.inc(),
    decided: ({ trigger, outcome, added, removed }) => {
      decisions.inc({ trigger, outcome });
      if (added > 0) moved.inc({ direction: "up" }, added);
      if (removed > 0) moved.inc({ direction: "down" }, removed);
    },
  };
}

function addSums(input: { db: Queryable; clock: Pick<Clock, "monotonicMs">; log: Log }, registers: Registry[]): void {
  const { db, clock, log } = input;
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<Sums | null> = Promise.resolve(null);
  // Both gauges are collected at once and share one reading.
  const read = (): Promise<Sums | null> => {
    if (clock.monotonicMs() - readAt < READ_EVERY_MS) return reading;
    readAt = clock.monotonicMs();
    reading = db
      .query<Sums>(SELECT_SUMS)
      .then(([sums]) => sums ?? null)
      .catch((error: unknown) => {
        log.debug("metrics.pools_not_read", { error: messageOf(error) });
        return null;
      });
    return reading;
  };
  void new Gauge({
    name: "ringmatch_pools",
    help: "Pools with a free number (open) and without one (full); at most half a minute old",
    labelNames: ["state"],
    registers,
    async collect() {
      const sums = await read();
      for (const state of ["open", "full"] as const) if (sums !== null) this.set({ state }, sums[state]);
    },
  });
  void new Gauge({
    name: "ringmatch_pool_numbers",
    help: "Numbers held by pools: free or locked for a visitor, or shared as overflow numbers; at most half a minute old",
    labelNames: ["use"],
    registers,
    async collect() {
      const sums = await read();
      for (const use of ["free", "locked", "overflow"] as const) if (sums !== null) this.set({ use }, sums[use]);
    },
  });
}
