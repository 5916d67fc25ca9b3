/**
 * Who calls, as the record and the business get to know it: one answer for both, so that the business never sees what the record does not have.
 * Read from P-Asserted-Identity of trusted trunks, then From (contract §6). Called by invite-facts.ts.
 */
import type { Trunk } from "../account/trunks.store.js";
import type { E164 } from "../telephony/e164.js";
import { type Address, type InviteView, isAnonymous, numberOf, readAddresses } from "./address.js";

export type Caller =
  | { readonly kind: "number"; readonly number: E164 }
  /** Asked to be nobody. */
  | { readonly kind: "withheld" }
  /** Shows no telephone number. */
  | { readonly kind: "unknown" };

export interface CallerIdentity {
  readonly caller: Caller;
  /** Verdict on the number used (3GPP TS 24.229 §7.2A.20), also when that is withheld; from trusted trunks only. */
  readonly verstat: string | null;
}

/**
 * RFC 3323 §4.2: `user` and `header` ask for the identity to be taken out. `id` (RFC 3325 §7) asks it of the asserted identity alone, and From might
 * be shown; but carriers send withheld numbers with the number in From and `Privacy: id` beside it, and a business is outside of their trust domain.
 * So all three mean withheld.
 */
const WITHHOLDING = ["id", "user", "header"];

export function readCaller(invite: InviteView, trunk: Trunk): CallerIdentity {
  const from = readAddresses(invite.get("From"));
  const asserted = trunk.trustIdentity ? readAddresses(invite.get("P-Asserted-Identity")) : [];
  const named = [...asserted, ...from].map((address) => ({ address, number: numberOf(address, trunk.defaultCountry) }));
  const number = named.find((one) => one.number !== null)?.number ?? null;
  // Not of another number: From may be what the caller wrote, and the verdict on it says nothing about the asserted one.
  const sameNumber = named.filter((one) => one.number === number).map(({ address }) => address);
  const verstat = trunk.trustIdentity ? verstatOf(sameNumber) : null;
  const privacy = privacyOf(invite);
  const isWithheld = WITHHOLDING.some((value) => privacy.has(value)) || [...asserted, ...from].some(isAnonymous);
  if (isWithheld) return { caller: { kind: "withheld" }, verstat };
  return { caller: number === null ? { kind: "unknown" } : { kind: "number", number }, verstat };
}

/** `Privacy: id;critical`, in lower case. RFC 3323 §4.2 separates by semicolons, the field also by commas. */
export function privacyOf(invite: InviteView): ReadonlySet<string> {
  const header = invite.get("Privacy") ?? "";
  return new Set(header.split(/[;,]/).map((value) => value.trim().toLowerCase()));
}

/** `TN-Validation-Passed-A`: carriers append the attestation level. In the display name, where a caller can write it, it is never looked for. */
function verstatOf(addresses: readonly Address[]): string | null {
  for (const address of addresses) {
    const verstat = address.param("verstat");
    if (verstat !== null && /^[A-Za-z0-9-]{1,64}$/.test(verstat)) return verstat;
  }
  return null;
}
