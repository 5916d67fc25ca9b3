/**
 * `bench -- webhook`: how long a carrier waits for our decision while calls come at their own rate, each with its dial callback and its end, and when very
 * many come at the same moment; and how many of them were matched before the phone rang. One process with the http role, a PostgreSQL with fsync.
 */
import { Agent } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { CleanUp } from "./clean-up.js";
import { latenciesAtRate } from "./open-loop.js";
import { startService } from "./present/sides.js";
import { type BenchResult, median, percentile } from "./result.js";
import { startBenchServer } from "./server.js";
import { makeTempDir } from "./temp-dir.js";
import { Carrier } from "./webhook/carrier.js";
import { makeCalledNumbers, matchedShare } from "./webhook/called-numbers.js";

const NUMBERS = 1_000;
const CALLS_A_SECOND = 100;
const SECONDS = 15;
const WARM_UP = { perSecond: 20, seconds: 3 };
const AT_ONCE = 500;
/** What was decided late is in the log by then. */
const SETTLE_MS = 3_000;
const SOCKETS_MAX = 1_000;
const TARGETS = { matched_in_time: { atLeast: 0.99 } } as const;
/** Of the carriers' own limits: Twilio waits 15 s, Vonage perhaps 1 s; a caller hears silence all the while. */
const GOAL_P99_MS = 300;
const GOAL_SLOWEST_MS = 1_000;

export async function benchWebhook(report: (progress: string) => void): Promise<BenchResult> {
  const cleanUp = new CleanUp();
  const dir = makeTempDir("webhook", cleanUp);
  try {
    const server = await startBenchServer();
    cleanUp.push(() => server.stop());
    const { db, url, numbers } = await makeCalledNumbers(server, NUMBERS);
    const service = await startService({ dir, cleanUp }, url);
    const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });
    cleanUp.push(() => agent.destroy());
    const carrier = await Carrier.on({ service, agent, numbers });
    await latenciesAtRate(WARM_UP, () => carrier.call());

    const steadyMs = await latenciesAtRate({ perSecond: CALLS_A_SECOND, seconds: SECONDS }, () => carrier.call());
    await wait(SETTLE_MS);
    const inTime = await matchedShare(db);
    report(`${steadyMs.length} calls at ${CALLS_A_SECOND}/s, p99 ${percentile(steadyMs, 0.99).toFixed(0)} ms`);
    const burstMs = await Promise.all(Array.from({ length: AT_ONCE }, () => carrier.call()));
    const [p99, slowest] = [percentile(steadyMs, 0.99), Math.max(...burstMs)];
    return {
      bench: "webhook",
      figures: {
        calls: steadyMs.length,
        decision_p50_ms: median(steadyMs),
        decision_max_ms: Math.max(...steadyMs),
        burst_calls: AT_ONCE,
        burst_p50_ms: median(burstMs),
      },
      ratios: { matched_in_time: inTime },
      targets: TARGETS,
      goals: {
        decision_p99_ms: { measured: p99, below: GOAL_P99_MS },
        burst_slowest_ms: { measured: slowest, below: GOAL_SLOWEST_MS },
      },
    };
  } finally {
    await cleanUp.run();
  }
}
