import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AccountNumbers } from "../../src/pool/account-room.js";
import { roomOf } from "../../src/pool/account-room.js";
import { erlangB } from "../../src/pool/erlang-b.js";
import {
  BOUNDARY_IDLE_S,
  BOUNDARY_S,
  inputsOf,
  OVERFLOW_SHARE_MAX,
  planScale,
  ROLLING_IDLE_S,
  type ScaleFacts,
  STEP_MAX,
  stepOf,
} from "../../src/pool/autoscale.js";
import { lacksOverflow, smallestSize } from "../../src/pool/ring-pool.js";

const NOW = Date.parse("2026-11-10T12:00:00Z");
const MINUTE = 60_000;

const unlimited: AccountNumbers = {
  numberLimit: null,
  held: null,
  monthlyNumberCap: null,
  taken: null,
  onOrder: 0,
  cycleStartsAt: Date.parse("2026-11-01T00:00:00Z"),
  cycleEndsAt: Date.parse("2026-12-01T00:00:00Z"),
};

const rule = { enabled: true, growthPercent: 20, maxStep: 50, intervalS: 300, minSize: null };

/** A quiet pool of 20 numbers for visitors and one for overflow, with plenty in the inventory. */
const quiet: ScaleFacts = {
  now: NOW,
  rule,
  size: 21,
  usable: 20,
  locked: 0,
  minSize: 3,
  maxSize: 100,
  exhaustions: 0,
  seenAt: NOW - 5 * MINUTE,
  triedAt: null,
  horizonS: 3600,
  onOrder: 0,
  available: STEP_MAX,
  canBuy: false,
  account: unlimited,
  idleForBoundary: 0,
  idleForRolling: 0,
};

const plan = (changes: Partial<ScaleFacts> = {}) => planScale({ ...quiet, ...changes });

