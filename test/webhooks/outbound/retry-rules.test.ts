import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SentOutcome } from "../../../src/webhooks/outbound/retry-rules.js";
import {
  BREAKER_FAILURES,
  FAILING_S_MAX,
  FAILURES_TO_DISABLE,
  type Health,
  judgeAttempt,
  PAUSE_S_MAX,
  PAUSE_S_MIN,
  RETRY_AFTER_S,
  RETRY_AFTER_S_MAX,
  roomOf,
} from "../../../src/webhooks/outbound/retry-rules.js";

const NOW = 1_800_000_000_000;
const healthy: Health = { failingSince: null, failures: 0, pausedUntil: null };
const answered = (status: number, retryAfterS: number | null = null): SentOutcome => ({
  kind: "answered",
  status,
  ms: 1,
  response: "",
  retryAfterS,
});
const timeout: SentOutcome = { kind: "unanswered", error: "timeout", ms: 5_000 };
const judge = (outcome: SentOutcome, changes: Partial<Parameters<typeof judgeAttempt>[0]> = {}) =>
  judgeAttempt({ outcome, tries: 0, health: healthy, now: NOW, chance: 0, ...changes });

describe("an attempt", () => {
  it.each([200, 201, 204, 299])("answered %i is delivered", (status) => {
    const failing = { failingSince: NOW - 1_000, failures: 7, pausedUntil: NOW - 1 };
    expect(judge(answered(status), { health: failing })).toEqual({
      delivery: { state: "delivered" },
      health: healthy,
      disable: null,
    });
  });

  it.each([timeout, answered(100), answered(301), answered(302), answered(400), answered(401), answered(500)])(
    "that came to nothing is tried again: %j",
    (outcome) => expect(judge(outcome).delivery).toEqual({ state: "waiting", nextAttemptAt: NOW + 5_000 }),
  );

  it("is followed by the schedule, with up to a fifth more, the first time within 30 s; then it is given up", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 8 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (tries, chance) => {
          const { delivery } = judge(timeout, { tries, chance });
          if (delivery.state !== "waiting") throw new Error("given up");
          const waitS = (delivery.nextAttemptAt - NOW) / 1_000;
          expect(waitS).toBeGreaterThanOrEqual(RETRY_AFTER_S[tries] as number);
          expect(waitS).toBeLessThanOrEqual((RETRY_AFTER_S[tries] as number) * 1.2 + 0.001);
        },
      ),
    );
    expect((RETRY_AFTER_S[0] as number) * 1.2 + PAUSE_S_MIN).toBeLessThan(30);
    expect(judge(timeout, { tries: RETRY_AFTER_S.length }).delivery).toEqual({ state: "failed" });
  });

  it("waits as long as the receiver asks, a day at most and never less than the schedule", () => {
    const waitOf = (asked: number, tries = 0) => {
      const { delivery } = judge(answered(503, asked), { tries });
      return delivery.state === "waiting" ? (delivery.nextAttemptAt - NOW) / 1_000 : null;
    };
    expect(waitOf(60)).toBe(60);
    expect(waitOf(60, 2)).toBe(1_800);
    expect(waitOf(10_000_000)).toBe(RETRY_AFTER_S_MAX);
  });

  it("answered 410 is the last: the endpoint is gone", () => {
    expect(judge(answered(410))).toMatchObject({ delivery: { state: "failed" }, disable: "gone" });
  });

  it("that fails after five days of nothing but failures, and not only a few, disables the endpoint", () => {
    const since = NOW - FAILING_S_MAX * 1_000;
    const health = { failingSince: since, failures: FAILURES_TO_DISABLE - 1, pausedUntil: null };
    expect(judge(timeout, { health }).disable).toBe("failing");
    expect(judge(timeout, { health: { ...health, failingSince: since + 1 } }).disable).toBe(null);
    expect(judge(timeout, { health: { ...health, failures: FAILURES_TO_DISABLE - 2 } }).disable).toBe(null);
    expect(judge(answered(200), { health }).disable).toBe(null);
  });
});

describe("the breaker", () => {
  const failed = (times: number, stepMs = 0): Health => {
    let health = healthy;
    for (let n = 0; n < times; n++) health = judge(timeout, { health, now: NOW + n * stepMs }).health;
    return health;
  };

  it("opens after failures in a row; what was on its way then does not lengthen the pause", () => {
    expect(failed(BREAKER_FAILURES - 1).pausedUntil).toBe(null);
    expect(failed(BREAKER_FAILURES).pausedUntil).toBe(NOW + PAUSE_S_MIN * 1_000);
    expect(failed(BREAKER_FAILURES + 4).pausedUntil).toBe(NOW + PAUSE_S_MIN * 1_000);
  });

  it("pauses longer the longer it fails, a minute at most", () => {
    const after = (failingMs: number) => {
      const health = { failingSince: NOW - failingMs, failures: 50, pausedUntil: NOW - 1 };
      return ((judge(timeout, { health }).health.pausedUntil as number) - NOW) / 1_000;
    };
    expect(after(10_000)).toBe(PAUSE_S_MIN);
    expect(after(80_000)).toBe(20);
    expect(after(86_400_000)).toBe(PAUSE_S_MAX);
  });

  it("lets first retries alone through while it is open, then one, then all", () => {
    const room = (health: Health, now = NOW) => roomOf({ health, maxConcurrency: 4, now });
    expect(room(healthy)).toEqual({ room: 4, onlyFirstRetries: false });
    const open = failed(BREAKER_FAILURES);
    expect(room(open)).toEqual({ room: 4, onlyFirstRetries: true });
    expect(room(open, NOW + PAUSE_S_MIN * 1_000)).toEqual({ room: 1, onlyFirstRetries: false });
    expect(room(judge(answered(200), { health: open }).health)).toEqual({ room: 4, onlyFirstRetries: false });
  });
});
