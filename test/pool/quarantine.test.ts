import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { poissonLowerBound, poissonUpperBound } from "../../src/pool/poisson.js";
import {
  breaksBound,
  DAY_MS,
  defaultQuarantineRule,
  judgeQuarantine,
  retirementProposalAt,
  watchedSince,
} from "../../src/pool/quarantine.js";
import { removalOf } from "../../src/pool/promo-number.js";

/**
 * Upper 10, 5 and 1 % points of chi-square for 2, 4, … 42 degrees of freedom, as printed in statistical tables. The Poisson bound for k events is half
 * the point of 2(k + 1) degrees (Garwood 1936).
 */
const CHI_SQUARE: readonly (readonly [number, number, number])[] = [
  [4.605, 5.991, 9.21],
  [7.779, 9.488, 13.277],
  [10.645, 12.592, 16.812],
  [13.362, 15.507, 20.09],
  [15.987, 18.307, 23.209],
  [18.549, 21.026, 26.217],
  [21.064, 23.685, 29.141],
  [23.542, 26.296, 32.0],
  [25.989, 28.869, 34.805],
  [28.412, 31.41, 37.566],
  [30.813, 33.924, 40.289],
  [33.196, 36.415, 42.98],
  [35.563, 38.885, 45.642],
  [37.916, 41.337, 48.278],
  [40.256, 43.773, 50.892],
  [42.585, 46.194, 53.486],
  [44.903, 48.602, 56.061],
  [47.212, 50.998, 58.619],
  [49.513, 53.384, 61.162],
  [51.805, 55.758, 63.691],
  [54.09, 58.124, 66.206],
];

describe("poissonUpperBound", () => {
  it.each(CHI_SQUARE.map((points, k) => [k, ...points] as const))(
    "for %s events is half the table's value",
    (k, p90, p95, p99) => {
      // The table has three decimals.
      expect(Math.abs(2 * poissonUpperBound(k, 0.9) - p90)).toBeLessThan(0.00051);
      expect(Math.abs(2 * poissonUpperBound(k, 0.95) - p95)).toBeLessThan(0.00051);
      expect(Math.abs(2 * poissonUpperBound(k, 0.99) - p99)).toBeLessThan(0.00051);
    },
  );

  it("is the rule of three for a number nobody called", () => {
    expect(poissonUpperBound(0, 0.95)).toBeCloseTo(2.9957, 4);
  });

  it("rises with events and with confidence, and stays finite for many", () => {
    const confidence = fc.double({ min: 0.5, max: 0.999999, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_000 }), confidence, confidence, (k, a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const bound = poissonUpperBound(k, low);
        expect(Number.isFinite(bound)).toBe(true);
        expect(bound).toBeGreaterThan(k * (1 - 1e-9));
        expect(poissonUpperBound(k, high)).toBeGreaterThanOrEqual(bound - 1e-9 * bound);
        expect(poissonUpperBound(k + 1, low)).toBeGreaterThan(bound);
      }),
      { numRuns: 200 },
    );
  });
});

const world = fc.record({
  holdS: fc.integer({ min: 0, max: 400 * 86_400 }),
  maxRatePerDay: fc.double({ min: 1e-6, max: 100, noNaN: true }),
  confidence: fc.double({ min: 0.5, max: 0.9999, noNaN: true }),
  distinctCallers: fc.integer({ min: 0, max: 200 }),
  enteredAt: fc.integer({ min: 0, max: 2_000_000_000_000 }),
  watchedMs: fc.integer({ min: 0, max: 400 * DAY_MS }),
});

const judge = (w: typeof world extends fc.Arbitrary<infer W> ? W : never) =>
  judgeQuarantine({
    rule: { holdS: w.holdS, maxRatePerDay: w.maxRatePerDay, confidence: w.confidence },
    enteredAt: w.enteredAt,
    distinctCallers: w.distinctCallers,
    now: w.enteredAt + w.watchedMs,
  });

