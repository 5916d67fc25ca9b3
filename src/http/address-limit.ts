/** A token bucket an address, in memory and bounded. One process counts for itself: the limit is a hint that something is no visitor, not a wall. */
import ipaddr from "ipaddr.js";
import type { Clock } from "../kernel/clock.js";
import { plainAddress } from "./trusted-addresses.js";

/** A person who opens a new page every two seconds for a minute is none; an office behind one address rarely gets there. */
export const PRESENTATIONS_PER_MINUTE_MAX = 30;
/** About 5 MB. Who was seen longest ago is forgotten first, and starts with a full bucket. */
export const ADDRESSES_MAX = 50_000;
const MINUTE_MS = 60_000;
/** Not each time: the front of a map that is deleted from all the time is full of holes. */
const FORGET_EVERY_MS = 1_000;

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * A carrier asks from few addresses, for every call while its webhooks get no answer, and one from memory costs less than 1 ms. Who asks more
 * often from one address reads the list of numbers.
 */
export const FALLBACKS_PER_MINUTE_MAX = 6_000;

export interface AddressLimit {
  /** Takes one token of an address and says whether there was one. */
  (address: string): boolean;
  /** How many addresses are in memory. */
  known(): number;
}

export function createAddressLimit(
  clock: Pick<Clock, "monotonicMs">,
  perMinuteMax = PRESENTATIONS_PER_MINUTE_MAX,
): AddressLimit {
  const buckets = new Map<string, Bucket>();
  let lookedAt = clock.monotonicMs();
  const take = (address: string): boolean => {
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
    if (now - lookedAt >= FORGET_EVERY_MS) {
      lookedAt = now;
      forgetFull(buckets, now);
    }
    buckets.set(key, bucket);
    return isWithin;
  };
  return Object.assign(take, { known: () => buckets.size });
}

/** Whose bucket is full again is like one who never came: whose addresses these are is nobody's business any more. */
function forgetFull(buckets: Map<string, Bucket>, now: number): void {
  for (const [key, { at }] of buckets) {
    if (now - at < MINUTE_MS) return;
    buckets.delete(key);
  }
}

/** Whoever has one IPv6 address has the whole /64. */
function keyOf(address: string): string {
  const plain = plainAddress(address);
  if (!plain.includes(":") || !ipaddr.IPv6.isValid(plain)) return plain;
  return ipaddr.IPv6.parse(plain).parts.slice(0, 4).join(":");
}
