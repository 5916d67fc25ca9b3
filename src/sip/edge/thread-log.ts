/**
 * The log of the edge's thread: every line is handed to the service's log on the other side (edge-worker.ts says how). Lines wait there in memory while
 * the service is busy, so only so many are handed over in a second; the others are counted, and the count is a line of its own.
 */
import type { Clock } from "../../kernel/clock.js";
import { type Log, type LogFields, maskFields } from "../../kernel/log.js";
import type { LogNotice } from "./edge-messages.js";

/** An edge in good order writes a few lines an hour; a fault of ours that every packet meets writes thousands a second, all the same. */
export const LOG_LINES_PER_WINDOW = 100;
const WINDOW_MS = 1_000;

export function createThreadLog(clock: Clock, post: (notice: LogNotice) => void): Log {
  let windowEndsMs = 0;
  let lines = 0;
  let dropped = 0;
  const write = (level: keyof Log, event: string, fields: LogFields): void => {
    const nowMs = clock.monotonicMs();
    if (nowMs >= windowEndsMs) {
      if (dropped > 0) post({ kind: "log", level: "error", event: "edge.log_lines_dropped", fields: { dropped } });
      windowEndsMs = nowMs + WINDOW_MS;
      lines = dropped = 0;
    }
    if (lines === LOG_LINES_PER_WINDOW) {
      dropped += 1;
      return;
    }
    lines += 1;
    // Masked on this side: an error loses its shape on the way.
    post({ kind: "log", level, event, fields: maskFields(fields) });
  };
  const at =
    (level: keyof Log): Log[typeof level] =>
    (event, fields = {}) =>
      write(level, event, fields);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
