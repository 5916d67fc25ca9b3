/**
 * Reads an INVITE: who is called, by whom, under which identity. What a caller can forge (P-Asserted-Identity, verstat) counts only from trusted
 * trunks. Called for every new INVITE; never throws, whatever the headers hold.
 */
import type { Trunk } from "../account/trunks.store.js";
import type { InboundCall } from "../routing/inbound-call.js";
import { printableDialled } from "../routing/inbound-call.js";
import { normalizeNumber } from "../telephony/e164.js";

/** The little of a request that is read here. */
export interface InviteView {
  readonly uri: string;
  get(name: string): string | undefined;
}

/** An Identity of this or a higher hop count is a call that keeps coming back to us. */
export const HOPS_MAX = 3;
/** Counts our own hops: a B2BUA starts Max-Forwards anew, so only this ends a loop. */
export const HOPS_HEADER = "X-Ringmatch-Hops";

export type InviteFacts =
  | { readonly kind: "call"; readonly call: InboundCall; readonly hops: number }
  | { readonly kind: "malformed"; readonly why: string }
  | { readonly kind: "loop" };

export function readInvite(invite: InviteView, input: { trunk: Trunk; node: string }): InviteFacts {
  const { trunk, node } = input;
  const callId = invite.get("Call-ID")?.trim();
  const from = invite.get("From");
  const fromTag = /;\s*tag\s*=\s*([^;\s>]+)\s*(?:;|$)/i.exec(afterAddress(from ?? ""))?.[1];
  if (!callId || from === undefined || fromTag === undefined)
    return { kind: "malformed", why: "Call-ID or From tag is missing" };
  // drachtio-srf answers a dialog it then cannot build when this is missing.
  if (!/sips?:[^\s>]+/i.test(invite.get("Contact") ?? "")) return { kind: "malformed", why: "Contact is missing" };
  const hops = Number.parseInt(invite.get(HOPS_HEADER) ?? "0", 10);
  if (hops >= HOPS_MAX) return { kind: "loop" };
  const asserted = trunk.trustIdentity ? invite.get("P-Asserted-Identity") : undefined;
  return {
    kind: "call",
    hops: Number.isFinite(hops) ? hops : 0,
    call: {
      ingress: "sip",
      ingressKey: `sip:${trunk.name}:${callId}:${fromTag}`,
      ingressCallId: callId,
      promoNumber: calledNumber(invite, trunk.defaultCountry),
      caller: callerNumber(invite, asserted, trunk.defaultCountry),
      verstat: trunk.trustIdentity ? verstatOf(asserted ?? from) : null,
      node,
    },
  };
}

/** Request URI, then P-Called-Party-ID, then To: the first that is a number. */
function calledNumber(invite: InviteView, country: string): string {
  for (const text of [invite.uri, invite.get("P-Called-Party-ID"), invite.get("To")]) {
    const user = text === undefined ? null : userOf(text);
    const number = user === null ? null : normalizeNumber(user, country);
    if (number !== null) return number;
  }
  return printableDialled(userOf(invite.uri) ?? invite.uri);
}

/** Null when the caller asked for privacy (RFC 3323) or shows no number. */
function callerNumber(invite: InviteView, asserted: string | undefined, country: string): string | null {
  const privacy = invite.get("Privacy")?.toLowerCase() ?? "";
  if (/(^|[;,\s])(id|user|header)([;,\s]|$)/.test(privacy)) return null;
  for (const text of [asserted, invite.get("From")]) {
    if (text === undefined) continue;
    if (/@anonymous\.invalid/i.test(text)) return null;
    const user = userOf(text);
    const number = user === null ? null : normalizeNumber(user, country);
    if (number !== null) return number;
  }
  return null;
}

/** The user part of the first SIP or tel URI in a header or request URI, without parameters, unescaped. */
function userOf(text: string): string | null {
  const inBrackets = /<([^<>]*)>/.exec(text)?.[1] ?? text.split(",")[0] ?? "";
  const uri = inBrackets.trim();
  const user = /^tel:([^;?]+)/i.exec(uri)?.[1] ?? /^sips?:([^@;:?]+)(?:;[^@]*)?(?::[^@]*)?@/i.exec(uri)?.[1];
  if (user === undefined) return null;
  try {
    return decodeURIComponent(user);
  } catch (error) {
    // A stray % is no escape; the text as it stands is the best we have.
    return error instanceof URIError ? user : null;
  }
}

/** What comes after the address: header parameters, where From keeps its tag. */
function afterAddress(header: string): string {
  const end = header.lastIndexOf(">");
  return end >= 0
    ? header.slice(end + 1)
    : header.slice(header.indexOf(";") >= 0 ? header.indexOf(";") : header.length);
}

/** `verstat=TN-Validation-Passed-A` (3GPP TS 24.229 §7.2A.20; carriers append the attestation level). */
function verstatOf(header: string): string | null {
  return /[;\s]verstat\s*=\s*"?([A-Za-z0-9-]{1,64})/i.exec(header)?.[1] ?? null;
}
