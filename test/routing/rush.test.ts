import { describe, expect, it } from "vitest";
import { Rush } from "../../src/routing/rush.js";

describe("a replay of the spool", () => {
  it("begins at once when no call came late", () => {
    expect(new Rush().isOver(0)).toBe(true);
  });

  it("waits until a second has passed without a late call", () => {
    const rush = new Rush();
    rush.late(10_000);
    expect(rush.isOver(10_400)).toBe(false);
    rush.late(10_900);
    expect(rush.isOver(11_400)).toBe(false);
    expect(rush.isOver(11_900)).toBe(true);
  });

  it("begins after 15 s in any case, and the next one waits anew", () => {
    const rush = new Rush();
    const begun: number[] = [];
    for (let now = 0; now <= 40_000; now += 500) {
      rush.late(now);
      if (rush.isOver(now)) begun.push(now);
    }
    expect(begun).toEqual([15_000, 30_500]);
  });
});
