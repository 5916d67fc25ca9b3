/** How many more numbers an account may take: a limit of what it holds at once, and a cap of what it takes in a billing cycle. Pure. */
import type { Instant } from "../kernel/clock.js";

/** Counts are null where there is no limit to count for. */
export interface AccountNumbers {
  readonly numberLimit: number | null;
  /** Assigned and draining numbers. */
  readonly held: number | null;
  readonly monthlyNumberCap: number | null;
  /** Newly assigned to the account since the cycle began. */
  readonly taken: number | null;
  /** Bought for the account's pools and not here yet: paid for, so they count. */
  readonly onOrder: number;
  readonly cycleStartsAt: Instant;
  readonly cycleEndsAt: Instant;
}

export interface Room {
  readonly count: number;
  /** Which limit is the nearest; null: none. */
  readonly code: "number_limit" | "monthly_number_cap" | null;
  /** Half a sentence, for whoever is refused; empty without a limit. */
  readonly reason: string;
}

/** @param own numbers on order that are about to arrive: their place is kept already */
export function roomOf(account: AccountNumbers, own = 0): Room {
  const { numberLimit, held, monthlyNumberCap, taken, cycleEndsAt } = account;
  const onOrder = account.onOrder - own;
  const ordered = onOrder > 0 ? ` and ${onOrder} on order` : "";
  const rooms: Room[] = [{ count: Number.POSITIVE_INFINITY, code: null, reason: "" }];
  if (numberLimit !== null) {
    const reason = `the account holds ${held ?? 0}${ordered} of at most ${numberLimit} numbers (number_limit)`;
    rooms.push({ count: numberLimit - (held ?? 0) - onOrder, code: "number_limit", reason });
  }
  if (monthlyNumberCap !== null) {
    const until = new Date(cycleEndsAt).toISOString();
    const reason = `the account has taken ${taken ?? 0}${ordered} of ${monthlyNumberCap} numbers until ${until} (monthly_number_cap)`;
    rooms.push({ count: monthlyNumberCap - (taken ?? 0) - onOrder, code: "monthly_number_cap", reason });
  }
  const nearest = rooms.reduce((least, room) => (room.count < least.count ? room : least));
  return { ...nearest, count: Math.max(0, nearest.count) };
}
