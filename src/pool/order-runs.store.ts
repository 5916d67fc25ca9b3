/**
 * What becomes of orders of numbers, in the database. Whoever works on an order holds its lease; every write names the run that the lease began, so that one
 * who was stopped for longer than the lease writes nothing any more. What is written when, is run-order.ts's.
 */
import { sql, sqlState, timestamp, type Database, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import type { E164 } from "../telephony/e164.js";
import { isOpen, type ItemState, orderStateOf } from "./number-order.js";
import { getOrder } from "./number-orders.store.js";

/** The right to write: from claimOrder, until another one has claimed. */
export interface HeldOrder {
  readonly orderId: string;
  readonly run: number;
  readonly leaseMs: number;
}

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
const SETTLE_UNKNOWN = sql(
  "order_item_settle_unknown",
  `update number_order_item set state = 'done', carrier_ref = $2, problem = null, updated_at = now() where id = $1 and state = 'unknown' returning order_id`,
);

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

/** Inside the caller's transaction: an item of which nobody knew was found in the carrier's list. */
export async function settleUnknownItem(tx: Queryable, input: { itemId: string; carrierRef: string }): Promise<void> {
  const [row] = await tx.query<{ order_id: string }>(SETTLE_UNKNOWN, [input.itemId, input.carrierRef]);
  if (row !== undefined) await settle(tx, row.order_id);
}

async function settle(tx: Queryable, orderId: string): Promise<void> {
  const order = await getOrder(tx, orderId);
  const [next] = await tx.query<{ at: Instant | null; refusal: string | null }>(SELECT_NEXT, [orderId]);
  const states = order.items.map(({ state }) => state);
  const state = states.some(isOpen) && order.state === "ordering" ? "ordering" : orderStateOf(states);
  await tx.query(SETTLE, [orderId, state, timestamp(next?.at ?? null), next?.refusal ?? null]);
}
