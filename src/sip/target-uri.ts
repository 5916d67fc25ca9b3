/** Where a target of the hunt is on the wire. */
import type { Target } from "../routing/decision.js";

/** @param outboundUri `sip:host[:port]` where calls to plain numbers leave. Null for a number without one. */
export function targetUri(target: Target, outboundUri: string | null): string | null {
  if (target.kind === "sip") return target.uri;
  if (outboundUri === null) return null;
  const [scheme, rest] = outboundUri.split(/:(.*)/s);
  return `${scheme}:${target.number}@${rest}`;
}
