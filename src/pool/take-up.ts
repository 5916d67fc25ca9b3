/**
 * What decisions left on order is bought and taken into the pool. Called by the scaling job after each look. The order's key is the decision's id: a
 * crash anywhere, or a second runner, asks the carrier for the same order again and buys nothing twice.
 */
import type { Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { roomOf } from "./account-room.js";
import { lockAccountNumbers } from "./account-room.store.js";
import { assignNumber } from "./number-moves.js";
import { fits, fittingNumbers } from "./fitting-numbers.js";
import type { NumberBuyer, NumberOrder, OrderOutcome } from "./number-buyer.js";
import { pickNamed } from "./number-picks.store.js";
import { getPool, lockPool, type Pool } from "./pools.store.js";
import { lacksOverflow } from "./ring-pool.js";
import { listOnOrder, lockOnOrder, type ScaleDecision, updateOrder } from "./scale-decisions.store.js";
import type { ScaleDeps } from "./scale-pool.js";

/** Carriers deliver within days; what comes later stays in the inventory, and the account's limits have their place back. */
const ON_ORDER_S_MAX = 7 * 86_400;

const NO_BUYER: OrderOutcome = { bought: [], pending: 0, refused: "no carrier to buy from is configured" };

export type TakeUpDeps = Omit<ScaleDeps, "canBuy"> & { readonly buyer: NumberBuyer | null };

/** @returns the decisions that changed. @throws AppError("database_unavailable"): then the next look goes on with the same orders */
export async function takeUpOrders(deps: TakeUpDeps, poolId: string): Promise<ScaleDecision[]> {
  const changed: ScaleDecision[] = [];
  for (const decision of await listOnOrder(deps.db, poolId)) {
    const outcome = deps.buyer === null ? NO_BUYER : await buy(deps.buyer, deps, decision);
    const now = await deps.db.transaction((tx) => takeUp(tx, { id: decision.id, poolId, outcome }));
    if (now === null) continue;
    changed.push(now);
    deps.onDecision?.(now);
  }
  return changed;
}

async function buy(buyer: NumberBuyer, deps: TakeUpDeps, decision: ScaleDecision): Promise<OrderOutcome> {
  const pool = await getPool(deps.db, { id: decision.poolId, accountId: null });
  return buyer.buy({
    key: decision.id,
    accountId: decision.accountId,
    poolId: decision.poolId,
    numberType: pool.numberType,
    ...numbersToBuy(pool),
    count: decision.onOrder,
    reason: decision.reason,
    actor: decision.actor,
  });
}

/** Of the pool's own type only: toll-free numbers in place of local ones come from the inventory, where they lie idle anyway. */
function numbersToBuy(pool: Pool): Pick<NumberOrder, "npas" | "callingCode"> {
  const own = fittingNumbers(pool).filter(({ type }) => type === pool.numberType);
  const npas = own.flatMap((group) => group.npas ?? []);
  return { npas: npas.length === 0 ? null : npas, callingCode: own[0]?.callingCode ?? null };
}

/** @returns null when somebody else took it up meanwhile */
async function takeUp(
  tx: Queryable,
  input: { id: string; poolId: string; outcome: OrderOutcome },
): Promise<ScaleDecision | null> {
  const { bought, pending, refused } = input.outcome;
  const pool = await lockPool(tx, input.poolId);
  const order = await lockOnOrder(tx, input.id);
  if (order === null) return null;
  const account = await lockAccountNumbers(tx, pool.accountId);
  const room = roomOf(account, order.onOrder);
  const count = Math.min(order.onOrder, Math.max(0, pool.maxSize - pool.size), room.count);
  const added = await takeNamed(tx, pool, { numbers: bought, count, order });
  const waiting = isGivenUp(order) ? 0 : Math.min(pending, order.onOrder - added);
  if (added === 0 && waiting === order.onOrder) return null;
  const total = order.added + added;
  return updateOrder(tx, order.id, {
    added,
    onOrder: waiting,
    sizeAfter: pool.size + added,
    outcome: waiting > 0 ? "on_order" : total === order.wanted ? "done" : total > 0 ? "partial" : "nothing",
    reason: [
      order.reason,
      ...lossOf({ order, added, waiting, pending, bought: bought.length, refused, roomReason: room.reason }),
    ].join(" "),
  });
}

async function takeNamed(
  tx: Queryable,
  pool: Pool,
  input: { numbers: readonly string[]; count: number; order: ScaleDecision },
): Promise<number> {
  const { numbers, count, order } = input;
  if (count === 0 || numbers.length === 0) return 0;
  // What the pool no longer takes stays in the inventory.
  const picked = (await pickNamed(tx, { numbers, count })).filter((number) => fits(pool, number));
  const withOverflow = lacksOverflow(pool, picked.length);
  for (const [index, number] of picked.entries()) {
    const isOverflow = withOverflow && index === picked.length - 1;
    await assignNumber(tx, number, {
      accountId: pool.accountId,
      poolId: pool.id,
      role: isOverflow ? "overflow" : "pool",
      reason: `bought: ${order.reason}`,
      actor: order.actor,
    });
  }
  return picked.length;
}

function isGivenUp(order: ScaleDecision & { readonly now: Instant }): boolean {
  return order.now - order.at > ON_ORDER_S_MAX * 1000;
}

/** Why fewer came than were ordered; nothing of those that may still come. */
function lossOf(input: {
  order: ScaleDecision & { readonly now: Instant };
  added: number;
  waiting: number;
  pending: number;
  bought: number;
  refused: string | null;
  roomReason: string;
}): string[] {
  const { order, added, waiting, pending, bought, refused, roomReason } = input;
  const lost = order.onOrder - added - waiting;
  if (lost === 0) return [];
  if (refused !== null) return [`${lost} could not be bought: ${refused}.`];
  const late = isGivenUp(order) ? Math.min(lost, pending) : 0;
  const left = Math.min(lost - late, bought - added);
  const gone = lost - late - left;
  return [
    ...(late > 0 ? [`${late} were not delivered within ${ON_ORDER_S_MAX / 86_400} days.`] : []),
    ...(left > 0 ? [`${left} stay in the inventory${roomReason === "" ? "" : `: ${roomReason}`}.`] : []),
    ...(gone > 0 ? [`${gone} went elsewhere from the inventory.`] : []),
  ];
}
