/**
 * Bytes → message. Called by the transports, and by the app link for what an app sends. Two steps, so that a stream can read the length
 * between them: parseHead (start line and header fields), then the body. A message that is recognisably SIP but wrong keeps what could be
 * read and carries its first problem, so that inbound.ts can answer it with a 400; what is not SIP at all is garbage.
 */
import { headerName, knownHeaderName } from "./header-names.js";
import { MAX_HEADER_BYTES, MAX_HEADERS, MAX_START_LINE_BYTES } from "./limits.js";
import { type Header, headerValue, type SipMessage } from "./sip-message.js";
import { trimmedFrom, trimSpace, trimSpaceEnd, trimSpaceStart } from "./white-space.js";

/** Why a message is refused; `status` is what a request gets as answer. */
export interface Problem {
  readonly status: 400 | 413 | 416 | 420 | 505 | 513;
  readonly reason: string;
}

type StartLine =
  | { readonly kind: "request"; readonly method: string; readonly uri: string }
  | { readonly kind: "response"; readonly status: number; readonly reason: string };

export interface Head {
  readonly start: StartLine;
  readonly headers: readonly Header[];
  readonly problem: Problem | null;
}

export type Parsed =
  | { readonly kind: "message"; readonly message: SipMessage; readonly problem: Problem | null }
  /** A datagram or a line that is no SIP at all. */
  | { readonly kind: "garbage"; readonly reason: string }
  /** Only line ends (or a NAT keep-alive of up to four bytes). */
  | { readonly kind: "keepalive" };

/** One datagram: the body ends where Content-Length says, or with the datagram (RFC 3261 §18.3). */
export function parseDatagram(text: string): Parsed {
  const start = skipLineEnds(text);
  if (text.length - start <= 4) return { kind: "keepalive" };
  const split = splitHead(text, start);
  const head = parseHead(split.head);
  if (head === null) return { kind: "garbage", reason: "no SIP start line" };
  const length = contentLength(head.headers);
  if (length === "bad") return withBody(head, split.body, bad("Bad Content-Length"));
  if (length === null) return withBody(head, split.body, null);
  if (length > split.body.length) return withBody(head, split.body, bad("Content-Length is larger than the message"));
  return withBody(head, split.body.slice(0, length), null);
}

/** A message inside an app's frame: the frame is its length. srf counts characters, not bytes, so its Content-Length is not believed. */
export function parseFramed(text: string): Parsed {
  const split = splitHead(text, 0);
  const head = parseHead(split.head);
  if (head === null) return { kind: "garbage", reason: "no SIP start line" };
  return withBody(head, split.body, null);
}

export function withBody(head: Head, body: string, problem: Problem | null): Parsed {
  return { kind: "message", message: messageOf(head, body), problem: head.problem ?? problem };
}

/** Written out: spreading the start line into it costs 4 us a message, more than parsing it. */
function messageOf({ start, headers }: Head, body: string): SipMessage {
  if (start.kind === "request") return { kind: "request", method: start.method, uri: start.uri, headers, body };
  return { kind: "response", status: start.status, reason: start.reason, headers, body };
}

/** null: not given; "bad": not a number, or given twice with different values (RFC 4475 ncl, mcl01). */
export function contentLength(headers: readonly Header[]): number | "bad" | null {
  const first = headerValue(headers, "content-length");
  if (first === null) return null;
  if (!/^\d{1,9}$/.test(first)) return "bad";
  for (const one of headers) if (one.key === "content-length" && one.value !== first) return "bad";
  return Number(first);
}

/** @param text start line and header fields, without the empty line that ends them. Null when it is no SIP message. */
export function parseHead(text: string): Head | null {
  const lines = unfold(text);
  const startLine = lines[0] ?? "";
  const start = parseStartLine(startLine);
  if (start === null) return null;
  let problem = startLine.length > MAX_START_LINE_BYTES ? TOO_LARGE : start.problem;
  if (mayHoldControl(lines) && STRAY_CONTROL.test(text)) problem ??= bad("Control character in the header");

  const headers: Header[] = [];
  for (let i = 1; i < lines.length; i++) {
    if (headers.length >= MAX_HEADERS) {
      problem ??= TOO_LARGE;
      break;
    }
    const line = lines[i] ?? "";
    const field = parseField(line);
    if (field === null) problem ??= bad("Bad header line");
    else if (line.length > MAX_HEADER_BYTES) problem ??= TOO_LARGE;
    else headers.push(field);
  }
  return { start: start.line, headers, problem };
}

