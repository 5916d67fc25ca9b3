/**
 * `bench -- invite`: the full service (match, durable record, B2BUA, no hold) beside a bare drachtio-srf B2BUA with a static Map on the same edge, in one
 * run, step by step in turn. sipp calls and answers; a call is good when it was placed in time, completed, and (full side) its record is in the database.
 * Then post-dial delays of the same two at a low rate, and the memory of a fresh service over many calls.
 */
import { setTimeout as wait } from "node:timers/promises";
import { CleanUp } from "./clean-up.js";
import { startFull } from "./invite/full-side.js";
import { afterStep, type Climb, hasPassed, inTurn, LADDER, ratesOfLaterClimb, startClimb } from "./invite/ladder.js";
import { type Memory, measureMemory } from "./invite/memory.js";
import { type Side, type SideName, startBare } from "./invite/side.js";
import { requireSipp } from "./invite/sipp.js";
import { runStep, type Step } from "./invite/step.js";
import { type Measured, type Summit, verdict } from "./invite/verdict.js";
import { type BenchResult, percentile } from "./result.js";
import { makeTempDir } from "./temp-dir.js";

interface Plan {
  readonly ladder: readonly number[];
  readonly stepS: number;
  readonly climbs: number;
  readonly delayRounds: number;
  readonly memoryCalls: { readonly few: number; readonly many: number };
}

const WHOLE: Plan = {
  ladder: LADDER,
  stepS: 10,
  climbs: 3,
  delayRounds: 5,
  memoryCalls: { few: 20_000, many: 200_000 },
};
/** To try the bench itself: its figures say little. */
const QUICK: Plan = {
  ladder: LADDER.filter((_rate, step) => step % 2 === 0),
  stepS: 5,
  climbs: 1,
  delayRounds: 2,
  memoryCalls: { few: 4_000, many: 20_000 },
};

const NUMBERS = Array.from({ length: 1_000 }, (_, n) => `+1888${2_000_000 + n}`);
const DELAY_RATE = 200;
/** Connections are open before anything counts. */
const WARM_UP = { rate: 100, calls: 500 };
/** Timers and sockets of the last step come to rest. */
const AFTER_STEP_MS = 1_000;
/** What a failed step left is mostly over by then (by RFC 3261's 32 s all of it, which would cost five minutes a run). */
const AFTER_FAILURE_MS = 15_000;
/**
 * Then no transaction is remembered any more (RFC 3261 timers B, H, J), and delays are measured: of a service that runs, not of one that has just started.
 * Its code is compiled by some 6,000 calls (the bare one's, which is less, sooner): its p99 was 53, 29, 18 and 17 ms in the first four rounds.
 */
const AFTER_CLIMBS_MS = 35_000;
/**
 * Before each round of delays: V8 collects everything in a process that has been idle for eight seconds, and that is the other side, in the middle of this
 * one's round (perf: four threads, by their ids the other side's, had half of the machine for 0.35 s; calls waited 150 ms).
 */
const BEFORE_DELAYS_MS = 15_000;
/** What an idle process gave back it fetches again with the first calls; they are not counted, of either side. */
const RUN_IN_S = 3;
/**
 * So slow that the first 20,000 calls last longer than the 32 s for which the edge remembers a call (RFC 3261 timers B, H, J): both readings then see as
 * many remembered calls.
 */
const MEMORY_RATE = 400;

interface Bench {
  readonly plan: Plan;
  readonly dir: string;
  readonly signal: AbortSignal;
  readonly report: (progress: string) => void;
}

export async function benchInvite(
  report: (progress: string) => void,
  { isQuick, signal }: { readonly isQuick: boolean; readonly signal: AbortSignal },
): Promise<BenchResult> {
  requireSipp();
  const cleanUp = new CleanUp();
  try {
    const dir = makeTempDir("invite", cleanUp);
    const bench: Bench = { plan: isQuick ? QUICK : WHOLE, dir, signal, report };
    const { summits, delaysMs } = await compare(bench);
    const rss = await memoryOfFresh(bench);
    return verdict({ summits, delaysMs, rss });
  } finally {
    await cleanUp.run();
  }
}

