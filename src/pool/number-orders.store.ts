/** Orders of numbers in the database: how they are placed and read. What becomes of them: order-runs.store.ts. */
import { sql, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { E164 } from "../telephony/e164.js";
import type { NumberType } from "../telephony/npa.js";
import type { ItemState, OrderState } from "./number-order.js";

export interface NewNumberOrder {
  readonly id: string;
  readonly key: string;
  readonly itemIds: readonly string[];
  readonly carrier: string;
  readonly credentialId: string | null;
  readonly accountId: string | null;
  readonly poolId: string | null;
  readonly numberType: NumberType;
  readonly npas: readonly string[] | null;
  readonly callingCode: string | null;
  readonly reason: string;
  readonly actor: string;
}

export interface OrderItem {
  readonly id: string;
  readonly state: ItemState;
  readonly number: E164 | null;
  readonly carrierRef: string | null;
  readonly attempts: number;
  readonly isUncertain: boolean;
  readonly problem: string | null;
  /** By the database's clock, when it was read. */
  readonly isDue: boolean;
}

export interface OrderedNumbers {
  readonly id: string;
  readonly state: OrderState;
  readonly carrier: string;
  readonly credentialId: string | null;
  readonly accountId: string | null;
  readonly poolId: string | null;
  readonly numberType: NumberType;
  readonly npas: readonly string[] | null;
  readonly callingCode: string | null;
  readonly count: number;
  readonly refusal: string | null;
  readonly reason: string;
  readonly actor: string;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  readonly items: readonly OrderItem[];
}

const COLUMNS = `o.id, o.state, o.carrier, o.credential_id as "credentialId", o.account_id as "accountId", o.pool_id as "poolId",
  o.number_type as "numberType", o.npas, o.calling_code as "callingCode", o.count, o.refusal, o.reason, o.actor, o.created_at as "createdAt", o.updated_at as "updatedAt"`;

const INSERT = sql(
  "order_insert",
  `with added as (
     insert into number_order (id, order_key, carrier, credential_id, account_id, pool_id, number_type, npas, calling_code, count, reason, actor, next_run_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $13, $9, $10, $11, now()) on conflict (order_key) do nothing returning id
   ), items as (
     insert into number_order_item (id, order_id, position)
       select i.id, added.id, i.position from added, unnest($12::text[]) with ordinality as i (id, position)
   )
   select id from added`,
);
const SELECT_ID_OF_KEY = sql("order_select_id_of_key", `select id from number_order where order_key = $1`);
const SELECT_ONE = sql("order_select_one", `select ${COLUMNS} from number_order o where o.id = $1`);
const SELECT_PAGE = sql(
  "order_select_page",
  `select ${COLUMNS} from number_order o where ($1 = '' or o.id < $1) order by o.id desc limit $2`,
);
const SELECT_ITEMS = sql(
  "order_select_items",
  `select order_id as "orderId", id, state, number, carrier_ref as "carrierRef", attempts, uncertain as "isUncertain", problem,
     next_attempt_at <= now() as "isDue"
   from number_order_item where order_id = any ($1) order by order_id, position`,
);
const SELECT_DUE = sql(
  "order_select_due",
  `select id from number_order where next_run_at <= now() and lease_until <= now() order by next_run_at limit $1`,
);
const SELECT_AVAILABLE = sql(
  "order_select_available",
  `select i.number from number_order_item i join promo_number n on n.e164 = i.number
   where i.order_id = $1 and i.state = 'done' and n.state = 'available' order by i.number`,
);
const SELECT_ITEM_ORDERS = sql(
  "order_select_of_items",
  `select i.id, i.order_id as "orderId", i.state, i.number, o.credential_id as "credentialId"
   from number_order_item i join number_order o on o.id = i.order_id where i.id = any ($1)`,
);
/** @returns the order of this key, new or from before */
export async function putOrder(db: Queryable, order: NewNumberOrder): Promise<OrderedNumbers> {
  const [added] = await db.query<{ id: string }>(INSERT, [
    order.id,
    order.key,
    order.carrier,
    order.credentialId,
    order.accountId,
    order.poolId,
    order.numberType,
    order.npas,
    order.itemIds.length,
    order.reason,
    order.actor,
    order.itemIds,
    order.callingCode,
  ]);
  return added === undefined ? ((await findOrder(db, order.key)) as OrderedNumbers) : getOrder(db, order.id);
}

export async function findOrder(db: Queryable, key: string): Promise<OrderedNumbers | null> {
  const [row] = await db.query<{ id: string }>(SELECT_ID_OF_KEY, [key]);
  return row === undefined ? null : getOrder(db, row.id);
}

/** @throws AppError("not_found") */
export async function getOrder(db: Queryable, id: string): Promise<OrderedNumbers> {
  const [row] = await withItems(db, await db.query<Omit<OrderedNumbers, "items">>(SELECT_ONE, [id]));
  if (row === undefined) throw new AppError("not_found", "There is no such order.");
  return row;
}

/** Newest first. */
export async function listOrders(db: Queryable, page: { before: string; limit: number }): Promise<OrderedNumbers[]> {
  return withItems(db, await db.query<Omit<OrderedNumbers, "items">>(SELECT_PAGE, [page.before, page.limit]));
}

/** Orders that wait for nobody: their time has come and no one works on them. */
export async function listDueOrders(db: Queryable, limit: number): Promise<string[]> {
  return (await db.query<{ id: string }>(SELECT_DUE, [limit])).map(({ id }) => id);
}

/** Numbers of the order that are in the available inventory now. */
export async function availableOf(db: Queryable, orderId: string): Promise<E164[]> {
  return (await db.query<{ number: E164 }>(SELECT_AVAILABLE, [orderId])).map(({ number }) => number);
}

export interface ItemOfOrder {
  readonly id: string;
  readonly orderId: string;
  readonly state: ItemState;
  readonly number: E164 | null;
  readonly credentialId: string | null;
}

/** @returns those of the ids that are items of ours */
export async function readItems(db: Queryable, ids: readonly string[]): Promise<ItemOfOrder[]> {
  return db.query<ItemOfOrder>(SELECT_ITEM_ORDERS, [ids]);
}

async function withItems(db: Queryable, orders: readonly Omit<OrderedNumbers, "items">[]): Promise<OrderedNumbers[]> {
  if (orders.length === 0) return [];
  const rows = await db.query<OrderItem & { orderId: string }>(SELECT_ITEMS, [orders.map(({ id }) => id)]);
  const items = new Map<string, OrderItem[]>(orders.map(({ id }) => [id, []]));
  for (const { orderId, ...item } of rows) items.get(orderId)?.push(item);
  return orders.map((order) => ({ ...order, items: items.get(order.id) ?? [] }));
}
