/** From, To, Contact, Route elements: `"Name" <uri>;params` or `uri;params` (RFC 3261 §20.10, §25.1). */
import { endOfQuoted, type Params, parseParams } from "./params.js";
import { uriScheme } from "./sip-uri.js";
import { trimSpace, trimSpaceEnd, trimSpaceStart } from "./white-space.js";

export interface NameAddr {
  /** As written, quotes included; empty when there is none. */
  readonly display: string;
  readonly uri: string;
  readonly params: Params;
}

/**
 * Unquoted display names: RFC 3261 wants tokens, the field writes much else (`Müller & Co.`). Allowed is what cannot be mistaken for
 * structure: no comma (RFC 4475 baddn), quote, bracket, semicolon or backslash.
 */
const UNQUOTED_DISPLAY = /^[^",<>;\\]*$/;

/** Null when the value is not exactly one name-addr or addr-spec. */
export function parseNameAddr(value: string): NameAddr | null {
  let display = "";
  let rest = trimSpace(value);
  if (rest.startsWith('"')) {
    const end = endOfQuoted(rest, 0);
    if (end === null) return null;
    display = rest.slice(0, end);
    rest = trimSpaceStart(rest.slice(end));
    if (!rest.startsWith("<")) return null;
  }
  const open = rest.indexOf("<");
  if (open === -1) return parseAddrSpec(rest);
  if (open > 0) {
    display = trimSpace(rest.slice(0, open));
    if (!UNQUOTED_DISPLAY.test(display)) return null;
  }
  const close = rest.indexOf(">", open);
  if (close === -1) return null;
  const uri = rest.slice(open + 1, close);
  const params = parseParams(rest.slice(close + 1));
  if (uriScheme(uri) === null || params === null) return null;
  return { display, uri, params };
}

/** Without brackets, parameters belong to the header and a URI with `,` or `?` is not allowed (§20.10, RFC 4475 regbadct). */
function parseAddrSpec(text: string): NameAddr | null {
  const semicolon = text.indexOf(";");
  const uri = trimSpaceEnd(semicolon === -1 ? text : text.slice(0, semicolon));
  const params = parseParams(semicolon === -1 ? "" : text.slice(semicolon));
  if (uriScheme(uri) === null || /[,?]/.test(uri) || params === null) return null;
  return { display: "", uri, params };
}
