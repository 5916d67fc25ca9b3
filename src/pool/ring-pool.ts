/** What a pool may hold and how much of it is filled when it is made. Pure. */

export type OverflowBehaviour = "overflow_number" | "original_number" | "reuse_oldest";
export type PoolKind = "automatic" | "campaign";

/** What a pool is when nobody says otherwise. */
export const poolDefaults = {
  sessionLifetimeS: 1800,
  retentionS: 259_200,
  maxSize: 2,
  overflow: "overflow_number",
  drainS: 259_200,
  autoscale: null,
  npaFallback: [],
} as const;

/** `fill_immediately: false` fills this share of max_size (Invoca's rule for RingPools). */
const FIRST_FILL_SHARE = 0.1;

export interface FillPlan {
  /** Numbers given to visitors. */
  readonly pooled: number;
  /** Whether one more is reserved as the shared overflow number. It counts in max_size. */
  readonly overflow: boolean;
}

/**
 * The first fill: everything, or 10 % and at least one, beside the overflow number. A pool of max_size 1 has no room for an overflow number:
 * its only number goes to visitors, and who comes second keeps the original.
 */
export function firstFill(input: { maxSize: number; overflow: OverflowBehaviour; fillImmediately: boolean }): FillPlan {
  const overflow = input.overflow === "overflow_number" && input.maxSize >= 2;
  const room = input.maxSize - (overflow ? 1 : 0);
  const share = Math.max(1, Math.ceil(input.maxSize * FIRST_FILL_SHARE));
  return { pooled: input.fillImmediately ? room : Math.min(room, share), overflow };
}

/** Below this a pool never shrinks by itself: what its settings say, else its first fill. */
export function smallestSize(pool: {
  maxSize: number;
  overflow: OverflowBehaviour;
  autoscale: { readonly minSize: number | null } | null;
}): number {
  const fill = firstFill({ ...pool, fillImmediately: false });
  return Math.min(pool.autoscale?.minSize ?? fill.pooled + (fill.overflow ? 1 : 0), pool.maxSize);
}

/** Whether the next `count` numbers should include the overflow number that the pool lacks; a pool's first number goes to visitors. */
export function lacksOverflow(
  pool: { overflow: OverflowBehaviour; overflowNumber: string | null; size: number },
  count: number,
): boolean {
  return pool.overflow === "overflow_number" && pool.overflowNumber === null && pool.size + count >= 2;
}
