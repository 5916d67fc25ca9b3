/**
 * An order of numbers and its items, one a number: what may follow what, and what an order amounts to. Pure; a trigger keeps the same table of moves
 * (a test compares them). Worked on by run-order.ts.
 */

export const ITEM_STATES = ["requested", "ordering", "pending", "done", "refused", "unknown"] as const;
/**
 * requested: nothing asked yet · ordering: a number is chosen, and the carrier may have been asked for it · pending: the carrier delivers later ·
 * done: in the inventory · refused: will not come · unknown: nobody knows, a person must look.
 */
export type ItemState = (typeof ITEM_STATES)[number];

export const ORDER_STATES = ["requested", "ordering", "done", "refused", "unknown"] as const;
/** done: every number came · refused: some did not · unknown: of some nobody knows. */
export type OrderState = (typeof ORDER_STATES)[number];

const MOVES: Readonly<Record<ItemState, readonly ItemState[]>> = {
  requested: ["ordering", "refused"],
  // Back to requested: this number is surely not ours, another one is tried.
  ordering: ["requested", "pending", "done", "refused", "unknown"],
  pending: ["done", "refused"],
  done: [],
  refused: [],
  // Found in the carrier's list after all.
  unknown: ["done"],
};

export function canItemMove(from: ItemState, to: ItemState): boolean {
  return MOVES[from].includes(to);
}

export function isOpen(state: ItemState): boolean {
  return state === "requested" || state === "ordering" || state === "pending";
}

export function orderStateOf(items: readonly ItemState[]): OrderState {
  if (items.every((state) => state === "requested")) return "requested";
  if (items.some(isOpen)) return "ordering";
  if (items.includes("unknown")) return "unknown";
  return items.includes("refused") ? "refused" : "done";
}

/** An item that failed so often is given up: with the delays below after about half an hour. */
export const ATTEMPTS_MAX = 10;
const DELAY_MS_MIN = 2_000;
const DELAY_MS_MAX = 5 * 60_000;

/** How long to wait after the n-th failed attempt; what the carrier asks for comes first. */
export function retryDelayMs(attempts: number, askedMs: number | null): number {
  const own = Math.min(DELAY_MS_MIN * 2 ** Math.max(0, attempts - 1), DELAY_MS_MAX);
  return Math.min(Math.max(own, askedMs ?? 0), HOUR_MS);
}

/** No carrier's Retry-After puts an order off for longer. */
const HOUR_MS = 3_600_000;

const MARK = "ringmatch ";

/** What the carrier keeps with a number, so that a lost answer can be found again. */
export function markOf(itemId: string): string {
  return MARK + itemId;
}

/** @returns the item's id; null for a number that we did not order */
export function itemOfMark(mark: string): string | null {
  return mark.startsWith(MARK) ? mark.slice(MARK.length) : null;
}
