/** What changes a pool and its numbers together: create and fill, add, remove, edit, delete. Each is one transaction. To a size: scale-pool.ts. */
import type { Destination } from "../account/destinations.store.js";
import type { Queryable } from "../db/database.js";
import { AppError } from "../kernel/errors.js";
import type { IdSource } from "../kernel/ids.js";
import { assertAccountRoom, lockAccountNumbers } from "./account-room.store.js";
import { roomOf } from "./account-room.js";
import { addNamed } from "./add-named.js";
import { describeFitting, fittingNumbers } from "./fitting-numbers.js";
import { assignNumber, checkOf, type MoveDeps, type NumberCheck, removeNumber } from "./number-moves.js";
import { lockNumbersOfPool, pickAvailable, pickLeastRecentlyPresented } from "./number-picks.store.js";
import { lockKnown, type LockedNumber, type PromoNumber, writeNextCheck } from "./numbers.store.js";
import { reserveOverflow } from "./overflow-number.js";
import { WRITTEN_AFTER_MS } from "./overflow-use.store.js";
import {
  insertPool,
  getPool,
  lockPool,
  markPoolDeleted,
  type NewPool,
  type Pool,
  type PoolSettings,
  updatePool,
} from "./pools.store.js";
import { makeDue, startAfresh } from "./pool-scaling.store.js";
import { firstFill, lacksOverflow } from "./ring-pool.js";
import { cancelOrders, insertDecision, SCALE_TRIGGERS } from "./scale-decisions.store.js";

export type PoolDeps = MoveDeps & { readonly ids: IdSource };

/**
 * Makes the pool and fills it from the available inventory, lowest number first. Fewer numbers than planned are no error: `size` says how many, and
 * a stored decision why.
 */
export async function createPool(
  deps: PoolDeps,
  input: { pool: NewPool; fillImmediately: boolean; actor: string },
): Promise<Pool> {
  const { id } = await deps.db.transaction((tx) => createPoolIn(tx, deps.ids, input));
  return getPool(deps.db, { id, accountId: null });
}

/** The same inside the caller's transaction. @returns the pool before it was filled */
export async function createPoolIn(
  tx: Queryable,
  ids: IdSource,
  input: { pool: NewPool; fillImmediately: boolean; actor: string },
): Promise<Pool> {
  const poolId = await insertPool({ db: tx, ids }, input.pool);
  const pool = await getPool(tx, { id: poolId, accountId: null });
  await firstFillOf({ db: tx, ids }, pool, input);
  return pool;
}

async function firstFillOf(
  deps: { db: Queryable; ids: IdSource },
  pool: Pool,
  input: { pool: NewPool; fillImmediately: boolean; actor: string },
): Promise<void> {
  const { db: tx } = deps;
  const { actor } = input;
  const plan = firstFill({ ...input.pool, fillImmediately: input.fillImmediately });
  const wanted = plan.pooled + (plan.overflow ? 1 : 0);
  const room = roomOf(await lockAccountNumbers(tx, pool.accountId));
  const fill = { count: Math.min(wanted, room.count), reason: "pool created", actor };
  const added = await takeFromInventory(tx, pool, fill);
  if (added === wanted) return;
  const isLimited = room.count < wanted && added === room.count;
  await insertDecision(deps, {
    poolId: pool.id,
    accountId: pool.accountId,
    trigger: "created",
    wanted,
    added,
    removed: 0,
    ordered: 0,
    onOrder: 0,
    sizeBefore: 0,
    sizeAfter: added,
    outcome: added > 0 ? "partial" : "nothing",
    code: isLimited && room.code !== null ? room.code : "inventory_short",
    reason: `The first fill got ${added} of ${wanted} numbers: ${isLimited ? room.reason : `the inventory has no more ${describeFitting(pool)} numbers`}.`,
    actor,
    inputs: { max_size: pool.maxSize, fill_immediately: input.fillImmediately },
  });
}

/**
 * From the inventory, or, by name, draining numbers of the same account back into service.
 * @throws AppError("inventory_short"); AppError("account_limit"); AppError("conflict") over max_size, or as addNamed says;
 *   AppError("illegal_transition"); AppError("not_found"). Then nothing was added
 */
