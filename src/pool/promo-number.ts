/**
 * The life of a promo number: (ordering | porting →) available → assigned → draining → quarantined → available | retired. Pure; the store and a
 * trigger in the database keep the same table (a test compares them).
 */

/** ordering: bought from a carrier that delivers later · porting: on its way to us from another carrier. Both are nobody's, and intercepted. */
export const NUMBER_STATES = [
  "ordering",
  "porting",
  "available",
  "assigned",
  "draining",
  "quarantined",
  "retired",
] as const;
export type NumberState = (typeof NUMBER_STATES)[number];

/** pool: given to one visitor at a time · overflow: shared by everybody a full pool cannot serve · static: belongs to a source. */
export const NUMBER_ROLES = ["pool", "overflow", "static"] as const;
export type NumberRole = (typeof NUMBER_ROLES)[number];

const MOVES: Readonly<Record<NumberState, readonly NumberState[]>> = {
  // Retired: the order failed or was cancelled.
  ordering: ["available", "retired"],
  // Assigned as static alone: the public knows this number, so it must not reach the inventory, where any pool may take it, on its way to its source.
  porting: ["available", "assigned", "retired"],
  available: ["assigned", "quarantined", "retired"],
  assigned: ["draining", "quarantined"],
  draining: ["assigned", "quarantined"],
  quarantined: ["available", "retired"],
  retired: [],
};

export function canMove(from: NumberState, to: NumberState): boolean {
  return MOVES[from].includes(to);
}

/** States in which calls reach the business and are attributed. In all others they are intercepted. */
export function isRouted(state: NumberState): boolean {
  return state === "assigned" || state === "draining";
}

export type Removal =
  | { readonly to: "quarantined" }
  /** Keeps routing and attributing until then, never presented again. */
  | { readonly to: "draining"; readonly until: number };

/**
 * Where a number goes that is taken out of its pool: to quarantine at once when nobody can still be attributed to it, else it drains until
 * the last visitor's retention is over, `drainS` at most.
 * @param retainedUntil end of the latest presentation's retention, ms; null when it was presented to nobody under its owner
 */
export function removalOf(input: {
  retainedUntil: number | null;
  drainS: number;
  skipDraining: boolean;
  now: number;
}): Removal {
  const { retainedUntil, drainS, skipDraining, now } = input;
  if (skipDraining || retainedUntil === null || retainedUntil < now || drainS === 0) return { to: "quarantined" };
  return { to: "draining", until: Math.min(retainedUntil, now + drainS * 1000) };
}
