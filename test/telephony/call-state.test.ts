import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CallEvent } from "../../src/telephony/call-event.js";
import {
  answeredAtOf,
  applyCallEvent,
  type CallState,
  newCall,
  statusOf,
  timingsOf,
} from "../../src/telephony/call-state.js";

const fold = (events: readonly CallEvent[], from: CallState = newCall): CallState =>
  events.reduce(applyCallEvent, from);

const at = fc.integer({ min: 1_000, max: 1_100 });
const attemptStarted = fc.record({
  kind: fc.constant("attempt_started" as const),
  index: fc.nat({ max: 2 }),
  target: fc.constantFrom("sip:a", "sip:b"),
  at,
});
const attemptFailed = fc.record({
  kind: fc.constant("attempt_failed" as const),
  index: fc.nat({ max: 2 }),
  sipStatus: fc.constantFrom(null, 486, 503),
  cause: fc.constantFrom("busy", "transport"),
  at,
});
const ringing = fc.record({ kind: fc.constant("ringing" as const), at });
const answered = fc.record({ kind: fc.constant("answered" as const), at });
const retried = fc.record({ kind: fc.constant("retried" as const), at });
const ended = (authority: 1 | 2) =>
  fc.record({
    kind: fc.constant("ended" as const),
    status: fc.constantFrom(
      "completed" as const,
      "busy" as const,
      "no_answer" as const,
      "failed" as const,
      "canceled" as const,
    ),
    releasedBy: fc.constantFrom(null, "caller" as const, "callee" as const),
    cause: fc.constantFrom(null, "Q.850 16", "busy"),
    authority: fc.constant(authority),
    talkMs: fc.constantFrom(null, 5_000),
    at,
  });
const anyEvent = fc.oneof(attemptStarted, attemptFailed, ringing, answered, retried, ended(1), ended(2));

/** What one call can bring: any times, but no two reporters of the same authority, and one start a target. */
const oneCall = fc
  .tuple(
    fc.uniqueArray(attemptStarted, { selector: (e) => e.index }),
    fc.uniqueArray(attemptFailed, { selector: (e) => e.index }),
    fc.array(ringing, { maxLength: 3 }),
    fc.array(answered, { maxLength: 3 }),
    fc.option(ended(1), { nil: undefined }),
    fc.option(ended(2), { nil: undefined }),
  )
  .map(([starts, fails, rings, answers, one, two]): CallEvent[] => [
    ...starts,
    // A target that failed was started.
    ...fails.filter((f) => starts.some((s) => s.index === f.index)),
    ...rings,
    ...answers,
    ...(one === undefined ? [] : [one]),
    ...(two === undefined ? [] : [two]),
  ]);

const shuffled = oneCall.chain((events) =>
  fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length, maxLength: events.length })),
);

