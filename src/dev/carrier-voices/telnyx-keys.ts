/** Telnyx's keys, the same for its two languages: Ed25519 over `timestamp|body`. For telnyx-texml-voice.ts and telnyx-call-control-voice.ts. */
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import type { Random } from "../../kernel/random.js";
import type { CarrierKeys } from "./carrier-voice.js";

const SEED_BYTES = 32;
/** What stands before a seed in the DER form of a private key (RFC 8410 §7). */
const PRIVATE_DER = Buffer.from("302e020100300506032b657004220420", "hex");

export function telnyxKeys(random: Random): CarrierKeys {
  const der = Buffer.concat([PRIVATE_DER, random.bytes(SEED_BYTES)]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const { x = "" } = createPublicKey(privateKey).export({ format: "jwk" });
  const publicKey = Buffer.from(x, "base64url").toString("base64");
  return {
    credential: { public_key: publicKey, api_key: `KEY${random.bytes(16).toString("hex").toUpperCase()}` },
    sign: (request, { nowMs }) => {
      const timestamp = String(Math.floor(nowMs / 1_000));
      const signed = Buffer.concat([Buffer.from(`${timestamp}|`), Buffer.from(request.body)]);
      const signature = sign(null, signed, privateKey).toString("base64");
      return { ...request, headers: { "telnyx-timestamp": timestamp, "telnyx-signature-ed25519": signature } };
    },
  };
}
