/**
 * The share of calls that are matched to the wrong visitor when numbers are given out least recently presented first: a number is presented again
 * after about N other allocations, so P(wrong | delay d) = P(Poisson(λd) ≥ N), a step at the retention horizon τ = N/λ (domain notes §5.2).
 * Averaged over the delays up to retention, beyond which no call is matched. λ counts allocations alone: a renewal keeps its number. Pure.
 */
import type { DelayPart } from "./call-delays.js";
import { poissonAtLeast } from "./poisson-tail.js";

interface Reuse {
  /** λ: allocations per second. */
  readonly ratePerS: number;
  /** N: numbers that visitors can get, ≥ 1. */
  readonly numbers: number;
  readonly retentionS: number;
}

/** @returns a share of all calls, 0 to 1. Falls with every number added */
export function misattribution(parts: readonly DelayPart[], reuse: Reuse): number {
  if (reuse.ratePerS === 0) return 0;
  let share = 0;
  for (const part of parts) share += wrongShare(part, reuse);
  return Math.min(1, Math.max(0, share));
}

function wrongShare(part: DelayPart, reuse: Reuse): number {
  if (part.kind === "measured") {
    let wrong = 0;
    for (const delayS of part.delaysS) {
      if (delayS <= reuse.retentionS) wrong += poissonAtLeast(reuse.numbers, reuse.ratePerS * delayS);
    }
    return (part.share * wrong) / part.delaysS.length;
  }
  const toS = Math.min(part.toS, reuse.retentionS);
  if (toS <= part.fromS) return 0;
  const upTo = part.kind === "exponential" ? exponentialUpTo(part.meanS, reuse) : uniformUpTo(part.spanS, reuse);
  return part.share * (upTo(toS) - upTo(part.fromS));
}

/**
 * ∫₀ˣ μe^(−μd) P(N, λd) dd by parts, where P(N, ·) is P(Poisson ≥ N):
 * (λ/(λ+μ))^N · P(N, (λ+μ)x) − e^(−μx) · P(N, λx). The power is the chance that N arrivals come before one call.
 */
function exponentialUpTo(meanS: number, { ratePerS, numbers }: Reuse): (x: number) => number {
  const power = Math.exp(-numbers * Math.log1p(1 / (meanS * ratePerS)));
  return (x) =>
    power * poissonAtLeast(numbers, (ratePerS + 1 / meanS) * x) -
    Math.exp(-x / meanS) * poissonAtLeast(numbers, ratePerS * x);
}

/** (1/U) ∫₀ˣ P(N, λd) dd = (x · P(N, λx) − (N/λ) · P(N+1, λx)) / U, for x up to the span U. */
function uniformUpTo(spanS: number, { ratePerS, numbers }: Reuse): (x: number) => number {
  return (x) => {
    const end = Math.min(x, spanS);
    const mean = ratePerS * end;
    return (end * poissonAtLeast(numbers, mean) - (numbers / ratePerS) * poissonAtLeast(numbers + 1, mean)) / spanS;
  };
}
