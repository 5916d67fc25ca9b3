import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { callDelays } from "../../src/pool/call-delays.js";
import { erlangB } from "../../src/pool/erlang-b.js";
import { DEFAULT_TARGETS, planPool, PLANNED_NUMBERS_MAX } from "../../src/pool/size-pool.js";
import { busiestRate, meanRate, steadyTraffic } from "../../src/pool/traffic-profile.js";

const RETENTION_S = 259_200;
const delays = callDelays({ delaysS: [], horizonS: Infinity });
const base = { delays, retentionS: RETENTION_S, overflowFrom: Infinity, targets: DEFAULT_TARGETS };
const sixtyAnHour = steadyTraffic({ perHour: 60, holdS: 34 * 60 });

describe("traffic over time", () => {
  const profile = { observedS: 5 * 3_600, hourly: [1, 10, 20, 3, 0], holdS: 60 };

  it("has a mean, and busiest stretches of any length", () => {
    expect(meanRate(profile) * 3_600).toBeCloseTo(34 / 5, 9);
    expect(busiestRate(profile, 60) * 3_600).toBeCloseTo(20, 9);
    expect(busiestRate(profile, 3_601) * 3_600).toBeCloseTo(15, 9);
    expect(busiestRate(profile, 3 * 3_600) * 3_600).toBeCloseTo(11, 9);
    expect(busiestRate(profile, 1e6)).toBe(meanRate(profile));
  });

  it("is at no time less busy than on average", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(100), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 1, max: 1e6 }),
        (hourly, spanS) => {
          const any = { observedS: hourly.length * 3_600, hourly, holdS: 1 };
          expect(busiestRate(any, spanS)).toBeGreaterThanOrEqual(meanRate(any));
          expect(busiestRate(any, spanS)).toBeLessThanOrEqual(Math.max(...hourly) / 3_600 + 1e-12);
        },
      ),
    );
  });
});

describe("a pool's plan", () => {
  it("shows the example of the domain notes: 60 an hour, held 34 minutes, on 40 numbers", () => {
    const plan = planPool({ ...base, traffic: sixtyAnHour, size: 40 });
    expect(plan.mean).toMatchObject({ lambdaPerS: 1 / 60, horizonS: 2_400 });
    expect(plan.mean.erlangs).toBeCloseTo(34, 9);
    expect(plan.mean.overflowShare).toBeCloseTo(0.044, 3);
    expect(plan.mean.misattribution).toBeCloseTo(0.177, 3);
    expect(plan.peak).toEqual(plan.mean);
  });

  it("recommends the larger of the numbers against overflow and those that protect calls", () => {
    const plan = planPool({ ...base, traffic: sixtyAnHour, size: 40 });
    expect(plan.forOverflow).toBe(46);
    const expected = plan.protectedDelayS / 60;
    expect(plan.forRetention).toBe(Math.ceil(expected + 2 * Math.sqrt(expected)));
    expect(plan.recommendedSize).toBe(plan.forRetention);
    const quick = planPool({
      ...base,
      traffic: sixtyAnHour,
      size: 40,
      targets: { overflowShare: 0.01, protectedShare: 0.5 },
    });
    expect(quick.recommendedSize).toBe(46);
  });

  it("sizes against overflow for the busiest hour, and protects calls through the busiest time as long as their delay", () => {
    const hourly = Array.from({ length: 48 }, (_, hour) => (hour % 24 === 3 ? 300 : 50));
    const plan = planPool({ ...base, traffic: { observedS: 48 * 3_600, hourly, holdS: 600 }, size: 40 });
    expect(plan.peak.lambdaPerS).toBeCloseTo(300 / 3_600, 9);
    expect(erlangB(plan.peak.erlangs, plan.forOverflow)).toBeLessThanOrEqual(0.01);
    expect(plan.protectedRatePerS).toBeCloseTo((300 + 11 * 50) / (12 * 3_600), 9);
  });

  it("counts the overflow number where there is one", () => {
    const without = planPool({ ...base, traffic: sixtyAnHour, size: 40 });
    const having = planPool({ ...base, traffic: sixtyAnHour, size: 41, overflowFrom: 1 });
    expect(having.usable).toBe(40);
    expect(having.mean).toEqual(without.mean);
    expect(having.recommendedSize).toBe(without.recommendedSize + 1);
    // A pool of one number has no room for an overflow number yet.
    const one = planPool({ ...base, traffic: sixtyAnHour, size: 1, overflowFrom: 2 });
    expect(one.usable).toBe(1);
    expect(one.curve.slice(0, 2)).toMatchObject([
      { size: 1, usable: 1 },
      { size: 2, usable: 1 },
    ]);
  });

  it("has a curve of rising sizes with the present and the recommended one, on which both shares only fall", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 1e5, noNaN: true }),
        fc.double({ min: 1, max: 1e5, noNaN: true }),
        fc.integer({ min: 0, max: 20_000 }),
        fc.constantFrom(Infinity, 1),
        (perHour, holdS, size, overflowFrom) => {
          const plan = planPool({ ...base, traffic: steadyTraffic({ perHour, holdS }), size, overflowFrom });
          const sizes = plan.curve.map((option) => option.size);
          expect(sizes).toEqual([...new Set(sizes)].sort((a, b) => a - b));
          if (plan.usable > 0) expect(sizes).toContain(size);
          expect(sizes).toContain(plan.recommendedSize);
          expect(plan.recommendedSize).toBeLessThanOrEqual(PLANNED_NUMBERS_MAX);
          const here = plan.curve.find((option) => option.size === size);
          if (here !== undefined) {
            expect(here.overflowShare).toBe(plan.mean.overflowShare);
            expect(here.misattribution).toBe(plan.mean.misattribution);
          }
          for (const [i, option] of plan.curve.entries()) {
            const before = plan.curve[i - 1];
            expect(Object.values(option).every((value) => value === null || Number.isFinite(value))).toBe(true);
            expect(option.usable).toBeGreaterThan(0);
            if (before === undefined) continue;
            expect(option.overflowShare).toBeLessThanOrEqual(before.overflowShare);
            expect(option.misattribution).toBeLessThanOrEqual(before.misattribution + 1e-9);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it("tells what a point of accuracy takes: ever more numbers", () => {
    const { curve } = planPool({ ...base, traffic: sixtyAnHour, size: 240 });
    const at240 = curve.find(({ size }) => size === 240);
    const more = planPool({ ...base, traffic: sixtyAnHour, size: 240 + 60 }).mean.misattribution ?? 0;
    // From 240 to 300 numbers a sixth of the points that 60 numbers buy at the rate of the 241st.
    const gained = (at240?.misattribution ?? 0) - more;
    expect(gained).toBeGreaterThan(0.01);
    expect(60 / (gained / 0.01)).toBeGreaterThan(at240?.numbersPerPoint ?? Infinity);
    expect(curve.at(-1)?.numbersPerPoint).toBeGreaterThan(at240?.numbersPerPoint ?? Infinity);
  });

  it("has no misattribution for a pool that presents nothing", () => {
    const plan = planPool({ ...base, traffic: sixtyAnHour, size: 0 });
    expect(plan.mean).toMatchObject({ overflowShare: 1, horizonS: 0, misattribution: null });
  });
});
