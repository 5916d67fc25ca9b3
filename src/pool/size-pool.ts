/**
 * How many numbers a pool should have: what its size costs in overflow (Erlang B) and in wrong matches (retention horizon), for every sensible
 * size, and the one that keeps both promises. Called by GET /v1/pools/:id/sizing and `ringmatch pool size`. Pure.
 */
import { type CallDelays, delayQuantile } from "./call-delays.js";
import { erlangB, numbersForOverflow } from "./erlang-b.js";
import { misattribution } from "./misattribution.js";
import { busiestRate, HOUR_S, meanRate, type TrafficProfile } from "./traffic-profile.js";

/** As many as a pool may hold at all. */
export const PLANNED_NUMBERS_MAX = 100_000;

export interface SizingTargets {
  /** At most this share of visitors may find every number locked, in the busiest hour. */
  readonly overflowShare: number;
  /** This share of calls shall come before their number is presented to somebody else. */
  readonly protectedShare: number;
}

/** One in a hundred visitors, as switches are sized; nineteen of twenty calls. */
export const DEFAULT_TARGETS: SizingTargets = { overflowShare: 0.01, protectedShare: 0.95 };

export interface SizingInput {
  readonly traffic: TrafficProfile;
  readonly delays: CallDelays;
  readonly retentionS: number;
  /** The pool's size now; 0 for one that is not there yet. */
  readonly size: number;
  /** From this size on one of the numbers is the overflow number, which visitors do not get for themselves; Infinity: never. */
  readonly overflowFrom: number;
  readonly targets: SizingTargets;
}

export interface Figures {
  readonly lambdaPerS: number;
  readonly erlangs: number;
  readonly overflowShare: number;
  /** τ = N/λ: how long after its presentation a number is presented to somebody else. */
  readonly horizonS: number;
  /** Null for a pool without a number to present. */
  readonly misattribution: number | null;
}

export interface SizeOption {
  readonly size: number;
  readonly usable: number;
  readonly overflowShare: number;
  readonly misattribution: number;
  /** How many more numbers lower the misattribution by one point (0.01); null when hardly any number of them would. */
  readonly numbersPerPoint: number | null;
}

export interface PoolPlan {
  readonly usable: number;
  /** With the mean rate of all that was watched. */
  readonly mean: Figures;
  /** With the rate of the busiest hour. */
  readonly peak: Figures;
  /** Usable numbers that keep the overflow promise, and the promise to protect calls. */
  readonly forOverflow: number;
  readonly forRetention: number;
  /** The delay that is protected, and the busiest rate over a time that long. */
  readonly protectedDelayS: number;
  readonly protectedRatePerS: number;
  /** The larger of both, and the overflow number. */
  readonly recommendedSize: number;
  readonly curve: readonly SizeOption[];
}

export function planPool(input: SizingInput): PoolPlan {
  const { traffic, delays, retentionS, targets } = input;
  const usable = usableOf(input, input.size);
  const mean = figuresAt(input, usable, meanRate(traffic));
  const peak = figuresAt(input, usable, busiestRate(traffic, HOUR_S));
  const protectedDelayS = delayQuantile(delays.parts, targets.protectedShare, retentionS);
  const protectedRatePerS = busiestRate(traffic, protectedDelayS);
  const max = usableOf(input, PLANNED_NUMBERS_MAX);
  const forOverflow = numbersForOverflow({ erlangs: peak.erlangs, target: targets.overflowShare, max });
  const forRetention = numbersForRetention(protectedRatePerS * protectedDelayS, max);
  const recommendedSize = sizeFor(input, Math.max(1, forOverflow, forRetention));
  const sizes = sensibleSizes([input.size, recommendedSize, sizeFor(input, forOverflow)]).filter(
    (size) => usableOf(input, size) >= 1,
  );
  return {
    usable,
    mean,
    peak,
    forOverflow,
    forRetention,
    protectedDelayS,
    protectedRatePerS,
    recommendedSize,
    curve: sizes.map((size) => optionAt(input, size, mean)),
  };
}

/** @returns of so many numbers, those that visitors can get */
export function usableOf({ overflowFrom }: Pick<SizingInput, "overflowFrom">, size: number): number {
  return size >= overflowFrom ? size - 1 : size;
}

function sizeFor({ overflowFrom }: SizingInput, usable: number): number {
  return usable + 1 >= overflowFrom ? usable + 1 : usable;
}

/** N ≈ λq + 2√(λq): the allocations expected within the delay q, and two standard deviations, since arrivals are not even (domain notes §5.2). */
function numbersForRetention(expected: number, max: number): number {
  return Math.min(max, Math.ceil(expected + 2 * Math.sqrt(expected)));
}

function figuresAt(input: SizingInput, usable: number, lambdaPerS: number): Figures {
  const { traffic, delays, retentionS } = input;
  const erlangs = lambdaPerS * traffic.holdS;
  return {
    lambdaPerS,
    erlangs,
    overflowShare: erlangB(erlangs, usable),
    horizonS: usable / lambdaPerS,
    misattribution:
      usable === 0 ? null : misattribution(delays.parts, { ratePerS: lambdaPerS, numbers: usable, retentionS }),
  };
}

function optionAt(input: SizingInput, size: number, { lambdaPerS, erlangs }: Figures): SizeOption {
  const usable = usableOf(input, size);
  const wrong = (numbers: number): number =>
    misattribution(input.delays.parts, { ratePerS: lambdaPerS, numbers, retentionS: input.retentionS });
  const share = wrong(usable);
  const gain = share - wrong(usable + 1);
  return {
    size,
    usable,
    overflowShare: erlangB(erlangs, usable),
    misattribution: share,
    numbersPerPoint: gain > GAIN_MIN ? POINT / gain : null,
  };
}

const POINT = 0.01;
/** Below it, one point would take more numbers than a pool may hold. */
const GAIN_MIN = POINT / PLANNED_NUMBERS_MAX;

const CURVE_STEPS = 16;

/** From one to twice what is there or wanted, in even ratios, and the marks. */
function sensibleSizes(marks: readonly number[]): number[] {
  const most = Math.min(PLANNED_NUMBERS_MAX, 2 * Math.max(5, ...marks));
  const sizes = new Set(marks);
  for (let i = 0; i <= CURVE_STEPS; i++) sizes.add(rounded(most ** (i / CURVE_STEPS)));
  return [...sizes].filter((size) => size <= PLANNED_NUMBERS_MAX).sort((a, b) => a - b);
}

/** To two digits: 37, 120, 4,300. */
function rounded(size: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(size)) - 1);
  return Math.round(size / unit) * unit;
}
