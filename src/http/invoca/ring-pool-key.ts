/**
 * The key that allocate_number and bulk ask for: random to everybody but us, the same for a pool for ever, for every pool, however it was made. Derived from
 * SECRETS_KEY instead of stored: a request with a wrong one costs the database nothing, and a dump of the database holds none.
 */
import { timingSafeEqual } from "node:crypto";
import type { Secrets } from "../../kernel/secrets.js";

const REALM = "ring pool keys";
/** 128 bits, as 32 hexadecimal digits. */
const BYTES = 16;

export function ringPoolKey(secrets: Pick<Secrets, "hash">, poolId: string): string {
  return secrets.hash(REALM, poolId).subarray(0, BYTES).toString("hex").toUpperCase();
}

export function isRingPoolKey(secrets: Pick<Secrets, "hash">, poolId: string, given: string): boolean {
  const right = Buffer.from(ringPoolKey(secrets, poolId));
  const asked = Buffer.from(given.toUpperCase());
  return asked.length === right.length && timingSafeEqual(asked, right);
}
