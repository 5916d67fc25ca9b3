import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { probabilities } from "../../src/attribution/confidence.js";
import { densityPerS, PRIOR_MODEL } from "../../src/attribution/judging/delay-model.js";
import { explainMatch } from "../../src/attribution/explain.js";
import type { PresentedTo } from "../../src/attribution/match.js";
import { touchOf } from "../../src/attribution/touch.js";

const HOUR = 3_600_000;
const delay = fc.integer({ min: 0, max: 80 * HOUR });

describe("confidence", () => {
  it("is a share for each visitor, together less than one, the shorter delay never the smaller share", () => {
    fc.assert(
      fc.property(fc.array(delay, { maxLength: 20 }), (delays) => {
        const shares = probabilities(PRIOR_MODEL, delays);
        expect(shares).toHaveLength(delays.length);
        expect(shares.reduce((a, b) => a + b, 0)).toBeLessThan(1);
        for (const [i, a] of delays.entries())
          for (const [j, b] of delays.entries())
            if (a < b) expect(shares[i]).toBeGreaterThanOrEqual(shares[j] as number);
      }),
    );
  });

  it("is high for a call minutes after a lone presentation, and low for two presentations close together", () => {
    const [alone] = probabilities(PRIOR_MODEL, [60_000]) as [number];
    const [first, second] = probabilities(PRIOR_MODEL, [60_000, 90_000]) as [number, number];
    expect(alone).toBeGreaterThan(0.95);
    expect(first).toBeLessThan(0.6);
    expect(second).toBeGreaterThan(0.4);
  });

  it("rests on a density that sums to one over all delays", () => {
    let sum = 0;
    for (let s = 0; s < 300_000; s += 10) sum += 10 * densityPerS(PRIOR_MODEL.parts, (s + 5) * 1_000);
    expect(sum).toBeCloseTo(1, 2);
  });
});

describe("explainMatch", () => {
  const presented = (seq: number, visitorId: string, hoursAgo: number, presentationId = `prs_${seq}`): PresentedTo => ({
    seq,
    presentationId,
    visitorId,
    presentedAt: -hoursAgo * HOUR,
    retainedUntil: (72 - hoursAgo) * HOUR,
  });

  it("lists each visitor once by the latest presentation, newest first, with gaps, shares, the choice and the runner-up", () => {
    const explanation = explainMatch({
      outcome: "matched",
      matchedPresentationId: "prs_4",
      presentations: [
        presented(1, "A", 90),
        presented(2, "B", 10),
        presented(3, "C", 5),
        presented(4, "D", 1),
        presented(5, "B", 8, "prs_2"),
      ],
      receivedAt: 0,
      model: PRIOR_MODEL,
    });
    expect(explanation.candidates.map((c) => [c.visitorId, c.ageMs / HOUR, c.withinRetention, c.chosen])).toEqual([
      ["B", 8, true, false],
      ["D", 1, true, true],
      ["C", 5, true, false],
      ["A", 90, false, false],
    ]);
    expect(explanation.candidates.at(-1)?.probability).toBeNull();
    expect(explanation.runnerUp?.visitorId).toBe("B");
    expect(explanation.confidence).toBe(explanation.candidates[1]?.probability);
    expect(explanation.reason).toContain("latest visitor");
  });

  it("has no confidence when nobody was chosen", () => {
    const explanation = explainMatch({
      outcome: "expired",
      matchedPresentationId: null,
      presentations: [presented(1, "A", 80)],
      receivedAt: 0,
      model: PRIOR_MODEL,
    });
    expect(explanation).toMatchObject({ confidence: null, runnerUp: null });
  });
});

describe("touchOf", () => {
  it("takes campaign parameters and click ids from the URL; what the page says wins", () => {
    const url = "https://a.test/p?utm_source=google&utm_campaign=x%20y&gclid=1&other=2&utm_medium=#utm_term=no";
    expect(touchOf({ url, given: undefined })).toEqual({ utm_source: "google", utm_campaign: "x y", gclid: "1" });
    expect(touchOf({ url, given: { gclid: "2", own: "3" } })).toMatchObject({
      gclid: "2",
      own: "3",
      utm_source: "google",
    });
  });

  it("takes a business's own utm_* from the URL as well, so many as an address can mean", () => {
    const own = Array.from({ length: 30 }, (_, n) => `utm_own_${n}=${n}`).join("&");
    const touch = touchOf({ url: `https://a.test/?utm_adgroup=shoes&utm=1&utm_=2&Utm_x=3&${own}&gclid=1`, given: {} });
    expect(touch).toMatchObject({ utm_adgroup: "shoes", utm_own_18: "18", gclid: "1" });
    expect(Object.keys(touch)).toHaveLength(21);
  });

  it("reads any text without failing and cuts long values", () => {
    fc.assert(
      fc.property(fc.string(), (url) => {
        expect(Object.keys(touchOf({ url, given: undefined })).every((k) => !k.includes("other"))).toBe(true);
      }),
    );
    expect(touchOf({ url: `?gclid=${"x".repeat(2_000)}`, given: undefined })["gclid"]).toHaveLength(512);
  });
});
