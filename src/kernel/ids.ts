/**
 * Prefixed, sortable ids (`call_01k…`): 48 bits of time, 80 bits of randomness, Crockford base 32 in lower case (the ULID layout,
 * github.com/ulid/spec). Made at the edge, never in rules.
 */
import type { Clock } from "./clock.js";
import type { Random } from "./random.js";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_CHARS = 10;
const RANDOM_CHARS = 16;

export const ID_PREFIXES = [
  "acc",
  "pool",
  "dst",
  "prs",
  "prl",
  "vis",
  "call",
  "itc",
  "whk",
  "key",
  "crd",
  "ord",
  "oit",
  "fnd",
  "stn",
  "req",
  "scd",
  "sig",
  "evt",
  "dlv",
  "ers",
] as const;
export type IdPrefix = (typeof ID_PREFIXES)[number];
export type Id<P extends IdPrefix> = string & { readonly __id: P };

export type AccountId = Id<"acc">;
export type PoolId = Id<"pool">;
export type DestinationId = Id<"dst">;
/** One presentation a visitor was answered; it stays the same through renewals. */
export type PresentationId = Id<"prs">;
/** One row of the presentation log. */
export type PresentationLogId = Id<"prl">;
export type VisitorId = Id<"vis">;
export type CallId = Id<"call">;
export type InterceptId = Id<"itc">;
export type CredentialId = Id<"crd">;

export interface IdSource {
  next<P extends IdPrefix>(prefix: P): Id<P>;
}

export function createIdSource(clock: Pick<Clock, "now">, random: Pick<Random, "bytes">): IdSource {
  return {
    next: (prefix) =>
      `${prefix}_${encodeTime(clock.now())}${encodeRandom(random.bytes(RANDOM_CHARS))}` as Id<typeof prefix>,
  };
}

/** A visitor id that a client made itself: `vis_` and 20 to 36 letters or digits (a ULID or a UUID without dashes fits). */
export const VISITOR_ID_PATTERN = /^vis_[0-9A-Za-z]{20,36}$/;

function encodeTime(at: number): string {
  let rest = at;
  let text = "";
  for (let i = 0; i < TIME_CHARS; i++) {
    text = ALPHABET.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function encodeRandom(bytes: Buffer): string {
  let text = "";
  for (const byte of bytes) text += ALPHABET.charAt(byte & 31);
  return text;
}
