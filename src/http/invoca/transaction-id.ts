/**
 * Our ids as Invoca's clients can keep them: at most 32 characters of 0-9, A-Z and "-". A record row's is its id in upper case without the prefix, so that
 * a call's first transaction has the id of the call; a signal's begins with S-. Reversible, so nothing is stored. Pure.
 */

const BODY = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const SIGNAL = "S-";

export type TransactionKey =
  | { readonly kind: "record"; readonly id: string }
  | { readonly kind: "signal"; readonly id: string };

/** @param id `call_…` or `sig_…` */
export function transactionIdOf(id: string): string {
  const [prefix, body = ""] = id.split("_", 2);
  return `${prefix === "sig" ? SIGNAL : ""}${body.toUpperCase()}`;
}

/** @returns null for what is none of ours */
export function transactionKeyOf(text: string): TransactionKey | null {
  const upper = text.trim().toUpperCase();
  const isSignal = upper.startsWith(SIGNAL);
  const body = isSignal ? upper.slice(SIGNAL.length) : upper;
  if (!BODY.test(body)) return null;
  return isSignal
    ? { kind: "signal", id: `sig_${body.toLowerCase()}` }
    : { kind: "record", id: `call_${body.toLowerCase()}` };
}