export async function addNumbers(
  deps: PoolDeps,
  input:
    | { poolId: string; count: number; actor: string }
    | { poolId: string; numbers: readonly string[]; actor: string },
): Promise<Pool> {
  return deps.db.transaction(async (tx) => {
    const pool = await lockPool(tx, input.poolId);
    const count = "count" in input ? input.count : input.numbers.length;
    assertRoom(pool, count);
    if ("count" in input) await addAny(tx, pool, { count, reason: "added to the pool", actor: input.actor });
    else await addNamed(tx, pool, { numbers: input.numbers, actor: input.actor });
    return getPool(tx, { id: pool.id, accountId: null });
  });
}

/** @throws AppError("not_found") when the number is not one of the pool's */
export async function removeFromPool(
  deps: PoolDeps,
  input: { poolId: string; e164: string; skipDraining: boolean; reason: string; actor: string },
): Promise<PromoNumber> {
  const { number, check } = await deps.db.transaction(async (tx) => {
    const pool = await lockPool(tx, input.poolId);
    const known = await lockKnown(tx, input.e164, ({ poolId }) => poolId === pool.id);
    if (known === null) throw new AppError("not_found", "The pool has no such number.");
    return removeNumber(tx, known, { ...input, drainS: pool.drainS, retentionS: pool.retentionS });
  });
  deps.schedule.checkLater(check);
  return number;
}

/** New settings hold for later presentations; locks already given keep theirs. A lower max_size drains the least recently presented. */
export async function editPool(
  deps: PoolDeps,
  input: { poolId: string; changes: Partial<PoolSettings>; destination: Destination | null; actor: string },
): Promise<Pool> {
  const { pool, checks } = await deps.db.transaction(async (tx) => {
    const known = await lockPool(tx, input.poolId);
    const settings = { ...known, ...input.changes, destinationId: input.destination?.id ?? known.destinationId };
    if (settings.sessionLifetimeS > settings.retentionS) {
      throw new AppError("invalid_value", "session_lifetime_s must not be above retention_s.", {
        fields: [{ path: "session_lifetime_s", message: "must not be above retention_s" }],
      });
    }
    if ((settings.autoscale?.minSize ?? 0) > settings.maxSize) {
      throw new AppError("invalid_value", "autoscale.min_size must not be above max_size.", {
        fields: [{ path: "autoscale.min_size", message: "must not be above max_size" }],
      });
    }
    await updatePool(tx, known.id, settings);
    if (input.changes.autoscale !== undefined) await applyAutoscale(tx, known, settings);
    const surplus = known.size - settings.maxSize;
    const why = { reason: `max_size lowered to ${settings.maxSize}`, actor: input.actor };
    const drained =
      surplus > 0 ? await drainLeastRecent(tx, { ...known, drainS: settings.drainS }, { count: surplus, ...why }) : [];
    const changed = await getPool(tx, { id: known.id, accountId: null });
    const shared = await changeSharing(tx, changed, input.actor);
    return { pool: await getPool(tx, { id: known.id, accountId: null }), checks: [...drained, ...shared] };
  });
  for (const check of checks) deps.schedule.checkLater(check);
  return pool;
}

/** The overflow number that the pool should have, or should not. */
async function changeSharing(tx: Queryable, pool: Pool, actor: string): Promise<NumberCheck[]> {
  const known = await lockShared(tx, pool);
  if (pool.overflow === "overflow_number") {
    // The job of a former change may be giving it to visitors at this moment.
    await reserveOverflow(tx, { ...pool, overflowNumber: known?.e164 ?? null }, actor);
    return [];
  }
  if (known === null) return [];
  const next = known.now + WRITTEN_AFTER_MS;
  await writeNextCheck(tx, known.id, next);
  return [checkOf(known, next, known.now)];
}

/** Switched on, it counts from now; switched off, it takes up nothing of what it ordered. */
async function applyAutoscale(tx: Queryable, known: Pool, settings: PoolSettings): Promise<void> {
  if (settings.autoscale?.enabled === true) {
    if (known.autoscale?.enabled === true) await makeDue(tx, known.id);
    else await startAfresh(tx, known.id);
    return;
  }
  const reason = "Given up: autoscaling was switched off.";
  await cancelOrders(tx, { poolId: known.id, triggers: ["schedule", "exhausted"], reason });
}

