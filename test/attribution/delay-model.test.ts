import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { probabilities } from "../../src/attribution/confidence.js";
import {
  densityPerS,
  hasChanged,
  type Measured,
  modelOf,
  type NewModel,
  PRIOR_MODEL,
} from "../../src/attribution/judging/delay-model.js";

const DAY_S = 86_400;
const RETENTION_S = 3 * DAY_S;
const NOTHING: Measured = {
  delaysS: [],
  horizonS: Infinity,
  matchedCalls: 0,
  presentations: 0,
  unexplainedCalls: 0,
  unexplainedNumberS: 0,
};
const asUsed = (model: NewModel) => ({ ...model, id: 1, source: "measured" as const });
const delays = fc.array(fc.double({ min: 0, max: RETENTION_S, noNaN: true }), { maxLength: 400 });
const horizon = fc.oneof(fc.constant(Infinity), fc.double({ min: 60, max: RETENTION_S, noNaN: true }));

/** ∫ f over all delays, exactly where f is flat and by steps of a thousandth elsewhere. */
function integral({ parts }: NewModel): number {
  let sum = 0;
  let from = 0;
  while (from < RETENTION_S) {
    const step = Math.max(0.25, from / 1_000);
    sum += step * densityPerS(parts, (from + step / 2) * 1_000);
    from += step;
  }
  return sum;
}

describe("a pool's delay model", () => {
  it("is the prior when nothing was measured", () => {
    const model = modelOf(NOTHING);
    for (const s of [0, 60, 3_600, DAY_S])
      expect(densityPerS(model.parts, s * 1_000)).toBe(densityPerS(PRIOR_MODEL.parts, s * 1_000));
    expect([model.callShare, model.backgroundPerS]).toEqual([PRIOR_MODEL.callShare, PRIOR_MODEL.backgroundPerS]);
    expect(hasChanged(PRIOR_MODEL, model)).toBe(false);
  });

  it("is a density: its integral is one, whatever was measured and however far the pool could see", () => {
    fc.assert(
      fc.property(delays, horizon, (delaysS, horizonS) => {
        expect(integral(modelOf({ ...NOTHING, delaysS, horizonS }))).toBeCloseTo(1, 1);
      }),
      { numRuns: 30 },
    );
  });

  it("makes no delay within retention impossible, and survives being stored as JSON", () => {
    fc.assert(
      fc.property(delays, horizon, fc.nat({ max: RETENTION_S - 1 }), (delaysS, horizonS, s) => {
        const model = modelOf({ ...NOTHING, delaysS, horizonS });
        expect(densityPerS(model.parts, s * 1_000)).toBeGreaterThan(0);
        expect(JSON.parse(JSON.stringify(model))).toEqual(model);
      }),
      { numRuns: 100 },
    );
  });

  it("follows the pool: calls an hour after the page make an hour likelier than a minute, and the earlier visitor the likelier one", () => {
    const delaysS = Array.from({ length: 400 }, (_, i) => 3_000 + i * 3);
    const model = asUsed(modelOf({ ...NOTHING, delaysS, matchedCalls: 400, presentations: 2_000 }));
    expect(densityPerS(model.parts, 3_600_000)).toBeGreaterThan(10 * densityPerS(model.parts, 60_000));
    const [hourAgo, minuteAgo] = probabilities(model, [3_600_000, 60_000]) as [number, number];
    expect(hourAgo).toBeGreaterThan(0.9);
    expect(minuteAgo).toBeLessThan(0.1);
    expect(hasChanged(PRIOR_MODEL, model)).toBe(true);
  });

  it("weighs few calls little, and takes what the pool could not see from the prior", () => {
    const ten = modelOf({ ...NOTHING, delaysS: Array<number>(10).fill(3_600) });
    expect(densityPerS(ten.parts, 60_000)).toBeGreaterThan(0.9 * densityPerS(PRIOR_MODEL.parts, 60_000));
    const blind = modelOf({ ...NOTHING, delaysS: Array<number>(1_000).fill(30), horizonS: 600 });
    expect(densityPerS(blind.parts, DAY_S * 1_000)).toBeCloseTo(densityPerS(PRIOR_MODEL.parts, DAY_S * 1_000), 12);
  });

  it("counts calls that nothing explains against the time in which there could have been some", () => {
    const quiet = modelOf({ ...NOTHING, unexplainedNumberS: 100 * DAY_S });
    const noisy = modelOf({ ...NOTHING, unexplainedNumberS: 100 * DAY_S, unexplainedCalls: 99 });
    expect(quiet.backgroundPerS).toBeCloseTo(1 / (110 * DAY_S), 12);
    expect(noisy.backgroundPerS).toBeCloseTo(100 / (110 * DAY_S), 12);
    const [sure] = probabilities(asUsed(quiet), [600_000]) as [number];
    const [unsure] = probabilities(asUsed(noisy), [600_000]) as [number];
    expect(unsure).toBeLessThan(sure);
    expect(hasChanged(quiet, noisy)).toBe(true);
  });

  it("measures the share of presentations that are called", () => {
    expect(modelOf({ ...NOTHING, matchedCalls: 197, presentations: 900 }).callShare).toBe(0.2);
  });

  it("does not change for noise", () => {
    const some = (n: number) => Array.from({ length: n }, (_, i) => 10 + (i % 97) * 7);
    const measured = { ...NOTHING, presentations: 10_000, matchedCalls: 500 };
    const inUse = modelOf({ ...measured, delaysS: some(500) });
    expect(hasChanged(inUse, modelOf({ ...measured, delaysS: some(520), matchedCalls: 520 }))).toBe(false);
    expect(hasChanged(inUse, modelOf({ ...measured, delaysS: some(500), matchedCalls: 900 }))).toBe(true);
  });
});
