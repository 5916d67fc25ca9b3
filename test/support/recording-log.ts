/** Logs that are read by tests: what was said, in order. */
import type { Log, LogFields } from "../../src/kernel/log.js";

export interface LogLine {
  readonly level: keyof Log;
  readonly event: string;
  readonly fields: LogFields;
}

/** @param tell is handed each line */
export function logTo(tell: (line: LogLine) => void): Log {
  const at =
    (level: LogLine["level"]) =>
    (event: string, fields: LogFields = {}): void =>
      tell({ level, event, fields });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export interface RecordingLog {
  readonly log: Log;
  /** `warn number.idle` */
  readonly events: string[];
  /** Of the latest line that said so. */
  fieldsOf(event: string): LogFields | undefined;
}

export function recordingLog(): RecordingLog {
  const lines: LogLine[] = [];
  const events: string[] = [];
  const log = logTo((line) => {
    lines.push(line);
    events.push(`${line.level} ${line.event}`);
  });
  return { log, events, fieldsOf: (event) => lines.findLast((line) => line.event === event)?.fields };
}
