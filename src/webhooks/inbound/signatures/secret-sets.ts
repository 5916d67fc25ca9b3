/**
 * The secrets of a credential that may sign, one set each: `auth_tokens` holds one or two tokens; carriers with other fields keep the set that is being
 * replaced in `previous` (src/http/contract/carrier.ts). Used by the carriers' adapters.
 */
import type { CarrierCredential } from "../../../account/carrier-credentials.store.js";

/** An empty token would be a signature anybody can make. */
export function authTokensOf(credential: CarrierCredential): string[] {
  const tokens = credential.secrets["auth_tokens"];
  return Array.isArray(tokens) ? tokens.filter((token) => typeof token === "string" && token !== "") : [];
}

/** @returns for each set the named fields; a set that lacks one of them is left out */
export function secretSetsOf<Name extends string>(
  credential: CarrierCredential,
  names: readonly Name[],
): Record<Name, string>[] {
  return [credential.secrets, credential.secrets["previous"]].flatMap((set) => {
    if (typeof set !== "object" || set === null) return [];
    const found = names.map((name) => [name, (set as Record<string, unknown>)[name]] as const);
    if (found.some(([, value]) => typeof value !== "string" || value === "")) return [];
    return [Object.fromEntries(found) as Record<Name, string>];
  });
}
