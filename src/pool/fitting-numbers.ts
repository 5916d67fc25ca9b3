/**
 * Which numbers a pool may hold, best first: type for type; for local pools the area code's own, then, when the pool says so, other area codes of the
 * same state, then toll-free ones. Outside the North American plan there is no area code: local numbers of the destination's country then. Asked by
 * whatever fills, grows or buys for a pool. Pure.
 */
import { callingCodeOf } from "../telephony/calling-code.js";
import type { NumberType } from "../telephony/npa.js";
import { npasBeside } from "../telephony/npa-region.js";

/** Where a local pool looks when its area code has no number left, in order. `wait`: nowhere, its places stay empty until one comes. */
export const NPA_FALLBACKS = ["same_state", "toll_free", "wait"] as const;
export type NpaFallback = (typeof NPA_FALLBACKS)[number];

/** Numbers that fit equally well. */
export interface FittingNumbers {
  readonly type: NumberType;
  /** Null: whatever the area code, as toll-free numbers are. */
  readonly npas: readonly string[] | null;
  /** Of numbers that have no area code, those of this country ("+44"). Null: `npas` say enough. */
  readonly callingCode: string | null;
}

export interface FittingPool {
  readonly numberType: NumberType;
  readonly npa: string | null;
  /** Its country is the numbers' where there is no area code. */
  readonly destinationNumber: string;
  /** Empty: its own area code, or country, or nothing. */
  readonly npaFallback: readonly NpaFallback[];
}

const TOLL_FREE: FittingNumbers = { type: "toll_free", npas: null, callingCode: null };

/** @returns groups of numbers, the best one first */
export function fittingNumbers(pool: FittingPool): readonly FittingNumbers[] {
  if (pool.numberType === "toll_free") return [TOLL_FREE];
  const { npa } = pool;
  const groups: FittingNumbers[] = [
    npa === null ? ofCountry(callingCodeOf(pool.destinationNumber)) : ofAreaCodes([npa]),
  ];
  for (const choice of pool.npaFallback) {
    if (choice === "wait") break;
    if (choice === "toll_free") groups.push(TOLL_FREE);
    // A country as a whole has nothing beside it.
    else if (npa !== null) groups.push(ofAreaCodes(npasBeside(npa)));
  }
  return groups;
}

function ofAreaCodes(npas: readonly string[]): FittingNumbers {
  return { type: "local", npas, callingCode: null };
}

function ofCountry(callingCode: string): FittingNumbers {
  return { type: "local", npas: null, callingCode };
}

interface FittedNumber {
  readonly e164: string;
  readonly type: NumberType;
  readonly npa: string | null;
}

export function fits(pool: FittingPool, number: FittedNumber): boolean {
  return fittingNumbers(pool).some((group) => group.type === number.type && isAmong(group, number));
}

function isAmong({ npas, callingCode }: FittingNumbers, { e164, npa }: FittedNumber): boolean {
  if (callingCode !== null) return npa === null && callingCodeOf(e164) === callingCode;
  return npas === null || (npa !== null && npas.includes(npa));
}

/** Whether the pool's numbers stand in for this destination as well, type for type. */
export function standsInFor(
  pool: Omit<FittingPool, "npaFallback">,
  destination: { readonly number: string; readonly numberType: NumberType; readonly npa: string | null },
): boolean {
  if (destination.numberType !== pool.numberType) return false;
  if (pool.numberType === "toll_free") return true;
  return destination.npa === pool.npa && callingCodeOf(destination.number) === callingCodeOf(pool.destinationNumber);
}

/** For messages: "toll-free", "local (415)", "local (415, or as npa_fallback says)", "local (+44)". */
export function describeFitting(pool: FittingPool): string {
  if (pool.numberType === "toll_free") return "toll-free";
  const others = fittingNumbers(pool).length > 1 ? ", or as npa_fallback says" : "";
  return `local (${pool.npa ?? callingCodeOf(pool.destinationNumber)}${others})`;
}
