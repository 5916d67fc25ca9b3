/**
 * A pool in memory that gives numbers out by the rule of present_batch (migration 0004): a visitor keeps the number they hold while retention or
 * lock last; else the unlocked number presented longest ago; else overflow. For simulations; a test holds it against the database. Pure.
 */

export interface LruPoolRules {
  /** Numbers that visitors can get. */
  readonly numbers: number;
  /** The same for everybody: then the number presented longest ago is also the one whose lock ends first. */
  readonly lockS: number;
  readonly retentionS: number;
}

export type LruOutcome =
  /** `number` counts from 0; `isNew` is false when the visitor had it already. */
  | { readonly kind: "presented" | "renewed"; readonly number: number; readonly isNew: boolean }
  | { readonly kind: "overflow" };

const OVERFLOW: LruOutcome = { kind: "overflow" };
const NOBODY = -1;

/** @returns what a visit gets. Call it in the order of time; visitors are numbers ≥ 0 */
export function createLruPool(rules: LruPoolRules): (visit: { atS: number; visitor: number }) => LruOutcome {
  const { numbers, lockS, retentionS } = rules;
  const line = createLine(numbers);
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
    line.toEnd(number);
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
    const first = line.first();
    if (numbers === 0 || atS - (presentedAt[first] as number) < lockS) return OVERFLOW;
    present(first, visitor, atS);
    return { kind: "presented", number: first, isNew: true };
  };
}

/** Numbers in the order of their latest presentation: a ring of links, the entry after the last number is its head. */
function createLine(numbers: number): { first: () => number; toEnd: (number: number) => void } {
  const head = numbers;
  const next = Int32Array.from({ length: numbers + 1 }, (_, i) => (i === numbers ? 0 : i + 1));
  const before = Int32Array.from({ length: numbers + 1 }, (_, i) => (i === 0 ? numbers : i - 1));
  const link = (left: number, right: number): void => {
    next[left] = right;
    before[right] = left;
  };
  return {
    first: () => next[head] as number,
    toEnd: (number) => {
      link(before[number] as number, next[number] as number);
      link(before[head] as number, number);
      link(number, head);
    },
  };
}
