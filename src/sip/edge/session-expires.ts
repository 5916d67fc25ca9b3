/** Session-Expires and Min-SE (RFC 4028 §4, §5): what they say and what the called side makes of them. Pure. */
import type { CheckedRequest, CheckedResponse } from "./message-check.js";
import { type Header, header, headerValue, listValues, type SipRequest } from "./sip-message.js";

/** The smallest interval accepted, in seconds: RFC 4028 §4 allows none below. */
export const MIN_SESSION_S = 90;

export interface SessionExpires {
  readonly seconds: number;
  /** Who refreshes: `uac` sent the request that this stands in or answers. */
  readonly refresher: "uac" | "uas" | null;
}

export interface Session {
  readonly seconds: number;
  readonly isOursToRefresh: boolean;
}

/** What session-timer.ts has going for a dialog. */
export interface RunningSession extends Session {
  stop(): void;
}

/** Null without the header, and when it cannot be read: then there is no session timer, which loses nothing. */
export function sessionExpires(headers: readonly Header[]): SessionExpires | null {
  const match = /^(\d{1,9})[ \t]*((?:;.*)?)$/.exec(headerValue(headers, "session-expires") ?? "");
  if (match === null) return null;
  const refresher = /;[ \t]*refresher[ \t]*=[ \t]*(uac|uas)\b/i.exec(match[2] ?? "")?.[1]?.toLowerCase();
  return { seconds: Number(match[1]), refresher: refresher === "uac" || refresher === "uas" ? refresher : null };
}

export function supportsTimer(headers: readonly Header[]): boolean {
  const tags = [...listValues(headers, "supported"), ...listValues(headers, "require")];
  return tags.some((tag) => tag.toLowerCase() === "timer");
}

/** Min-SE for a 422 (§9); null when the request is acceptable. A caller without `timer` would not understand a 422. */
export function sessionTooShort(request: CheckedRequest): Header | null {
  const { headers } = request.message;
  const asked = sessionExpires(headers);
  if (asked === null || asked.seconds >= MIN_SESSION_S || !supportsTimer(headers)) return null;
  return header("Min-SE", String(MIN_SESSION_S));
}

/**
 * What a 2xx to this INVITE or UPDATE says (§9): the interval asked for, or a shorter one of the app, and who refreshes.
 * @returns the answer's headers with Session-Expires and Require in place, and what now runs; null: no session timer
 */
export function answerSession(
  request: CheckedRequest,
  given: readonly Header[],
): { readonly headers: Header[]; readonly session: Session | null } {
  const { headers } = request.message;
  const asked = sessionExpires(headers);
  const own = sessionExpires(given);
  const rest = given.filter((one) => one.key !== "session-expires");
  const wanted = own ?? asked;
  if (wanted === null) return { headers: rest, session: null };
  const least = Math.max(MIN_SESSION_S, Number.parseInt(headerValue(headers, "min-se") ?? "", 10) || 0);
  const seconds = Math.max(least, Math.min(wanted.seconds, asked?.seconds ?? wanted.seconds));
  const isTimerKnown = supportsTimer(headers);
  const refresher = isTimerKnown ? (asked?.refresher ?? own?.refresher ?? "uac") : "uas";
  return {
    headers: [
      header("Session-Expires", `${seconds};refresher=${refresher}`),
      ...(refresher === "uac" && !supportsTimer(rest) ? [header("Require", "timer")] : []),
      ...rest,
    ],
    session: { seconds, isOursToRefresh: refresher === "uas" },
  };
}

/** What the peer's 2xx to our request started (§7.2); null: no session timer. */
export function agreedSession(request: SipRequest, response: CheckedResponse): Session | null {
  const answered = sessionExpires(response.message.headers);
  if (answered === null || answered.seconds < 1 || !supportsTimer(request.headers)) return null;
  return { seconds: answered.seconds, isOursToRefresh: answered.refresher !== "uas" };
}

/** For a request of ours in a dialog whose session runs, or one of the app that names an interval: keeps it running (§7.4). */
export function sessionHeaders(session: Session | null, given: readonly Header[]): Header[] {
  const isGiven = sessionExpires(given) !== null;
  if (session === null && !isGiven) return [];
  const supported = supportsTimer(given) ? [] : [header("Supported", "timer")];
  if (isGiven || session === null) return supported;
  const refresher = session.isOursToRefresh ? "uac" : "uas";
  return [header("Session-Expires", `${session.seconds};refresher=${refresher}`), ...supported];
}
