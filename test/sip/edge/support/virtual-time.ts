/** A scheduler whose time only passes when a test says so. */
import type { Scheduler } from "../../../../src/sip/edge/timers.js";

export interface VirtualTime extends Scheduler {
  readonly nowMs: number;
  /** Runs everything due up to then, in order. */
  advanceTo(ms: number): void;
  readonly pending: number;
}

export function virtualTime(): VirtualTime {
  let nowMs = 0;
  let order = 0;
  const due = new Set<{ at: number; order: number; act: () => void }>();
  return {
    get nowMs() {
      return nowMs;
    },
    get pending() {
      return due.size;
    },
    after(ms, act) {
      const entry = { at: nowMs + ms, order: order++, act };
      due.add(entry);
      return { cancel: () => void due.delete(entry) };
    },
    advanceTo(ms) {
      for (;;) {
        const next = [...due].filter((one) => one.at <= ms).toSorted((a, b) => a.at - b.at || a.order - b.order)[0];
        if (next === undefined) break;
        due.delete(next);
        nowMs = next.at;
        next.act();
      }
      nowMs = ms;
    },
  };
}
