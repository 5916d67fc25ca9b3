/** Adds what is right of a list of numbers to the inventory and says what was wrong with the rest. Called by `POST /v1/numbers` and by the CSV import. */
import { carriersOfCredentials } from "../account/carrier-credentials.store.js";
import { insertNumbers, type NewNumber } from "../pool/numbers.store.js";
import { parseE164 } from "../telephony/e164.js";
import type { HttpDeps } from "./http-deps.js";

/** Where an imported number's life begins. porting: on its way from another carrier, not here yet. */
export const IMPORTED_STATES = ["available", "porting"] as const;
export type ImportedState = (typeof IMPORTED_STATES)[number];

export type NumberEntry =
  | string
  | {
      readonly number: string;
      readonly carrier?: string | undefined;
      readonly credential_id?: string | undefined;
      readonly state?: ImportedState | undefined;
    };

export interface ImportResult {
  readonly added: number;
  readonly duplicates: number;
  /** `index`: of the entry. */
  readonly invalid: { index: number; number: string; reason: string }[];
}

export async function importNumbers(
  deps: Pick<HttpDeps, "db">,
  input: { entries: readonly NumberEntry[]; actor: string },
): Promise<ImportResult> {
  const entries = input.entries.map((entry) => (typeof entry === "string" ? { number: entry } : entry));
  const named = new Set(entries.flatMap(({ credential_id: id }) => id ?? []));
  const carriers = named.size === 0 ? new Map<string, string>() : await carriersOfCredentials(deps.db, [...named]);
  const numbers = new Map<string, NewNumber>();
  const invalid: { index: number; number: string; reason: string }[] = [];
  let valid = 0;
  for (const [index, entry] of entries.entries()) {
    const checked = checkEntry(entry, carriers);
    if (typeof checked === "string") invalid.push({ index, number: entry.number, reason: checked });
    else {
      valid++;
      if (!numbers.has(checked.number)) numbers.set(checked.number, checked);
    }
  }
  if (numbers.size === 0) return { added: 0, duplicates: 0, invalid };
  const list = [...numbers.values()];
  const added = await insertNumbers(deps.db, { numbers: list, reason: "added to the inventory", actor: input.actor });
  return { added: added.size, duplicates: valid - added.size, invalid };
}

/** @returns the number, or why it cannot be added */
function checkEntry(entry: Exclude<NumberEntry, string>, carriers: ReadonlyMap<string, string>): NewNumber | string {
  const number = parseE164(entry.number);
  if (number === null) return "is not an E.164 number such as +18885550100";
  const credentialId = entry.credential_id ?? null;
  const hostedBy = credentialId === null ? null : carriers.get(credentialId);
  if (hostedBy === undefined) return "credential_id names no carrier credential";
  if (hostedBy !== null && entry.carrier !== undefined && entry.carrier !== hostedBy) {
    return `credential_id is one of ${hostedBy}, not of ${entry.carrier}`;
  }
  return { number, carrier: entry.carrier ?? hostedBy, credentialId, state: entry.state ?? "available" };
}
