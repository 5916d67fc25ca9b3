/**
 * `;name=value` lists (generic-param, RFC 3261 §25.1) as they follow a Via, a name-addr or a SIP URI. One scanner for all of them: strict
 * about structure (no empty parameter, no unbalanced quote), liberal about the characters of a value.
 */
import { trimSpace } from "./white-space.js";

/** Names in lower case → value as written (quotes kept), null when there is none. Order of the map is order on the wire. */
export type Params = ReadonlyMap<string, string | null>;

const NAME = /^[A-Za-z0-9\-.!%*_+`'~]+$/;
/** token, host or IPv6 reference; anything without white space, separators that end it, or quotes. */
const VALUE = /^[^ \t;,"<>=?]+$/;

/** @param text what follows the URI or sent-by: empty, or beginning (after white space) with `;`. Null when it does not parse. */
export function parseParams(text: string): Params | null {
  const params = new Map<string, string | null>();
  let at = skipSpace(text, 0);
  while (at < text.length) {
    if (text[at] !== ";") return null;
    const end = endOfParam(text, at + 1);
    if (end === null) return null;
    const equals = text.indexOf("=", at + 1);
    const hasValue = equals !== -1 && equals < end;
    const name = trimSpace(text.slice(at + 1, hasValue ? equals : end));
    const value = hasValue ? trimSpace(text.slice(equals + 1, end)) : null;
    if (!NAME.test(name)) return null;
    if (value !== null && !VALUE.test(value) && !isQuoted(value)) return null;
    const key = name.toLowerCase();
    // RFC 3261 §7.3.1: a parameter name appears once.
    if (params.has(key)) return null;
    params.set(key, value);
    at = end;
  }
  return params;
}

export function formatParams(params: Params): string {
  let text = "";
  for (const [name, value] of params) text += value === null ? `;${name}` : `;${name}=${value}`;
  return text;
}

/** A complete quoted-string with nothing after it. */
export function isQuoted(text: string): boolean {
  if (text.length < 2 || text[0] !== '"') return false;
  return endOfQuoted(text, 0) === text.length;
}

/** Index after the closing quote of the quoted-string that opens at `at`; null when it never closes. */
export function endOfQuoted(text: string, at: number): number | null {
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === '"') return i + 1;
  }
  return null;
}

function endOfParam(text: string, from: number): number | null {
  for (let i = from; i < text.length; i++) {
    if (text[i] === ";") return i;
    if (text[i] === '"') {
      const end = endOfQuoted(text, i);
      if (end === null) return null;
      i = end - 1;
    }
  }
  return text.length;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\t") at += 1;
  return at;
}
