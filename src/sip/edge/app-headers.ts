/**
 * What of an app's headers goes out. The app may not set what belongs to the transaction or the dialog, and a value with a control character is
 * dropped (it could become a second header).
 */
import { header, type Header, hasHeader, type SipMessage } from "./sip-message.js";
import { replaceLocalhost } from "./own-address.js";
import type { Flow } from "./transport.js";

const NEVER = ["via", "route", "record-route", "content-length", "max-forwards", "rseq", "timestamp"];

/** Fields that a response takes from its request. */
export const RESPONSE_FIELDS: ReadonlySet<string> = new Set([...NEVER, "from", "to", "call-id", "cseq"]);
/** Fields that a request in a dialog takes from the dialog. */
export const DIALOG_FIELDS: ReadonlySet<string> = new Set(RESPONSE_FIELDS);
/** Fields that a new request places itself, from what the app gave. */
export const NEW_REQUEST_FIELDS: ReadonlySet<string> = new Set([...NEVER, "from", "to", "call-id", "cseq", "contact"]);

// A lone CR or LF ends a line for some parsers; NUL ends a string for others.
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

export function appHeaders(message: SipMessage, reserved: ReadonlySet<string>, flow: Flow): Header[] {
  const kept: Header[] = [];
  for (const one of message.headers) {
    if (reserved.has(one.key) || CONTROL.test(one.value)) continue;
    kept.push(replaceLocalhost(one, flow));
  }
  return kept;
}

/** The Content-Type that goes with a body: the app's, or SDP's when it looks so. Null when the body has neither (an error for the app). */
export function contentTypeHeaders(headers: readonly Header[], body: string): Header[] | null {
  if (body === "" || hasHeader(headers, "content-type")) return [];
  return body.startsWith("v=0") ? [header("Content-Type", "application/sdp")] : null;
}
