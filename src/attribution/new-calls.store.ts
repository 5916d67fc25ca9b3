/** The one insert that gives ingress calls their records, and what a record holds from the start. Reading: calls.store.ts. */
import { sql, timestamp, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import type { CallId } from "../kernel/ids.js";
import type { CallState } from "../telephony/call-state.js";
import { JUDGED_COLUMNS, judgedRow, PROGRESS_COLUMNS, progressRow } from "./call-row.js";
import type { JudgedCall } from "./judging/judged-call.js";
import type { AttributionOutcome } from "./match.js";

export const DISPOSITIONS = ["routed", "intercepted", "unknown_number", "rejected"] as const;
export type Disposition = (typeof DISPOSITIONS)[number];

/** A caller as it is stored: never plain. All null for an anonymous caller. */
export interface SealedCaller {
  readonly enc: Buffer | null;
  readonly hash: Buffer | null;
  readonly last4: string | null;
}

/** A number of somebody's that is only shown, never looked for. */
export interface SealedNumber {
  readonly enc: Buffer;
  readonly last4: string;
}

export interface AttributionFields {
  readonly outcome: AttributionOutcome;
  readonly presentationId: string | null;
  readonly visitorId: string | null;
  readonly presentedAt: Instant | null;
  readonly matchedSeq: number | null;
  readonly touch: Readonly<Record<string, unknown>> | null;
  readonly customData: Readonly<Record<string, unknown>> | null;
  readonly late: boolean;
}

export interface NewCall {
  readonly id: CallId;
  /** Identity of the ingress call: carrier (credential, carrier's id) or SIP (trunk, Call-ID, From tag). */
  readonly ingressKey: string;
  readonly ingress: string;
  readonly ingressCallId: string;
  readonly receivedAt: Instant;
  readonly promoNumber: string;
  readonly accountId: string | null;
  readonly poolId: string | null;
  readonly numberId: number | null;
  readonly ownershipEpoch: number | null;
  readonly caller: SealedCaller;
  /** Sealed; null when nobody named the caller, or the caller withheld the number. */
  readonly callerName: Buffer | null;
  /** Who forwarded the call to us; null when nobody said so. */
  readonly diversion: SealedNumber | null;
  readonly disposition: Disposition;
  readonly destinationNumber: string | null;
  readonly progress: CallState;
  /** Of a call that is over when it is written; null: not judged yet. */
  readonly judged: JudgedCall | null;
  readonly verstat: string | null;
  readonly attribution: AttributionFields;
  readonly node: string | null;
}

/** Columns of a new record by their names, as JSON gives them; `ingress_key` goes to its own table. */
const NEW_COLUMNS = `id text, received_at timestamptz, ingress text, ingress_call_id text, promo_number text, account_id text, pool_id text,
  number_id bigint, ownership_epoch int, caller_enc bytea, caller_hash bytea, caller_last4 text, disposition text, destination_number text,
  verstat text, attribution text, presentation_id text, visitor_id text, presented_at timestamptz, matched_seq bigint, touch jsonb, late boolean,
  node text, diversion_enc bytea, diversion_last4 text, caller_name_enc bytea, ${PROGRESS_COLUMNS}, ${JUDGED_COLUMNS}`;
const WRITTEN = `id, received_at, ingress, ingress_call_id, promo_number, account_id, pool_id, number_id, ownership_epoch, caller_enc, caller_hash,
     caller_last4, disposition, destination_number, verstat, attribution, presentation_id, visitor_id, presented_at, matched_seq, touch, late, node,
     diversion_enc, diversion_last4, caller_name_enc, progress, status, answered_at, ended_at, pdd_ms, ring_ms, talk_ms, hangup_cause, released_by,
     confidence, delay_model_id, custom_data, first_touch, landing_page, referrer, source, medium, campaign, channel, consent, previous_call_id,
     calls_before`;
// Keys in order: two batches that share some must not wait for one another crosswise.
const INSERT = sql(
  "call_insert",
  `with item as materialized (select * from jsonb_to_recordset($1::jsonb) as new (ingress_key text, ${NEW_COLUMNS})),
   key as (
     insert into call_key (ingress_key, call_id, received_at) select ingress_key, id, received_at from item order by ingress_key
     on conflict (ingress_key) do nothing returning call_id
   )
   insert into call (${WRITTEN}, judged_at, updated_at)
   select ${WRITTEN}, case when judged then clock_timestamp() end, clock_timestamp()
   from item join key on key.call_id = item.id
   returning id`,
);
/** @returns the ids of those written; the ingress call of every other one has its record already, and nothing was written for it */
export async function insertCalls(tx: Queryable, calls: readonly NewCall[]): Promise<ReadonlySet<CallId>> {
  const rows = await tx.query<{ id: CallId }>(INSERT, [JSON.stringify(calls.map(newRow))]);
  return new Set(rows.map((row) => row.id));
}

function newRow(call: NewCall): Record<string, unknown> {
  const { attribution: a, caller, progress, judged } = call;
  return {
    ingress_key: call.ingressKey,
    id: call.id,
    received_at: timestamp(call.receivedAt),
    ingress: call.ingress,
    ingress_call_id: call.ingressCallId,
    promo_number: call.promoNumber,
    account_id: call.accountId,
    pool_id: call.poolId,
    number_id: call.numberId,
    ownership_epoch: call.ownershipEpoch,
    caller_enc: bytea(caller.enc),
    caller_hash: bytea(caller.hash),
    caller_last4: caller.last4,
    disposition: call.disposition,
    destination_number: call.destinationNumber,
    verstat: call.verstat,
    attribution: a.outcome,
    presentation_id: a.presentationId,
    visitor_id: a.visitorId,
    presented_at: timestamp(a.presentedAt),
    matched_seq: a.matchedSeq,
    touch: a.touch,
    custom_data: a.customData,
    late: a.late,
    node: call.node,
    diversion_enc: bytea(call.diversion?.enc ?? null),
    diversion_last4: call.diversion?.last4 ?? null,
    caller_name_enc: bytea(call.callerName),
    ...progressRow(progress),
    ...(judged === null ? {} : judgedRow(judged)),
  };
}

/** As PostgreSQL reads bytes from text. */
function bytea(bytes: Buffer | null): string | null {
  return bytes === null ? null : `\\x${bytes.toString("hex")}`;
}
