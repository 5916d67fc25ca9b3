/**
 * Vonage's signed webhooks (developer.vonage.com/en/getting-started/concepts/webhooks, "Decoding signed webhooks"): Authorization carries a JWT of the
 * account's signature secret, whose payload_hash is the SHA-256 of the body in hex. For vonage.ts.
 */
import { createHash } from "node:crypto";
import type { CarrierCredential } from "../../account/carrier-credentials.store.js";
import type { Instant } from "../../kernel/clock.js";
import type { CarrierRequest, Verified } from "./carrier-adapter.js";
import { type JwtClaims, verifyHs256 } from "./jwt-hs256.js";
import { secretSetsOf } from "./secret-sets.js";

const BEARER = /^Bearer ([\w.-]+)$/i;
const NONCE = /^[\x21-\x7e]{1,128}$/;

export function vonageSigned(
  request: CarrierRequest,
  { credential, now }: { credential: CarrierCredential; now: Instant },
): Verified | null {
  const token = BEARER.exec(request.headers.authorization ?? "")?.[1] ?? "";
  const claims = secretSetsOf(credential, ["signature_secret"])
    .map(({ signature_secret: secret }) => verifyHs256(token, { secret, now }))
    .find((found) => found !== null);
  if (claims === undefined || !isOfPayload(request, claims)) return null;
  const { jti } = claims;
  if (jti === undefined) return { nonce: null };
  return typeof jti === "string" && NONCE.test(jti) ? { nonce: jti } : null;
}

/**
 * A POST's hash is that of its body, always. What a GET's is of, Vonage's pages do not agree on: its support (article 19033783342876) hashes the query
 * as a JSON object of texts in the order sent; other pages know payloads of bodies only, and a GET has none. So a GET may come without a hash, with that of
 * nothing, or with that of its query, with or without what our own callback URL had in it. Where it is not hashed, TLS and the jti keep the query.
 */
function isOfPayload({ method, url, rawBody }: CarrierRequest, claims: JwtClaims): boolean {
  const hash = claims["payload_hash"];
  if (hash === undefined) return method === "GET";
  if (typeof hash !== "string") return false;
  const payloads = method === "GET" ? ["", ...queriesOf(url)] : [rawBody];
  return payloads.some((payload) => createHash("sha256").update(payload).digest("hex") === hash.toLowerCase());
}

/** What our callback URLs carry: callback-url.ts, ncco.ts. */
const OURS: ReadonlySet<string> = new Set(["attempt", "called", "destination", "conversation"]);

function queriesOf(url: string): string[] {
  const at = url.indexOf("?");
  const pairs = at < 0 ? [] : [...new URLSearchParams(url.slice(at + 1))];
  const theirs = pairs.filter(([name]) => !OURS.has(name));
  return [pairs, theirs].map((list) => JSON.stringify(Object.fromEntries(list)));
}
