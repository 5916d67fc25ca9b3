/** Exact confidence bounds of a Poisson rate (Garwood 1936): with k events seen, the mean is below the upper, or above the lower one, with the given confidence. */

const ITERATIONS_MAX = 200;
const PRECISION = 1e-12;

/**
 * Solves P(X ≤ k; mean) = 1 − confidence for the mean. k = 0, 95 %: −ln 0.05 = 2.9957, the rule of three.
 * @param events events counted, an integer ≥ 0
 * @param confidence one-sided, in (0, 1)
 * @returns the mean, in events over the window observed
 */
export function poissonUpperBound(events: number, confidence: number): number {
  const tail = 1 - confidence;
  if (events === 0) return -Math.log(tail);
  return bisect(events, beyond(events, tail), (mean) => poissonCdf(events, mean) > tail);
}

/**
 * Solves P(X ≥ k; mean) = 1 − confidence for the mean; 0 when nothing was seen. k = 1, 95 %: −ln 0.95 = 0.0513; k = 2: 0.355; k = 10: 5.43.
 * @param events events counted, an integer ≥ 0
 * @param confidence one-sided, in (0, 1)
 * @returns the mean, in events over the window observed
 */
export function poissonLowerBound(events: number, confidence: number): number {
  if (events === 0) return 0;
  const tail = 1 - confidence;
  return bisect(0, beyond(events, confidence), (mean) => 1 - poissonCdf(events - 1, mean) < tail);
}

/** A mean that no bound of this many events reaches. */
function beyond(events: number, tail: number): number {
  return events + 10 * Math.sqrt(events + 1) + 20 - 2 * Math.log(tail);
}

function bisect(from: number, to: number, isBelow: (mean: number) => boolean): number {
  let low = from;
  let high = to;
  for (let i = 0; i < ITERATIONS_MAX && high - low > PRECISION * high; i++) {
    const middle = (low + high) / 2;
    if (isBelow(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(X ≤ k) for a Poisson variable, summed in logarithms so that large means do not underflow. */
function poissonCdf(events: number, mean: number): number {
  const logMean = Math.log(mean);
  let logTerm = -mean;
  let sum = Math.exp(logTerm);
  for (let i = 1; i <= events; i++) {
    logTerm += logMean - Math.log(i);
    sum += Math.exp(logTerm);
  }
  return Math.min(1, sum);
}
