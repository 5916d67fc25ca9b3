/**
 * Which numbers a pool may hold, best first: type for type; for local pools the area code's own, then, when the pool says so, other area codes of the
 * same state, then toll-free ones. Asked by whatever fills, grows or buys for a pool. Pure.
 */
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
}

export interface FittingPool {
  readonly numberType: NumberType;
  readonly npa: string | null;
  /** Empty: its own area code or nothing. */
  readonly npaFallback: readonly NpaFallback[];
}

const TOLL_FREE: FittingNumbers = { type: "toll_free", npas: null };

/** @returns groups of numbers, the best one first */
export function fittingNumbers(pool: FittingPool): readonly FittingNumbers[] {
  if (pool.numberType === "toll_free") return [TOLL_FREE];
  const own = pool.npa === null ? [] : [pool.npa];
  const groups: FittingNumbers[] = [{ type: "local", npas: own }];
  for (const choice of pool.npaFallback) {
    if (choice === "wait") break;
    groups.push(choice === "toll_free" ? TOLL_FREE : { type: "local", npas: own.flatMap(npasBeside) });
  }
  return groups;
}

export function fits(pool: FittingPool, number: { readonly type: NumberType; readonly npa: string | null }): boolean {
  return fittingNumbers(pool).some(
    ({ type, npas }) => type === number.type && (npas === null || (number.npa !== null && npas.includes(number.npa))),
  );
}

/** For messages: "toll-free", "local (415)", "local (415, or as npa_fallback says)". */
export function describeFitting(pool: FittingPool): string {
  if (pool.numberType === "toll_free") return "toll-free";
  const others = fittingNumbers(pool).length > 1 ? ", or as npa_fallback says" : "";
  return `local (${pool.npa ?? "any area"}${others})`;
}
