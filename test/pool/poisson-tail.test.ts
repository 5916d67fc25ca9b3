import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { poissonAtLeast } from "../../src/pool/poisson-tail.js";
import { poissonUpperBound } from "../../src/pool/poisson.js";

/** By adding up, where nothing underflows. */
function byHand(n: number, mean: number): number {
  let term = Math.exp(-mean);
  let below = 0;
  for (let k = 0; k < n; k++) {
    below += term;
    term *= mean / (k + 1);
  }
  return 1 - below;
}

describe("poissonAtLeast", () => {
  it("is the sum it stands for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 }), fc.double({ min: 0, max: 300, noNaN: true }), (n, mean) => {
        expect(poissonAtLeast(n, mean)).toBeCloseTo(byHand(n, mean), 10);
      }),
    );
  });

  it("knows its ends", () => {
    expect(poissonAtLeast(0, 0)).toBe(1);
    expect(poissonAtLeast(1, 0)).toBe(0);
    expect(poissonAtLeast(1, 1e-12)).toBeCloseTo(1e-12, 20);
    expect(poissonAtLeast(5, Infinity)).toBe(1);
    expect(poissonAtLeast(100_000, 1)).toBe(0);
  });

  it("undoes the exact confidence bound", () => {
    for (const events of [0, 3, 40])
      expect(poissonAtLeast(events + 1, poissonUpperBound(events, 0.95))).toBeCloseTo(0.95, 9);
  });

  it("is one half in the middle, and a share that rises with the mean, for large counts too", () => {
    for (const n of [1_000, 100_000, 1_000_000]) {
      // The median of a Poisson variable is its mean, less a third.
      expect(poissonAtLeast(n, n - 1 / 3)).toBeCloseTo(0.5, 4);
      const shares = [-13, -6, -3, -1, 0, 1, 3, 6, 13].map((z) => poissonAtLeast(n, n + z * Math.sqrt(n)));
      expect([...shares].sort((a, b) => a - b)).toEqual(shares);
      expect(shares[0]).toBe(0);
      expect(shares.at(-1)).toBe(1);
      expect(shares[5]).toBeCloseTo(0.8413, 2);
    }
  });

  it("has no seam where the series gives way to the fraction", () => {
    for (const n of [1, 2, 31, 32, 33, 1_000, 100_000]) {
      const [left, right] = [poissonAtLeast(n, n + 1 - 1e-7), poissonAtLeast(n, n + 1 + 1e-7)];
      expect(Math.abs(left - right)).toBeLessThan(1e-6);
      expect(right).toBeGreaterThanOrEqual(left);
    }
  });
});
