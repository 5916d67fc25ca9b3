/**
 * What every request and response must have before the edge acts on it (RFC 3261 §8.1.1, §8.2, §7.3; RFC 4475 shows the ways it goes wrong),
 * parsed once. inbound.ts checks each message here; nothing behind it looks at raw From, To, CSeq or Via text again.
 */
import { beginsSubscription } from "./event-header.js";
import { MAX_BRANCH_BYTES, MAX_CALL_ID_BYTES, MAX_TAG_BYTES, MAX_VIAS } from "./limits.js";
import { type NameAddr, parseNameAddr } from "./name-addr.js";
import {
  type Header,
  headerValue,
  listValues,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from "./sip-message.js";
import { bad, type Problem } from "./sip-parser.js";
import { parseSipUri, uriScheme } from "./sip-uri.js";
import { parseVia, type Via } from "./via.js";

/** The facts of RFC 3261 §8.1.1 that both kinds of message carry. */
export interface Facts {
  /** Topmost, as received. */
  readonly via: Via;
  /** The Vias below it, as written. */
  readonly viasBelow: readonly string[];
  readonly from: NameAddr;
  readonly to: NameAddr;
  readonly fromTag: string | null;
  readonly toTag: string | null;
  readonly callId: string;
  readonly cseq: { readonly number: number; readonly method: string };
}

export interface CheckedRequest extends Facts {
  readonly message: SipRequest;
  /** 70 when the sender gave none (RFC 2543 peers). */
  readonly maxForwards: number;
}

export interface CheckedResponse extends Facts {
  readonly message: SipResponse;
}

export type RequestCheck =
  | { readonly kind: "ok"; readonly request: CheckedRequest }
  | { readonly kind: "refused"; readonly problem: Problem };

export function checkRequest(message: SipRequest): RequestCheck {
  const facts = checkFacts(message);
  if ("status" in facts) return { kind: "refused", problem: facts };
  const problem = requestUriProblem(message.uri) ?? requestProblem(message, facts);
  if (problem !== null) return { kind: "refused", problem };
  const hops = headerValue(message.headers, "max-forwards");
  const { via, viasBelow, from, to, fromTag, toTag, callId, cseq } = facts;
  const maxForwards = hops === null ? 70 : Number(hops);
  // Written out, here and below: a spread costs some us.
  return {
    kind: "ok",
    request: { via, viasBelow, from, to, fromTag, toTag, callId, cseq, message: withoutBadDate(message), maxForwards },
  };
}

/** Null when the response cannot be trusted to belong to anything (RFC 4475 bigcode, scalarlg, bcast). */
export function checkResponse(message: SipResponse): CheckedResponse | null {
  const facts = checkFacts(message);
  if ("status" in facts) return null;
  const { via, viasBelow, from, to, fromTag, toTag, callId, cseq } = facts;
  return { via, viasBelow, from, to, fromTag, toTag, callId, cseq, message };
}

/** The fields without which a 400 could not reach its sender or be matched there. */
export function isAnswerable(message: SipRequest): boolean {
  const fields = ["from", "to", "call-id", "cseq"];
  const topVia = listValues(message.headers, "via")[0];
  return (
    message.method !== "ACK" &&
    topVia !== undefined &&
    parseVia(topVia) !== null &&
    fields.every((key) => headerValue(message.headers, key) !== null)
  );
}

/**
 * RFC 4475 §3.1.2.12: a Date in another zone than GMT is wrong, yet no reason to refuse a call by somebody who does not need it. It is left out,
 * so that nobody behind us takes it for true.
 */
function withoutBadDate(message: SipRequest): SipRequest {
  const date = headerValue(message.headers, "date");
  if (date === null || DATE.test(date)) return message;
  return { ...message, headers: message.headers.filter((one) => one.key !== "date") };
}

const DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const SINGLE = ["from", "to", "call-id", "cseq", "max-forwards", "content-type"];
/** RFC 3261 §8.1.1.5: below 2^31. */
const CSEQ_LIMIT = 2 ** 31;
const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

function checkFacts(message: SipMessage): Facts | Problem {
  const { headers } = message;
  for (const key of SINGLE) if (isRepeated(headers, key)) return bad(`More than one ${key}`);
  const vias = listValues(headers, "via");
  const topVia = vias[0];
  if (topVia === undefined) return bad("Missing Via");
  if (vias.length > MAX_VIAS) return bad("Too many Via");
  const via = parseVia(topVia);
  if (via === null || via.version !== "2.0" || (via.params.get("branch") ?? "").length > MAX_BRANCH_BYTES)
    return bad("Bad Via");

  const callId = headerValue(headers, "call-id");
  if (callId === null) return bad("Missing Call-ID");
  if (callId === "" || callId.length > MAX_CALL_ID_BYTES || /\s/.test(callId)) return bad("Bad Call-ID");
  const from = checkParty(headers, "from");
  const to = checkParty(headers, "to");
  if (from === null) return bad("Bad From");
  if (to === null) return bad("Bad To");
  const cseq = checkCseq(headers, message);
  if (cseq === null) return bad("Bad CSeq");
  return {
    via,
    viasBelow: vias.slice(1),
    from: from.party,
    to: to.party,
    fromTag: from.tag,
    toTag: to.tag,
    callId,
    cseq,
  };
}

function isRepeated(headers: readonly Header[], key: string): boolean {
  let isSeen = false;
  for (const one of headers) {
    if (one.key !== key) continue;
    if (isSeen) return true;
    isSeen = true;
  }
  return false;
}

function checkParty(headers: readonly Header[], key: "from" | "to"): { party: NameAddr; tag: string | null } | null {
  const value = headerValue(headers, key);
  const party = value === null ? null : parseNameAddr(value);
  if (party === null) return null;
  const tag = party.params.get("tag") ?? null;
  if (party.params.has("tag") && (tag === null || !TOKEN.test(tag) || tag.length > MAX_TAG_BYTES)) return null;
  // The URI itself is not judged further: nothing is sent there, and a call is not lost over a caller's odd name.
  return { party, tag };
}

function checkCseq(headers: readonly Header[], message: SipMessage): Facts["cseq"] | null {
  const match = /^(\d{1,20})[ \t]+(\S+)$/.exec(headerValue(headers, "cseq") ?? "");
  const [, digits = "", method = ""] = match ?? [];
  const number = Number(digits);
  if (match === null || number >= CSEQ_LIMIT || !TOKEN.test(method)) return null;
  if (message.kind === "request" && method !== message.method) return null;
  return { number, method };
}

function requestUriProblem(uri: string): Problem | null {
  const scheme = uriScheme(uri);
  if (scheme === null) return bad("Bad Request-URI");
  if (scheme === "tel") return null;
  if (scheme !== "sip" && scheme !== "sips") return { status: 416, reason: "Unsupported URI Scheme" };
  const parsed = parseSipUri(uri);
  return parsed === null || parsed.hasHeaders ? bad("Bad Request-URI") : null;
}

function requestProblem(message: SipRequest, facts: Facts): Problem | null {
  const hops = headerValue(message.headers, "max-forwards");
  if (hops !== null && (!/^\d{1,5}$/.test(hops) || Number(hops) > 255)) return bad("Bad Max-Forwards");
  const expires = headerValue(message.headers, "expires");
  if (expires !== null && (!/^\d{1,10}$/.test(expires) || Number(expires) >= 2 ** 32)) return bad("Bad Expires");
  const contacts = listValues(message.headers, "contact");
  for (const contact of contacts) if (!isContact(contact, message.method)) return bad("Bad Contact");
  // RFC 3261 §8.1.1.8: without it nobody could send a request back in the dialog.
  const beginsDialog = message.method === "INVITE" || (beginsSubscription(message.method) && facts.toTag === null);
  if (beginsDialog && contacts.length === 0) return bad("Missing Contact");
  if (facts.fromTag === null && facts.via.params.get("branch")?.startsWith("z9hG4bK")) return bad("Missing From tag");
  return null;
}

function isContact(text: string, method: string): boolean {
  if (text === "*") return method === "REGISTER";
  const contact = parseNameAddr(text);
  if (contact === null) return false;
  const scheme = uriScheme(contact.uri);
  if (scheme === "sip" || scheme === "sips") return parseSipUri(contact.uri) !== null;
  return method !== "INVITE";
}
