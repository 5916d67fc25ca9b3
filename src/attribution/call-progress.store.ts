/** The part of call records that events change: read under lock, folded by the call log, written back; many calls in one statement each. */
import { sql, timestamp, type Queryable } from "../db/database.js";
import { byKeys } from "../db/planner.js";
import type { Instant } from "../kernel/clock.js";
import type { CallId } from "../kernel/ids.js";
import type { CallState } from "../telephony/call-state.js";
import { JUDGED_COLUMNS, judgedRow, PROGRESS_COLUMNS, progressRow } from "./call-row.js";
import type { CallRef } from "./calls.store.js";
import type { OverCall } from "./judging/judge-calls.js";
import type { JudgedCall } from "./judging/judged-call.js";

const LOCK_PROGRESS = sql(
  "call_lock_progress",
  `select c.id, c.progress, c.attribution, c.presentation_id as "presentationId", c.account_id as "accountId", c.pool_id as "poolId",
     c.number_id as "numberId", c.ownership_epoch as "ownershipEpoch", c.matched_seq as "matchedSeq", c.visitor_id as "visitorId",
     c.presented_at as "presentedAt", c.touch, c.custom_data as "customData", c.caller_hash as "callerHash", c.late, c.judged_at as "judgedAt"
   from unnest($1::text[], $2::timestamptz[]) as asked (id, received_at)
     join call c on c.id = asked.id and c.received_at = asked.received_at
   order by c.id for update of c`,
);
const UPDATE_PROGRESS = sql(
  "call_update_progress",
  `update call c set progress = new.progress, status = new.status, answered_at = new.answered_at, ended_at = new.ended_at, pdd_ms = new.pdd_ms,
     ring_ms = new.ring_ms, talk_ms = new.talk_ms, hangup_cause = new.hangup_cause, released_by = new.released_by, updated_at = clock_timestamp(),
     judged_at = case when new.judged then clock_timestamp() else c.judged_at end,
     confidence = case when new.judged then new.confidence else c.confidence end,
     delay_model_id = case when new.judged then new.delay_model_id else c.delay_model_id end,
     custom_data = case when new.judged then new.custom_data else c.custom_data end,
     first_touch = case when new.judged then new.first_touch else c.first_touch end,
     landing_page = case when new.judged then new.landing_page else c.landing_page end,
     referrer = case when new.judged then new.referrer else c.referrer end,
     source = case when new.judged then new.source else c.source end,
     medium = case when new.judged then new.medium else c.medium end,
     campaign = case when new.judged then new.campaign else c.campaign end,
     channel = case when new.judged then new.channel else c.channel end,
     consent = case when new.judged then new.consent else c.consent end,
     previous_call_id = case when new.judged then new.previous_call_id else c.previous_call_id end,
     calls_before = case when new.judged then new.calls_before else c.calls_before end
   from jsonb_to_recordset($1::jsonb) as new (id text, received_at timestamptz, ${PROGRESS_COLUMNS}, ${JUDGED_COLUMNS})
   where c.id = new.id and c.received_at = new.received_at`,
);
export interface LockedProgress extends Omit<OverCall, "ref"> {
  readonly progress: CallState;
  /** Null: not yet. */
  readonly judgedAt: Instant | null;
}

/** By call id, locked until the transaction ends; without those that have no record (yet: its start may still be in the spool). */
export async function lockProgress(tx: Queryable, refs: readonly CallRef[]): Promise<Map<CallId, LockedProgress>> {
  await byKeys(tx);
  const rows = await tx.query<LockedProgress & { id: CallId }>(LOCK_PROGRESS, [
    refs.map((ref) => ref.callId),
    refs.map((ref) => timestamp(ref.receivedAt)),
  ]);
  return new Map(rows.map((row) => [row.id, row]));
}

export interface Progress {
  readonly ref: CallRef;
  readonly progress: CallState;
  /** Null: the record keeps what it has. */
  readonly judged: JudgedCall | null;
}

export async function writeProgress(tx: Queryable, calls: readonly Progress[]): Promise<void> {
  await tx.query(UPDATE_PROGRESS, [JSON.stringify(calls.map(rowOf))]);
}

function rowOf({ ref, progress, judged }: Progress): Record<string, unknown> {
  const row = { id: ref.callId, received_at: timestamp(ref.receivedAt), ...progressRow(progress) };
  return judged === null ? row : { ...row, ...judgedRow(judged) };
}
