/** The edge's own place in a route set (RFC 3261 §16.4, §16.6 step 4; RFC 5658 when a call enters and leaves by different addresses). */
import type { EdgeContext } from "./edge-context.js";
import { parseNameAddr } from "./name-addr.js";
import { ownHostPort } from "./own-address.js";
import { isOwn } from "./reach.js";
import { type Header, header, listValues, type SipRequest } from "./sip-message.js";
import { parseSipUri, uriTransport } from "./sip-uri.js";
import type { Flow } from "./transport.js";
import { DEFAULT_SIP_PORT } from "./via.js";

/** Record-Route of a call that came by one flow and goes on by another; the side it goes to is on top. */
export function ownRecordRoutes(from: Flow, to: Flow): Header[] {
  const values = [...new Set([ownRoute(to), ownRoute(from)])];
  return values.map((value) => header("Record-Route", value));
}

function ownRoute(flow: Flow): string {
  const transport = flow.transport.kind === "udp" ? "" : `;transport=${flow.transport.kind}`;
  return `<sip:${ownHostPort(flow)}${transport};lr>`;
}

/** The Route values that remain once ours, on top, are off. */
export function routesAfterUs(ctx: EdgeContext, message: SipRequest): string[] {
  const routes = listValues(message.headers, "route");
  let own = 0;
  while (own < routes.length && isOurs(ctx, routes[own] ?? "")) own += 1;
  return routes.slice(own);
}

function isOurs(ctx: EdgeContext, route: string): boolean {
  const uri = parseSipUri(parseNameAddr(route)?.uri ?? "");
  if (uri === null) return false;
  const kind = uri.scheme === "sips" ? "tls" : (uriTransport(uri) ?? "udp");
  const transport = ctx.transports.find((one) => one.kind === kind)?.kind;
  if (transport === undefined) return false;
  return isOwn(ctx.transports, { transport, address: uri.host, port: uri.port ?? DEFAULT_SIP_PORT });
}
