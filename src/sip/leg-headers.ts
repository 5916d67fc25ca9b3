/**
 * What the far side of a B leg learns of the call. Built from our own knowledge alone: no header, display name or parameter of the caller's INVITE is
 * copied, so a caller cannot write into it. Called by handle-invite.ts.
 */
import type { CallerId } from "../account/destinations.store.js";
import type { Trunk } from "../account/trunks.store.js";
import type { InviteView } from "./address.js";
import type { Caller } from "./caller-identity.js";
import { HOPS_HEADER } from "./invite-facts.js";

/** What the business's INVITE says beside who calls. */
export interface BusinessView {
  readonly callerId: CallerId;
  readonly passIds: boolean;
  readonly promoNumber: string;
  readonly callId: string;
  /** Null when the call is not matched, or not yet. */
  readonly presentationId: string | null;
}

/** @param business null: the far side is no business (an announcement) */
export function legHeaders(input: {
  caller: Caller;
  hops: number;
  business: BusinessView | null;
}): Record<string, string> {
  const { caller, hops, business } = input;
  const shown = business?.callerId === "promo_number" ? party(business.promoNumber) : partyOf(caller);
  return Object.assign(proxyHeaders({ hops, business }), shown);
}

/** What is added to an INVITE that is passed on as it came (trunk mode `proxy`): who calls stays as the caller's carrier wrote it. @see claimsOurWord */
export function proxyHeaders(input: { hops: number; business: BusinessView | null }): Record<string, string> {
  const { hops, business } = input;
  return { [HOPS_HEADER]: String(hops + 1), ...(business?.passIds === true ? idsOf(business) : {}) };
}

/** What a business takes for our word. */
const ID_HEADERS = {
  callId: "X-Ringmatch-Call-ID",
  presentationId: "X-Ringmatch-Presentation-ID",
  promoNumber: "X-Ringmatch-Promo-Number",
} as const;

/**
 * Whether an INVITE brings along what the business would believe because it comes from us: our ids, or an identity that the trunk may not assert (RFC 3325
 * §5). A proxy can add headers but takes none out, so such a call is bridged.
 */
export function claimsOurWord(invite: Pick<InviteView, "get">, trunk: Pick<Trunk, "trustIdentity">): boolean {
  const claims = [...Object.values(ID_HEADERS), ...(trunk.trustIdentity ? [] : ["P-Asserted-Identity"])];
  return claims.some((name) => invite.get(name) !== undefined);
}

/** The host `localhost` is replaced by the edge with its own address. */
function party(user: string): Record<string, string> {
  return { From: `<sip:${user}@localhost>`, Contact: `<sip:${user}@localhost>` };
}

/** RFC 3323 §4.1.1: nobody in From, and in Contact no user, but still the address that in-dialog requests must reach. */
const NOBODY = { From: '"Anonymous" <sip:anonymous@anonymous.invalid>', Contact: "<sip:anonymous@localhost>" };

function partyOf(caller: Caller): Record<string, string> {
  switch (caller.kind) {
    case "number":
      return party(caller.number);
    case "withheld":
      // A carrier behind the business's PBX must not show it either (RFC 3325 §9.3).
      return { ...NOBODY, Privacy: "id" };
    case "unknown":
      return NOBODY;
  }
}

function idsOf({ callId, presentationId, promoNumber }: BusinessView): Record<string, string> {
  return {
    [ID_HEADERS.callId]: callId,
    ...(presentationId === null ? {} : { [ID_HEADERS.presentationId]: presentationId }),
    [ID_HEADERS.promoNumber]: promoNumber,
  };
}
