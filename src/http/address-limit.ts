/** A token bucket an address, in memory and bounded. One process counts for itself: the limit is a hint that something is no visitor, not a wall. */
import ipaddr from "ipaddr.js";
import type { Clock } from "../kernel/clock.js";
import { plainAddress } from "./trusted-addresses.js";

/** A person who opens a new page every two seconds for a minute is none; an office behind one address rarely gets there. */
export const PRESENTATIONS_PER_MINUTE_MAX = 30;
/** About 5 MB. Who was seen longest ago is forgotten first, and starts with a full bucket. */
export const ADDRESSES_MAX = 50_000;
const MINUTE_MS = 60_000;

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * A carrier asks from few addresses, for every call while its webhooks get no answer, and one from memory costs less than 1 ms. Who asks more
 * often from one address reads the list of numbers.
 */
export const FALLBACKS_PER_MINUTE_MAX = 6_000;

/** @returns a function that takes one token of an address and says whether there was one */
export function createAddressLimit(
  clock: Pick<Clock, "monotonicMs">,
  perMinuteMax = PRESENTATIONS_PER_MINUTE_MAX,
): (address: string) => boolean {
  const buckets = new Map<string, Bucket>();
  return (address) => {
    const key = keyOf(address);
    const now = clock.monotonicMs();
    const bucket = buckets.get(key) ?? { tokens: perMinuteMax, at: now };
    const refill = ((now - bucket.at) * perMinuteMax) / MINUTE_MS;
    bucket.tokens = Math.min(perMinuteMax, bucket.tokens + refill);
    bucket.at = now;
    const isWithin = bucket.tokens >= 1;
    if (isWithin) bucket.tokens--;
    // To the end, so that the first key of the map is the one seen longest ago.
    buckets.delete(key);
    if (buckets.size >= ADDRESSES_MAX) buckets.delete(buckets.keys().next().value as string);
    buckets.set(key, bucket);
    return isWithin;
  };
}

/** Whoever has one IPv6 address has the whole /64. */
function keyOf(address: string): string {
  const plain = plainAddress(address);
  if (!plain.includes(":") || !ipaddr.IPv6.isValid(plain)) return plain;
  return ipaddr.IPv6.parse(plain).parts.slice(0, 4).join(":");
}
