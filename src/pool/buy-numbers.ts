/**
 * Buys numbers into the available inventory: writes the order, works on it for a while, and says how far it came. What is left then, or was cut off by a
 * crash, goes on by itself (jobs/inventory-jobs.ts). Implements the port that pool scaling asks.
 */
import type { IdSource } from "../kernel/ids.js";
import type { E164 } from "../telephony/e164.js";
import type { NumberType } from "../telephony/npa.js";
import type { Seller } from "./carrier-inventory/carriers.js";
import type { NumberBuyer, NumberOrder, OrderOutcome } from "./number-buyer.js";
import { isOpen } from "./number-order.js";
import { availableOf, findOrder, type OrderedNumbers, putOrder } from "./number-orders.store.js";
import { type OrderDeps, runOrder } from "./run-order.js";

export interface BuyDeps extends OrderDeps {
  readonly ids: IdSource;
}

/** Of one order; more is asked for by several. Each number costs money every month. */
export const ORDER_COUNT_MAX = 500;
/** Somebody waits for the answer; Twilio sells one or two numbers a second. */
const BUDGET_MS = 10_000;

export interface OrderRequest {
  readonly key: string;
  /** Null: NUMBER_CARRIER. */
  readonly carrier: Seller | null;
  readonly accountId: string | null;
  readonly poolId: string | null;
  readonly numberType: NumberType;
  readonly npas: readonly string[] | null;
  readonly callingCode: string | null;
  readonly count: number;
  readonly reason: string;
  readonly actor: string;
  /** The account's own carrier credential comes before the platform's. */
  readonly isOwnFirst: boolean;
}

/** @returns the order as far as it is; null when no carrier sells to us. @throws AppError("database_unavailable") */
export async function orderNumbers(deps: BuyDeps, request: OrderRequest): Promise<OrderedNumbers | null> {
  const known = await findOrder(deps.db, request.key);
  const order = known ?? (await placeOrder(deps, request));
  return order === null ? null : runOrder(deps, { orderId: order.id, budgetMs: BUDGET_MS });
}

export function createNumberBuyer(deps: BuyDeps): NumberBuyer {
  return { buy: (order) => buy(deps, order) };
}

async function buy(deps: BuyDeps, wanted: NumberOrder): Promise<OrderOutcome> {
  const endMs = deps.clock.monotonicMs() + BUDGET_MS;
  const bought: E164[] = [];
  let [placed, pending, refused]: [number, number, string | null] = [0, 0, null];
  // One order after the other, each under a key of its own; a carrier that refuses is not asked for more.
  for (let part = 1; ; part++) {
    const key = part === 1 ? wanted.key : `${wanted.key} ${part}`;
    const count = Math.min(refused === null ? wanted.count - placed : 0, ORDER_COUNT_MAX);
    const known = await findOrder(deps.db, key);
    if (known === null && count < 1) return { bought, pending, refused };
    // The platform's numbers serve every account, so the platform buys them where it can.
    const request = { ...wanted, key, count, carrier: null, isOwnFirst: false };
    const { id } = known ?? (await placeOrder(deps, request)) ?? {};
    if (id === undefined) return { bought, pending, refused: NO_SELLER };
    const order = await runOrder(deps, { orderId: id, budgetMs: Math.max(0, endMs - deps.clock.monotonicMs()) });
    placed += order.count;
    pending += order.items.filter(({ state }) => isOpen(state)).length;
    refused ??= order.refusal;
    // Another process may go on with the order meanwhile: what it brought since is pending in this answer.
    const done = new Set(order.items.filter(({ state }) => state === "done").map(({ number }) => number));
    bought.push(...(await availableOf(deps.db, order.id)).filter((number) => done.has(number)));
  }
}

export const NO_SELLER =
  "There is no carrier to buy from: PUT /v1/carriers/twilio with account_sid and auth_tokens, or set NUMBER_CARRIER.";

async function placeOrder(deps: BuyDeps, request: OrderRequest): Promise<OrderedNumbers | null> {
  const shop = await deps.carriers.choose(request);
  if (shop === null) return null;
  const { key, accountId, poolId, numberType, npas, callingCode, reason, actor } = request;
  return putOrder(deps.db, {
    id: deps.ids.next("ord"),
    itemIds: Array.from({ length: request.count }, () => deps.ids.next("oit")),
    ...shop,
    ...{ key, accountId, poolId, numberType, npas, callingCode, reason, actor },
  });
}
