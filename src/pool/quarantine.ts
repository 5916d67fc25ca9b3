/**
 * When is a quarantined number clean? Both must hold: the hold is over (45 days by default, the FCC's minimum aging of a disconnected number,
 * 47 CFR 52.15(f)), and the upper confidence bound of the rate of distinct human callers, over the time it was watched, is under the limit.
 * A rate, not zero calls: misdials never stop entirely. Pure.
 */
import { poissonUpperBound } from "./poisson.js";

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

/** 9999-12-31: a rule so strict that no date can say it still has to be stored and shown. */
const INSTANT_MAX = 253_402_214_400_000;
