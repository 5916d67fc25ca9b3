import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { erlangB, numbersForOverflow } from "../../src/pool/erlang-b.js";

describe("Erlang B", () => {
  it.each([
    [5, 11, 14],
    [10, 18, 21],
    [20, 30, 35],
    [34, 46, 52],
    [50, 64, 71],
    [100, 117, 128],
    [200, 221, 238],
  ])(
    "%d erlangs need %d numbers for one in a hundred, %d for one in a thousand (domain notes §5.1)",
    (erlangs, percent, perMille) => {
      expect(numbersForOverflow({ erlangs, target: 0.01, max: 1_000 })).toBe(percent);
      expect(numbersForOverflow({ erlangs, target: 0.001, max: 1_000 })).toBe(perMille);
    },
  );

  it.each([
    [34, 40, 0.044],
    [3, 3, 0.3462],
    [9, 3, 0.7064],
  ])("%d erlangs on %d numbers", (erlangs, numbers, share) => expect(erlangB(erlangs, numbers)).toBeCloseTo(share, 3));

  it("is the textbook's quotient of sums, where that can be computed", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 60, noNaN: true }),
        fc.integer({ min: 0, max: 60 }),
        (erlangs, numbers) => {
          let term = 1;
          let sum = 1;
          for (let k = 1; k <= numbers; k++) sum += term *= erlangs / k;
          expect(erlangB(erlangs, numbers)).toBeCloseTo(term / sum, 12);
        },
      ),
    );
  });

  it("falls with every number, and stays a share up to a hundred thousand of them", () => {
    for (const erlangs of [0, 1e-9, 1, 99_000, 100_000, 1e7]) {
      expect(erlangB(erlangs, 0)).toBe(1);
      expect(erlangB(erlangs, 100_000)).toBeGreaterThanOrEqual(0);
      expect(erlangB(erlangs, 100_000)).toBeLessThanOrEqual(erlangB(erlangs, 99_999));
    }
    // For large loads on as many numbers: √(2/(πA)).
    expect(erlangB(100_000, 100_000)).toBeCloseTo(Math.sqrt(2 / (Math.PI * 100_000)), 5);
    expect(erlangB(1e7, 100_000)).toBeCloseTo(0.99, 4);
  });

  it("gives the fewest numbers, and no more than there may be", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 300, noNaN: true }),
        fc.double({ min: 1e-6, max: 0.9, noNaN: true }),
        (erlangs, target) => {
          const numbers = numbersForOverflow({ erlangs, target, max: 10_000 });
          expect(erlangB(erlangs, numbers)).toBeLessThanOrEqual(target);
          if (numbers > 0) expect(erlangB(erlangs, numbers - 1)).toBeGreaterThan(target);
        },
      ),
    );
    expect(numbersForOverflow({ erlangs: 1e9, target: 0.01, max: 50 })).toBe(50);
  });
});
