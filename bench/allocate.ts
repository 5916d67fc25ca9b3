/**
 * What micro-batching is worth: AllocationBatch beside the same function and guard called with one request each (16 connections, prepared), in
 * one run, single process, 256 requests waiting at any time. 100 tenants of 100 numbers; 300 visitors a tenant, so that about a third are renewals;
 * locks of 100 to 300 ms, so that every number is recycled all the time.
 */
import type { Database } from "../src/db/database.js";
import { systemClock } from "../src/kernel/clock.js";
import { createIdSource } from "../src/kernel/ids.js";
import { silentLog } from "../src/kernel/log.js";
import { systemRandom } from "../src/kernel/random.js";
import { AllocationBatch } from "../src/pool/allocation-batch.js";
import { type AllocationRequest, presentBatch } from "../src/pool/presentations.store.js";
import { type BenchResult, median, percentile } from "./result.js";
import { startBenchServer } from "./server.js";
import { makeTenants } from "./tenants.js";

const TENANTS = 100;
const NUMBERS_A_TENANT = 100;
const VISITORS_A_TENANT = 300;
const WAITING = 256;
const CONNECTIONS = 16;
const PAIRS = 5;
const WARM_UP_MS = 2_000;
const ROUND_MS = 4_000;
/** Locks are whole seconds; the bench's clock runs this much faster, so 1 to 3 s are 100 to 300 ms. Both sides pay for being told the time. */
const CLOCK_SPEED = 10;
const TARGET = 3.5;

type Allocate = (request: AllocationRequest) => Promise<string>;

interface Round {
  readonly perSecond: number;
  readonly latenciesMs: number[];
}

export async function benchAllocate(report: (progress: string) => void): Promise<BenchResult> {
  const server = await startBenchServer();
  try {
    const db = await server.database("allocate", CONNECTIONS);
    report(`making ${TENANTS} tenants of ${NUMBERS_A_TENANT} numbers`);
    await makeTenants(db, { tenants: TENANTS, numbersATenant: NUMBERS_A_TENANT, sessionLifetimeS: (t) => 1 + (t % 3) });
    const batched = batchedAllocate(db);
    const single = singleAllocate(db);
    await round(batched, WARM_UP_MS);
    await round(single, WARM_UP_MS);
    const pairs: { batched: Round; single: Round }[] = [];
    for (let i = 0; i < PAIRS; i++) {
      const first = await round(i % 2 === 0 ? batched : single, ROUND_MS);
      const second = await round(i % 2 === 0 ? single : batched, ROUND_MS);
      const pair = i % 2 === 0 ? { batched: first, single: second } : { batched: second, single: first };
      pairs.push(pair);
      report(
        `pair ${i + 1}: batched ${pair.batched.perSecond.toFixed(0)}/s, single ${pair.single.perSecond.toFixed(0)}/s`,
      );
    }
    return resultOf(pairs);
  } finally {
    await server.stop();
  }
}

function batchedAllocate(db: Database): Allocate {
  const batch = new AllocationBatch({ db, clock: systemClock, log: silentLog, now: fastNow });
  return async (request) => (await batch.allocate(request)).kind;
}

function singleAllocate(db: Database): Allocate {
  return async (request) => {
    for (;;) {
      const [outcome] = await presentBatch(db, [request], fastNow());
      if (outcome !== undefined && outcome.kind !== "busy") return outcome.kind;
    }
  };
}

const started = systemClock.now();

function fastNow(): number {
  return started + (systemClock.now() - started) * CLOCK_SPEED;
}

/** A closed loop: whoever is answered asks again at once, for another visitor. */
async function round(allocate: Allocate, forMs: number): Promise<Round> {
  const start = performance.now();
  const latenciesMs: number[] = [];
  const ask = async (): Promise<void> => {
    while (performance.now() - start < forMs) {
      const asked = performance.now();
      await allocate(randomRequest());
      latenciesMs.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: WAITING }, ask));
  return { perSecond: latenciesMs.length / ((performance.now() - start) / 1_000), latenciesMs };
}

const ids = createIdSource(systemClock, systemRandom);

function randomRequest(): AllocationRequest {
  const tenant = Math.floor(Math.random() * TENANTS);
  const visitor = Math.floor(Math.random() * VISITORS_A_TENANT);
  return {
    accountId: `acc_${tenant}`,
    poolId: `pool_${tenant}`,
    visitorId: `vis_bench${String(tenant).padStart(6, "0")}x${String(visitor).padStart(10, "0")}`,
    freshVisitorId: ids.next("vis"),
    presentationId: ids.next("prs"),
    logId: ids.next("prl"),
    touch: { utm_source: "google", utm_medium: "cpc", gclid: "EAIaIQobChMI0000000000" },
    customData: {},
    context: {
      url: "https://www.example.com/landing?utm_source=google&utm_medium=cpc",
      referrer: "https://www.google.com/",
    },
  };
}

function resultOf(pairs: readonly { batched: Round; single: Round }[]): BenchResult {
  const of = (side: "batched" | "single", share: number): number =>
    median(pairs.map((pair) => percentile(pair[side].latenciesMs, share)));
  return {
    bench: "allocate",
    figures: {
      batched_per_s: median(pairs.map((pair) => pair.batched.perSecond)),
      batched_p50_ms: of("batched", 0.5),
      batched_p99_ms: of("batched", 0.99),
      single_per_s: median(pairs.map((pair) => pair.single.perSecond)),
      single_p50_ms: of("single", 0.5),
      single_p99_ms: of("single", 0.99),
    },
    ratios: { batched_to_single: median(pairs.map((pair) => pair.batched.perSecond / pair.single.perSecond)) },
    targets: { batched_to_single: { atLeast: TARGET } },
    goals: {},
  };
}
