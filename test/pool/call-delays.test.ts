import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/kernel/seeded-random.js";
import {
  CALLS_FOR_FULL_WEIGHT,
  callDelays,
  delayQuantile,
  drawDelay,
  shareWithin,
} from "../../src/pool/call-delays.js";

const RETENTION_S = 259_200;
const delay = fc.double({ min: 0, max: RETENTION_S, noNaN: true });
const manyOf = (delayS: number, count = CALLS_FOR_FULL_WEIGHT): number[] => Array.from({ length: count }, () => delayS);

describe("the delays between presentation and call", () => {
  it("are the prior while no call was measured", () => {
    const delays = callDelays({ delaysS: [], horizonS: 10 });
    expect(delays).toMatchObject({ source: "prior", calls: 0, weight: 0, assumedShare: 1 });
    expect(shareWithin(delays.parts, 300)).toBeCloseTo(
      0.8 * (1 - Math.exp(-1)) + 0.15 * (1 - Math.exp(-300 / 14_400)) + 0.05 * (300 / RETENTION_S),
      12,
    );
    expect(shareWithin(delays.parts, RETENTION_S)).toBeCloseTo(1, 7);
    // 95 % of the calls come within 11.7 hours.
    expect(delayQuantile(delays.parts, 0.95, RETENTION_S) / 3_600).toBeCloseTo(11.67, 1);
  });

  it("are what was measured once there are enough calls and nothing is hidden", () => {
    const delaysS = Array.from({ length: 400 }, (_, i) => i * 10);
    const delays = callDelays({ delaysS, horizonS: Infinity });
    expect(delays).toMatchObject({ source: "measured", weight: 1, assumedShare: 0 });
    expect(shareWithin(delays.parts, 1_995)).toBeCloseTo(0.5, 12);
    expect(delayQuantile(delays.parts, 0.5, RETENTION_S)).toBe(1_990);
  });

  it("mix few measured delays with the prior by their count", () => {
    const delays = callDelays({ delaysS: manyOf(1_000, 50), horizonS: Infinity });
    expect(delays).toMatchObject({ source: "mixed", weight: 0.25, assumedShare: 0.75 });
    const prior = callDelays({ delaysS: [], horizonS: Infinity }).parts;
    expect(shareWithin(delays.parts, 1_000)).toBeCloseTo(0.25 + 0.75 * shareWithin(prior, 1_000), 12);
  });

  it("take from the prior what comes after the horizon, where a pool cannot look", () => {
    const horizonS = 2_400;
    const prior = callDelays({ delaysS: [], horizonS }).parts;
    const hidden = 1 - shareWithin(prior, horizonS);
    const delays = callDelays({ delaysS: manyOf(60), horizonS });
    expect(delays.assumedShare).toBeCloseTo(hidden, 12);
    expect(shareWithin(delays.parts, horizonS)).toBeCloseTo(1 - hidden, 12);
    expect(shareWithin(delays.parts, 14_400)).toBeCloseTo(shareWithin(prior, 14_400), 12);
  });

  it("believe late calls that were measured after all", () => {
    const delays = callDelays({ delaysS: [...manyOf(60), ...manyOf(10_000)], horizonS: 2_400 });
    expect(delays.assumedShare).toBe(0);
    expect(shareWithin(delays.parts, 2_400)).toBeCloseTo(0.5, 12);
  });

  it("always make a whole", () => {
    fc.assert(
      fc.property(fc.array(delay, { maxLength: 500 }), fc.oneof(delay, fc.constant(Infinity)), (delaysS, horizonS) => {
        const { parts, assumedShare } = callDelays({ delaysS, horizonS });
        expect(shareWithin(parts, Infinity)).toBeCloseTo(1, 9);
        expect(assumedShare).toBeGreaterThanOrEqual(0);
        expect(assumedShare).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("are drawn as they are distributed", () => {
    for (const input of [
      { delaysS: [], horizonS: 1 },
      { delaysS: manyOf(60, 100), horizonS: 2_400 },
      { delaysS: [...manyOf(60), ...manyOf(9_000, 30)], horizonS: 2_400 },
    ]) {
      const { parts } = callDelays(input);
      const random = seededRandom(7);
      const drawn = Array.from({ length: 40_000 }, () => drawDelay(parts, random));
      for (const at of [59, 60, 300, 2_400, 8_999, 9_000, 14_400, 100_000]) {
        const share = drawn.filter((one) => one <= at).length / drawn.length;
        expect(Math.abs(share - shareWithin(parts, at))).toBeLessThan(0.01);
      }
    }
  });
});
