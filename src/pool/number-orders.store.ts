/**
 * Orders of numbers in the database. Whoever works on an order holds its lease; every write names the run that the lease began, so that one who was
 * stopped for longer than the lease writes nothing any more. What is written when, is run-order.ts's.
 */
import { sql, sqlState, timestamp, type Database, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { E164 } from "../telephony/e164.js";
import type { NumberType } from "../telephony/npa.js";
import { isOpen, type ItemState, type OrderState, orderStateOf } from "./number-order.js";

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

/** The right to write: from claimOrder, until another one has claimed. */
export interface HeldOrder {
  readonly orderId: string;
  readonly run: number;
  readonly leaseMs: number;
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
const CLAIM = sql(
  "order_claim",
  `update number_order set run = run + 1, lease_until = now() + make_interval(secs => $2), updated_at = now()
   where id = $1 and next_run_at is not null and lease_until <= now() returning run`,
);
const UPDATE_ITEM = sql(
  "order_item_update",
  `with held as (
     update number_order set lease_until = now() + make_interval(secs => $3), updated_at = now(), state = case state when 'requested' then 'ordering' else state end
     where id = $1 and run = $2 returning id
   ), written as (
     update number_order_item i set state = $5, number = $6, carrier_ref = $7, attempts = $8, uncertain = $9, problem = $10,
       next_attempt_at = now() + make_interval(secs => $11), updated_at = now()
     from held where i.order_id = held.id and i.id = $4
       -- A number that we know already is never bought: the carrier would count it twice.
       and (i.number is not distinct from $6 or $6 is null or not exists (select 1 from promo_number n where n.e164 = $6))
     returning i.id
   )
   select (select count(*) from held) as held, (select count(*) from written) as written`,
);
const DEFER_ITEMS = sql(
  "order_items_defer",
  `update number_order_item i set next_attempt_at = greatest(i.next_attempt_at, now() + make_interval(secs => $3))
   from number_order o where o.id = $1 and o.run = $2 and i.order_id = o.id and i.state in ('requested', 'ordering', 'pending')`,
);
const REFUSE_REQUESTED = sql(
  "order_items_refuse_requested",
  `update number_order_item i set state = 'refused', problem = $3, updated_at = now()
   from number_order o where o.id = $1 and o.run = $2 and i.order_id = o.id and i.state = 'requested'`,
);
const LOCK_HELD = sql("order_lock_held", `select id from number_order where id = $1 and run = $2 for update`);
const SELECT_NEXT = sql(
  "order_select_next_attempt",
  `select min(next_attempt_at) filter (where state in ('requested', 'ordering', 'pending')) as at,
     min(problem) filter (where state in ('refused', 'unknown')) as refusal
   from number_order_item where order_id = $1`,
);
const SETTLE = sql(
  "order_settle",
  `update number_order set state = $2, refusal = case when $2 in ('refused', 'unknown') then $4 end,
     next_run_at = case when $2 in ('requested', 'ordering') then greatest($3::timestamptz, now()) end,
     lease_until = '-infinity', updated_at = now()
   where id = $1`,
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
const SETTLE_UNKNOWN = sql(
  "order_item_settle_unknown",
  `update number_order_item set state = 'done', carrier_ref = $2, problem = null, updated_at = now() where id = $1 and state = 'unknown' returning order_id`,
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

/** @returns null while another one works on it, or when it is over */
export async function claimOrder(
  db: Queryable,
  input: { orderId: string; leaseMs: number },
): Promise<HeldOrder | null> {
  const { orderId, leaseMs } = input;
  const [row] = await db.query<{ run: number }>(CLAIM, [orderId, leaseMs / 1000]);
  return row === undefined ? null : { orderId, run: row.run, leaseMs };
}

export interface ItemChange {
  readonly state: ItemState;
  readonly number: E164 | null;
  readonly carrierRef?: string | null;
  readonly attempts: number;
  readonly isUncertain: boolean;
  readonly problem?: string | null;
  readonly waitMs?: number;
}

/** lost: another one has the order now · known: the number is in our books already, or another item's. Then nothing was written. */
export type ItemWrite = "written" | "known" | "lost";

/** Also renews the lease. */
export async function writeItem(
  db: Queryable,
  held: HeldOrder,
  itemId: string,
  change: ItemChange,
): Promise<ItemWrite> {
  const values = [
    held.orderId,
    held.run,
    held.leaseMs / 1000,
    itemId,
    change.state,
    change.number,
    change.carrierRef ?? null,
    change.attempts,
    change.isUncertain,
    change.problem ?? null,
    (change.waitMs ?? 0) / 1000,
  ];
  try {
    const [row] = await db.query<{ held: number; written: number }>(UPDATE_ITEM, values);
    if (row === undefined || row.held === 0) return "lost";
    return row.written === 0 ? "known" : "written";
  } catch (error) {
    // The unique index of numbers: another item has it.
    if (sqlState(error) === "23505") return "known";
    throw error;
  }
}

/** Nothing of the order is tried again before that time is over. */
export async function deferItems(db: Queryable, held: HeldOrder, waitMs: number): Promise<void> {
  await db.query(DEFER_ITEMS, [held.orderId, held.run, waitMs / 1000]);
}

export async function refuseRequested(db: Queryable, held: HeldOrder, problem: string): Promise<void> {
  await db.query(REFUSE_REQUESTED, [held.orderId, held.run, problem]);
}

/** Ends a run: the order's state follows from its items, and the lease is given back. */
export async function settleOrder(db: Database, held: HeldOrder): Promise<void> {
  await db.transaction(async (tx) => {
    if ((await tx.query(LOCK_HELD, [held.orderId, held.run])).length > 0) await settle(tx, held.orderId);
  });
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

/** Inside the caller's transaction: an item of which nobody knew was found in the carrier's list. */
export async function settleUnknownItem(tx: Queryable, input: { itemId: string; carrierRef: string }): Promise<void> {
  const [row] = await tx.query<{ order_id: string }>(SETTLE_UNKNOWN, [input.itemId, input.carrierRef]);
  if (row !== undefined) await settle(tx, row.order_id);
}

async function settle(tx: Queryable, orderId: string): Promise<void> {
  const [order] = await withItems(tx, await tx.query<Omit<OrderedNumbers, "items">>(SELECT_ONE, [orderId]));
  const [next] = await tx.query<{ at: Instant | null; refusal: string | null }>(SELECT_NEXT, [orderId]);
  const states = (order?.items ?? []).map(({ state }) => state);
  const state = states.some(isOpen) && order?.state === "ordering" ? "ordering" : orderStateOf(states);
  await tx.query(SETTLE, [orderId, state, timestamp(next?.at ?? null), next?.refusal ?? null]);
}

async function withItems(db: Queryable, orders: readonly Omit<OrderedNumbers, "items">[]): Promise<OrderedNumbers[]> {
  if (orders.length === 0) return [];
  const rows = await db.query<OrderItem & { orderId: string }>(SELECT_ITEMS, [orders.map(({ id }) => id)]);
  const items = new Map<string, OrderItem[]>(orders.map(({ id }) => [id, []]));
  for (const { orderId, ...item } of rows) items.get(orderId)?.push(item);
  return orders.map((order) => ({ ...order, items: items.get(order.id) ?? [] }));
}