/** Lower 10, 5 and 1 % points of chi-square for 2, 4, … 20 degrees of freedom: twice the lower bound for 1, 2, … 10 events. */
const CHI_SQUARE_LOWER: readonly (readonly [number, number, number])[] = [
  [0.211, 0.103, 0.02],
  [1.064, 0.711, 0.297],
  [2.204, 1.635, 0.872],
  [3.49, 2.733, 1.646],
  [4.865, 3.94, 2.558],
  [6.304, 5.226, 3.571],
  [7.79, 6.571, 4.66],
  [9.312, 7.962, 5.812],
  [10.865, 9.39, 7.015],
  [12.443, 10.851, 8.26],
];

describe("poissonLowerBound", () => {
  it.each(CHI_SQUARE_LOWER.map((points, i) => [i + 1, ...points] as const))(
    "for %s events is half the table's value",
    (k, p90, p95, p99) => {
      expect(Math.abs(2 * poissonLowerBound(k, 0.9) - p90)).toBeLessThan(0.00051);
      expect(Math.abs(2 * poissonLowerBound(k, 0.95) - p95)).toBeLessThan(0.00051);
      expect(Math.abs(2 * poissonLowerBound(k, 0.99) - p99)).toBeLessThan(0.00051);
    },
  );

  it("is nothing for nothing, and lies below what was seen and below the upper bound", () => {
    expect(poissonLowerBound(0, 0.95)).toBe(0);
    const confidence = fc.double({ min: 0.6, max: 0.9999, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), confidence, (k, c) => {
        expect(poissonLowerBound(k, c)).toBeLessThan(k);
        expect(poissonLowerBound(k, c)).toBeLessThan(poissonUpperBound(k, c));
        expect(poissonLowerBound(k + 1, c)).toBeGreaterThan(poissonLowerBound(k, c));
      }),
    );
  });
});

