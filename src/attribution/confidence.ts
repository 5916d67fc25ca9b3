/**
 * How sure is a match? P(i) = w_i / (Σ w_j + β) over the distinct visitors presented the number within retention, w_i = π · f(t − t_i): f is the
 * density of the delay between presentation and call, π the share of presentations that are called, β the rate of calls that no presentation caused
 * (domain notes §5.2), all of the pool's model (delay-model.ts). While f falls with the delay the most probable visitor is the latest one; two
 * presentations close together show as a low value. Pure.
 */
import { type DelayModel, densityPerS } from "./judging/delay-model.js";

/** One probability for each delay, in order; they sum to less than one, the rest is "none of them". */
export function probabilities(model: DelayModel, delaysMs: readonly number[]): number[] {
  const weights = delaysMs.map((delay) => model.callShare * densityPerS(model.parts, delay));
  const total = weights.reduce((sum, weight) => sum + weight, model.backgroundPerS);
  return weights.map((weight) => weight / total);
}
