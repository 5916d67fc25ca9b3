/**
 * A JSON Web Token signed with HS256 (RFC 7519, RFC 7515), checked strictly: this one algorithm, in constant time, lately. For the carriers' adapters whose
 * webhooks carry one (Vonage).
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Instant } from "../../kernel/clock.js";

export type JwtClaims = Readonly<Record<string, unknown>>;

/** A webhook's token has about 500 characters. */
const TOKEN_CHARS_MAX = 4_096;
/** Three parts in base64url; the third is 32 bytes. */
const TOKEN = /^([\w-]+\.[\w-]+)\.([\w-]{43})$/;

/** A carrier tries a webhook again within half a minute, and signs anew; as long as other carriers let their signatures live. */
export const SIGNED_AGO_MAX_MS = 5 * 60_000;
/** Clocks that no NTP server has seen for weeks are apart by less. */
export const CLOCK_SKEW_MAX_MS = 60_000;

/** @returns the claims; null when the secret did not sign this token, or not lately */
export function verifyHs256(token: string, input: { secret: string; now: Instant }): JwtClaims | null {
  const [, signed = "", signature = ""] = (token.length <= TOKEN_CHARS_MAX ? TOKEN.exec(token) : null) ?? [];
  const expected = createHmac("sha256", input.secret).update(signed).digest("base64url");
  if (signature.length !== expected.length) return null;
  if (!timingSafeEqual(Buffer.from(signature), Buffer.from(expected))) return null;
  const [header, claims] = signed.split(".").map(jsonObjectOf);
  // `crit` names extensions that must be understood; none is.
  if (header?.["alg"] !== "HS256" || header["crit"] !== undefined || !claims) return null;
  return isTimely(claims, input.now) ? claims : null;
}

function isTimely({ iat, exp, nbf }: JwtClaims, now: Instant): boolean {
  const issuedAt = typeof iat === "number" ? iat * 1000 : Number.NaN;
  const isFresh = issuedAt >= now - SIGNED_AGO_MAX_MS && issuedAt <= now + CLOCK_SKEW_MAX_MS;
  const isUnexpired = exp === undefined || (typeof exp === "number" && now < exp * 1000 + CLOCK_SKEW_MAX_MS);
  const isValidYet = nbf === undefined || (typeof nbf === "number" && now >= nbf * 1000 - CLOCK_SKEW_MAX_MS);
  return isFresh && isUnexpired && isValidYet;
}

function jsonObjectOf(part: string): JwtClaims | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JwtClaims) : null;
  } catch {
    // Signed, and yet no JSON: somebody else's token.
    return null;
  }
}
