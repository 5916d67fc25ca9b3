/**
 * Reads an INVITE: who is called, by whom, under which identity. What a caller can forge (P-Asserted-Identity, verstat, Diversion) counts only from
 * trusted trunks. Called for every new INVITE; never throws, whatever the headers hold.
 */
import type { Trunk } from "../account/trunks.store.js";
import type { InboundCall } from "../routing/inbound-call.js";
import { printableDialled } from "../routing/inbound-call.js";
import { type Address, type InviteView, numberOf, readAddresses, readUri } from "./address.js";
import { type Caller, readCaller } from "./caller-identity.js";
import { divertedFrom } from "./diverted-from.js";
import { parseNameAddr } from "./edge/name-addr.js";

/** An Identity of this or a higher hop count is a call that keeps coming back to us. */
export const HOPS_MAX = 3;
/** Counts our own hops: a B2BUA starts Max-Forwards anew, so only this ends a loop. */
export const HOPS_HEADER = "X-Ringmatch-Hops";

export type InviteFacts =
  | { readonly kind: "call"; readonly call: InboundCall; readonly caller: Caller; readonly hops: number }
  | { readonly kind: "malformed"; readonly why: string }
  | { readonly kind: "loop" };

export function readInvite(invite: InviteView, input: { trunk: Trunk; node: string }): InviteFacts {
  const { trunk, node } = input;
  const callId = invite.get("Call-ID")?.trim();
  const fromTag = parseNameAddr(invite.get("From") ?? "")?.params.get("tag");
  if (!callId || !fromTag) return { kind: "malformed", why: "Call-ID or From tag is missing" };
  // drachtio-srf answers a dialog it then cannot build when this is missing.
  if (!/sips?:[^\s>]+/i.test(invite.get("Contact") ?? "")) return { kind: "malformed", why: "Contact is missing" };
  const hops = Number.parseInt(invite.get(HOPS_HEADER) ?? "0", 10);
  if (hops >= HOPS_MAX) return { kind: "loop" };
  const { caller, verstat } = readCaller(invite, trunk);
  const promoNumber = calledNumber(invite, trunk.defaultCountry);
  return {
    kind: "call",
    caller,
    hops: Number.isFinite(hops) ? hops : 0,
    call: {
      ingress: "sip",
      ingressKey: `sip:${trunk.name}:${callId}:${fromTag}`,
      ingressCallId: callId,
      promoNumber,
      caller: caller.kind === "number" ? caller.number : null,
      // A display name in From is the caller's own word.
      callerName: null,
      diversion: divertedFrom(invite, { trunk, called: promoNumber }),
      verstat,
      node,
    },
  };
}

/** Request URI, then P-Called-Party-ID, then To: the first that is a number. */
function calledNumber(invite: InviteView, country: string): string {
  const dialled = readUri(invite.uri);
  const named: (Address | null)[] = [dialled];
  for (const header of ["P-Called-Party-ID", "To"]) named.push(...readAddresses(invite.get(header)));
  for (const address of named) {
    const number = numberOf(address, country);
    if (number !== null) return number;
  }
  return printableDialled(dialled?.user ?? invite.uri);
}
