import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { choosePool, renewAfterS } from "../../src/pool/presentation.js";
import { firstFill } from "../../src/pool/ring-pool.js";

describe("firstFill", () => {
  it.each([
    [
      { maxSize: 2, overflow: "overflow_number", fillImmediately: false },
      { pooled: 1, overflow: true },
    ],
    [
      { maxSize: 2, overflow: "original_number" as const, sessionLifetimeS: 60, fillImmediately: false },
      { pooled: 1, overflow: false },
    ],
    [
      { maxSize: 10, overflow: "overflow_number", fillImmediately: false },
      { pooled: 1, overflow: true },
    ],
    [
      { maxSize: 11, overflow: "overflow_number", fillImmediately: false },
      { pooled: 2, overflow: true },
    ],
    [
      { maxSize: 100, overflow: "overflow_number", fillImmediately: true },
      { pooled: 99, overflow: true },
    ],
    [
      { maxSize: 100, overflow: "reuse_oldest", fillImmediately: true },
      { pooled: 100, overflow: false },
    ],
    [
      { maxSize: 1, overflow: "overflow_number", fillImmediately: true },
      { pooled: 1, overflow: false },
    ],
  ] as const)("of %j is %j", (input, plan) => expect(firstFill(input)).toEqual(plan));

  it("never plans more than max_size, and always a number for visitors", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.constantFrom("overflow_number" as const, "original_number" as const, "reuse_oldest" as const),
        fc.boolean(),
        (maxSize, overflow, fillImmediately) => {
          const plan = firstFill({ maxSize, overflow, fillImmediately });
          expect(plan.pooled).toBeGreaterThanOrEqual(1);
          expect(plan.pooled + (plan.overflow ? 1 : 0)).toBeLessThanOrEqual(maxSize);
        },
      ),
    );
  });
});

describe("choosePool", () => {
  const automatic = {
    id: "pool_a",
    campaign: null,
    overflow: "original_number" as const,
    sessionLifetimeS: 60,
    scaleIntervalS: null,
  };
  const spring = {
    id: "pool_s",
    campaign: "spring",
    overflow: "original_number" as const,
    sessionLifetimeS: 60,
    scaleIntervalS: null,
  };
  const destination = { number: "+18005550100", status: "tracked" as const, pools: [spring, automatic] };

  it("takes the campaign's pool for its visitors and the automatic one for all others", () => {
    expect(choosePool(destination, "spring")).toBe(spring);
    expect(choosePool(destination, "autumn")).toBe(automatic);
    expect(choosePool(destination, undefined)).toBe(automatic);
    expect(choosePool({ ...destination, pools: [spring] }, undefined)).toBeNull();
  });
});

describe("renewAfterS", () => {
  it("is at most half the lock and more than nothing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 259_200 }), (lifetime) => {
        expect(renewAfterS(lifetime)).toBeLessThanOrEqual(lifetime / 2);
        expect(renewAfterS(lifetime)).toBeGreaterThan(0);
      }),
    );
  });
});