describe("growing", () => {
  it.each<[string, Partial<ScaleFacts>, object]>([
    ["nothing is needed", {}, { kind: "none", wanted: 0, code: "no_need" }],
    ["no settings", { rule: null, exhaustions: 9 }, { kind: "none", wanted: 0, code: "off" }],
    ["switched off", { rule: { ...rule, enabled: false }, exhaustions: 9 }, { kind: "none", wanted: 0, code: "off" }],
    ["a visitor found none: a fifth of 21", { exhaustions: 1 }, { kind: "grow", wanted: 4, take: 4, order: 0 }],
    ["a pool of two grows by one", { exhaustions: 1, size: 2, usable: 1, minSize: 2 }, { kind: "grow", wanted: 1 }],
    ["the absolute cap", { exhaustions: 1, size: 1000, usable: 999, maxSize: 5000 }, { kind: "grow", wanted: 50 }],
    ["never above max_size", { exhaustions: 1, maxSize: 22 }, { kind: "grow", wanted: 1 }],
    ["full", { exhaustions: 1, maxSize: 21 }, { kind: "none", wanted: 4, code: "max_size" }],
    ["12 of 20 locked: 1 % would find none", { locked: 12 }, { kind: "none", code: "no_need" }],
    ["13 of 20 locked: too many would", { locked: 13 }, { kind: "grow", wanted: 4 }],
    ["84 of 100 locked are fine", { size: 101, usable: 100, maxSize: 200, locked: 84 }, { kind: "none" }],
    ["86 of 100 are not", { size: 101, usable: 100, maxSize: 200, locked: 86 }, { kind: "grow", wanted: 20 }],
    ["one of two locked is much", { size: 3, usable: 2, locked: 1 }, { kind: "grow", wanted: 1 }],
    ["a pool without numbers", { size: 0, usable: 0, minSize: 0 }, { kind: "grow", wanted: 1 }],
    ["below its smallest size", { minSize: 30 }, { kind: "grow", wanted: 4 }],
    ["grown just now", { exhaustions: 1, triedAt: NOW - 299_999 }, { kind: "none", wanted: 4, code: "too_soon" }],
    ["an interval ago", { exhaustions: 1, triedAt: NOW - 300_000 }, { kind: "grow", wanted: 4 }],
    ["a short inventory", { exhaustions: 1, available: 3 }, { kind: "grow", wanted: 4, take: 3, order: 0 }],
    ["… and a carrier", { exhaustions: 1, available: 3, canBuy: true }, { kind: "grow", take: 3, order: 1 }],
    ["an empty inventory", { exhaustions: 1, available: 0 }, { kind: "none", wanted: 4, code: "inventory_short" }],
    ["… and a carrier", { exhaustions: 1, available: 0, canBuy: true }, { kind: "grow", take: 0, order: 4 }],
    ["some of the step is on order", { exhaustions: 1, onOrder: 3 }, { kind: "grow", wanted: 1 }],
    ["all of it is", { exhaustions: 1, onOrder: 4 }, { kind: "none", wanted: 4, code: "on_order" }],
  ])("%s", (_, changes, expected) => {
    expect(plan(changes)).toMatchObject(expected);
  });

  it.each<[string, Partial<AccountNumbers>, object]>([
    ["held at once", { numberLimit: 30, held: 28 }, { kind: "grow", wanted: 2 }],
    ["held at once, none left", { numberLimit: 30, held: 30 }, { kind: "none", wanted: 4, code: "number_limit" }],
    ["taken this month", { monthlyNumberCap: 10, taken: 7 }, { kind: "grow", wanted: 3 }],
    ["what other pools ordered counts", { monthlyNumberCap: 10, taken: 7, onOrder: 2 }, { kind: "grow", wanted: 1 }],
    [
      "the budget is spent",
      { monthlyNumberCap: 10, taken: 10 },
      { kind: "none", wanted: 4, code: "monthly_number_cap" },
    ],
    ["a limit lowered below what is held", { numberLimit: 5, held: 28 }, { kind: "none", code: "number_limit" }],
    [
      "the nearer limit is named",
      { numberLimit: 30, held: 28, monthlyNumberCap: 8, taken: 8 },
      { kind: "none", code: "monthly_number_cap" },
    ],
  ])("within the account's limits: %s", (_, account, expected) => {
    expect(plan({ exhaustions: 1, account: { ...unlimited, ...account } })).toMatchObject(expected);
  });

  it("says why in a sentence with the figures", () => {
    expect(plan({ exhaustions: 2 }).reason).toBe("2 visitors found no free number since 2026-11-10T11:55:00.000Z.");
    expect(plan({ locked: 20 }).reason).toMatch(
      /^20 of 20 numbers are locked, so that 15\.9 % of visitors would find none/,
    );
    const account = { ...unlimited, monthlyNumberCap: 10, taken: 10 };
    expect(plan({ exhaustions: 1, account }).reason).toContain("10 of 10 numbers until 2026-12-01T00:00:00.000Z");
  });
});

describe("shrinking", () => {
  const atBoundary = { account: { ...unlimited, cycleEndsAt: NOW + BOUNDARY_S * 1000 } };
  const before = { account: { ...unlimited, cycleEndsAt: NOW + BOUNDARY_S * 1000 + 1 } };

  it.each<[string, Partial<ScaleFacts>, object]>([
    [
      "a week unused: a step",
      { idleForRolling: 15, idleForBoundary: 15 },
      { kind: "shrink", wanted: 4, idleS: ROLLING_IDLE_S },
    ],
    ["a day unused is not enough", { idleForBoundary: 15 }, { kind: "none", code: "no_need" }],
    [
      "… at the boundary it is, all at once",
      { ...atBoundary, idleForBoundary: 15 },
      { kind: "shrink", wanted: 15, idleS: BOUNDARY_IDLE_S },
    ],
    ["a millisecond before the boundary's hours", { ...before, idleForBoundary: 15 }, { kind: "none" }],
    [
      "never under the smallest size",
      { ...atBoundary, minSize: 18, idleForBoundary: 15 },
      { kind: "shrink", wanted: 3 },
    ],
    ["at the smallest size", { ...atBoundary, minSize: 21, idleForBoundary: 15 }, { kind: "none", code: "no_need" }],
    ["not while numbers are needed", { ...atBoundary, idleForBoundary: 15, exhaustions: 1 }, { kind: "grow" }],
    [
      "not what the load of now would call back: 5 locked need 11",
      { ...atBoundary, idleForBoundary: 15, locked: 5 },
      { kind: "shrink", wanted: 9 },
    ],
    [
      "not while numbers are on order",
      { ...atBoundary, idleForBoundary: 15, onOrder: 1 },
      { kind: "none", code: "on_order" },
    ],
    ["switched off", { ...atBoundary, rule: null, idleForBoundary: 15 }, { kind: "none", code: "off" }],
    ["at the boundary with nothing unused for a day but a week's: none can be", { ...atBoundary }, { kind: "none" }],
  ])("%s", (_, changes, expected) => {
    expect(plan(changes)).toMatchObject(expected);
  });
});

