/** Rows of several numbers, locked to be moved: out of the inventory, or out of a pool. Used by what fills, grows, shrinks and empties pools. */
import { sql, type Queryable } from "../db/database.js";
import type { FittingNumbers } from "./fitting-numbers.js";
import { type LockedNumber, NUMBER_COLUMNS } from "./numbers.store.js";

const PICK_AVAILABLE = sql(
  "number_pick_available",
  `select ${NUMBER_COLUMNS}, ringmatch_now() as now from promo_number n
   where n.state = 'available' and n.number_type = $1 and ($2::text[] is null or n.npa = any ($2))
   order by n.e164 limit $3 for update skip locked`,
);
/** Of numbers without area codes, those whose digits begin with $1: what follows 9 ends the range. By an index of its own. */
export const AVAILABLE_ABROAD = `n.state = 'available' and n.number_type = 'local' and n.npa is null
  and n.e164 collate "C" >= $1 and n.e164 collate "C" < $1 || ':'`;
export const PICK_ABROAD = sql(
  "number_pick_abroad",
  `select ${NUMBER_COLUMNS}, ringmatch_now() as now from promo_number n
   where ${AVAILABLE_ABROAD} order by n.e164 collate "C" limit $2 for update skip locked`,
);
const PICK_NAMED = sql(
  "number_pick_named",
  `select ${NUMBER_COLUMNS}, ringmatch_now() as now from promo_number n
   where n.e164 = any ($1) and n.state = 'available' order by n.e164 limit $2 for update`,
);
const PICK_LEAST_RECENT = sql(
  "number_pick_least_recent",
  `select ${NUMBER_COLUMNS}, ringmatch_now() as now from promo_number n
   where n.pool_id = $1 and n.state = 'assigned' and n.role = 'pool' order by n.last_presented_at, n.id limit $2 for update`,
);
const PICK_UNHELD = sql(
  "number_pick_unheld",
  `select ${NUMBER_COLUMNS}, ringmatch_now() as now from promo_number n
   where n.pool_id = $1 and n.state = 'assigned' and n.role = 'pool' and n.retained_until < ringmatch_now() and n.locked_until <= ringmatch_now()
   order by n.last_presented_at, n.id limit 1 for update`,
);
const LOCK_POOL_NUMBERS = sql(
  "number_lock_pool_numbers",
  `select ${NUMBER_COLUMNS}, ringmatch_now() as now from promo_number n where n.pool_id = $1 and n.state = 'assigned' order by n.id for update`,
);

/** Of the inventory, best group first, then lowest number first; rows another transaction is taking are passed over. */
export async function pickAvailable(
  tx: Queryable,
  input: { fitting: readonly FittingNumbers[]; count: number },
): Promise<LockedNumber[]> {
  const picked: LockedNumber[] = [];
  for (const { type, npas, callingCode } of input.fitting) {
    const missing = input.count - picked.length;
    if (missing === 0) break;
    const found =
      callingCode === null
        ? await tx.query<LockedNumber>(PICK_AVAILABLE, [type, npas, missing])
        : await tx.query<LockedNumber>(PICK_ABROAD, [callingCode, missing]);
    picked.push(...found);
  }
  return picked;
}

/** Of the named numbers, those that are available, lowest first. */
export async function pickNamed(
  tx: Queryable,
  input: { numbers: readonly string[]; count: number },
): Promise<LockedNumber[]> {
  return tx.query<LockedNumber>(PICK_NAMED, [input.numbers, input.count]);
}

export async function pickLeastRecentlyPresented(
  tx: Queryable,
  input: { poolId: string; count: number },
): Promise<LockedNumber[]> {
  return tx.query<LockedNumber>(PICK_LEAST_RECENT, [input.poolId, input.count]);
}

/** The one presented longest ago of those that no visitor is attributed to and no open page shows; null: there is none. */
export async function pickUnheld(tx: Queryable, poolId: string): Promise<LockedNumber | null> {
  const [number] = await tx.query<LockedNumber>(PICK_UNHELD, [poolId]);
  return number ?? null;
}

export async function lockNumbersOfPool(tx: Queryable, poolId: string): Promise<LockedNumber[]> {
  return tx.query<LockedNumber>(LOCK_POOL_NUMBERS, [poolId]);
}
