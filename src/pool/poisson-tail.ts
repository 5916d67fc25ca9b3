/**
 * P(X ≥ n) of a Poisson variable: the chance that a number is presented again before a call, when n others come first. Equal to the regularized
 * lower incomplete gamma function P(n, mean) (Abramowitz and Stegun 26.4.21), by its series below the mean and its continued fraction above
 * (6.5.29, 6.5.31). Absolute error under 1e-9 for n up to a million. Pure.
 */

/** Near its centre the sum needs some ten times √n terms: 10,000 at a million. */
const TERMS_MAX = 200_000;
const PRECISION = 1e-15;
/** Further than this many standard deviations from the mean the answer is 0 or 1 to 1e-15. */
const DEVIATIONS_MAX = 12;

/** @param n an integer ≥ 0 @param mean ≥ 0, may be infinite */
export function poissonAtLeast(n: number, mean: number): number {
  if (n <= 0) return 1;
  if (mean <= 0) return 0;
  const reach = DEVIATIONS_MAX * (Math.sqrt(n) + DEVIATIONS_MAX);
  if (mean > n + reach) return 1;
  if (mean < n - DEVIATIONS_MAX * Math.sqrt(n)) return 0;
  const front = Math.exp(n * Math.log(mean) - mean - logGamma(n + 1));
  return mean < n + 1 ? series(n, mean, front) : 1 - fraction(n, mean, front);
}

/** front · Σ mean^i / ((n+1)…(n+i)), where front = mean^n e^−mean / n!. */
function series(n: number, mean: number, front: number): number {
  let term = 1;
  let sum = 1;
  for (let i = 1; i <= TERMS_MAX && term > sum * PRECISION; i++) {
    term *= mean / (n + i);
    sum += term;
  }
  return Math.min(1, front * sum);
}

/** The complement, by Lentz's method. */
function fraction(n: number, mean: number, front: number): number {
  const tiny = 1e-300;
  let b = mean + 1 - n;
  let c = 1 / tiny;
  let d = 1 / b;
  let value = d;
  for (let i = 1; i <= TERMS_MAX; i++) {
    const a = -i * (i - n);
    b += 2;
    d = 1 / nonZero(a * d + b, tiny);
    c = nonZero(b + a / c, tiny);
    const factor = c * d;
    value *= factor;
    if (Math.abs(factor - 1) < PRECISION) break;
  }
  // front holds 1/n!, the fraction wants 1/(n−1)!.
  return Math.min(1, front * n * value);
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}

const FACTORIALS = factorialLogs(32);

/** log Γ(x) for integers ≥ 1: exact products for small ones, Stirling's series beyond. */
function logGamma(x: number): number {
  const exact = FACTORIALS[x - 1];
  if (exact !== undefined) return exact;
  const r = 1 / (x * x);
  return (
    (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r / 1680))) / x
  );
}

/** log 0!, log 1!, … */
function factorialLogs(count: number): number[] {
  const logs = [0];
  for (let n = 1; n < count; n++) logs.push((logs[n - 1] as number) + Math.log(n));
  return logs;
}
