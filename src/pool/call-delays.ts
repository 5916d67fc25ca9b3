/**
 * The delay between a presentation and its call, as a mixture: exponentials and uniforms of the prior, and measured delays. Pure.
 *
 * A pool cannot measure what it is too small to see. A call that comes after the number went to somebody else is matched to them, so measured
 * delays end at the retention horizon τ = N/λ, and alone they would call every pool good enough. Hence: up to τ the measured delays; beyond it
 * whatever is larger, the share measured there or the prior's, the difference made up from the prior. And few calls say little: n of them
 * weigh min(1, n/200) against the prior, so that none means the prior alone and from 200 on it gives only what τ hides.
 */
import { DELAY_PRIOR } from "./delay-prior.js";

/** The error of a share estimated from 200 calls is at most 3.5 points: less than the prior can promise. */
export const CALLS_FOR_FULL_WEIGHT = 200;

/** `share` is of all calls. A density counts between `fromS` and `toS` only; it is not scaled up for what lies outside. */
export type DelayPart =
  | {
      readonly kind: "exponential";
      readonly share: number;
      readonly meanS: number;
      readonly fromS: number;
      readonly toS: number;
    }
  | {
      readonly kind: "uniform";
      readonly share: number;
      readonly spanS: number;
      readonly fromS: number;
      readonly toS: number;
    }
  /** Ascending. */
  | { readonly kind: "measured"; readonly share: number; readonly delaysS: readonly number[] };

export interface CallDelays {
  readonly parts: readonly DelayPart[];
  readonly source: "prior" | "mixed" | "measured";
  /** Calls measured. */
  readonly calls: number;
  /** Of the measured delays against the prior, 0 to 1. */
  readonly weight: number;
  /** The share of all calls whose delay is assumed, not measured. */
  readonly assumedShare: number;
}

/** @param delaysS measured, in any order @param horizonS how far the pool could see while they were measured; may be infinite */
export function callDelays(input: { delaysS: readonly number[]; horizonS: number }): CallDelays {
  const { delaysS, horizonS } = input;
  const weight = Math.min(1, delaysS.length / CALLS_FOR_FULL_WEIGHT);
  const prior = priorBetween(0, Infinity, 1 - weight);
  if (weight === 0) return { parts: prior, source: "prior", calls: 0, weight, assumedShare: 1 };
  const seen = measuredDelays(
    [...delaysS].sort((a, b) => a - b),
    horizonS,
  );
  const measured = seen.parts.map((part) => ({ ...part, share: part.share * weight }));
  return {
    parts: [...measured, ...prior],
    source: weight < 1 ? "mixed" : "measured",
    calls: delaysS.length,
    weight,
    assumedShare: Math.min(1, 1 - weight + weight * seen.assumedShare),
  };
}

/** The share of calls that come within `delayS`. */
export function shareWithin(parts: readonly DelayPart[], delayS: number): number {
  let share = 0;
  for (const part of parts) {
    if (part.kind === "measured") share += (part.share * countAtMost(part.delaysS, delayS)) / part.delaysS.length;
    else share += massUpTo(part, Math.min(delayS, part.toS)) - massUpTo(part, Math.min(part.fromS, delayS, part.toS));
  }
  return share;
}

/** The delay within which the given share of calls come, `maxS` when that is not enough. To a second. */
export function delayQuantile(parts: readonly DelayPart[], share: number, maxS: number): number {
  let low = 0;
  let high = Math.ceil(maxS);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (shareWithin(parts, middle) >= share) high = middle;
    else low = middle + 1;
  }
  return Math.min(low, maxS);
}

/** One delay. @param random uniform in [0, 1) */
export function drawDelay(parts: readonly DelayPart[], random: () => number): number {
  let left = random() * shareWithin(parts, Infinity);
  for (const part of parts) {
    const mass = part.kind === "measured" ? part.share : massUpTo(part, part.toS) - massUpTo(part, part.fromS);
    if (left < mass) return delayAt(part, left);
    left -= mass;
  }
  // The shares add up to their sum but for rounding.
  return 0;
}

function measuredDelays(sorted: readonly number[], horizonS: number): { parts: DelayPart[]; assumedShare: number } {
  const near = sorted.slice(0, countAtMost(sorted, horizonS));
  const far = sorted.slice(near.length);
  const farShare = far.length / sorted.length;
  const priorFar = shareWithin(priorBetween(horizonS, Infinity, 1), Infinity);
  const assumedShare = near.length === 0 ? 0 : Math.max(0, priorFar - farShare);
  const parts: DelayPart[] = [];
  if (near.length > 0) parts.push({ kind: "measured", share: 1 - farShare - assumedShare, delaysS: near });
  if (far.length > 0) parts.push({ kind: "measured", share: farShare, delaysS: far });
  if (assumedShare > 0) parts.push(...priorBetween(horizonS, Infinity, assumedShare / priorFar));
  return { parts, assumedShare };
}

function priorBetween(fromS: number, toS: number, scale: number): DelayPart[] {
  if (scale === 0 || fromS === Infinity) return [];
  const { quick, slow, late } = DELAY_PRIOR;
  return [
    { kind: "exponential", share: scale * quick.share, meanS: quick.meanS, fromS, toS },
    { kind: "exponential", share: scale * slow.share, meanS: slow.meanS, fromS, toS },
    { kind: "uniform", share: scale * late.share, spanS: late.spanS, fromS, toS },
  ];
}

type Density = Exclude<DelayPart, { kind: "measured" }>;

/** Of the whole density, whatever its bounds. */
function massUpTo(part: Density, delayS: number): number {
  if (part.kind === "exponential") return -part.share * Math.expm1(-delayS / part.meanS);
  return part.share * Math.min(1, delayS / part.spanS);
}

/** The delay at which the part's mass, counted from its own start, reaches `mass`. */
function delayAt(part: DelayPart, mass: number): number {
  if (part.kind === "measured") {
    const place = Math.floor((mass / part.share) * part.delaysS.length);
    return part.delaysS[Math.min(place, part.delaysS.length - 1)] as number;
  }
  const whole = (massUpTo(part, part.fromS) + mass) / part.share;
  return part.kind === "exponential" ? -part.meanS * Math.log1p(-whole) : whole * part.spanS;
}

/** How many of the ascending delays are at most `delayS`. */
function countAtMost(sorted: readonly number[], delayS: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= delayS) low = middle + 1;
    else high = middle;
  }
  return low;
}
