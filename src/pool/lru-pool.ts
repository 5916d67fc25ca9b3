/**
 * A pool in memory that gives numbers out by the rule of present_batch (migration 0025): a visitor keeps the number they hold while retention or
 * lock last; else the unlocked number presented longest ago, or, for comparison, any unlocked one; else overflow. For simulations; a test holds it
 * against the database. Pure.
 */
import { longestUnpresented, type NumberShelf } from "./number-shelf.js";

export interface LruPoolRules {
  /** Numbers that visitors can get. */
  readonly numbers: number;
  /** The same for everybody: then the number presented longest ago is also the one whose lock ends first. */
  readonly lockS: number;
  readonly retentionS: number;
  /** When every number is locked, the one presented longest ago goes to the next visitor all the same (`reuse_oldest`). */
  readonly reusesOldest?: boolean;
}

export type LruOutcome =
  /** `number` counts from 0; `isNew` is false when the visitor had it already. */
  | { readonly kind: "presented" | "renewed"; readonly number: number; readonly isNew: boolean }
  | { readonly kind: "overflow" };

const OVERFLOW: LruOutcome = { kind: "overflow" };
const NOBODY = -1;

/**
 * @param shelf which free number is next; that of the allocator when not given
 * @returns what a visit gets. Call it in the order of time; visitors are numbers ≥ 0
 */
export function createLruPool(
  rules: LruPoolRules,
  shelf: NumberShelf = longestUnpresented(rules),
): (visit: { atS: number; visitor: number }) => LruOutcome {
  const { numbers, lockS, retentionS, reusesOldest = false } = rules;
  const holder = new Int32Array(numbers).fill(NOBODY);
  const presentedAt = new Float64Array(numbers).fill(-Infinity);
  const held = new Map<number, number>();

  const present = (number: number, visitor: number, atS: number): void => {
    const former = holder[number] as number;
    if (former !== visitor) {
      held.delete(former);
      held.set(visitor, number);
      holder[number] = visitor;
    }
    presentedAt[number] = atS;
    shelf.presented(number, atS);
  };

  return ({ atS, visitor }) => {
    const own = held.get(visitor);
    if (own !== undefined) {
      const age = atS - (presentedAt[own] as number);
      const isRetained = age <= retentionS;
      if (isRetained || age < lockS) {
        present(own, visitor, atS);
        return { kind: isRetained ? "renewed" : "presented", number: own, isNew: false };
      }
      held.delete(visitor);
      holder[own] = NOBODY;
    }
    const next = shelf.free(atS) ?? (reusesOldest ? shelf.oldest() : null);
    if (next === null) return OVERFLOW;
    present(next, visitor, atS);
    return { kind: "presented", number: next, isNew: true };
  };
}
