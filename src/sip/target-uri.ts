/** Where a target of the hunt is on the wire. */
import type { Trunk } from "../account/trunks.store.js";
import type { Target } from "../routing/decision.js";

/** @param outbound where calls to plain numbers leave (`outboundOf`). Null for a number without one. */
export function targetUri(target: Target, outbound: string | null): string | null {
  if (target.kind === "sip") return target.uri;
  if (outbound === null) return null;
  const [scheme, rest = ""] = outbound.split(/:(.*)/s);
  // A user part in the stored URI is the gateway's; the number takes its place.
  return `${scheme}:${target.number}@${rest.replace(/^[^@]*@/, "")}`;
}

/** The trunk's outbound_uri over the trunk's transport, unless the URI names one itself. A `sips:` URI is TLS by its scheme (RFC 3261 §26.2.2). */
export function outboundOf(trunk: Pick<Trunk, "outboundUri" | "transport">): string | null {
  const { outboundUri, transport } = trunk;
  // UDP is what a URI without the parameter means (RFC 3263 §4.1).
  if (outboundUri === null || transport === "udp") return outboundUri;
  return /^sips:|;transport=/i.test(outboundUri) ? outboundUri : `${outboundUri};transport=${transport}`;
}
