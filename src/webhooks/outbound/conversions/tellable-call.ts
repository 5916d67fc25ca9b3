/** What a network may be told of a call: the record's facts, and nothing that names its caller but the sealed number. Pure. */
import type { ConvertibleCall } from "../../../attribution/exports/ad-conversions.js";
import type { CallRecord } from "../../../attribution/call-record.js";

export interface TellableCall extends ConvertibleCall {
  readonly visitorId: string | null;
  /** When the number that was called was shown to the visitor, ms since the epoch. */
  readonly presentedAt: number | null;
  readonly customData: Readonly<Record<string, unknown>> | null;
  readonly consent: Readonly<Record<string, unknown>> | null;
}

export type MadeEvent =
  /** `who`: what the network knows the person by; another one is another conversion. `at`: ms since the epoch. */
  | { readonly kind: "event"; readonly who: string; readonly at: number; readonly payload: object }
  | { readonly kind: "skipped"; readonly reason: SkipReason };

export const SKIP_REASONS = [
  "cannot_be_restated",
  "cannot_be_taken_back",
  "consent_denied",
  "invalid_event",
  "no_client_id",
  "no_click_id",
  "no_value",
  "superseded",
  "too_old",
] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

/** @returns null until it was judged: before that nobody knows what its visitor consented to, and when it is, that is an event of its own */
export function tellableOf(call: CallRecord): TellableCall | null {
  if (call.judgedAt === null) return null;
  const { outcome, touch, customData, visitorId, presentedAt, consent } = call.attribution;
  const { callId, receivedAt, status, talkMs, conversion, revenue, currency } = call;
  return {
    ...{ callId, receivedAt, status, talkMs, conversion, revenue, currency },
    ...{ outcome, touch, customData, visitorId, presentedAt, consent },
  };
}

/** A custom field that is text; of several values (the account's model `unique`) the latest. */
export function customText(call: TellableCall, field: string): string | null {
  const { customData } = call;
  if (customData === null || !Object.hasOwn(customData, field)) return null;
  const value: unknown = customData[field];
  const latest: unknown = Array.isArray(value) ? value[value.length - 1] : value;
  return typeof latest === "string" && latest.trim() !== "" ? latest.trim() : null;
}
