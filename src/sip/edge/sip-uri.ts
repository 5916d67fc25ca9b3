/** SIP and SIPS URIs (RFC 3261 §19.1, §25.1). Other schemes are told apart by name only: the edge routes on sip: alone. */
import { type Params, parseParams } from "./params.js";

export interface SipUri {
  readonly scheme: "sip" | "sips";
  /** Everything before `@`, password included; null when there is none. */
  readonly user: string | null;
  /** Lower case; an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number | null;
  readonly params: Params;
  /** `?Route=…` and the like: forbidden in a request URI (§19.1.1, RFC 4475 escruri). */
  readonly hasHeaders: boolean;
}

const USER = /^(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/:#[\]]|%[0-9A-Fa-f]{2})+$/;
/** Underscores are no host name of RFC 1123, but DNS carries them and carriers use them. */
const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9\-_.]*[A-Za-z0-9_.])?$/;
const IPV6 = /^[0-9A-Fa-f:.]+$/;
const SIP_URI = /^sip:[^ \t<>"]+$/;
const HEADERS = /^[^\s"<>@]*$/;

/** Null when the text is no valid sip: or sips: URI. */
export function parseSipUri(text: string): SipUri | null {
  const colon = text.indexOf(":");
  const scheme = text.slice(0, Math.max(colon, 0)).toLowerCase();
  if (scheme !== "sip" && scheme !== "sips") return null;
  const at = text.indexOf("@", colon + 1);
  if (at !== -1 && text.includes("@", at + 1)) return null;
  const user = at === -1 ? null : text.slice(colon + 1, at);
  if (user !== null && !USER.test(user)) return null;

  const rest = text.slice(at === -1 ? colon + 1 : at + 1);
  const question = rest.indexOf("?");
  if (question !== -1 && !HEADERS.test(rest.slice(question))) return null;
  const beforeHeaders = question === -1 ? rest : rest.slice(0, question);
  const semicolon = beforeHeaders.indexOf(";");
  const place = parseHostPort(semicolon === -1 ? beforeHeaders : beforeHeaders.slice(0, semicolon));
  const paramText = semicolon === -1 ? "" : beforeHeaders.slice(semicolon);
  const params = /\s/.test(paramText) ? null : parseUriParams(paramText);
  if (place === null || params === null) return null;
  return { scheme, user, host: place.host, port: place.port, params, hasHeaders: question !== -1 };
}

/** `host`, `host:port`, `[v6]:port`; null when it is neither. Used for sent-by and URIs alike. */
export function parseHostPort(text: string): { readonly host: string; readonly port: number | null } | null {
  if (text.startsWith("[")) {
    const close = text.indexOf("]");
    const host = text.slice(1, close);
    if (close === -1 || !host.includes(":") || !IPV6.test(host)) return null;
    const port = parsePort(text.slice(close + 1));
    return port === undefined ? null : { host: host.toLowerCase(), port };
  }
  const colon = text.indexOf(":");
  const host = colon === -1 ? text : text.slice(0, colon);
  const port = parsePort(colon === -1 ? "" : text.slice(colon));
  if (!HOST_NAME.test(host) || host.length > 255 || port === undefined) return null;
  return { host: host.toLowerCase(), port };
}

/** The scheme in lower case, null when the text has none (not a URI at all). */
export function uriScheme(text: string): string | null {
  // The common case without an array of matches.
  if (text.startsWith("sip:")) return SIP_URI.test(text) ? "sip" : null;
  const match = /^([A-Za-z][A-Za-z0-9+\-.]*):[^ \t<>"]+$/.exec(text);
  return match?.[1]?.toLowerCase() ?? null;
}

/** Host for a URI or sent-by: an IPv6 address gets its brackets back. */
export function formatHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** `transport` parameter in lower case; null when the URI leaves it open. */
export function uriTransport(uri: SipUri): string | null {
  return uri.params.get("transport")?.toLowerCase() ?? null;
}

/** URI parameters may hold characters a header parameter may not (`[ ] / : & $`), which parseParams allows; `lr` and `lr=on` both occur. */
function parseUriParams(text: string): Params | null {
  return text === "" ? EMPTY : parseParams(text);
}

const EMPTY: Params = new Map();

/** `""` → null, `":5060"` → 5060, anything else → undefined. */
function parsePort(text: string): number | null | undefined {
  if (text === "") return null;
  if (!/^:\d{1,5}$/.test(text)) return undefined;
  const port = Number(text.slice(1));
  return port >= 1 && port <= 65_535 ? port : undefined;
}
