/** Numbers that somebody names for a pool: from the inventory, or, while they drain, of the same account. Called by pool-changes.ts, under the pool's lock. */
import type { Queryable } from "../db/database.js";
import { AppError } from "../kernel/errors.js";
import { assertAccountRoom, lockAccountNumbers } from "./account-room.store.js";
import { describeFitting, fits } from "./fitting-numbers.js";
import { assignNumber } from "./number-moves.js";
import { lockNumber, type LockedNumber } from "./numbers.store.js";
import { reserveOverflow } from "./overflow-number.js";
import { getPool, type Pool } from "./pools.store.js";
import type { NumberRole } from "./promo-number.js";

/**
 * All or none. One of them, or of those that the pool has, becomes the overflow number that it lacks.
 * @throws AppError("conflict") for a number of another type or account, or one that drains as what it cannot come back as; AppError("account_limit");
 *   AppError("illegal_transition"); AppError("not_found")
 */
export async function addNamed(
  tx: Queryable,
  pool: Pool,
  input: { numbers: readonly string[]; actor: string },
): Promise<void> {
  const account = await lockAccountNumbers(tx, pool.accountId);
  let taken = 0;
  let isShared = pool.overflowNumber !== null;
  // In one order for everybody, so that two requests with the same numbers cannot lock each other out.
  for (const e164 of [...input.numbers].sort()) {
    const known = await lockFitting(tx, pool, e164);
    // Those that drain are the account's already.
    if (known.accountId === null) assertAccountRoom(account, ++taken);
    const role = roleOf(known, { pool, mayBeShared: pool.overflow === "overflow_number" && !isShared });
    isShared ||= role === "overflow";
    const { accountId } = pool;
    const why = { reason: "added to the pool", actor: input.actor };
    await assignNumber(tx, known, { accountId, poolId: pool.id, role, ...why });
  }
  await reserveOverflow(tx, await getPool(tx, { id: pool.id, accountId: null }), input.actor);
}

/** What was shown to more than one visitor does not become a visitor's while its callers may still call: they would be taken for that visitor. */
function roleOf(known: LockedNumber, { pool, mayBeShared }: { pool: Pool; mayBeShared: boolean }): NumberRole {
  switch (known.role) {
    case null:
    case "pool":
      return "pool";
    case "overflow":
      if (known.poolId === pool.id && mayBeShared) return "overflow";
      throw new AppError(
        "conflict",
        `${known.e164} drains as an overflow number, which it can only be again in its pool.`,
      );
    case "static":
      throw new AppError("conflict", `${known.e164} drains as a static number, which is all that it can be again.`);
  }
}

async function lockFitting(tx: Queryable, pool: Pool, e164: string): Promise<LockedNumber> {
  const known = await lockNumber(tx, e164);
  // Not even while it drains. Whether the asker may know of it at all has been asked before.
  if (known.accountId !== null && known.accountId !== pool.accountId) {
    throw new AppError("conflict", `${e164} is another account's; it has to leave that one first.`);
  }
  if (!fits(pool, known)) throw new AppError("conflict", `${known.e164} is not a ${describeFitting(pool)} number.`);
  return known;
}
