/** What has changed in the database since the routing table last read it, as its notifications tell (migrations 0008, 0013 and 0029). Pure. */
import type { IdRange } from "./routed-numbers.store.js";

export interface RoutingChanges {
  everything: boolean;
  /** E.164; moved. */
  readonly numbers: Set<string>;
  readonly added: IdRange[];
  readonly pools: Set<string>;
  readonly destinations: Set<string>;
}

export function noChanges(): RoutingChanges {
  return { everything: false, numbers: new Set(), added: [], pools: new Set(), destinations: new Set() };
}

/** How many reads they are. */
export function countOf({ numbers, added, pools, destinations }: RoutingChanges): number {
  return numbers.size + added.length + pools.size + destinations.size;
}

/** One notification, in words: the table that changed, or `number`; for tables of accounts the row's id and its account's. */
export type Notice = readonly [what: string, first?: string, second?: string];

/**
 * @param notice null: there may have been any
 * @returns whether it is something that the table tells
 */
export function note(changes: RoutingChanges, notice: Notice | null): boolean {
  const [what, first = "", last] = notice ?? [];
  if (notice === null) changes.everything = true;
  else if (what === "number") changes.numbers.add(first);
  else if (what === "promo_number") changes.added.push({ first: Number(first), last: Number(last) });
  else if (what === "pool") changes.pools.add(first);
  else if (what === "destination") changes.destinations.add(first);
  else return false;
  return true;
}