/** Index of the first byte that is no line end; peers send empty lines as keep-alives and before messages (RFC 3261 §7.5). */
export function skipLineEnds(text: string): number {
  let at = 0;
  while (text[at] === "\r" || text[at] === "\n") at += 1;
  return at;
}

export function bad(reason: string): Problem {
  return { status: 400, reason };
}

const TOO_LARGE: Problem = { status: 513, reason: "Message Too Large" };

/**
 * A CR or LF that is no line end would be a line end to a laxer parser behind us, and thereby a smuggled header. Other control characters
 * are legal only as quoted pairs (RFC 4475 intmeth).
 */
const STRAY_CONTROL = /\r(?!\n)|(?<!\r)\n|(?<!\\)[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

function splitHead(text: string, start: number): { readonly head: string; readonly body: string } {
  const end = text.indexOf("\r\n\r\n", start);
  if (end !== -1) return { head: text.slice(start, end), body: text.slice(end + 4) };
  return { head: text.endsWith("\r\n") ? text.slice(start, -2) : text.slice(start), body: "" };
}

/** The cheap question first: a line of its own has no control character but HT. STRAY_CONTROL costs more than the rest of the parser. */
function mayHoldControl(lines: readonly string[]): boolean {
  for (const line of lines) if (CONTROL.test(line)) return true;
  return false;
}

/** Lines, a continuation line joined to the one before it by one space (RFC 3261 §7.3.1). */
function unfold(text: string): string[] {
  const lines = text.split("\r\n");
  if (!text.includes("\r\n ") && !text.includes("\r\n\t")) return lines;
  const unfolded: string[] = [];
  for (const line of lines) {
    const folded = line.startsWith(" ") || line.startsWith("\t");
    if (folded && unfolded.length > 1) unfolded.push(`${trimSpaceEnd(unfolded.pop() ?? "")} ${trimSpaceStart(line)}`);
    else unfolded.push(line);
  }
  return unfolded;
}

function parseStartLine(line: string): { readonly line: StartLine; readonly problem: Problem | null } | null {
  if (/^SIP\/\d+\.\d+ /i.test(line)) return parseStatusLine(line);
  const firstSpace = line.indexOf(" ");
  const trimmed = trimSpaceEnd(line);
  const lastSpace = trimmed.lastIndexOf(" ");
  if (firstSpace <= 0 || lastSpace <= firstSpace) return null;
  const method = line.slice(0, firstSpace);
  const version = trimmed.slice(lastSpace + 1);
  if (!TOKEN.test(method) || !/^SIP\/\d{1,5}\.\d{1,5}$/i.test(version)) return null;
  const uri = line.slice(firstSpace + 1, lastSpace);
  let problem: Problem | null = null;
  if (version.toUpperCase() !== "SIP/2.0") problem = { status: 505, reason: "Version Not Supported" };
  // RFC 4475 lwsstart, lwsruri, trws, ltgtruri: exactly two single spaces, a bare URI between them.
  else if (trimmed !== line || uri === "" || /[ \t<>"]/.test(uri)) problem = bad("Bad request line");
  return { line: { kind: "request", method, uri: trimSpace(uri) }, problem };
}

function parseStatusLine(line: string): { readonly line: StartLine; readonly problem: Problem | null } | null {
  const match = /^SIP\/(\d+\.\d+) (\d{3})(?: (.*))?$/i.exec(line);
  if (match === null) return null;
  const [, version, status = "", reason = ""] = match;
  const code = Number(status);
  const problem = version === "2.0" && code >= 100 && code <= 699 ? null : bad("Bad status line");
  return { line: { kind: "response", status: code, reason }, problem };
}

function parseField(line: string): Header | null {
  const colon = line.indexOf(":");
  if (colon <= 0) return null;
  const written = trimSpaceEnd(line.slice(0, colon));
  const known = knownHeaderName(written);
  if (known === null && !TOKEN.test(written)) return null;
  const { key, name } = known ?? headerName(written);
  return { key, name, value: trimmedFrom(line, colon + 1) };
}
