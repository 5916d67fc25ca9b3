/** One step: calls at one rate for one time to one side, every one of them counted, and what they cost. */
import { setTimeout as delay } from "node:timers/promises";
import { cpuMsOf } from "./process-use.js";
import type { Ledger, Side } from "./side.js";
import { placeCalls } from "./sipp.js";
import { failedCalls } from "./sipp-report.js";

/** A record may be written after its call, but it must be there before the calls of a whole step could be lost with it. */
const RECORDS_WITHIN_MS = 10_000;
const RECORDS_POLL_MS = 200;

export interface StepPlan {
  readonly dir: string;
  readonly numbers: readonly string[];
  readonly rate: number;
  readonly calls: number;
  readonly isTimed: boolean;
  readonly signal: AbortSignal;
}

export interface Step {
  readonly rate: number;
  readonly calls: number;
  /** Not placed in time, not completed, or completed without a record. */
  readonly failed: number;
  readonly delaysMs: readonly number[];
  /** Null where the system does not tell. */
  readonly cpuMsPerCall: number | null;
  readonly databaseCpuMsPerCall: number | null;
}

export async function runStep(side: Side, plan: StepPlan): Promise<Step> {
  const { rate, calls, numbers, isTimed, dir, signal } = plan;
  const { ledger } = side;
  const began = (await ledger?.now()) ?? "";
  const cpuBefore = cpuMsOf(side.pid);
  const databaseCpuBefore = ledger?.cpuMs() ?? null;
  const report = await placeCalls(dir, { to: side.sip, numbers, rate, calls, isTimed }, signal);
  const lost = ledger === null ? 0 : await lostRecords(ledger, { began, calls: report.completed, signal });
  for (const part of [side, side.business])
    if (!part.isRunning()) throw new Error(`A process of the ${side.name} side ended at ${rate} calls/s.`);
  const perCall = (before: number | null, after: number | null): number | null =>
    before === null || after === null ? null : (after - before) / calls;
  return {
    rate,
    calls,
    failed: Math.min(calls, failedCalls({ ...report, calls }) + lost),
    delaysMs: report.delaysMs,
    cpuMsPerCall: perCall(cpuBefore, cpuMsOf(side.pid)),
    databaseCpuMsPerCall: perCall(databaseCpuBefore, ledger?.cpuMs() ?? null),
  };
}

/** Completed calls without a record when the time for it is over. */
async function lostRecords(
  ledger: Ledger,
  { began, calls, signal }: { began: string; calls: number; signal: AbortSignal },
): Promise<number> {
  const until = performance.now() + RECORDS_WITHIN_MS;
  for (;;) {
    const records = await ledger.recordsSince(began);
    if (records >= calls) return 0;
    if (performance.now() >= until) return calls - records;
    await delay(RECORDS_POLL_MS, undefined, { signal });
  }
}
