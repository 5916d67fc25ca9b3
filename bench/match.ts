/**
 * Whether a match costs more when the presentation log is long: match plus committed call row (openCall, as every ingress does it) in a database with
 * ten million presentations over four days beside one with ten thousand. Same numbers, same server, rounds in turn. A match reads the number's row
 * alone, so the log should not matter.
 */
import type { Database } from "../src/db/database.js";
import { systemClock } from "../src/kernel/clock.js";
import { createIdSource } from "../src/kernel/ids.js";
import { systemRandom } from "../src/kernel/random.js";
import { createSecrets } from "../src/kernel/secrets.js";
import { openCall } from "../src/routing/open-call.js";
import { loadPresentationLog, settle } from "./presentation-log.js";
import { type BenchResult, median, percentile } from "./result.js";
import { startBenchServer } from "./server.js";
import { makeTenants } from "./tenants.js";

const TENANTS = 100;
const NUMBERS_A_TENANT = 1_000;
const NUMBERS = TENANTS * NUMBERS_A_TENANT;
const DAYS = 4;
/** Presentations of each number a day: 100,000 × 4 × 25 is ten million. */
const LONG_LOG_A_DAY = 25;
/** Numbers with one presentation: ten thousand in all. */
const SHORT_LOG = 10_000;
const CONNECTIONS = 16;
const CALLS_PER_S = 1_000;
const PAIRS = 15;
const WARM_UP_MS = 3_000;
const ROUND_MS = 1_500;
const TARGET = 1.2;
const GOAL_P99_MS = 2;

export async function benchMatch(report: (progress: string) => void): Promise<BenchResult> {
  const server = await startBenchServer();
  try {
    const short = await server.database("short_log", CONNECTIONS);
    const long = await server.database("long_log", CONNECTIONS);
    for (const db of [short, long]) await loadNumbers(db);
    const began = performance.now();
    await loadPresentationLog(short, { numbers: SHORT_LOG, aDay: 1, days: 1 });
    await loadPresentationLog(long, { numbers: NUMBERS, aDay: LONG_LOG_A_DAY, days: DAYS });
    report(
      `loaded ${NUMBERS * DAYS * LONG_LOG_A_DAY} presentations in ${((performance.now() - began) / 1_000).toFixed(0)} s`,
    );
    for (const db of [short, long]) await settle(db);
    for (const db of [short, long]) await round(db, WARM_UP_MS);
    const pairs: { short: number[]; long: number[] }[] = [];
    for (let i = 0; i < PAIRS; i++) {
      const first = await round(i % 2 === 0 ? short : long, ROUND_MS);
      const second = await round(i % 2 === 0 ? long : short, ROUND_MS);
      const pair = i % 2 === 0 ? { short: first, long: second } : { short: second, long: first };
      pairs.push(pair);
      report(
        `pair ${i + 1}: median ${median(pair.short).toFixed(3)} ms with the short log, ${median(pair.long).toFixed(3)} ms with the long one`,
      );
    }
    return resultOf(pairs);
  } finally {
    await server.stop();
  }
}

async function loadNumbers(db: Database): Promise<void> {
  await makeTenants(db, { tenants: TENANTS, numbersATenant: NUMBERS_A_TENANT, sessionLifetimeS: () => 1_800 });
  // Everybody's latest presentation is on the row, whatever the log holds.
  for (let tenant = 0; tenant < TENANTS; tenant++) {
    await db.query(
      {
        name: "",
        text: `update promo_number set presentation_seq = ${DAYS * LONG_LOG_A_DAY}, visitor_id = 'vis_' || id, held_by = 'vis_' || id,
             presentation_id = 'prs_' || id, last_presented_at = now() - interval '1 hour', locked_until = now() - interval '30 minutes',
             retained_until = now() + interval '71 hours', touch = '{"utm_source":"google","utm_medium":"cpc"}', custom_data = '{}'
           where pool_id = $1`,
      },
      [`pool_${tenant}`],
    );
  }
}

const ids = createIdSource(systemClock, systemRandom);
const secrets = createSecrets("a secret for the benchmark only", systemRandom);

/** Calls come at their own rate, whether the last was answered or not. @returns ms from arrival to committed record, one a call */
async function round(db: Database, forMs: number): Promise<number[]> {
  const latenciesMs: number[] = [];
  const calls: Promise<void>[] = [];
  const start = performance.now();
  for (let now = start; now - start < forMs; now = performance.now()) {
    while (calls.length < ((now - start) / 1_000) * CALLS_PER_S) calls.push(call(db, latenciesMs));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(calls);
  return latenciesMs;
}

async function call(db: Database, latenciesMs: number[]): Promise<void> {
  const arrived = performance.now();
  const callId = ids.next("call");
  const promoNumber = `+1888${2_000_000 + Math.floor(Math.random() * NUMBERS)}`;
  await openCall(
    { db, secrets, ids },
    {
      call: {
        ingress: "sip",
        ingressKey: `sip bench ${callId}`,
        ingressCallId: callId,
        promoNumber,
        caller: "+14155550123",
        callerName: null,
        diversion: null,
        verstat: null,
        node: "bench",
      },
      callId,
      late: null,
    },
  );
  latenciesMs.push(performance.now() - arrived);
}

function resultOf(pairs: readonly { short: number[]; long: number[] }[]): BenchResult {
  const long = pairs.flatMap((pair) => pair.long);
  const short = pairs.flatMap((pair) => pair.short);
  const p99 = percentile(long, 0.99);
  return {
    bench: "match",
    figures: {
      short_log_p50_ms: median(short),
      short_log_p99_ms: percentile(short, 0.99),
      long_log_p50_ms: median(long),
      long_log_p99_ms: p99,
      calls: long.length + short.length,
    },
    ratios: { long_to_short_median: median(pairs.map((pair) => median(pair.long) / median(pair.short))) },
    targets: { long_to_short_median: { atMost: TARGET } },
    goals: { long_log_p99_ms_at_1000_per_s: { below: GOAL_P99_MS, measured: p99 } },
  };
}
