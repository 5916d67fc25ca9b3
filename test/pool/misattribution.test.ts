import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { callDelays, type DelayPart, shareWithin } from "../../src/pool/call-delays.js";
import { misattribution } from "../../src/pool/misattribution.js";
import { poissonAtLeast } from "../../src/pool/poisson-tail.js";

const RETENTION_S = 259_200;
const prior = callDelays({ delaysS: [], horizonS: Infinity }).parts;

describe("misattribution, least recently presented first", () => {
  it.each([
    [40, 0.175],
    [60, 0.167],
    [120, 0.14],
    [240, 0.104],
    [480, 0.065],
  ])("60 an hour on %d numbers: %d of the calls go wrong (domain notes §5.2)", (numbers, share) => {
    const computed = misattribution(prior, { ratePerS: 1 / 60, numbers, retentionS: RETENTION_S });
    expect(Math.abs(computed - share)).toBeLessThan(0.006);
  });

  it("is the integral it stands for", () => {
    for (const [ratePerS, numbers, retentionS] of [
      [1 / 60, 40, RETENTION_S],
      [1 / 60, 40, 7_200],
      [0.5, 3, 3_600],
      [1e-5, 2, RETENTION_S],
      [2, 5_000, RETENTION_S],
    ] as const) {
      const computed = misattribution(prior, { ratePerS, numbers, retentionS });
      expect(computed).toBeCloseTo(integral(prior, { ratePerS, numbers, retentionS }), 4);
    }
  });

  it("falls with every number and rises with the rate, for any mixture", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 3e5, noNaN: true }), { maxLength: 300 }),
        fc.double({ min: 1, max: 1e6, noNaN: true }),
        fc.integer({ min: 1, max: 500 }),
        fc.double({ min: 1e-6, max: 1, noNaN: true }),
        (delaysS, horizonS, numbers, ratePerS) => {
          const { parts } = callDelays({ delaysS, horizonS });
          const share = (n: number, rate: number): number =>
            misattribution(parts, { ratePerS: rate, numbers: n, retentionS: RETENTION_S });
          const here = share(numbers, ratePerS);
          expect(here).toBeGreaterThanOrEqual(0);
          expect(here).toBeLessThanOrEqual(1);
          expect(share(numbers + 1, ratePerS)).toBeLessThanOrEqual(here + 1e-9);
          expect(share(numbers, ratePerS * 1.1)).toBeGreaterThanOrEqual(here - 1e-9);
        },
      ),
    );
  });

  it("needs no number of its own for extremes", () => {
    expect(misattribution(prior, { ratePerS: 0, numbers: 1, retentionS: RETENTION_S })).toBe(0);
    expect(misattribution(prior, { ratePerS: 1e-12, numbers: 1, retentionS: RETENTION_S })).toBeLessThan(1e-6);
    expect(misattribution(prior, { ratePerS: 1e6, numbers: 1, retentionS: RETENTION_S })).toBeCloseTo(1, 5);
    const large = misattribution(prior, { ratePerS: 10, numbers: 100_000, retentionS: RETENTION_S });
    expect(large).toBeCloseTo(1 - shareWithin(prior, 10_000), 3);
  });
});

/** By the trapezoid rule on the distribution function. */
function integral(
  parts: readonly DelayPart[],
  reuse: { ratePerS: number; numbers: number; retentionS: number },
): number {
  const steps = 40_000;
  let sum = 0;
  for (let i = 0; i < steps; i++) {
    // Finer where most calls come.
    const [from, to] = [i, i + 1].map((step) => reuse.retentionS * (step / steps) ** 3) as [number, number];
    sum +=
      (shareWithin(parts, to) - shareWithin(parts, from)) *
      poissonAtLeast(reuse.numbers, (reuse.ratePerS * (from + to)) / 2);
  }
  return sum;
}
