/** A log that is read by tests: what was said, in order. */
import type { Log, LogFields } from "../../src/kernel/log.js";

export interface RecordingLog {
  readonly log: Log;
  /** `warn number.idle` */
  readonly events: string[];
  /** Of the latest line that said so. */
  fieldsOf(event: string): LogFields | undefined;
}

export function recordingLog(): RecordingLog {
  const lines: { event: string; fields: LogFields }[] = [];
  const events: string[] = [];
  const at =
    (level: string) =>
    (event: string, fields: LogFields = {}): void => {
      events.push(`${level} ${event}`);
      lines.push({ event, fields });
    };
  const log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return { log, events, fieldsOf: (event) => lines.findLast((line) => line.event === event)?.fields };
}
