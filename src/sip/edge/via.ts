/** One Via element (RFC 3261 §20.42) and where a response to it goes (§18.2, RFC 3581). */
import { formatParams, type Params, parseParams } from "./params.js";
import { formatHost, parseHostPort } from "./sip-uri.js";
import type { TransportKind } from "./transport.js";
import { trimSpace } from "./white-space.js";

export interface Via {
  /** `2.0`; another one is only ever echoed, in a 505. */
  readonly version: string;
  /** Upper case: `UDP`, `TCP`, `TLS`, or a transport we do not know. */
  readonly transport: string;
  readonly host: string;
  readonly port: number | null;
  readonly params: Params;
}

/** RFC 3261 §8.1.1.7: a branch that begins so is unique over space and time. */
export const MAGIC_COOKIE = "z9hG4bK";

const PROTOCOL = /^SIP[ \t]*\/[ \t]*(\d{1,3}\.\d{1,3})[ \t]*\/[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]+/i;

export function parseVia(text: string): Via | null {
  const protocol = PROTOCOL.exec(text);
  if (protocol === null) return null;
  const [, version = "", transport = ""] = protocol;
  const rest = text.slice(protocol[0].length);
  const semicolon = rest.indexOf(";");
  const written = semicolon === -1 ? rest : rest.slice(0, semicolon);
  const sentBy = /[ \t]/.test(written) ? trimSpace(written.replace(/[ \t]*:[ \t]*/g, ":")) : written;
  const place = parseHostPort(sentBy);
  const params = parseParams(semicolon === -1 ? "" : rest.slice(semicolon));
  if (place === null || params === null) return null;
  return { version, transport: transport.toUpperCase(), host: place.host, port: place.port, params };
}

export function formatVia(via: Via): string {
  const port = via.port === null ? "" : `:${via.port}`;
  return `SIP/${via.version}/${via.transport} ${formatHost(via.host)}${port}${formatParams(via.params)}`;
}

/**
 * What the receiver adds to the top Via: `received` when the packet's source is not the sent-by host, and, when the sender asked by an empty
 * `rport`, its port as well (RFC 3581 §4, which wants `received` then in any case). What the sender put there itself is overwritten.
 */
export function stampVia(via: Via, source: { readonly address: string; readonly port: number }): Via {
  const params = new Map(via.params);
  params.delete("received");
  const wantsPort = params.has("rport");
  if (wantsPort) params.set("rport", String(source.port));
  if (wantsPort || via.host !== source.address) params.set("received", source.address);
  return { version: via.version, transport: via.transport, host: via.host, port: via.port, params };
}

/**
 * Where the response to a request with this (stamped) Via goes over UDP. `maddr` is not followed: it would let a sender point our answers at
 * a third party, and multicast SIP is not offered.
 */
export function responseAddress(stamped: Via): { readonly address: string; readonly port: number } {
  const rport = stamped.params.get("rport");
  const port = rport === undefined || rport === null ? (stamped.port ?? DEFAULT_SIP_PORT) : Number(rport);
  return { address: stamped.params.get("received") ?? stamped.host, port };
}

export const DEFAULT_SIP_PORT = 5060;

/** RFC 3261 §19.1.2: 5061 for TLS. */
export function defaultPort(transport: TransportKind): number {
  return transport === "tls" ? 5061 : DEFAULT_SIP_PORT;
}
