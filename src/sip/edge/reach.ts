/** From a URI or a dialog to a flow: next hop, listener, own address. Everything the edge sends on its own account passes here. */
import type { Dialog } from "./call-state.js";
import { dialogNextHop } from "./dialog.js";
import type { EdgeContext } from "./edge-context.js";
import { listenerFor } from "./listeners.js";
import { isWildcard, ownAddresses } from "./local-address.js";
import { isBehindNat } from "./nat.js";
import type { NextHop } from "./next-hop.js";
import type { SipUri } from "./sip-uri.js";
import type { Flow, Transport } from "./transport.js";

export type Reached =
  | { readonly kind: "flow"; readonly flow: Flow }
  | { readonly kind: "failed"; readonly reason: string };

/** `done` is called at once for literal addresses, in the order of the calls for one name otherwise. */
export function reach(ctx: EdgeContext, uri: SipUri, done: (reached: Reached) => void): void {
  ctx.locate(uri, (located) => {
    if (located.kind === "failed") return done(located);
    const { hop } = located;
    const transport = listenerFor(ctx.transports, hop.transport, hop.address);
    if (transport === null) return done({ kind: "failed", reason: "requested protocol/transport not available" });
    if (isOwn(ctx.transports, hop)) return done({ kind: "failed", reason: "can not send request to myself" });
    transport.localHostFor(hop.address, (localHost) => {
      const isTrusted = ctx.sources.verdict(hop.address) === "trusted";
      done({
        kind: "flow",
        flow: { transport, localHost, peer: { address: hop.address, port: hop.port, name: hop.name }, isTrusted },
      });
    });
  });
}

/** Where the next request of this dialog goes; never to a Contact that cannot be reached from here. */
export function reachDialog(ctx: EdgeContext, dialog: Dialog, done: (reached: Reached) => void): void {
  const hop = dialogNextHop(dialog);
  if (hop === null) return done({ kind: "failed", reason: `invalid request-uri: ${dialog.remoteTarget}` });
  if (dialog.routeSet.length === 0 && prefersFlow(dialog.flow, hop)) return done({ kind: "flow", flow: dialog.flow });
  reach(ctx, hop, done);
}

/** A TCP client rarely listens where its Contact says: its open connection is the way back (RFC 5923 without the alias). */
export function prefersFlow(flow: Flow, contact: SipUri): boolean {
  const { peer } = flow;
  if (isBehindNat(contact.host, peer.address)) return true;
  return peer.connection?.isOpen === true && contact.host === peer.address;
}

/**
 * The way back to a peer, once it was heard on another: a connection that is closed reaches nobody, and one that the peer made instead does. An open one stays
 * what it is, and so does an address, where something listens.
 */
export function latestFlow(kept: Flow, heard: Flow): Flow {
  return kept.peer.connection?.isOpen === false ? heard : kept;
}

export function isOwn(transports: readonly Transport[], hop: NextHop): boolean {
  const samePort = transports.filter((one) => one.kind === hop.transport && one.port === hop.port);
  if (samePort.some((one) => one.host === hop.address)) return true;
  return samePort.some((one) => isWildcard(one.host)) && ownAddresses().has(hop.address);
}
