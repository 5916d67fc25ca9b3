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
  /** Of the calls, those matched from the log after the phone rang; null: the side matches nothing. */
  readonly lateShare: number | null;
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
  const kept = ledger === null ? null : await awaitRecords(ledger, { began, calls: report.completed, signal });
  const lost = kept === null ? 0 : Math.max(0, report.completed - kept.records);
  for (const part of [side, side.business])
    if (!part.isRunning()) throw new Error(`A process of the ${side.name} side ended at ${rate} calls/s.`);
  const perCall = (before: number | null, after: number | null): number | null =>
    before === null || after === null ? null : (after - before) / calls;
  return {
    rate,
    calls,
    failed: Math.min(calls, failedCalls({ ...report, calls }) + lost),
    delaysMs: report.delaysMs,
    lateShare: kept === null ? null : kept.late / calls,
    cpuMsPerCall: perCall(cpuBefore, cpuMsOf(side.pid)),
    databaseCpuMsPerCall: perCall(databaseCpuBefore, ledger?.cpuMs() ?? null),
  };
}

/** All records of the completed calls, or what there is of them when the time for it is over. */
async function awaitRecords(
  ledger: Ledger,
  { began, calls, signal }: { began: string; calls: number; signal: AbortSignal },
): ReturnType<Ledger["recordsSince"]> {
  const until = performance.now() + RECORDS_WITHIN_MS;
  for (;;) {
    const kept = await ledger.recordsSince(began);
    if (kept.records >= calls || performance.now() >= until) return kept;
    await delay(RECORDS_POLL_MS, undefined, { signal });
  }
}
