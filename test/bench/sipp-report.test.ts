import { expect, test } from "vitest";
import { countCalls, failedCalls, readPostDialDelays, readStatistics } from "../../bench/invite/sipp-report.js";
import { percentile } from "../../bench/result.js";

const HEADER =
  "StartTime;LastResetTime;CurrentTime;ElapsedTime(P);OutgoingCall(C);TotalCallCreated;SuccessfulCall(C);FailedCall(C);";

/** A line as sipp 3.6 writes it. */
function line(atS: number, created: number, completed: number): string {
  const time = (s: number): string => `2026-01-01\t00:00:00.0\t${(1_700_000_000 + s).toFixed(6)}`;
  return `${time(0)};${time(atS)};${time(atS)};00:00:00;${created};${created};${completed};0;`;
}

const csv = (...lines: string[]): string => [HEADER, ...lines, ""].join("\n");

test("statistics are read by the names of their columns, times from the start", () => {
  const [first, second] = readStatistics(csv(line(0.25, 50, 40), line(1.5, 300, 299)));
  expect(first).toEqual({ atMs: expect.closeTo(250, 1), created: 50, completed: 40 });
  expect(second).toEqual({ atMs: expect.closeTo(1_500, 1), created: 300, completed: 299 });
});

test("a line that was cut off by a kill is left out", () => {
  expect(readStatistics(`${csv(line(1, 10, 10))}2026-01-01\t00:00:02.0\t17`)).toHaveLength(1);
});

test("a sipp that writes other columns is refused, not misread", () => {
  expect(() => readStatistics("StartTime;CurrentTime;Calls\n")).toThrow("TotalCallCreated");
});

test("calls that came to their end after the step count as completed", () => {
  const readings = readStatistics(csv(line(9.9, 1_980, 1_900), line(10.1, 2_000, 1_950), line(12, 2_000, 2_000)));
  const counts = countCalls(readings, 10_000);
  expect(counts).toEqual({ placed: 2_000, made: 2_000, completed: 2_000 });
  expect(failedCalls({ ...counts, calls: 2_000 })).toBe(0);
});

test("calls that sipp placed only after the step have failed, though they were completed", () => {
  const readings = readStatistics(csv(line(10.1, 1_700, 1_600), line(12, 2_000, 2_000)));
  expect(failedCalls({ ...countCalls(readings, 10_000), calls: 2_000 })).toBe(300);
});

test("when sipp was too busy to take a reading at the step's end, the one before it counts", () => {
  const readings = readStatistics(csv(line(9.8, 1_500, 1_400), line(11.5, 2_000, 1_900), line(12, 2_000, 2_000)));
  expect(countCalls(readings, 10_000).placed).toBe(1_500);
});

test("calls that were placed and not completed have failed; never more than there were", () => {
  const readings = readStatistics(csv(line(10.1, 2_000, 1_900), line(14, 2_000, 1_990)));
  expect(failedCalls({ ...countCalls(readings, 10_000), calls: 2_000 })).toBe(10);
  expect(failedCalls({ ...countCalls([], 10_000), calls: 2_000 })).toBe(2_000);
});

/** A line as sipp 3.6 writes it with -trace_shortmsg. */
const message = (ms: number, direction: "S" | "R", call: number, first: string): string =>
  [
    "2026-01-01",
    "00:00:00.0",
    (1_700_000_000 + ms / 1_000).toFixed(6),
    direction,
    `${call}-1@127.0.0.1`,
    "CSeq:1 INVITE",
    first,
  ].join("\t");

const INVITE = "INVITE sip:+18882000000@127.0.0.1:5060 SIP/2.0";
const RINGING = "SIP/2.0 180 Ringing";

test("a call's delay runs from its first INVITE to its first ringing, to the microsecond", () => {
  const messages = [
    message(0, "S", 1, INVITE),
    message(1.5, "S", 2, INVITE),
    message(2, "R", 1, "SIP/2.0 100 Trying"),
    message(500, "S", 1, INVITE),
    message(500.125, "R", 1, RINGING),
    message(500.5, "R", 1, RINGING),
    message(501, "R", 1, "SIP/2.0 200 OK"),
    message(4.25, "R", 2, RINGING),
    // A call that never rang has no delay, and a line may be cut off by a kill.
    message(5, "S", 3, INVITE),
    message(6, "R", 3, "SIP/2.0 503 Service Unavailable"),
    "2026-01-01\t00:00:00.0\t17000",
  ];
  const [first, second, ...others] = readPostDialDelays(messages.join("\n"));
  expect(first).toBeCloseTo(500.125, 2);
  expect(second).toBeCloseTo(2.75, 2);
  expect(others).toEqual([]);
});

test("the percentiles of delays are those of the calls", () => {
  const delaysMs = Array.from({ length: 100 }, (_, n) => n + 1);
  expect(percentile(delaysMs, 0.5)).toBe(51);
  expect(percentile(delaysMs, 0.99)).toBe(100);
});
