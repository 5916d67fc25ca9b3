/** The one place that reads the ambient clock. Rules take `now`; code that does I/O takes a Clock. */

/** A point in time, milliseconds since the epoch, UTC. */
export type Instant = number;

/** The end of the year 9999: what comes later has no text of four digits a year, in which ISO 8601 and PostgreSQL agree. */
export const INSTANT_MAX: Instant = 253_402_300_799_999;

export interface Clock {
  /** Wall time in ms since the epoch. */
  now(): Instant;
  /** Monotonic time in ms, for durations only: it never steps back. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** ISO 8601 UTC with milliseconds, the only form times leave the service in. */
export function toIso(at: Instant): string {
  return new Date(at).toISOString();
}
