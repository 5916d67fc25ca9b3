/** Compares what was sent with what is secret. For the adapters whose carrier's own package does not. */
import { createHash, timingSafeEqual } from "node:crypto";

/** In constant time, whatever the lengths: digests are compared, which also tell nothing of how much was right. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(expected));
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
