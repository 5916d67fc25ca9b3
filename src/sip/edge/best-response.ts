/** Which of the failures of a forked INVITE the caller hears (RFC 3261 §16.7 steps 6 and 7). Pure; used by proxy-invite.ts. */
import type { CheckedResponse } from "./message-check.js";
import { type Header, headerValues } from "./sip-message.js";

export interface ForkFailure {
  readonly status: number;
  /** Null when nobody said so: no answer in time, or nowhere to send to. */
  readonly response: CheckedResponse | null;
}

/** Answers that tell the caller how to get through. */
const HELPFUL: ReadonlySet<number> = new Set([401, 407, 415, 420, 484]);

/** A 6xx first, then the lowest class; of equals the later, which is the last the app was shown. */
export function betterFailure(known: ForkFailure | null, next: ForkFailure): ForkFailure {
  return known !== null && rank(known) < rank(next) ? known : next;
}

function rank(failure: ForkFailure): number {
  const { status, response } = failure;
  if (status >= 600) return 0;
  return Math.floor(status / 100) * 4 + (HELPFUL.has(status) ? 0 : 1) + (response === null ? 2 : 0);
}

/** Of several phones that want credentials the caller must see every challenge. */
export function challengesOf(failures: readonly ForkFailure[], chosen: ForkFailure): Header[] {
  if (chosen.status !== 401 && chosen.status !== 407) return [];
  return failures
    .filter((one) => one !== chosen && (one.status === 401 || one.status === 407))
    .flatMap((one) =>
      (one.response?.message.headers ?? []).filter(
        (field) => field.key === "www-authenticate" || field.key === "proxy-authenticate",
      ),
    );
}

/** A 503 of one phone must not keep the caller's carrier off this node (§16.7 step 6). */
export function asSeenByCaller(response: CheckedResponse): CheckedResponse {
  if (response.message.status !== 503) return response;
  const headers = response.message.headers.filter((one) => one.key !== "retry-after");
  return { ...response, message: { ...response.message, status: 500, reason: "Server Internal Error", headers } };
}

/** Contacts of a 3xx as far as they can be called, in order of preference. */
export function redirectTargets(response: CheckedResponse, parse: (contact: string) => string | null): string[] {
  return headerValues(response.message.headers, "contact")
    .flatMap((value) => value.split(/,(?=\s*(?:"[^"]*"\s*)?<|\s*sips?:)/))
    .map((contact) => ({ uri: parse(contact), q: qOf(contact) }))
    .filter((one): one is { uri: string; q: number } => one.uri !== null)
    .toSorted((a, b) => b.q - a.q)
    .map((one) => one.uri);
}

function qOf(contact: string): number {
  const match = /;\s*q\s*=\s*(\d(?:\.\d{0,3})?)/i.exec(contact);
  return match === null ? 1 : Number(match[1]);
}