describe("breaksBound", () => {
  const now = 400 * DAY_MS;
  const isBroken = (distinctCallers: number, days: number) =>
    breaksBound({ rule: defaultQuarantineRule, watchedSince: now - days * DAY_MS, distinctCallers, now }).isBroken;

  it("by the default rule: never by one caller; 2 within 3.5 days, 3 within 8, 7 within 30", () => {
    for (const days of [0, 0.001, 1, 30]) expect(isBroken(1, days)).toBe(false);
    expect([isBroken(2, 3.5), isBroken(2, 3.6)]).toEqual([true, false]);
    expect([isBroken(3, 8.1), isBroken(3, 8.3)]).toEqual([true, false]);
    expect([isBroken(6, 29.9), isBroken(7, 29.9)]).toEqual([false, true]);
    expect(isBroken(0, 0)).toBe(false);
  });

  it("a number that the same calls would call clean is never sent back by them", () => {
    const rate = fc.double({ min: 0.001, max: 10, noNaN: true });
    const confidence = fc.double({ min: 0.55, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(
        fc.nat(50),
        fc.double({ min: 0.01, max: 1_000, noNaN: true }),
        rate,
        confidence,
        (k, days, max, c) => {
          const rule = { holdS: 0, maxRatePerDay: max, confidence: c };
          const since = now - Math.round(days * DAY_MS);
          const { isClean } = judgeQuarantine({ rule, enteredAt: since, distinctCallers: k, now });
          const broken = breaksBound({ rule, watchedSince: since, distinctCallers: k, now }).isBroken;
          expect(isClean && broken).toBe(false);
        },
      ),
    );
  });

  it("looks back as far as a silent number needs to be proven clean, not to before it was available", () => {
    const look = (availableDays: number) =>
      (now - watchedSince({ rule: defaultQuarantineRule, availableSince: now - availableDays * DAY_MS, now })) / DAY_MS;
    expect(look(3)).toBe(3);
    expect(look(29)).toBe(29);
    expect(look(365)).toBeCloseTo(29.957, 2);
  });
});

describe("retirementProposalAt", () => {
  it("is after retire_after_s, never before the hold is over, never when the rule has none, and always a date", () => {
    const at = (retireAfterS: number | null) =>
      retirementProposalAt({ rule: { holdS: 100 }, retireAfterS, enteredAt: 1_000 });
    expect([at(200), at(50), at(null)]).toEqual([201_000, 101_000, null]);
    expect(new Date(at(1e11) as number).toISOString()).toMatch(/^5138-|^9999-/);
  });
});

describe("judgeQuarantine", () => {
  it("never gets cleaner by more callers, a longer hold, a lower limit or more confidence", () => {
    fc.assert(
      fc.property(world, fc.integer({ min: 1, max: 50 }), (w, more) => {
        const { earliestReleaseAt } = judge(w);
        const stricter = [
          { ...w, distinctCallers: w.distinctCallers + more },
          { ...w, holdS: w.holdS + more * 86_400 },
          { ...w, maxRatePerDay: w.maxRatePerDay / (1 + more) },
          { ...w, confidence: w.confidence + (1 - w.confidence) / 2 },
        ];
        for (const s of stricter) {
          expect(judge(s).earliestReleaseAt).toBeGreaterThanOrEqual(earliestReleaseAt);
          if (judge(s).isClean) expect(judge(w).isClean).toBe(true);
        }
      }),
    );
  });

  it("gets cleaner by time alone, exactly at earliestReleaseAt", () => {
    fc.assert(
      fc.property(world, (w) => {
        const { earliestReleaseAt } = judge(w);
        const at = (now: number) => judge({ ...w, watchedMs: now - w.enteredAt });
        expect(at(earliestReleaseAt).isClean).toBe(true);
        expect(at(earliestReleaseAt - 1).isClean).toBe(false);
        expect(at(earliestReleaseAt).earliestReleaseAt).toBe(earliestReleaseAt);
      }),
    );
  });

  it("is clean only when the hold is over and the bound is at most the limit", () => {
    fc.assert(
      fc.property(world, (w) => {
        const { isClean, holdUntil, rateUpperBoundPerDay } = judge(w);
        if (!isClean || rateUpperBoundPerDay === null) return;
        expect(w.enteredAt + w.watchedMs).toBeGreaterThanOrEqual(holdUntil);
        expect(rateUpperBoundPerDay).toBeLessThanOrEqual(w.maxRatePerDay * (1 + 1e-9));
      }),
    );
  });

  it("with the default rule and no call: 45 days; the rate alone would allow 30", () => {
    const input = { rule: defaultQuarantineRule, enteredAt: 0, distinctCallers: 0, now: 44 * DAY_MS };
    expect(judgeQuarantine(input)).toMatchObject({
      isClean: false,
      holdUntil: 45 * DAY_MS,
      earliestReleaseAt: 45 * DAY_MS,
    });
    const free = judgeQuarantine({ ...input, rule: { ...defaultQuarantineRule, holdS: 0 } });
    expect(free.earliestReleaseAt / DAY_MS).toBeCloseTo(29.957, 2);
  });

  it("says nothing about the rate before any time has passed, and knows dates however strict the rule", () => {
    const rule = { holdS: 1e12, maxRatePerDay: 1e-300, confidence: 0.99 };
    const judged = judgeQuarantine({ rule, enteredAt: 5, distinctCallers: 3, now: 5 });
    expect(judged.rateUpperBoundPerDay).toBeNull();
    expect(new Date(judged.earliestReleaseAt).toISOString()).toBe("9999-12-31T00:00:00.000Z");
    expect(new Date(judged.holdUntil).toISOString()).toBe("9999-12-31T00:00:00.000Z");
  });
});

describe("removalOf", () => {
  it("drains until the retention is over, drain_s at most, and only while somebody may still call", () => {
    const any = fc.record({
      retainedUntil: fc.option(fc.integer({ min: 0, max: 600_000_000 })),
      drainS: fc.integer({ min: 0, max: 259_200 }),
      skipDraining: fc.boolean(),
      now: fc.integer({ min: 0, max: 600_000_000 }),
    });
    fc.assert(
      fc.property(any, (input) => {
        const removal = removalOf(input);
        const somebodyMayCall = input.retainedUntil !== null && input.retainedUntil >= input.now;
        const drains = somebodyMayCall && !input.skipDraining && input.drainS > 0;
        expect(removal.to).toBe(drains ? "draining" : "quarantined");
        if (removal.to === "draining")
          expect(removal.until).toBe(Math.min(input.retainedUntil as number, input.now + input.drainS * 1000));
      }),
    );
  });
});
