import { expect, it } from "vitest";
import type { LogNotice } from "../../../src/sip/edge/edge-messages.js";
import { createThreadLog, LOG_LINES_PER_WINDOW } from "../../../src/sip/edge/thread-log.js";

function logAt() {
  const time = { nowMs: 5_000 };
  const posted: LogNotice[] = [];
  const log = createThreadLog({ now: () => 0, monotonicMs: () => time.nowMs }, (notice) => void posted.push(notice));
  return { time, posted, log };
}

it("hands lines over with level and fields; of an error, what can cross, without a caller's number", () => {
  const { posted, log } = logAt();
  log.warn("edge.app_lost", { reason: "end", dialogs: 2 });
  log.error("edge.internal_error", { error: new Error("no call from +14155550123") });
  expect(posted[0]).toEqual({
    kind: "log",
    level: "warn",
    event: "edge.app_lost",
    fields: { reason: "end", dialogs: 2 },
  });
  expect(structuredClone(posted[1])).toMatchObject({
    level: "error",
    fields: { error: { message: "no call from …0123", stack: expect.stringContaining("thread-log.test") as string } },
  });
});

it("hands over so many lines a second, counts the others, and says how many", () => {
  const { time, posted, log } = logAt();
  for (let i = 0; i < LOG_LINES_PER_WINDOW + 7; i++) log.error("edge.internal_error", { i });
  expect(posted).toHaveLength(LOG_LINES_PER_WINDOW);
  time.nowMs += 999;
  log.info("edge.stopped");
  expect(posted).toHaveLength(LOG_LINES_PER_WINDOW);
  time.nowMs += 1;
  log.info("edge.stopped");
  expect(posted.slice(LOG_LINES_PER_WINDOW)).toEqual([
    { kind: "log", level: "error", event: "edge.log_lines_dropped", fields: { dropped: 8 } },
    { kind: "log", level: "info", event: "edge.stopped", fields: {} },
  ]);
});
