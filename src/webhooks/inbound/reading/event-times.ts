/** Times and durations as carriers tell them, which are theirs and not this machine's. For the adapters whose carrier sends ISO 8601. */
import type { Instant } from "../../../kernel/clock.js";

const ISO_INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;

/** ISO 8601 in UTC. Null for anything else: a time is never worth refusing an event for. */
export function instantOf(text: unknown): Instant | null {
  if (typeof text !== "string" || !ISO_INSTANT.test(text)) return null;
  const at = Date.parse(text);
  return Number.isFinite(at) ? at : null;
}

/** Any notation of a time that JavaScript reads (RFC 2822, or ISO 8601 with an offset), for carriers that use such. Null for anything else. */
export function looseInstantOf(text: string): Instant | null {
  const at = Date.parse(text);
  return Number.isFinite(at) ? at : null;
}

/** The carrier's clock is not ours, so the arrival is the better time, unless the delivery was held up for longer than this. */
const HELD_UP_MS = 5_000;

/** When something happened that the carrier says happened at `sentAt`. */
export function eventTime(sentAt: Instant | null, now: Instant): Instant {
  return sentAt !== null && sentAt < now - HELD_UP_MS ? sentAt : now;
}

/** No call lasts longer; a duration beyond it is no duration. */
const CALL_MS_MAX = 24 * 60 * 60 * 1000;

/** @returns null for what is no duration of a call */
export function callDurationMs(ms: number): number | null {
  return Number.isFinite(ms) && ms >= 0 && ms <= CALL_MS_MAX ? Math.round(ms) : null;
}
