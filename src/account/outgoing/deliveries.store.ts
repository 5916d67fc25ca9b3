/**
 * Deliveries: one event for one endpoint, from the relay to the last attempt. PostgreSQL holds what is due; whoever sends one has it on lease, so that a
 * process that dies in the middle delays it only.
 */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import { AppError } from "../../kernel/errors.js";
import type { OutgoingEvent } from "./outgoing-events.js";

/** waiting: to be sent, or to be tried again. canceled: it may not be sent any more. skipped: a conversion that its network would not take. */
export const DELIVERY_STATES = ["waiting", "delivered", "failed", "canceled", "skipped"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export interface Attempt {
  /** ISO 8601. */
  readonly at: string;
  /** Null: no answer came. */
  readonly status: number | null;
  /** What kept an answer from coming, as a word; null when one came. */
  readonly error: string | null;
  readonly ms: number;
  /** The beginning of what the receiver said, long numbers masked. */
  readonly response: string | null;
  /** By which the network tells later what became of it; null: it gave none. Absent in attempts that are older than this field. */
  readonly requestId?: string | null;
}

export interface Delivery {
  readonly id: string;
  readonly endpointId: string;
  readonly eventId: string;
  readonly type: OutgoingEvent;
  readonly eventAt: Instant;
  readonly callId: string | null;
  readonly state: DeliveryState;
  /** A word of conversion-change.ts or the network's own limits; null unless skipped. */
  readonly skippedReason: string | null;
  readonly attempts: readonly Attempt[];
  readonly nextAttemptAt: Instant | null;
  readonly deliveredAt: Instant | null;
  readonly createdAt: Instant;
}

/** What a network was told of a call, as far as it matters for telling it again. */
export interface ToldConversion {
  /** Keyed hash of whom it was told of: another click or browser is another `who`. null: erased; that it was told stays, lest it is told twice. */
  readonly who: string | null;
  readonly value: number | null;
  readonly currency: string | null;
}

/** One that is to be sent now, by whoever holds the lease. */
export interface Leased {
  readonly id: string;
  readonly eventId: string;
  readonly lease: string;
  readonly tries: number;
  /** Null: an erasure emptied it. */
  readonly bodyEnc: Buffer | null;
  readonly namesCaller: boolean;
  /** The same call's conversion was told anew since, or is none any more: this one would take it back to what it was. */
  readonly isSuperseded: boolean;
}

/** An attempt takes 5 s at most, 10 with a token to be got first; then the database has time to be written to. */
const LEASE_S = 30;
/** Kept of a delivery's attempts; replays may make more than the schedule does. */
const ATTEMPTS_KEPT = 30;
/** As long as somebody may still ask what was sent. */
const KEPT_DAYS = 30;
/** Removed by one statement: short enough for the database's other work. */
const PURGED_AT_ONCE = 5_000;
/** Of one call, the next event waits until the one before is delivered or has failed so often: at once, after 5 s and after 5 min. */
export const HELD_TRIES = 3;

const COLUMNS = `d.id, d.endpoint_id as "endpointId", d.event_id as "eventId", d.type, d.event_at as "eventAt", d.call_id as "callId", d.state, d.skipped_reason as "skippedReason", d.attempts,
  d.next_attempt_at as "nextAttemptAt", d.delivered_at as "deliveredAt", d.created_at as "createdAt"`;
const IS_FREE = `w.state = 'waiting' and w.next_attempt_at <= now() and (w.lease_until is null or w.lease_until <= now())`;

// Learned since: it is no conversion, or not of whom it was told of. What still waits then is not sent.
const IS_WITHDRAWAL = `n.skipped_reason in ('cannot_be_taken_back', 'consent_denied', 'no_client_id', 'no_click_id')`;

// $4: only what waits for its first retry.
const CLAIM = sql(
  "outgoing_delivery_claim",
  `update outgoing_delivery d set lease = $3, lease_until = now() + make_interval(secs => $5)
   from (
     select w.id from outgoing_delivery w
     where w.endpoint_id = $1 and ${IS_FREE} and (not $4::boolean or w.tries = 1)
       and (w.call_id is null or w.is_replay or not exists (
         select from outgoing_delivery e where e.endpoint_id = w.endpoint_id and e.call_id = w.call_id and e.state = 'waiting'
           and not e.is_replay and e.seq < w.seq and e.tries < $6))
     order by w.next_attempt_at, w.seq
     limit greatest(0, $2 - (select count(*) from outgoing_delivery b where b.endpoint_id = $1 and b.lease_until > now()))
   ) due where d.id = due.id
   returning d.id, d.event_id as "eventId", d.lease, d.tries, d.body_enc as "bodyEnc", d.names_caller as "namesCaller", d.seq,
     d.conversion is not null and exists (
       select from outgoing_delivery n where n.call_id = d.call_id and n.endpoint_id = d.endpoint_id and n.seq > d.seq
         and (n.conversion is not null and (n.state = 'waiting' or n.delivered_at is not null) or ${IS_WITHDRAWAL})) as "isSuperseded"`,
);
const SETTLE = sql(
  "outgoing_delivery_settle",
  `update outgoing_delivery d set state = $3, next_attempt_at = $4, lease = null, lease_until = null, tries = d.tries + 1,
     delivered_at = case when $3 = 'delivered' then now() else d.delivered_at end,
     attempts = (select coalesce(jsonb_agg(a order by place), '[]') from (
       select a, place from jsonb_array_elements(d.attempts || $5::jsonb) with ordinality as every (a, place) order by place desc limit $6) kept)
   where d.id = $1 and d.lease = $2 returning d.id`,
);
const CANCEL = sql(
  "outgoing_delivery_cancel",
  `update outgoing_delivery set state = 'canceled', next_attempt_at = null, lease = null, lease_until = null where id = $1 and lease = $2`,
);
const SKIP = sql(
  "outgoing_delivery_skip",
  `update outgoing_delivery set state = 'skipped', skipped_reason = $3, next_attempt_at = null, lease = null, lease_until = null
   where id = $1 and lease = $2`,
);
// What waits counts: it is told sooner or later, unless it was withdrawn. What failed for good was not told.
const SELECT_TOLD = sql(
  "outgoing_delivery_select_told",
  `select d.conversion from outgoing_delivery d where d.call_id = $2 and d.endpoint_id = $1 and d.conversion is not null
     and (d.delivered_at is not null or d.state = 'waiting' and not exists (
       select from outgoing_delivery n where n.call_id = d.call_id and n.endpoint_id = d.endpoint_id and n.seq > d.seq and ${IS_WITHDRAWAL}))
   order by d.seq desc limit 1`,
);
const CANCEL_NAMING = sql(
  "outgoing_delivery_cancel_naming",
  `update outgoing_delivery set state = 'canceled', next_attempt_at = null, lease = null, lease_until = null
   where endpoint_id = $1 and state = 'waiting' and names_caller`,
);
const NEXT_AT = sql(
  "outgoing_delivery_next_at",
  `select min(w.next_attempt_at) as at, now() as now from outgoing_delivery w where w.endpoint_id = $1 and w.state = 'waiting' and w.next_attempt_at > now()`,
);
// Paused endpoints are looked at when their pause is over.
const SELECT_DUE = sql(
  "outgoing_delivery_select_due",
  `select e.id from webhook_endpoint e where e.enabled and (e.paused_until is null or e.paused_until <= now())
     and exists (select from outgoing_delivery w where w.endpoint_id = e.id and ${IS_FREE}) limit $1`,
);
const SELECT_PAGE = sql(
  "outgoing_delivery_select_page",
  `select ${COLUMNS} from outgoing_delivery d where d.endpoint_id = $1 and ($3::text is null or d.state = $3)
     and ($2 = '' or d.seq < (select b.seq from outgoing_delivery b where b.endpoint_id = $1 and b.id = $2))
   order by d.seq desc limit $4`,
);
const SELECT_ONE = sql(
  "outgoing_delivery_select_one",
  `select ${COLUMNS}, d.names_caller as "namesCaller", d.body_enc is not null as "hasBody" from outgoing_delivery d
   where d.endpoint_id = $1 and d.id = $2`,
);
// One that is being sent right now is sent once more, unless ($2) that would count twice.
const REPLAY = sql(
  "outgoing_delivery_replay",
  `update outgoing_delivery d set state = 'waiting', skipped_reason = null, next_attempt_at = now(), tries = 0, is_replay = true, lease = null, lease_until = null
   where d.id = $1 and d.body_enc is not null and (not $2::boolean or d.delivered_at is null and coalesce(d.lease_until <= now(), true))
   returning ${COLUMNS}`,
);
const EMPTY = sql(
  "outgoing_delivery_empty",
  `update outgoing_delivery set body_enc = null, conversion = case when delivered_at is not null then jsonb_set(conversion, '{who}', 'null') end, attempts = (select coalesce(jsonb_agg(a - 'response' || '{"response": null}'), '[]') from jsonb_array_elements(attempts) a),
     state = case when state = 'waiting' then 'canceled' else state end, next_attempt_at = null, lease = null, lease_until = null
   where call_id = any ($1) and event_at <= $2 and body_enc is not null returning 1 as done`,
);
const PURGE = sql(
  "outgoing_delivery_purge",
  `delete from outgoing_delivery where id in (
     select d.id from outgoing_delivery d where d.created_at < now() - make_interval(days => $1)
     union all
     (select d.id from webhook_endpoint e join outgoing_delivery d on d.endpoint_id = e.id where e.deleted_at is not null limit $2)
     limit $2) returning 1`,
);
const PURGE_ENDPOINTS = sql(
  "outgoing_delivery_purge_endpoints",
  `delete from webhook_endpoint e where e.deleted_at is not null and not exists (select from outgoing_delivery d where d.endpoint_id = e.id)`,
);
const OLDEST = sql(
  "outgoing_delivery_oldest",
  `select count(*)::int as waiting, min(d.event_at) as "oldestAt" from webhook_endpoint e join outgoing_delivery d on d.endpoint_id = e.id
   where e.enabled and d.state = 'waiting'`,
);

/** In the order they are to be sent; for whoever holds the endpoint's lock. @param input.room how many may be on their way at once, those that are included */
export async function claimDue(
  tx: Queryable,
  input: { endpointId: string; room: number; lease: string; onlyFirstRetries: boolean },
): Promise<Leased[]> {
  const { endpointId, room, lease, onlyFirstRetries } = input;
  const values = [endpointId, room, lease, onlyFirstRetries, LEASE_S, HELD_TRIES];
  const rows = await tx.query<Leased & { seq: number }>(CLAIM, values);
  return rows.sort((a, b) => a.seq - b.seq);
}

/** @returns false when the lease was over and somebody else has it: then nothing is written */
export async function settleDelivery(
  tx: Queryable,
  leased: Pick<Leased, "id" | "lease">,
  came: { state: "delivered" | "failed" | "waiting"; nextAttemptAt: Instant | null; attempt: Attempt },
): Promise<boolean> {
  const { state, nextAttemptAt, attempt } = came;
  const attempts = JSON.stringify([attempt]);
  const values = [leased.id, leased.lease, state, timestamp(nextAttemptAt), attempts, ATTEMPTS_KEPT];
  return (await tx.query(SETTLE, values)).length > 0;
}

/** It may not be sent any more: it was erased, or names a caller to somebody who is not shown callers now. */
export async function cancelDelivery(tx: Queryable, leased: Pick<Leased, "id" | "lease">): Promise<void> {
  await tx.query(CANCEL, [leased.id, leased.lease]);
}

/** Its network would not take it, or not any more. @param reason a word, shown in the list of deliveries */
export async function skipDelivery(tx: Queryable, leased: Pick<Leased, "id" | "lease">, reason: string): Promise<void> {
  await tx.query(SKIP, [leased.id, leased.lease, reason]);
}

/** @returns what the endpoint was, or is about to be, told of the call; null: nothing */
export async function findToldConversion(
  db: Queryable,
  { endpointId, callId }: { endpointId: string; callId: string },
): Promise<ToldConversion | null> {
  const [row] = await db.query<{ conversion: ToldConversion }>(SELECT_TOLD, [endpointId, callId]);
  return row?.conversion ?? null;
}

/** Callers are not shown to this endpoint any more. */
export async function cancelNamingCallers(db: Queryable, endpointId: string): Promise<void> {
  await db.query(CANCEL_NAMING, [endpointId]);
}

/** @returns ms from now, by the database's clock, until something else of the endpoint is due; null: nothing waits */
export async function msToNext(db: Queryable, endpointId: string): Promise<number | null> {
  const [row] = await db.query<{ at: Instant | null; now: Instant }>(NEXT_AT, [endpointId]);
  return row === undefined || row.at === null ? null : Math.max(0, row.at - row.now);
}

/** Endpoints with something to send that nobody sends. */
export async function listDueEndpoints(db: Queryable, limit: number): Promise<string[]> {
  return (await db.query<{ id: string }>(SELECT_DUE, [limit])).map(({ id }) => id);
}

/** The newest event first; `before` is the last id of the page before, or "". */
export async function listDeliveries(
  db: Queryable,
  page: { endpointId: string; before: string; state: DeliveryState | null; limit: number },
): Promise<Delivery[]> {
  return db.query<Delivery>(SELECT_PAGE, [page.endpointId, page.before, page.state, page.limit]);
}

/** @throws AppError("not_found") */
export async function getDelivery(
  db: Queryable,
  { endpointId, id }: { endpointId: string; id: string },
): Promise<Delivery> {
  const [delivery] = await db.query<Delivery>(SELECT_ONE, [endpointId, id]);
  if (delivery === undefined) throw new AppError("not_found", "There is no such delivery.");
  return delivery;
}

/**
 * Sends it again from the first attempt on, the same bytes under the same event id.
 * @throws AppError("not_found"), AppError("conflict") when its body is gone or may not be sent there any more
 */
export async function replayDelivery(
  db: Queryable,
  endpoint: { readonly id: string; readonly kind: string; readonly includeCaller: boolean },
  id: string,
): Promise<Delivery> {
  const [known] = await db.query<Delivery & { namesCaller: boolean; hasBody: boolean }>(SELECT_ONE, [endpoint.id, id]);
  if (known === undefined) throw new AppError("not_found", "There is no such delivery.");
  if (known.namesCaller && !endpoint.includeCaller) {
    throw new AppError("conflict", "It names the caller, whom this endpoint is not shown any more.");
  }
  // It knows no event twice: nothing in the protocol says that two of them are one.
  const isCountedTwice = endpoint.kind === "ga4";
  const [delivery] = await db.query<Delivery>(REPLAY, [id, isCountedTwice]);
  if (delivery !== undefined) return delivery;
  throw new AppError("conflict", whyNoReplay(known, isCountedTwice));
}

function whyNoReplay({ hasBody, state }: { hasBody: boolean; state: DeliveryState }, isCountedTwice: boolean): string {
  if (hasBody && isCountedTwice) return "Google Analytics would count the conversion a second time.";
  return state === "skipped" ? "It was skipped before anything was made to be sent." : "What was sent has been erased.";
}

/** For erasure: what was sent of these calls until then, and what receivers answered, is gone; what waits is never sent. @returns how many */
export async function emptyDeliveries(tx: Queryable, callIds: readonly string[], until: Instant): Promise<number> {
  return (await tx.query(EMPTY, [callIds, timestamp(until)])).length;
}

/** Old deliveries, and those of deleted endpoints, a portion. @returns how many; there may be more */
export async function purgeDeliveries(db: Queryable): Promise<number> {
  const rows = await db.query(PURGE, [KEPT_DAYS, PURGED_AT_ONCE]);
  if (rows.length < PURGED_AT_ONCE) await db.query(PURGE_ENDPOINTS);
  return rows.length;
}

export async function readBacklog(db: Queryable): Promise<{ waiting: number; oldestAt: Instant | null }> {
  const [row] = await db.query<{ waiting: number; oldestAt: Instant | null }>(OLDEST);
  return row ?? { waiting: 0, oldestAt: null };
}
