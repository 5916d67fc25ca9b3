/**
 * From what each stretch of a report's time is read: days of UTC from the sums by day, whole quarter hours beside them from the sums by quarter, what is
 * left at either end from the calls themselves. Pure.
 */
import type { Instant } from "../../kernel/clock.js";
import type { Stretch } from "./report-calendar.js";

export type Grain = "day" | "quarter" | "call";

export interface Span extends Stretch {
  readonly grain: Grain;
}

const QUARTER_MS = 900_000;
const DAY_MS = 86_400_000;

/** @returns spans that cover each stretch once, none of them empty */
export function spansOf(stretches: readonly Stretch[]): Span[] {
  return stretches.flatMap((stretch) => {
    const quarters = inner(stretch.from, stretch.to, QUARTER_MS);
    if (quarters === null) return [{ ...stretch, grain: "call" as const }];
    const days = inner(quarters.from, quarters.to, DAY_MS) ?? { from: quarters.to, to: quarters.to };
    const cut = (grain: Grain, from: Instant, to: Instant): Span => ({ bucket: stretch.bucket, grain, from, to });
    return [
      cut("call", stretch.from, quarters.from),
      cut("quarter", quarters.from, days.from),
      cut("day", days.from, days.to),
      cut("quarter", days.to, quarters.to),
      cut("call", quarters.to, stretch.to),
    ].filter(({ from, to }) => from < to);
  });
}

/** Whole units of UTC within; null when there is none. */
function inner(from: Instant, to: Instant, unitMs: number): { from: Instant; to: Instant } | null {
  const first = Math.ceil(from / unitMs) * unitMs;
  const end = Math.floor(to / unitMs) * unitMs;
  return first < end ? { from: first, to: end } : null;
}
