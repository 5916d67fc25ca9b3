/**
 * One statement for many, without one bad row costing the others: what the database refuses is halved until only the culprits fail. Used by every
 * micro-batch.
 */
import { isUnavailable } from "./database.js";

export interface Halving<T> {
  /** Does all of it or, throwing, nothing. */
  readonly work: (items: readonly T[]) => Promise<void>;
  /** A database that is not there refuses everybody at once; anything else, one by one. */
  readonly refuse: (item: T, error: unknown) => void;
  readonly onSplit?: (size: number, error: unknown) => void;
}

/** Never rejects. */
export async function inHalves<T>(items: readonly T[], how: Halving<T>): Promise<void> {
  if (items.length === 0) return;
  try {
    await how.work(items);
  } catch (error) {
    if (isUnavailable(error) || items.length === 1) {
      for (const item of items) how.refuse(item, error);
      return;
    }
    how.onSplit?.(items.length, error);
    const middle = items.length >> 1;
    await inHalves(items.slice(0, middle), how);
    await inHalves(items.slice(middle), how);
  }
}
