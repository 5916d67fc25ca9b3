/**
 * What SUBSCRIBE and NOTIFY say about a subscription (RFC 6665 §8.2): which one, how long, whether it is over. Pure; subscription.ts and the code that
 * sorts such requests read with it.
 */
import { type Header, headerValue } from "./sip-message.js";
import { parseParams } from "./params.js";

/** Where neither side says how long: what most event packages take (RFC 3856 §6.4). */
const DEFAULT_EXPIRES_S = 3_600;
/** A REFER names no time, its NOTIFYs do (RFC 3515 §2.4.4); until the first, as long as a call may ring. */
const REFER_EXPIRES_S = 180;

export interface EventName {
  /** Package and `id`: what tells the subscriptions of a dialog apart. */
  readonly key: string;
  /** The Event value as written, for requests of our own. */
  readonly value: string;
}

interface Asking {
  readonly method: string;
  readonly headers: readonly Header[];
}

/** Methods whose 2xx begins a subscription, and with it a dialog. */
export function beginsSubscription(method: string): boolean {
  return method === "SUBSCRIBE" || method === "REFER";
}

/** Null without an Event that can be read. `refer` has one subscription a dialog here, whatever its `id` (RFC 3515 §2.4.6). */
export function eventName(headers: readonly Header[]): EventName | null {
  const value = headerValue(headers, "event");
  const parts = split(value);
  if (value === null || parts === null) return null;
  const id = parts.name === "refer" ? null : parts.params.get("id");
  return { key: typeof id === "string" ? `${parts.name};id=${id}` : parts.name, value };
}

/** The subscription that this request and its 2xx begin; null when they begin none. A REFER's is implied, unless its answer says not (RFC 4488 §4). */
export function eventBegun(request: Asking, answer: readonly Header[]): EventName | null {
  if (request.method !== "REFER") return eventName(request.headers);
  return /^false\b/i.test(headerValue(answer, "refer-sub") ?? "") ? null : { key: "refer", value: "refer" };
}

/** Seconds that a SUBSCRIBE asks for, or its answer grants; an answer may only shorten (§4.2.1.1). */
export function grantedSeconds(request: Asking, answer: readonly Header[]): number {
  if (request.method === "REFER") return REFER_EXPIRES_S;
  const asked = seconds(headerValue(request.headers, "expires"));
  const given = seconds(headerValue(answer, "expires"));
  return Math.min(given ?? asked ?? DEFAULT_EXPIRES_S, asked ?? Number.POSITIVE_INFINITY);
}

export type SubscriptionState =
  | { readonly kind: "terminated" }
  /** Null: the time agreed before goes on. */
  | { readonly kind: "lasting"; readonly seconds: number | null };

/** Of a NOTIFY; null when it says nothing that can be read. */
export function subscriptionState(headers: readonly Header[]): SubscriptionState | null {
  const parts = split(headerValue(headers, "subscription-state"));
  if (parts === null) return null;
  if (parts.name === "terminated") return { kind: "terminated" };
  return { kind: "lasting", seconds: seconds(parts.params.get("expires") ?? null) };
}

function seconds(text: string | null): number | null {
  return text !== null && /^\d{1,10}$/.test(text) ? Number(text) : null;
}

function split(value: string | null) {
  const [, name = "", rest = ""] = /^([^;\s]+)\s*(.*)$/.exec(value ?? "") ?? [];
  const params = parseParams(rest);
  return name === "" || params === null ? null : { name: name.toLowerCase(), params };
}