async function compare(bench: Bench): Promise<Pick<Measured, "summits" | "delaysMs">> {
  const cleanUp = new CleanUp();
  try {
    const input = { dir: bench.dir, numbers: NUMBERS, cleanUp };
    const sides = [await startBare(input), await startFull(input)];
    for (const side of sides) await step(bench, side, WARM_UP);
    const summits: Record<SideName, Summit[]> = { bare: [], full: [] };
    for (let n = 0; n < bench.plan.climbs; n++) {
      const ratesFor = (name: SideName): readonly number[] =>
        n === 0 ? bench.plan.ladder : ratesOfLaterClimb(bench.plan.ladder, summits[name][0]?.rate ?? 0);
      const reached = await climbInTurn(bench, sides, ratesFor);
      for (const { name } of sides) summits[name].push(reached[name]);
      bench.report(`climb ${n + 1}: bare ${reached.bare.rate}/s, full ${reached.full.rate}/s`);
    }
    await wait(AFTER_CLIMBS_MS, undefined, { signal: bench.signal });
    return { summits, delaysMs: await measureDelays(bench, sides) };
  } finally {
    await cleanUp.run();
  }
}

async function measureDelays(bench: Bench, sides: readonly Side[]): Promise<Record<SideName, number[][]>> {
  const delaysMs: Record<SideName, number[][]> = { bare: [], full: [] };
  for (let round = 0; round < bench.plan.delayRounds; round++)
    for (const side of inTurn(sides, round)) {
      await wait(BEFORE_DELAYS_MS, undefined, { signal: bench.signal });
      await step(bench, side, { rate: DELAY_RATE, calls: DELAY_RATE * RUN_IN_S });
      const made = await step(bench, side, { rate: DELAY_RATE, calls: DELAY_RATE * bench.plan.stepS, isTimed: true });
      delaysMs[side.name].push([...made.delaysMs]);
      const p99 = percentile(made.delaysMs, 0.99);
      bench.report(`delay, round ${round + 1}: ${side.name} p99 ${p99.toFixed(0)} ms of ${made.delaysMs.length} calls`);
    }
  return delaysMs;
}

async function climbInTurn(
  bench: Bench,
  sides: readonly Side[],
  ratesFor: (name: SideName) => readonly number[],
): Promise<Record<SideName, Summit>> {
  const climbs: Record<SideName, Climb> = { bare: startClimb(ratesFor("bare")), full: startClimb(ratesFor("full")) };
  const none: Summit = { rate: 0, failedShare: 0, lateShare: null, cpuMsPerCall: null, databaseCpuMsPerCall: null };
  const summits: Record<SideName, Summit> = { bare: none, full: none };
  for (let round = 0; Object.values(climbs).some(({ kind }) => kind === "climbing"); round++)
    for (const side of inTurn(sides, round)) {
      const climb = climbs[side.name];
      if (climb.kind === "stopped") continue;
      const made = await step(bench, side, { rate: climb.rate, calls: climb.rate * bench.plan.stepS });
      const passed = hasPassed(made);
      climbs[side.name] = afterStep(climb, passed);
      if (passed) summits[side.name] = { ...made, failedShare: made.failed / made.calls };
      bench.report(`${side.name} ${made.rate}/s: ${made.failed} of ${made.calls} failed${costOf(made)}`);
    }
  return summits;
}

function costOf({ cpuMsPerCall, databaseCpuMsPerCall, lateShare }: Step): string {
  const costs = [
    lateShare === null ? "" : `, ${(100 * lateShare).toFixed(0)} % matched late`,
    cpuMsPerCall === null ? "" : `, ${cpuMsPerCall.toFixed(2)} ms of CPU a call`,
    databaseCpuMsPerCall === null ? "" : `, PostgreSQL ${databaseCpuMsPerCall.toFixed(2)} ms`,
  ];
  return costs.join("");
}

/** A process that has seen no overload: what it holds after the few calls is what it needs. */
async function memoryOfFresh(bench: Bench): Promise<Memory> {
  const cleanUp = new CleanUp();
  try {
    const side = await startFull({ dir: bench.dir, numbers: NUMBERS, cleanUp });
    const { few: fewCalls, many: manyCalls } = bench.plan.memoryCalls;
    bench.report(`memory: ${manyCalls} calls at ${MEMORY_RATE}/s`);
    const { dir, signal } = bench;
    return await measureMemory(side, { dir, numbers: NUMBERS, rate: MEMORY_RATE, fewCalls, manyCalls, signal });
  } finally {
    await cleanUp.run();
  }
}

async function step(
  { dir, signal }: Bench,
  side: Side,
  calls: { readonly rate: number; readonly calls: number; readonly isTimed?: boolean },
): Promise<Step> {
  const made = await runStep(side, { dir, numbers: NUMBERS, isTimed: false, ...calls, signal });
  await wait(hasPassed(made) ? AFTER_STEP_MS : AFTER_FAILURE_MS, undefined, { signal });
  return made;
}
