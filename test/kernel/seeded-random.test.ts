import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/kernel/seeded-random.js";

describe("seededRandom", () => {
  it("repeats itself by its seed, and only then", () => {
    const draws = (seed: number): number[] => Array.from({ length: 5 }, seededRandom(seed));
    expect(draws(1)).toEqual(draws(1));
    expect(draws(1)).not.toEqual(draws(2));
  });

  it("is even over [0, 1), draw by draw and pair by pair", () => {
    const random = seededRandom(42);
    const cells = new Array<number>(100).fill(0);
    const draws = 100_000;
    for (let i = 0; i < draws; i++) {
      const cell = Math.floor(random() * 10) * 10 + Math.floor(random() * 10);
      cells[cell] = (cells[cell] ?? 0) + 1;
    }
    const expected = draws / 100;
    const chiSquare = cells.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 99 degrees of freedom: between 60 and 149 in all but one of a thousand seeds.
    expect(chiSquare).toBeGreaterThan(60);
    expect(chiSquare).toBeLessThan(149);
  });
});
