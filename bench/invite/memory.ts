/** Whether the service grows: its resident memory after many calls beside that after few, in one process, both read while the calls go on. */
import { rssMbOf } from "./process-use.js";
import { median } from "../result.js";
import type { Side } from "./side.js";
import { runStep, type StepPlan } from "./step.js";

/** Read so often, … */
const READ_EVERY_MS = 250;
/** … and the median of this last part of a leg counts: the garbage of one collection is not growth. */
const COUNTED_MS = 10_000;

export interface MemoryPlan extends Omit<StepPlan, "calls" | "isTimed"> {
  readonly fewCalls: number;
  readonly manyCalls: number;
}

export interface Memory {
  readonly earlyMb: number;
  readonly lateMb: number;
  readonly rate: number;
  readonly failedShare: number;
}

export async function measureMemory(side: Side, plan: MemoryPlan): Promise<Memory> {
  const { fewCalls, manyCalls, rate } = plan;
  const early = await leg(side, { ...plan, calls: fewCalls });
  const late = await leg(side, { ...plan, calls: manyCalls - fewCalls });
  return { earlyMb: early.mb, lateMb: late.mb, rate, failedShare: (early.failed + late.failed) / manyCalls };
}

async function leg(side: Side, plan: Omit<StepPlan, "isTimed">): Promise<{ mb: number; failed: number }> {
  const readings: number[] = [];
  const timer = setInterval(() => readings.push(side.isRunning() ? rssMbOf(side.pid) : Number.NaN), READ_EVERY_MS);
  try {
    const { failed } = await runStep(side, { ...plan, isTimed: false });
    return { mb: median(readings.slice(-COUNTED_MS / READ_EVERY_MS)), failed };
  } finally {
    clearInterval(timer);
  }
}
