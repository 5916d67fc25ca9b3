/**
 * Telnyx's signature, the same for its two languages: Ed25519 over `timestamp|body` (developers.telnyx.com, "Webhook signature verification"). The URL is
 * not signed: what a callback carries for us there may only choose whose key must fit, and what its sender could do to its own calls anyhow.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { CarrierCredential } from "../../../account/carrier-credentials.store.js";
import type { Instant } from "../../../kernel/clock.js";
import type { CarrierRequest, Verified } from "../carrier-adapter.js";
import { secretSetsOf } from "./secret-sets.js";

/** A signature is good for so long, in both directions: Telnyx's own packages allow five minutes. */
export const TELNYX_TOLERANCE_MS = 300_000;

/** 64 bytes in base64, as they must be written. */
const SIGNATURE = /^[A-Za-z0-9+/]{86}==$/;
const SECONDS = /^\d{1,12}$/;

/** Null: none of the credential's keys signed this, or not lately. Ed25519 is public: there is no secret that a comparison could leak. */
export function verifyTelnyx(
  request: CarrierRequest,
  input: { credential: CarrierCredential; now: Instant },
): Verified | null {
  const { headers, rawBody } = request;
  const [signature, timestamp] = [headers["telnyx-signature-ed25519"], headers["telnyx-timestamp"]];
  if (typeof signature !== "string" || !SIGNATURE.test(signature)) return null;
  if (typeof timestamp !== "string" || !SECONDS.test(timestamp)) return null;
  if (Math.abs(input.now - Number(timestamp) * 1_000) > TELNYX_TOLERANCE_MS) return null;
  const signed = Buffer.concat([Buffer.from(`${timestamp}|`), rawBody]);
  const bytes = Buffer.from(signature, "base64");
  const keys = secretSetsOf(input.credential, ["public_key"]).map((set) => publicKeyOf(set.public_key));
  const isGood = keys.some((key) => key !== null && verify(null, signed, key, bytes));
  return isGood ? { nonce: null } : null;
}

/** What stands before the 32 bytes of an Ed25519 key in its DER form (RFC 8410 §4). */
const DER_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
/** 32 bytes in base64, as they must be written. */
const PUBLIC_KEY = /^[A-Za-z0-9+/]{43}=$/;

/** As the portal shows it, 32 bytes in base64. Null: no such key, so it signed nothing. */
function publicKeyOf(text: string): KeyObject | null {
  if (!PUBLIC_KEY.test(text)) return null;
  return createPublicKey({
    key: Buffer.concat([DER_PREFIX, Buffer.from(text, "base64")]),
    format: "der",
    type: "spki",
  });
}

/**
 * Telnyx tells level and validity apart; we write both in the words of the verstat parameter (ATIS-1000074), so that rules can be the same for every carrier.
 * @returns null when the call came without a PASSporT
 */
export function telnyxVerstat(attestation: string, isValidated: boolean): string | null {
  if (!/^[ABC]$/.test(attestation)) return null;
  return `TN-Validation-${isValidated ? "Passed" : "Failed"}-${attestation}`;
}
