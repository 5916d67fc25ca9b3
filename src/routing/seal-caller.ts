/** A caller's number leaves memory only in this shape: sealed, hashed, last four. The realm of the hash is the account, or the platform. */
import type { SealedCaller } from "../attribution/calls.store.js";
import type { Secrets } from "../kernel/secrets.js";
import { lastFour } from "../telephony/e164.js";

/** Realm of hashes that must be comparable whoever owned the number: quarantine counts distinct callers with it. */
export const PLATFORM_REALM = "platform";

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
