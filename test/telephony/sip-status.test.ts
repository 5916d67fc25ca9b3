import { describe, expect, it } from "vitest";
import { q850OfStatus, reasonHeader } from "../../src/telephony/q850.js";
import { type AttemptFailure, failureOf, finalStatusFor, huntsOn } from "../../src/telephony/sip-status.js";

/** Contract §6: which failures go on to the next target, how the record calls them, and what the caller's carrier is told after the last. */
const TABLE: readonly (readonly [AttemptFailure | number, hunts: boolean, record: string, told: number])[] = [
  [408, true, "no_answer", 480],
  [480, true, "no_answer", 486],
  [486, true, "busy", 486],
  [600, true, "busy", 486],
  [500, true, "failed", 503],
  [502, true, "failed", 503],
  [503, true, "failed", 503],
  [504, true, "failed", 503],
  [302, false, "failed", 503],
  [603, false, "failed", 603],
  [401, false, "failed", 503],
  [403, false, "failed", 503],
  [404, false, "failed", 503],
  [407, false, "failed", 503],
  [488, false, "failed", 503],
  [{ kind: "transport" }, true, "failed", 503],
  [{ kind: "ring_timeout" }, true, "no_answer", 480],
];

describe("a failed attempt", () => {
  it.each(TABLE)("%j: hunts on %s, recorded as %s, finally %s", (failure, hunts, record, told) => {
    const given: AttemptFailure = typeof failure === "number" ? { kind: "status", status: failure } : failure;
    expect(huntsOn(given)).toBe(hunts);
    expect(failureOf(given)).toBe(record);
    expect(finalStatusFor(given)).toBe(told);
  });
});

describe("Q.850 causes", () => {
  it.each([
    [200, 16],
    [404, 1],
    [486, 17],
    [480, 18],
    [603, 21],
    [503, 41],
    [499, 31],
  ])("of SIP %s is %s", (status, cause) => expect(q850OfStatus(status)).toBe(cause));

  it("are written as a Reason header", () => expect(reasonHeader(1)).toBe("Q.850;cause=1"));
});
