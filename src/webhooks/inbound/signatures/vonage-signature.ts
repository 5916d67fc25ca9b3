/**
 * Vonage's signed webhooks (developer.vonage.com/en/getting-started/concepts/webhooks, "Decoding signed webhooks"): Authorization carries a JWT of the
 * account's signature secret, whose payload_hash is the SHA-256 of the body in hex. The token's own check is jose's. For vonage.ts.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { errors, type JWTPayload, jwtVerify } from "jose";
import type { CarrierCredential } from "../../../account/carrier-credentials.store.js";
import type { Instant } from "../../../kernel/clock.js";
import { CALLBACK_PARAMETERS } from "../callback-url.js";
import type { CarrierRequest, Verified } from "../carrier-adapter.js";
import { CONVERSATION } from "../documents/ncco.js";
import { secretSetsOf } from "./secret-sets.js";

/** A webhook's token has about 500 characters. */
const TOKEN_CHARS_MAX = 4_096;
const BEARER = /^Bearer ([\w.-]+)$/i;
const NONCE = /^[\x21-\x7e]{1,128}$/;
/** A carrier tries a webhook again within half a minute, and signs anew; as long as other carriers let their signatures live. */
export const SIGNED_AGO_MAX_S = 5 * 60;
/** Clocks that no NTP server has seen for weeks are apart by less. Also granted to a token that is too old. */
export const CLOCK_SKEW_MAX_S = 60;

export async function vonageSigned(
  request: CarrierRequest,
  { credential, now }: { credential: CarrierCredential; now: Instant },
): Promise<Verified | null> {
  const token = BEARER.exec(request.headers.authorization ?? "")?.[1] ?? "";
  if (token === "" || token.length > TOKEN_CHARS_MAX) return null;
  for (const { signature_secret: secret } of secretSetsOf(credential, ["signature_secret"])) {
    const claims = await claimsOf(token, { secret, now });
    if (claims !== null && isOfPayload(request, claims)) return nonceOf(claims);
  }
  return null;
}

/** @returns null when the secret did not sign this token, or not lately */
async function claimsOf(token: string, { secret, now }: { secret: string; now: Instant }): Promise<JWTPayload | null> {
  try {
    const { payload } = await jwtVerify(token, Buffer.from(secret), {
      algorithms: ["HS256"],
      currentDate: new Date(now),
      maxTokenAge: SIGNED_AGO_MAX_S,
      clockTolerance: CLOCK_SKEW_MAX_S,
    });
    return payload;
  } catch (error) {
    // Whatever is wrong with a token is the sender's; anything else is ours and must be heard of.
    if (error instanceof errors.JOSEError || error instanceof TypeError) return null;
    throw error;
  }
}

function nonceOf({ jti }: JWTPayload): Verified | null {
  if (jti === undefined) return { nonce: null };
  return typeof jti === "string" && NONCE.test(jti) ? { nonce: jti } : null;
}

/**
 * A POST's hash is that of its body, always. What a GET's is of, Vonage's pages do not agree on: its support (article 19033783342876) hashes the query
 * as a JSON object of texts in the order sent; other pages know payloads of bodies only, and a GET has none. So a GET may come without a hash, with that of
 * nothing, or with that of its query, with or without what our own callback URL had in it. Where it is not hashed, TLS and the jti keep the query.
 */
function isOfPayload({ method, url, rawBody }: CarrierRequest, claims: JWTPayload): boolean {
  const hash = claims["payload_hash"];
  if (hash === undefined) return method === "GET";
  if (typeof hash !== "string") return false;
  const payloads = method === "GET" ? ["", ...queriesOf(url)] : [rawBody];
  return payloads.some((payload) => isHashOf(payload, hash.toLowerCase()));
}

function isHashOf(payload: string | Buffer, hash: string): boolean {
  const expected = Buffer.from(createHash("sha256").update(payload).digest("hex"));
  const given = Buffer.from(hash);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

const OURS: ReadonlySet<string> = new Set([...CALLBACK_PARAMETERS, CONVERSATION]);

function queriesOf(url: string): string[] {
  const at = url.indexOf("?");
  const pairs = at < 0 ? [] : [...new URLSearchParams(url.slice(at + 1))];
  const theirs = pairs.filter(([name]) => !OURS.has(name));
  return [pairs, theirs].map((list) => JSON.stringify(Object.fromEntries(list)));
}