/** Every number drains; records stay, and draining numbers still reach the last destination. */
export async function deletePool(deps: PoolDeps, input: { poolId: string; actor: string }): Promise<void> {
  const checks = await deps.db.transaction(async (tx) => {
    const pool = await lockPool(tx, input.poolId);
    const numbers = await lockNumbersOfPool(tx, pool.id);
    const drained = await drainAll(tx, pool, numbers, { reason: "pool deleted", actor: input.actor });
    await cancelOrders(tx, { poolId: pool.id, triggers: SCALE_TRIGGERS, reason: "Given up: the pool was deleted." });
    await markPoolDeleted(tx, pool.id);
    return drained;
  });
  for (const check of checks) deps.schedule.checkLater(check);
}

export interface Why {
  readonly reason: string;
  readonly actor: string;
}

/** All or none. @throws AppError("account_limit" | "inventory_short") */
export async function addAny(tx: Queryable, pool: Pool, input: Why & { count: number }): Promise<void> {
  assertAccountRoom(await lockAccountNumbers(tx, pool.accountId), input.count);
  const taken = await takeFromInventory(tx, pool, input);
  if (taken < input.count) {
    throw new AppError(
      "inventory_short",
      `The inventory has ${taken} of ${input.count} matching ${describeFitting(pool)} numbers; import or buy more.`,
    );
  }
}

/**
 * The last one becomes the overflow number that the pool lacks, also when there are fewer than wanted: short of numbers it is needed most. Whoever calls
 * holds the account's lock and asked for its room. @returns how many there were
 */
export async function takeFromInventory(tx: Queryable, pool: Pool, input: Why & { count: number }): Promise<number> {
  const numbers = await pickAvailable(tx, { fitting: fittingNumbers(pool), count: input.count });
  const withOverflow = lacksOverflow(pool, numbers.length);
  for (const [index, number] of numbers.entries()) {
    const role = withOverflow && index === numbers.length - 1 ? "overflow" : "pool";
    await assignNumber(tx, number, {
      accountId: pool.accountId,
      poolId: pool.id,
      role,
      reason: input.reason,
      actor: input.actor,
    });
  }
  return numbers.length;
}

export async function drainLeastRecent(
  tx: Queryable,
  pool: Pool,
  input: Why & { count: number },
): Promise<NumberCheck[]> {
  // A pool's only number is a visitor's, as in one that is made so small.
  const isShared = pool.overflowNumber !== null && pool.size - input.count < 2;
  const shared = isShared ? await lockShared(tx, pool) : null;
  const count = input.count - (isShared ? 1 : 0);
  const numbers = await pickLeastRecentlyPresented(tx, { poolId: pool.id, count });
  return drainAll(tx, pool, shared === null ? numbers : [shared, ...numbers], input);
}

/** Null: the pool has no overflow number, or it left the pool, or became a visitor's, since the pool was read. */
async function lockShared(tx: Queryable, pool: Pool): Promise<LockedNumber | null> {
  if (pool.overflowNumber === null) return null;
  return lockKnown(
    tx,
    pool.overflowNumber,
    ({ poolId, state, role }) => poolId === pool.id && state === "assigned" && role === "overflow",
  );
}

/** The shared number first, while the others still tell whether it can have been shown. */
export async function drainAll(
  tx: Queryable,
  pool: Pool,
  numbers: readonly LockedNumber[],
  why: Why,
): Promise<NumberCheck[]> {
  const checks: NumberCheck[] = [];
  for (const number of [...numbers].sort((a, b) => Number(b.role === "overflow") - Number(a.role === "overflow"))) {
    const { check } = await removeNumber(tx, number, {
      ...why,
      drainS: pool.drainS,
      retentionS: pool.retentionS,
      skipDraining: false,
    });
    checks.push(check);
  }
  return checks;
}

export function assertRoom(pool: Pool, count: number): void {
  if (pool.size + count <= pool.maxSize) return;
  throw new AppError(
    "conflict",
    `The pool holds ${pool.size} numbers and may hold ${pool.maxSize}; raise max_size first.`,
  );
}
