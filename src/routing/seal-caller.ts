/**
 * Who called, or forwarded a call, leaves memory only in these shapes: a number sealed and its last four, the caller's also hashed, in the realm of the
 * account or the platform; a name sealed.
 */
import type { SealedCaller, SealedNumber } from "../attribution/new-calls.store.js";
import { PLATFORM_REALM, type Secrets } from "../kernel/secrets.js";
import { lastFour } from "../telephony/e164.js";

const ANONYMOUS: SealedCaller = { enc: null, hash: null, last4: null };

export function sealCaller(secrets: Secrets, input: { caller: string | null; accountId: string | null }): SealedCaller {
  const { caller, accountId } = input;
  if (caller === null) return ANONYMOUS;
  return {
    enc: secrets.seal(caller),
    hash: secrets.hash(accountId ?? PLATFORM_REALM, caller),
    last4: lastFour(caller),
  };
}

export function sealNumber(secrets: Secrets, number: string | null): SealedNumber | null {
  return number === null ? null : { enc: secrets.seal(number), last4: lastFour(number) };
}

/** Whoever withheld the number is nobody by name either. */
export function sealCallerName(
  secrets: Secrets,
  { caller, callerName }: { caller: string | null; callerName: string | null },
): Buffer | null {
  return caller === null || callerName === null ? null : secrets.seal(callerName);
}
