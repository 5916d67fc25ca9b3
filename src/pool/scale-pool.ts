/** A pool brought to an exact size because somebody asked. Stored as a decision whatever comes of it; nothing is bought unless asked. */
import { AppError } from "../kernel/errors.js";
import { readAccountNumbers, assertAccountRoom, lockAccountNumbers } from "./account-room.store.js";
import type { AccountNumbers } from "./account-room.js";
import { accountInputsOf } from "./autoscale.js";
import type { Queryable } from "../db/database.js";
import type { NumberCheck } from "./number-moves.js";
import { addAny, assertRoom, drainLeastRecent, type PoolDeps, takeFromInventory, type Why } from "./pool-changes.js";
import { lockScaling, makeDue } from "./pool-scaling.store.js";
import { getPool, lockPool, type Pool } from "./pools.store.js";
import {
  insertDecision,
  listOnOrder,
  type NewDecision,
  type ScaleDecision,
  trimOrders,
} from "./scale-decisions.store.js";

export type ScaleDeps = PoolDeps & {
  /** Whether numbers can be bought; the buying itself is the job's (take-up.ts). */
  readonly canBuy: boolean;
  /** Told of every decision after its commit, to count it. */
  readonly onDecision?: (decision: ScaleDecision) => void;
};

export interface Scaling {
  readonly poolId: string;
  /** The overflow number included. */
  readonly size: number;
  /** Order what the inventory lacks instead of refusing. */
  readonly buy: boolean;
  readonly actor: string;
}

/**
 * To exactly `size` numbers; with `buy`, what is ordered comes later and the decision says so. What was ordered before beyond that is given up.
 * @throws AppError("inventory_short" | "account_limit" | "conflict"); then nothing changed, and the decision says why
 */
export async function scalePool(deps: ScaleDeps, input: Scaling): Promise<{ pool: Pool; decision: ScaleDecision }> {
  try {
    const { pool, decision, checks } = await deps.db.transaction((tx) => scale(deps, tx, input));
    for (const check of checks) deps.schedule.checkLater(check);
    deps.onDecision?.(decision);
    return { pool, decision };
  } catch (error) {
    if (error instanceof AppError && REFUSALS.has(error.code)) await storeRefusal(deps, input, error);
    throw error;
  }
}

const REFUSALS: ReadonlySet<string> = new Set(["inventory_short", "account_limit", "conflict"]);

async function scale(
  deps: ScaleDeps,
  tx: Queryable,
  input: Scaling,
): Promise<{ pool: Pool; decision: ScaleDecision; checks: readonly NumberCheck[] }> {
  const known = await lockPool(tx, input.poolId);
  const why = { reason: `scaled to ${input.size}`, actor: input.actor };
  if (input.buy) await lockScaling(tx, known.id);
  const account = await lockAccountNumbers(tx, known.accountId);
  const missing = input.size - known.size;
  const ordered = missing > 0 ? await grow(deps, tx, { pool: known, account, missing, why, buy: input.buy }) : 0;
  const checks = missing < 0 ? await drainLeastRecent(tx, known, { count: -missing, ...why }) : [];
  const pool = await getPool(tx, { id: known.id, accountId: null });
  // What is on its way from before would bring the pool beyond what was asked for now.
  const keep = Math.max(0, input.size - pool.size - ordered);
  await trimOrders(tx, { poolId: pool.id, keep, reason: `Given up: the pool was scaled to ${input.size}.` });
  if (ordered > 0) await makeDue(tx, pool.id);
  const decision = await insertDecision(
    { db: tx, ids: deps.ids },
    {
      ...decisionOf(known, input, account),
      added: Math.max(0, pool.size - known.size),
      removed: Math.max(0, known.size - pool.size),
      ordered,
      onOrder: ordered,
      sizeAfter: pool.size,
      outcome: ordered > 0 ? "on_order" : pool.size === known.size ? "nothing" : "done",
      reason: reasonOf({ size: input.size, missing, ordered, isUnchanged: pool.size === known.size }),
    },
  );
  return { pool, decision, checks };
}

/** @returns how many were ordered */
async function grow(
  deps: ScaleDeps,
  tx: Queryable,
  input: { pool: Pool; account: AccountNumbers; missing: number; why: Why; buy: boolean },
): Promise<number> {
  const { pool, account, missing, why } = input;
  const onOrder = (await listOnOrder(tx, pool.id)).reduce((sum, order) => sum + order.onOrder, 0);
  // What was ordered before and not given up yet is on its way to this pool.
  const wanted = input.buy ? Math.max(0, missing - onOrder) : missing;
  assertRoom(pool, missing);
  if (!input.buy || !deps.canBuy) {
    if (wanted > 0) await addAny(tx, pool, { count: wanted, ...why });
    return 0;
  }
  assertAccountRoom(account, wanted);
  return wanted - (await takeFromInventory(tx, pool, { count: wanted, ...why }));
}

async function storeRefusal(deps: ScaleDeps, input: Scaling, refusal: AppError): Promise<void> {
  const pool = await getPool(deps.db, { id: input.poolId, accountId: null });
  const account = await readAccountNumbers(deps.db, pool.accountId);
  const decision = await insertDecision(deps, {
    ...decisionOf(pool, input, account),
    code: refusal.code,
    reason: refusal.message,
  });
  deps.onDecision?.(decision);
}

function decisionOf(pool: Pool, input: Scaling, account: AccountNumbers): NewDecision {
  return {
    poolId: pool.id,
    accountId: pool.accountId,
    trigger: "asked",
    wanted: input.size - pool.size,
    added: 0,
    removed: 0,
    ordered: 0,
    onOrder: 0,
    sizeBefore: pool.size,
    sizeAfter: pool.size,
    outcome: "nothing",
    code: "asked",
    reason: "",
    actor: input.actor,
    inputs: {
      asked_size: input.size,
      buy: input.buy,
      size: pool.size,
      max_size: pool.maxSize,
      ...accountInputsOf(account),
    },
  };
}

function reasonOf(input: { size: number; missing: number; ordered: number; isUnchanged: boolean }): string {
  const { size, missing, ordered, isUnchanged } = input;
  if (missing === 0) return `The pool holds ${size} numbers already.`;
  if (ordered > 0) return `Asked for ${size} numbers; ${ordered} of them are on order.`;
  return isUnchanged ? `Asked for ${size} numbers; what is missing is on order already.` : `Asked for ${size} numbers.`;
}