describe("folding the events of a call", () => {
  it("gives the same state in any order", () => {
    fc.assert(
      fc.property(shuffled, ([events, other]) => {
        expect(fold(other)).toEqual(fold(events));
      }),
    );
  });

  it("gives the same state when events come twice, at once or much later", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 12 }), fc.nat(), (events, n) => {
        const twice = events.flatMap((e) => [e, e]);
        expect(fold(twice)).toEqual(fold(events));
        const again = events[n % Math.max(1, events.length)];
        if (again === undefined || events.some((e) => e.kind === "retried")) return;
        expect(statusOf(fold([...events, again]))).toBe(statusOf(fold(events)));
      }),
    );
  });

  it("a repeated try reopens a call, and the end of the first try, told late or again, does not close it", () => {
    fc.assert(
      fc.property(ended(2), ended(2), fc.integer({ min: 1, max: 50 }), (first, second, gap) => {
        const retry: CallEvent = { kind: "retried", at: first.at + gap };
        const last = { ...second, at: first.at + gap + 1 };
        const expected = fold([first, retry, last]);
        expect(expected.end?.status).toBe(last.status);
        for (const order of [
          [retry, first, last],
          [retry, last, first],
          [first, retry, first, last],
          [first, retry, last, retry],
        ] as CallEvent[][])
          expect(fold(order).end?.status).toBe(last.status);
      }),
    );
  });

  it("never moves backwards without a repeated try: ringing → in progress → ended", () => {
    const rank = (state: CallState): number => {
      const status = statusOf(state);
      return status === "ringing" ? 0 : status === "in_progress" ? 1 : 2;
    };
    fc.assert(
      fc.property(fc.array(anyEvent.filter((e) => e.kind !== "retried")), (events) => {
        let state = newCall;
        for (const event of events) {
          const next = applyCallEvent(state, event);
          expect(rank(next)).toBeGreaterThanOrEqual(rank(state));
          state = next;
        }
      }),
    );
  });

  it("an answered call is never reopened", () => {
    fc.assert(
      fc.property(fc.array(anyEvent), retried, (events, retry) => {
        const state = fold([...events, { kind: "answered", at: 1_000 }]);
        expect(statusOf(applyCallEvent(state, retry))).toBe(statusOf(state));
      }),
    );
  });

  it("the better-informed end wins, and lacks nothing the other knew of the same end", () => {
    fc.assert(
      fc.property(ended(1), ended(2), (one, two) => {
        for (const order of [
          [one, two],
          [two, one],
        ]) {
          const { end } = fold(order);
          expect(end).toMatchObject({ status: two.status, authority: 2, at: two.at });
          const other = one.status === two.status ? one : { talkMs: null, cause: null, releasedBy: null };
          expect(end?.talkMs).toBe(two.talkMs ?? other.talkMs);
          expect(end?.cause).toBe(two.cause ?? other.cause);
          expect(end?.releasedBy).toBe(two.releasedBy ?? other.releasedBy);
        }
      }),
    );
  });

  it("never writes a negative time", () => {
    fc.assert(
      fc.property(fc.array(anyEvent), (events) => {
        for (const ms of Object.values(timingsOf(fold(events)))) if (ms !== null) expect(ms).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe("timings", () => {
  const started: CallEvent = { kind: "attempt_started", index: 0, target: "sip:a", at: 1_000 };

  it("are those of a call that rang, was answered and ended", () => {
    const state = fold([
      started,
      { kind: "ringing", at: 1_200 },
      { kind: "answered", at: 5_000 },
      { kind: "ended", status: "completed", releasedBy: "caller", cause: null, authority: 2, talkMs: null, at: 65_000 },
    ]);
    expect(timingsOf(state)).toEqual({ pddMs: 200, ringMs: 3_800, talkMs: 60_000 });
  });

  it("hunting on does not restart the post-dial delay", () => {
    const state = fold([
      started,
      { kind: "attempt_failed", index: 0, sipStatus: 486, cause: "busy", at: 1_100 },
      { kind: "attempt_started", index: 1, target: "sip:b", at: 1_110 },
      { kind: "ringing", at: 1_500 },
    ]);
    expect(timingsOf(state).pddMs).toBe(500);
    expect(state.attempts).toMatchObject([{ sipStatus: 486, cause: "busy" }, { sipStatus: null }]);
  });

  it("a call that nobody answered rang until its end and has no talk time", () => {
    const state = fold([
      started,
      { kind: "ringing", at: 1_200 },
      { kind: "ended", status: "no_answer", releasedBy: "system", cause: null, authority: 2, talkMs: null, at: 31_200 },
    ]);
    expect(timingsOf(state)).toEqual({ pddMs: 200, ringMs: 30_000, talkMs: null });
  });

  it("a carrier's own measure of talk time comes first", () => {
    const state = fold([
      { kind: "answered", at: 1_000 },
      { kind: "ended", status: "completed", releasedBy: null, cause: null, authority: 1, talkMs: 4_000, at: 9_000 },
    ]);
    expect(timingsOf(state).talkMs).toBe(4_000);
  });

  it("an answer that nobody told of lies before the talk that was measured, and after the attempt", () => {
    const end = { kind: "ended", status: "completed", cause: null, releasedBy: null, authority: 1 } as const;
    const talked = fold([started, { ...end, talkMs: 4_000, at: 9_000 }]);
    expect([answeredAtOf(talked), timingsOf(talked).pddMs]).toEqual([5_000, null]);
    expect(answeredAtOf(fold([{ kind: "answered", at: 5_200 }], talked))).toBe(5_200);
    expect(answeredAtOf(fold([started, { ...end, talkMs: 60_000, at: 9_000 }]))).toBe(1_000);
    expect(answeredAtOf(fold([started, { ...end, talkMs: 0, at: 9_000 }]))).toBeNull();
    const rung = fold([started, { kind: "ringing", at: 1_200 }, { ...end, talkMs: 4_000, at: 9_000 }]);
    expect(timingsOf(rung)).toEqual({ pddMs: 200, ringMs: 3_800, talkMs: 4_000 });
    const busy = { ...end, status: "busy", cause: "busy", authority: 2, talkMs: null, at: 9_000 } as const;
    expect(answeredAtOf(fold([busy], talked))).toBeNull();
  });

  it("an answer without ringing counts as the first sign", () => {
    expect(timingsOf(fold([started, { kind: "answered", at: 1_050 }]))).toMatchObject({ pddMs: 50, ringMs: null });
  });
});
