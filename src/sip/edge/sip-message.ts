/**
 * A SIP message in memory: start line, headers in order, body. Everything inside the edge is text with ONE CHARACTER PER BYTE (latin-1), so
 * that lengths are byte lengths and whatever a peer sent (UTF-8 names, binary bodies) leaves the edge byte for byte as it came.
 */
import { headerName } from "./header-names.js";
import { trimSpace } from "./white-space.js";

export interface Header {
  /** Lower-case long form: `call-id`. */
  readonly key: string;
  /** Spelling on the wire. */
  readonly name: string;
  /** Unfolded, without surrounding white space. */
  readonly value: string;
}

export interface SipRequest {
  readonly kind: "request";
  readonly method: string;
  readonly uri: string;
  readonly headers: readonly Header[];
  readonly body: string;
}

export interface SipResponse {
  readonly kind: "response";
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly Header[];
  readonly body: string;
}

export type SipMessage = SipRequest | SipResponse;

export function header(name: string, value: string): Header {
  const { key, name: spelling } = headerName(name);
  return { key, name: spelling, value };
}

/** The first field of that name, null when there is none. */
export function headerValue(headers: readonly Header[], key: string): string | null {
  for (const one of headers) if (one.key === key) return one.value;
  return null;
}

export function headerValues(headers: readonly Header[], key: string): string[] {
  const values: string[] = [];
  for (const one of headers) if (one.key === key) values.push(one.value);
  return values;
}

export function hasHeader(headers: readonly Header[], key: string): boolean {
  return headers.some((one) => one.key === key);
}

/** Every element of a comma-separated field (Via, Route, Record-Route, Contact, Require …), over all its lines, in order. */
export function listValues(headers: readonly Header[], key: string): string[] {
  const values: string[] = [];
  for (const one of headers) {
    if (one.key !== key) continue;
    for (const part of splitList(one.value)) values.push(part);
  }
  return values;
}

/** Splits at commas outside quoted strings and angle brackets (RFC 3261 §7.3.1). Empty elements are kept: they are for the caller to judge. */
export function splitList(value: string): string[] {
  if (!value.includes(",")) return [value];
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  let bracketed = false;
  for (let i = 0; i < value.length; i++) {
    const char = value[i];
    if (quoted) {
      if (char === "\\") i += 1;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === "<") bracketed = true;
    else if (char === ">") bracketed = false;
    else if (char === "," && !bracketed) {
      parts.push(trimSpace(value.slice(start, i)));
      start = i + 1;
    }
  }
  parts.push(trimSpace(value.slice(start)));
  return parts;
}

/** Text of the outside (UTF-8) as the edge keeps it: one character per byte. */
export function toBytesText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

export function fromBytesText(text: string): string {
  return Buffer.from(text, "latin1").toString("utf8");
}