describe("for any facts", () => {
  const count = (max: number) => fc.integer({ min: 0, max });
  const facts: fc.Arbitrary<ScaleFacts> = fc
    .record({
      growthPercent: fc.double({ min: 0.1, max: 1000, noNaN: true }),
      maxStep: fc.integer({ min: 1, max: 100_000 }),
      intervalS: fc.integer({ min: 10, max: 86_400 }),
      usable: count(3_000),
      overflow: count(1),
      lockedShare: fc.double({ min: 0, max: 1, noNaN: true }),
      minSize: count(50),
      maxSize: fc.integer({ min: 1, max: 4_000 }),
      exhaustions: count(5),
      triedAgoMs: fc.option(count(2 * 86_400_000), { nil: null }),
      onOrder: count(20),
      available: count(STEP_MAX),
      canBuy: fc.boolean(),
      numberLimit: fc.option(count(4_000), { nil: null }),
      held: count(4_000),
      cap: fc.option(count(100), { nil: null }),
      taken: count(100),
      accountOnOrder: count(40),
      untilCycleMs: count(31 * 86_400_000),
      idleDay: count(STEP_MAX),
      idleWeek: count(STEP_MAX),
    })
    .map((r) => ({
      now: NOW,
      rule: {
        enabled: true,
        growthPercent: r.growthPercent,
        maxStep: r.maxStep,
        intervalS: r.intervalS,
        minSize: null,
      },
      size: r.usable + r.overflow,
      usable: r.usable,
      locked: Math.floor(r.usable * r.lockedShare),
      minSize: Math.min(r.minSize, r.maxSize),
      maxSize: r.maxSize,
      exhaustions: r.exhaustions,
      seenAt: NOW - MINUTE,
      triedAt: r.triedAgoMs === null ? null : NOW - r.triedAgoMs,
      horizonS: null,
      onOrder: r.onOrder,
      available: r.available,
      canBuy: r.canBuy,
      account: {
        ...unlimited,
        numberLimit: r.numberLimit,
        held: r.numberLimit === null ? null : r.held,
        monthlyNumberCap: r.cap,
        taken: r.cap === null ? null : r.taken,
        onOrder: r.onOrder + r.accountOnOrder,
        cycleEndsAt: NOW + r.untilCycleMs,
      },
      idleForBoundary: Math.max(r.idleDay, r.idleWeek),
      idleForRolling: Math.min(r.idleDay, r.idleWeek),
    }));

  /** As a pool is that may shrink: nobody was without a number, nothing is on its way, and most numbers are free. */
  const calm = facts.map((given) => ({
    ...given,
    exhaustions: 0,
    onOrder: 0,
    locked: Math.floor(given.locked / 4),
    minSize: Math.min(given.minSize, given.size),
  }));

  it("growth keeps within step, pool, account and interval; and never pretends to have what is not there", () => {
    fc.assert(
      fc.property(facts, (given) => {
        const planned = planScale(given);
        fc.pre(planned.kind === "grow");
        const { rule: settings, account } = given;
        const coming = planned.take + planned.order;
        expect(coming).toBeGreaterThan(0);
        expect(coming).toBeLessThanOrEqual(planned.wanted);
        expect(planned.wanted + given.onOrder).toBeLessThanOrEqual(Math.max(1, stepOf(settings as never, given.size)));
        expect(given.size + given.onOrder + planned.wanted).toBeLessThanOrEqual(given.maxSize);
        expect(planned.take).toBeLessThanOrEqual(given.available);
        expect(given.canBuy || planned.order === 0).toBe(true);
        if (account.numberLimit !== null)
          expect((account.held ?? 0) + account.onOrder + planned.wanted).toBeLessThanOrEqual(account.numberLimit);
        if (account.monthlyNumberCap !== null)
          expect((account.taken ?? 0) + account.onOrder + planned.wanted).toBeLessThanOrEqual(account.monthlyNumberCap);
        if (given.triedAt !== null)
          expect(NOW - given.triedAt).toBeGreaterThanOrEqual((settings as { intervalS: number }).intervalS * 1000);
      }),
      { numRuns: 2_000 },
    );
  });

  it("shrinking spares the smallest size, what is in use, and what the load needs; and is never chosen while there is need", () => {
    fc.assert(
      fc.property(calm, (given) => {
        const planned = planScale(given);
        fc.pre(planned.kind === "shrink");
        expect(planned.wanted).toBeGreaterThan(0);
        expect(given.exhaustions).toBe(0);
        expect(given.size - planned.wanted).toBeGreaterThanOrEqual(given.minSize);
        expect(planned.wanted).toBeLessThanOrEqual(given.idleForBoundary);
        expect(erlangB(given.locked, given.usable - planned.wanted)).toBeLessThanOrEqual(OVERFLOW_SHARE_MAX);
        if (given.account.cycleEndsAt - NOW > BOUNDARY_S * 1000) {
          expect(planned.idleS).toBe(ROLLING_IDLE_S);
          expect(planned.wanted).toBeLessThanOrEqual(
            Math.min(given.idleForRolling, stepOf(given.rule as never, given.size)),
          );
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("a pool that just shrank needs nothing: no see-saw", () => {
    fc.assert(
      fc.property(calm, (given) => {
        const planned = planScale(given);
        fc.pre(planned.kind === "shrink");
        const after = { ...given, size: given.size - planned.wanted, usable: given.usable - planned.wanted };
        expect(planScale(after).kind).not.toBe("grow");
      }),
      { numRuns: 500 },
    );
  });

  it("every plan has a reason, and its inputs are plain JSON", () => {
    fc.assert(
      fc.property(facts, (given) => {
        expect(planScale(given).reason).toMatch(/^[A-Z0-9].*\.$/);
        const inputs = inputsOf(given);
        expect(JSON.parse(JSON.stringify(inputs))).toEqual(inputs);
      }),
    );
  });
});

describe("the room of an account", () => {
  it("is without end where there is no limit, and an order's own place is its own", () => {
    expect(roomOf(unlimited)).toMatchObject({ count: Number.POSITIVE_INFINITY, code: null });
    const limited = { ...unlimited, numberLimit: 10, held: 6, onOrder: 4 };
    expect(roomOf(limited).count).toBe(0);
    expect(roomOf(limited, 3).count).toBe(3);
  });
});

describe("sizes of a pool", () => {
  it.each([
    [{ maxSize: 20, overflow: "overflow_number" as const, autoscale: null }, 3],
    [{ maxSize: 20, overflow: "original_number" as const, autoscale: { minSize: null } }, 2],
    [{ maxSize: 20, overflow: "original_number" as const, autoscale: { minSize: 7 } }, 7],
    [{ maxSize: 1, overflow: "overflow_number" as const, autoscale: null }, 1],
    [{ maxSize: 5, overflow: "reuse_oldest" as const, autoscale: { minSize: 9 } }, 5],
  ])("the smallest is what the settings say, else the first fill: %j", (pool, size) => {
    expect(smallestSize(pool)).toBe(size);
  });

  it("an overflow number comes beside the first number for visitors, never instead of it", () => {
    const pool = { overflow: "overflow_number" as const, overflowNumber: null, size: 0 };
    expect(lacksOverflow(pool, 1)).toBe(false);
    expect(lacksOverflow(pool, 2)).toBe(true);
    expect(lacksOverflow({ ...pool, size: 1 }, 1)).toBe(true);
    expect(lacksOverflow({ ...pool, size: 1, overflowNumber: "+18885550100" }, 1)).toBe(false);
    expect(lacksOverflow({ ...pool, size: 1, overflow: "original_number" }, 1)).toBe(false);
  });
});
