/**
 * One line per event, the event's name first, ids as fields. error = a person must act; warn = we coped. Callers' numbers never reach a line:
 * in the fields that may hold one, and in errors, numbers keep only their last four digits.
 */
import { pino } from "pino";

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Lines that the disk has no room for wait here until it has; what comes beyond them is lost. */
const UNWRITTEN_BYTES_MAX = 1024 * 1024;

/** `destination` is a file descriptor: 2 in the service, so that stdout keeps only what is meant for people and machines. */
export function createLog(level: LogLevel, destination: number | NodeJS.WritableStream = 2): Log {
  const stream = typeof destination === "number" ? linesTo(destination) : destination;
  const formatters = { level: (label: string) => ({ level: label }) };
  const logger = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, messageKey: "event", formatters },
    stream,
  );
  const write = (at: "debug" | "info" | "warn" | "error"): Log["info"] =>
    logger.isLevelEnabled(at) ? (event, fields = {}) => logger[at](maskFields(fields), event) : () => {};
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

function linesTo(fd: number): ReturnType<typeof pino.destination> {
  const stream = pino.destination({ dest: fd, sync: true, maxLength: UNWRITTEN_BYTES_MAX });
  // A full disk: with nobody listening the line's own author would be thrown at, a call in the midst of ringing.
  stream.on("error", () => {});
  return stream;
}

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Fields whose value names a party of a call, or may quote one. Promo and destination numbers are business data and may be logged. */
const MASKED_FIELDS = new Set(["caller", "from", "callerNumber", "asserted", "error"]);

export function maskFields(fields: LogFields): Record<string, unknown> {
  const masked: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Error) masked[name] = maskError(value);
    else if (MASKED_FIELDS.has(name) && typeof value === "string") masked[name] = maskDigits(value);
    else masked[name] = value;
  }
  return masked;
}

/** Keeps the last four digits of every run of seven or more. */
export function maskDigits(text: string): string {
  return text.replace(/\+?\d{7,}/g, (digits) => `…${digits.slice(-4)}`);
}

function maskError(error: Error): Record<string, unknown> {
  const code = (error as { code?: unknown }).code;
  return {
    message: maskDigits(error.message),
    ...(code === undefined ? {} : { code }),
    stack: maskDigits(error.stack ?? ""),
  };
}
