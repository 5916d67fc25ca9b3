/** What was decided about a pool's size, by whom, why, and from which inputs. Final once nothing is on order. */
import { sql, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import type { IdSource } from "../kernel/ids.js";

export const SCALE_TRIGGERS = ["created", "asked", "schedule", "exhausted"] as const;
export type ScaleTrigger = (typeof SCALE_TRIGGERS)[number];
/** on_order: the carrier still owes some of what was ordered. */
export const SCALE_OUTCOMES = ["done", "partial", "nothing", "on_order"] as const;
export type ScaleOutcome = (typeof SCALE_OUTCOMES)[number];

export interface NewDecision {
  readonly poolId: string;
  readonly accountId: string;
  readonly trigger: ScaleTrigger;
  /** Numbers more that were wanted; below 0: fewer. */
  readonly wanted: number;
  readonly added: number;
  readonly removed: number;
  readonly ordered: number;
  /** Of the ordered ones, those not here yet. */
  readonly onOrder: number;
  readonly sizeBefore: number;
  readonly sizeAfter: number;
  readonly outcome: ScaleOutcome;
  readonly code: string;
  readonly reason: string;
  readonly actor: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

export interface ScaleDecision extends NewDecision {
  readonly id: string;
  readonly at: Instant;
}

const COLUMNS = `id, pool_id as "poolId", account_id as "accountId", at, trigger, wanted, added, removed, ordered, on_order as "onOrder",
  size_before as "sizeBefore", size_after as "sizeAfter", outcome, code, reason, actor, inputs`;

const INSERT = sql(
  "scale_decision_insert",
  `insert into scale_decision (id, pool_id, account_id, at, trigger, wanted, added, removed, ordered, on_order, size_before, size_after,
     outcome, code, reason, actor, inputs)
   values ($1, $2, $3, ringmatch_now(), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) returning ${COLUMNS}`,
);
const SELECT_PAGE = sql(
  "scale_decision_select_page",
  `select ${COLUMNS} from scale_decision where pool_id = $1 and ($2 = '' or id < $2) order by id desc limit $3`,
);
const HAS_REPEAT = sql(
  "scale_decision_has_repeat",
  `select 1 from (select trigger, outcome, code, at from scale_decision where pool_id = $1 order by id desc limit 1) d
   where d.trigger = $2 and d.outcome = 'nothing' and d.code = $3 and d.at > ringmatch_now() - make_interval(secs => $4)`,
);
const SELECT_ON_ORDER = sql(
  "scale_decision_select_on_order",
  `select ${COLUMNS} from scale_decision where pool_id = $1 and on_order > 0 order by id`,
);
const LOCK_ON_ORDER = sql(
  "scale_decision_lock_on_order",
  `select ${COLUMNS}, ringmatch_now() as now from scale_decision where id = $1 and on_order > 0 for update`,
);
const UPDATE_ORDER = sql(
  "scale_decision_update_order",
  `update scale_decision set added = added + $2, on_order = $3, size_after = $4, outcome = $5, reason = $6
   where id = $1 returning ${COLUMNS}`,
);
const CANCEL = sql(
  "scale_decision_cancel",
  `update scale_decision set on_order = 0, outcome = case when added > 0 then 'partial' else 'nothing' end, reason = reason || ' ' || $3
   where pool_id = $1 and on_order > 0 and trigger = any ($2)`,
);
// The order placed last is the first to be given up. Whoever takes up an order holds the pool's lock, as whoever calls this does.
const TRIM = sql(
  "scale_decision_trim",
  `update scale_decision d set on_order = o.kept, reason = d.reason || ' ' || $3,
     outcome = case when o.kept > 0 then d.outcome when d.added > 0 then 'partial' else 'nothing' end
   from (
     select b.id, greatest(0, least(b.on_order, $2 - b.before)) as kept
     from (
       select id, on_order, sum(on_order) over (order by id) - on_order as before from scale_decision where pool_id = $1 and on_order > 0
     ) b
   ) o
   where d.id = o.id and o.kept < d.on_order`,
);

export async function insertDecision(
  deps: { db: Queryable; ids: IdSource },
  decision: NewDecision,
): Promise<ScaleDecision> {
  const [row] = await deps.db.query<ScaleDecision>(INSERT, [
    deps.ids.next("scd"),
    decision.poolId,
    decision.accountId,
    decision.trigger,
    decision.wanted,
    decision.added,
    decision.removed,
    decision.ordered,
    decision.onOrder,
    decision.sizeBefore,
    decision.sizeAfter,
    decision.outcome,
    decision.code,
    decision.reason,
    decision.actor,
    JSON.stringify(decision.inputs),
  ]);
  return row as ScaleDecision;
}

/** Newest first; `before` is the last id of the page before, or "". */
export async function listDecisions(
  db: Queryable,
  page: { poolId: string; before: string; limit: number },
): Promise<ScaleDecision[]> {
  return db.query<ScaleDecision>(SELECT_PAGE, [page.poolId, page.before, page.limit]);
}

/** Whether the pool's last decision was to do nothing, for the same reason, a short while ago. */
export async function isRepeatOfLast(
  db: Queryable,
  input: { poolId: string; trigger: ScaleTrigger; code: string; withinS: number },
): Promise<boolean> {
  return (await db.query(HAS_REPEAT, [input.poolId, input.trigger, input.code, input.withinS])).length > 0;
}

export async function listOnOrder(db: Queryable, poolId: string): Promise<ScaleDecision[]> {
  return db.query<ScaleDecision>(SELECT_ON_ORDER, [poolId]);
}

/** @returns null when nothing is on order any more: somebody else took it up, or it was cancelled */
export async function lockOnOrder(
  tx: Queryable,
  id: string,
): Promise<(ScaleDecision & { readonly now: Instant }) | null> {
  const [row] = await tx.query<ScaleDecision & { readonly now: Instant }>(LOCK_ON_ORDER, [id]);
  return row ?? null;
}

export async function updateOrder(
  tx: Queryable,
  id: string,
  change: { added: number; onOrder: number; sizeAfter: number; outcome: ScaleOutcome; reason: string },
): Promise<ScaleDecision> {
  const { added, onOrder, sizeAfter, outcome, reason } = change;
  const [row] = await tx.query<ScaleDecision>(UPDATE_ORDER, [id, added, onOrder, sizeAfter, outcome, reason]);
  return row as ScaleDecision;
}

/** What arrives later stays in the inventory. */
export async function cancelOrders(
  tx: Queryable,
  input: { poolId: string; triggers: readonly ScaleTrigger[]; reason: string },
): Promise<void> {
  await tx.query(CANCEL, [input.poolId, input.triggers, input.reason]);
}

/** No more than `keep` stay on order for the pool. What arrives of the rest stays in the inventory. */
export async function trimOrders(
  tx: Queryable,
  input: { poolId: string; keep: number; reason: string },
): Promise<void> {
  await tx.query(TRIM, [input.poolId, input.keep, input.reason]);
}
