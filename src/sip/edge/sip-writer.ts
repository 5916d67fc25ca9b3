/** Message → bytes, and the two compositions that RFC 3261 fixes: a response to a request (§8.2.6), an ACK or CANCEL to our own request. */
import type { CheckedRequest } from "./message-check.js";
import { type Header, header, headerValue, headerValues, type SipMessage, type SipRequest } from "./sip-message.js";
import { formatVia, type Via } from "./via.js";

/** Content-Length is always written by us, from the body; one that the headers carry is left out. */
export function writeMessage(message: SipMessage): string {
  const start =
    message.kind === "request"
      ? `${message.method} ${message.uri} SIP/2.0\r\n`
      : `SIP/2.0 ${message.status} ${message.reason}\r\n`;
  return finish(start, message.headers, message.body);
}

function finish(begun: string, headers: readonly Header[], body: string): string {
  let text = begun;
  for (const one of headers) if (one.key !== "content-length") text += field(one.name, one.value);
  return `${text}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** One header field of a message that is written without building it first. */
function field(name: string, value: string): string {
  return `${name}: ${value}\r\n`;
}

export interface ResponseParts {
  readonly status: number;
  readonly reason: string;
  /** Null sends the request's To unchanged (100, or a To that has its tag already). */
  readonly toTag: string | null;
  /** After the fields that are the request's: Contact, Record-Route, the app's own. */
  readonly headers?: readonly Header[];
  readonly body?: string;
}

/** @param via the request's top Via with `received` and `rport` filled in (via.ts stampVia) */
export function writeResponse(request: CheckedRequest, via: Via, parts: ResponseParts): string {
  const { headers } = request.message;
  const to = headerValue(headers, "to") ?? "";
  let text = `SIP/2.0 ${parts.status} ${parts.reason}\r\n${writeVias(request, via)}`;
  text += field("From", headerValue(headers, "from") ?? "");
  text += field("To", parts.toTag === null || request.toTag !== null ? to : `${to};tag=${parts.toTag}`);
  text += field("Call-ID", request.callId);
  text += field("CSeq", `${request.cseq.number} ${request.cseq.method}`);
  // RFC 3261 §8.2.6.1: a Timestamp is copied into 100 (and is harmless anywhere).
  if (parts.status === 100) for (const value of headerValues(headers, "timestamp")) text += field("Timestamp", value);
  return finish(text, parts.headers ?? [], parts.body ?? "");
}

/** A request as received, with the top Via given: header names spelled out, lines unfolded. */
export function writeReceived(request: CheckedRequest, via: Via): string {
  const { method, uri, headers, body } = request.message;
  const rest = headers.filter((one) => one.key !== "via");
  return finish(`${method} ${uri} SIP/2.0\r\n${writeVias(request, via)}`, rest, body);
}

function writeVias(request: CheckedRequest, via: Via): string {
  let text = field("Via", formatVia(via));
  for (const below of request.viasBelow) text += field("Via", below);
  return text;
}

/**
 * ACK for a non-2xx answer (§17.1.1.3) or CANCEL (§9.1): the INVITE's top Via, Request-URI, Route, Call-ID, From and CSeq number.
 * @param to the answer's To for an ACK, the request's own for a CANCEL
 */
export function writeHopByHop(
  invite: SipRequest,
  method: "ACK" | "CANCEL",
  to: string,
  extra: readonly Header[] = [],
): string {
  const number = (headerValue(invite.headers, "cseq") ?? "").split(/\s/)[0] ?? "";
  const copy = (key: string, name: string): Header[] =>
    headerValues(invite.headers, key).map((value) => header(name, value));
  return writeMessage({
    kind: "request",
    method,
    uri: invite.uri,
    headers: [
      ...copy("via", "Via").slice(0, 1),
      header("Max-Forwards", "70"),
      ...copy("route", "Route"),
      ...copy("from", "From"),
      header("To", to),
      ...copy("call-id", "Call-ID"),
      header("CSeq", `${number} ${method}`),
      ...extra,
    ],
    body: "",
  });
}
