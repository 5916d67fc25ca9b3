/** The outbox: what happened and is still to be made into deliveries. Written by triggers (migrations/0018), read by the relay. */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { CallId } from "../../kernel/ids.js";
import type { ToldConversion } from "./deliveries.store.js";
import type { OutgoingEvent } from "./outgoing-events.js";

export interface OutboxRow {
  /** Of one call, in the order of its events. */
  readonly seq: number;
  readonly type: OutgoingEvent;
  readonly at: Instant;
  /** Null: nobody's but the platform's. */
  readonly accountId: string | null;
  readonly callId: CallId | null;
  /** Of what is no call. */
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly failures: number;
}

export interface NewDelivery {
  readonly id: string;
  readonly endpointId: string;
  readonly eventId: string;
  readonly seq: number;
  readonly type: string;
  readonly eventAt: Instant;
  readonly accountId: string | null;
  readonly callId: string | null;
  /** What is sent, sealed, or why nothing is. */
  readonly content:
    | {
        readonly kind: "body";
        readonly body: Buffer;
        readonly namesCaller: boolean;
        readonly conversion: ToldConversion | null;
      }
    | { readonly kind: "skipped"; readonly reason: string };
}

// One that waits holds back the later ones of its call: they must not be relayed before it.
const SELECT_NEXT = sql(
  "outbox_select_next",
  `select o.id as seq, o.type, o.at, o.account_id as "accountId", o.call_id as "callId", o.data, o.failures from outbox o
   where o.not_before <= now()
     and (o.call_id is null or not exists (select from outbox e where e.call_id = o.call_id and e.id < o.id and e.not_before > now()))
   order by o.id limit $1`,
);
// Whoever removes the row makes its deliveries; a second relay that read it as well makes none.
const RELAY = sql(
  "outbox_relay",
  `with gone as (delete from outbox where id = any ($1::bigint[]) returning id)
   insert into outgoing_delivery (id, endpoint_id, event_id, seq, type, event_at, account_id, call_id, body_enc, names_caller, next_attempt_at,
     state, skipped_reason, conversion)
   select d.id, d.endpoint_id, d.event_id, d.seq, d.type, d.event_at, d.account_id, d.call_id, d.body, d.names_caller,
     case when d.skipped_reason is null then now() end, case when d.skipped_reason is null then 'waiting' else 'skipped' end, d.skipped_reason, d.conversion
   from gone join jsonb_to_recordset($2::jsonb) as d (id text, endpoint_id text, event_id text, seq bigint, type text, event_at timestamptz,
     account_id text, call_id text, body bytea, names_caller boolean, skipped_reason text, conversion jsonb) on d.seq = gone.id
   order by d.seq
   returning endpoint_id as "endpointId", state`,
);
const PUT_OFF = sql(
  "outbox_put_off",
  `update outbox set failures = failures + 1, not_before = now() + make_interval(secs => $2) where id = $1`,
);
const SIZE = sql("outbox_size", `select count(*)::int as size, min(at) as "oldestAt" from outbox`);

/** The oldest that are due. */
export async function readOutbox(db: Queryable, limit: number): Promise<OutboxRow[]> {
  return db.query<OutboxRow>(SELECT_NEXT, [limit]);
}

/** In one statement: the rows are gone, their deliveries are there. @returns the endpoints that have something to send */
export async function relayRows(
  db: Queryable,
  input: { seqs: readonly number[]; deliveries: readonly NewDelivery[] },
): Promise<ReadonlySet<string>> {
  const rows = await db.query<{ endpointId: string; state: string }>(RELAY, [
    input.seqs,
    JSON.stringify(input.deliveries.map(newRow)),
  ]);
  return new Set(rows.filter(({ state }) => state === "waiting").map(({ endpointId }) => endpointId));
}

function newRow(delivery: NewDelivery): Record<string, unknown> {
  return {
    id: delivery.id,
    endpoint_id: delivery.endpointId,
    event_id: delivery.eventId,
    seq: delivery.seq,
    type: delivery.type,
    event_at: timestamp(delivery.eventAt),
    account_id: delivery.accountId,
    call_id: delivery.callId,
    ...contentRow(delivery.content),
  };
}

function contentRow(content: NewDelivery["content"]): Record<string, unknown> {
  if (content.kind === "skipped") return { names_caller: false, skipped_reason: content.reason };
  const { body, namesCaller, conversion } = content;
  // As PostgreSQL reads bytes from text.
  return { body: `\\x${body.toString("hex")}`, names_caller: namesCaller, conversion };
}

export async function putOff(db: Queryable, input: { seq: number; forS: number }): Promise<void> {
  await db.query(PUT_OFF, [input.seq, input.forS]);
}

export async function readOutboxSize(db: Queryable): Promise<{ size: number; oldestAt: Instant | null }> {
  const [row] = await db.query<{ size: number; oldestAt: Instant | null }>(SIZE);
  return row ?? { size: 0, oldestAt: null };
}
