/**
 * How sure is a match? P(i) = f(t − t_i) / (Σ f(t − t_j) + β) over the distinct visitors presented the number within retention, where f is the
 * density of the delay between presentation and call and β the background rate of calls that no presentation caused (domain notes §5.2).
 * f falls with the delay, so the most probable visitor is the latest one; two presentations close together show as a low value. Pure.
 */
import { DELAY_PRIOR } from "../pool/delay-prior.js";

/** How many visitors of a hundred call at all. Scales f so that it can be weighed against β. */
const CALL_PROPENSITY = 0.03;

/** Misdials, old prints and bots on one number, calls per second: one in ten days, the rate at which quarantine calls a number clean. */
export const BACKGROUND_RATE_PER_S = 0.1 / 86_400;

export function delayDensityPerS(delayMs: number): number {
  const s = Math.max(0, delayMs) / 1000;
  const { quick, slow, late } = DELAY_PRIOR;
  const uniform = s <= late.spanS ? late.share / late.spanS : 0;
  return (
    (quick.share / quick.meanS) * Math.exp(-s / quick.meanS) +
    (slow.share / slow.meanS) * Math.exp(-s / slow.meanS) +
    uniform
  );
}

/** One probability for each delay, in order; they sum to less than one, the rest is "none of them". */
export function probabilities(delaysMs: readonly number[]): number[] {
  const weights = delaysMs.map((delay) => CALL_PROPENSITY * delayDensityPerS(delay));
  const total = weights.reduce((sum, weight) => sum + weight, BACKGROUND_RATE_PER_S);
  return weights.map((weight) => weight / total);
}
