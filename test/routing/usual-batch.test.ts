import { describe, expect, it } from "vitest";
import { UsualBatch } from "../../src/routing/usual-batch.js";

function after(sizes: readonly number[]): boolean {
  const usual = new UsualBatch();
  for (const size of sizes) usual.began(size);
  return usual.isLarge;
}

const alone = (count: number): number[] => Array.from({ length: count }, () => 1);
const rush = (count: number, size = 8): number[] => Array.from({ length: count }, () => size);

describe("calls wait for company", () => {
  it("not where they come one by one, nor at first", () => {
    expect(after([])).toBe(false);
    expect(after(alone(50))).toBe(false);
  });

  it("not for the large batches that a stall leaves", () => {
    expect(after([...alone(50), 9, 6, 4, 2, 1])).toBe(false);
    expect(after([...alone(50), 12, 5, ...alone(10), 12, 5])).toBe(false);
  });

  it("in a rush, from its fourth batch on, and no longer soon after it", () => {
    expect(after([...alone(50), ...rush(3)])).toBe(false);
    expect(after([...alone(50), ...rush(4)])).toBe(true);
    expect(after([...alone(50), ...rush(100), ...alone(11)])).toBe(true);
    expect(after([...alone(50), ...rush(100), ...alone(12)])).toBe(false);
  });

  it("in a rush whose batches are of all sizes", () => {
    const mixed = Array.from({ length: 60 }, (_, n) => 1 + (n % 7));
    expect(after(mixed)).toBe(true);
  });
});
