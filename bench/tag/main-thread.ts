/**
 * Main-thread time of a script by Chromium's own trace. CPU time of the thread, so that other processes of the machine do not count; with a CPU slowed
 * down, the time it is held back does. Pieces of the script are told by its URL; promise reactions have none in a trace, so what is measured as a whole
 * runs on a page without other script.
 */
import type { Browser, Page } from "playwright-core";

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds, on the clock and of the thread's CPU. */
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly data?: { readonly url?: string } };
}
export type Trace = readonly TraceEvent[];

const CATEGORIES = ["devtools.timeline", "v8"];
const SCRIPT: ReadonlySet<string> = new Set([
  "EvaluateScript",
  "v8.compile",
  "FunctionCall",
  "RunMicrotasks",
  "TimerFire",
  "FireAnimationFrame",
]);
const RENDERING: ReadonlySet<string> = new Set([
  "UpdateLayoutTree",
  "Layout",
  "PrePaint",
  "Paint",
  "Layerize",
  "Commit",
]);

export async function traced(browser: Browser, page: Page, act: () => Promise<void>): Promise<Trace> {
  await browser.startTracing(page, { categories: CATEGORIES });
  await act();
  return (JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: Trace }).traceEvents;
}

/** From the script's first event on: all script of the thread, and all style, layout and paint. @throws Error when the script is not in the trace */
export function costMs(trace: Trace, scriptUrl: string): { readonly script: number; readonly rendering: number } {
  const first = trace.find((event) => event.args?.data?.url === scriptUrl && SCRIPT.has(event.name));
  if (first === undefined) throw new Error(`The trace does not show ${scriptUrl}.`);
  const later = trace.filter(({ pid, tid, ts }) => pid === first.pid && tid === first.tid && ts >= first.ts);
  return {
    script: outermostMs(later.filter(({ name }) => SCRIPT.has(name))),
    rendering: outermostMs(later.filter(({ name }) => RENDERING.has(name))),
  };
}

/** What the browser called of this script: its observers, frames and timers. */
export function callbacksMs(trace: Trace, scriptUrl: string): number {
  return outermostMs(trace.filter(({ name, args }) => name === "FunctionCall" && args?.data?.url === scriptUrl));
}

/** Pieces within pieces count once. All of one thread. */
function outermostMs(events: readonly TraceEvent[]): number {
  let totalUs = 0;
  let endTs = 0;
  const pieces = events.filter(({ ph }) => ph === "X").sort((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
  for (const { ts, dur = 0, tdur = dur } of pieces) {
    if (ts < endTs) continue;
    totalUs += tdur;
    endTs = ts + dur;
  }
  return totalUs / 1_000;
}
