/**
 * When is a quarantined number clean? Both must hold: the hold is over (45 days by default, the FCC's minimum aging of a disconnected number,
 * 47 CFR 52.15(f)), and the upper confidence bound of the rate of distinct human callers, over the time it was watched, is under the limit.
 * A rate, not zero calls: misdials never stop entirely. And when does an available number go back (breaksBound), or is one that stays unclean proposed
 * for retirement. Pure.
 *
 * Who counts: distinct callers. Known spam callers do not, nor repeated dials of one caller; an anonymous caller cannot be told from another, so every
 * anonymous call counts: too careful beats too early.
 */
import { poissonLowerBound, poissonUpperBound } from "./poisson.js";

export const DAY_MS = 86_400_000;
/** Holds shorter than this are accepted, but warned about and marked in the number's history. */
export const HOLD_S_RECOMMENDED = 45 * 86_400;

export interface QuarantineRule {
  readonly holdS: number;
  /** Distinct human callers per day. */
  readonly maxRatePerDay: number;
  /** One-sided, e.g. 0.95. */
  readonly confidence: number;
}

export const defaultQuarantineRule: QuarantineRule = {
  holdS: HOLD_S_RECOMMENDED,
  maxRatePerDay: 0.1,
  confidence: 0.95,
};

export interface Cleanliness {
  readonly isClean: boolean;
  readonly holdUntil: number;
  /** Null before any time has passed: nothing can be said yet. */
  readonly rateUpperBoundPerDay: number | null;
  /** If nobody calls until then; ms. */
  readonly earliestReleaseAt: number;
}

/** @param distinctCallers callers counted since `enteredAt`; spam callers and repeated dials are not among them */
export function judgeQuarantine(input: {
  rule: QuarantineRule;
  enteredAt: number;
  distinctCallers: number;
  now: number;
}): Cleanliness {
  const { rule, enteredAt, distinctCallers, now } = input;
  const holdUntil = enteredAt + rule.holdS * 1000;
  const meanBound = poissonUpperBound(distinctCallers, rule.confidence);
  const watchedMs = now - enteredAt;
  // Rounded up: the bound must be under the limit, and a release a millisecond early is a release too early.
  const provenAt = enteredAt + Math.ceil((meanBound / rule.maxRatePerDay) * DAY_MS);
  const earliestReleaseAt = Math.min(Math.max(holdUntil, provenAt), INSTANT_MAX);
  return {
    isClean: now >= earliestReleaseAt,
    holdUntil: Math.min(holdUntil, INSTANT_MAX),
    rateUpperBoundPerDay: watchedMs > 0 ? meanBound / (watchedMs / DAY_MS) : null,
    earliestReleaseAt,
  };
}

/** One caller says nothing of a rate, however soon they called. */
const CALLERS_MIN = 2;

/**
 * From when on calls to an available number are judged: since it became available, but never longer ago than a silent number needs to be proven clean
 * (30 days by default). A number that was quiet for a year must not need a year's worth of calls to be noticed.
 */
export function watchedSince(input: { rule: QuarantineRule; availableSince: number; now: number }): number {
  const provenMs = Math.ceil((poissonUpperBound(0, input.rule.confidence) / input.rule.maxRatePerDay) * DAY_MS);
  return Math.max(input.availableSince, input.now - provenMs);
}

/**
 * Whether an available number's calls show that it is not clean: two distinct callers at least, and the LOWER confidence bound of their rate over the
 * limit. The bound turned around: a number is released when its rate is surely under the limit, and taken back when it is surely over it; what lies
 * between stays where it is. By default: 2 callers within 3.5 days, 3 within 8, 7 within 30.
 * @param distinctCallers callers counted since `watchedSince`
 */
export function breaksBound(input: {
  rule: QuarantineRule;
  watchedSince: number;
  distinctCallers: number;
  now: number;
}): { readonly isBroken: boolean; readonly rateLowerBoundPerDay: number } {
  const { rule, distinctCallers, now } = input;
  const watchedDays = Math.max(1, now - input.watchedSince) / DAY_MS;
  const rateLowerBoundPerDay = poissonLowerBound(distinctCallers, rule.confidence) / watchedDays;
  return {
    isBroken: distinctCallers >= CALLERS_MIN && rateLowerBoundPerDay > rule.maxRatePerDay,
    rateLowerBoundPerDay,
  };
}

/** When a number that is not clean by then is proposed for retirement; never before its hold is over. Null: never. */
export function retirementProposalAt(input: {
  rule: Pick<QuarantineRule, "holdS">;
  retireAfterS: number | null;
  enteredAt: number;
}): number | null {
  const { rule, retireAfterS, enteredAt } = input;
  return retireAfterS === null ? null : Math.min(enteredAt + Math.max(retireAfterS, rule.holdS) * 1000, INSTANT_MAX);
}

/** 9999-12-31: a rule so strict that no date can say it still has to be stored and shown. */
const INSTANT_MAX = 253_402_214_400_000;
