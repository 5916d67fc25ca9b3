/** A call record as rows of the database give it: the call's facts, and over them what its correction says. Read by calls.store.ts. */
import type { Instant } from "../kernel/clock.js";
import type { CallId } from "../kernel/ids.js";
import type { ReleasedBy } from "../telephony/call-event.js";
import type { CallStatus } from "../telephony/call-state.js";
import type { CurrentSignal } from "./corrections/correction.js";
import { type JudgedAttribution, judgedAttributionOf, type JudgedFields } from "./judging/judged-fields.js";
import type { AttributionFields, NewCall } from "./new-calls.store.js";

/** One record row: the call as it was received (`revision` 0), or as a correction left it. */
export interface CallRecord extends Omit<NewCall, "ingressKey" | "attribution" | "node">, JudgedFields {
  readonly id: CallId;
  /** Of the call, whatever the revision. */
  readonly callId: CallId;
  readonly revision: number;
  /** The record row that replaced this one; null: it is the newest. */
  readonly correctedById: string | null;
  /** What made this row; null for the call as it was received. */
  readonly correction: CorrectionOf | null;
  readonly status: CallStatus;
  readonly attribution: AttributionFields & JudgedAttribution & { readonly confidence: number | null };
  readonly conversion: boolean | null;
  /** In the account's currency. */
  readonly revenue: number | null;
  readonly currency: string | null;
  /** As they stood with this revision; by name. */
  readonly signals: readonly CurrentSignal[];
  readonly answeredAt: Instant | null;
  readonly endedAt: Instant | null;
  readonly pddMs: number | null;
  readonly ringMs: number | null;
  readonly talkMs: number | null;
  readonly hangupCause: string | null;
  readonly releasedBy: ReleasedBy | null;
  readonly updatedAt: Instant;
}

export interface CorrectionOf {
  readonly kind: "correction" | "signal";
  readonly correctsId: string;
  readonly at: Instant;
  readonly actor: string;
  readonly reason: string;
}

/** Of `call c`, the correction `k` that is shown (left join), and the account `a`. */
const corrected = (column: string): string => `case when k.attribution_corrected then k.${column} else c.${column} end`;

export const RECORD_COLUMNS = `coalesce(k.id, c.id) as id, c.id as "callId", coalesce(k.revision, 0) as revision,
  (select next.id from call_correction next where c.revision > coalesce(k.revision, 0) and next.call_id = c.id
     and next.revision = coalesce(k.revision, 0) + 1) as "correctedById",
  k.kind as "correctionKind", k.corrects_id as "correctsId", k.at as "correctedAt", k.actor as "correctedBy", k.reason as "correctionReason",
  c.account_id as "accountId", c.pool_id as "poolId", c.number_id as "numberId", c.ownership_epoch as "ownershipEpoch",
  c.received_at as "receivedAt", c.ingress, c.ingress_call_id as "ingressCallId", c.promo_number as "promoNumber", c.caller_enc as "callerEnc",
  c.caller_hash as "callerHash", c.caller_last4 as "callerLast4", c.caller_name_enc as "callerName", c.diversion_enc as "diversionEnc",
  c.diversion_last4 as "diversionLast4", c.disposition, c.status, c.destination_number as "destinationNumber",
  c.progress, c.answered_at as "answeredAt", c.ended_at as "endedAt", c.pdd_ms as "pddMs", c.ring_ms as "ringMs", c.talk_ms as "talkMs",
  c.hangup_cause as "hangupCause", c.released_by as "releasedBy", c.verstat, c.matched_seq as "matchedSeq", c.late, c.updated_at as "updatedAt",
  ${corrected("attribution")} as outcome, ${corrected("presentation_id")} as "presentationId", ${corrected("visitor_id")} as "visitorId",
  ${corrected("presented_at")} as "presentedAt", ${corrected("confidence")} as confidence, ${corrected("touch")} as touch,
  ${corrected("custom_data")} as "customData", ${corrected("first_touch")} as "firstTouch", ${corrected("landing_page")} as "landingPage",
  ${corrected("referrer")} as referrer, ${corrected("channel")} as channel,
  ${corrected("source")} as source, ${corrected("medium")} as medium, ${corrected("campaign")} as campaign, ${corrected("consent")} as consent,
  c.judged_at as "judgedAt", c.delay_model_id as "delayModelId", c.previous_call_id as "previousCallId", c.calls_before as "callsBefore",
  k.conversion, k.revenue::float8 as revenue, a.currency,
  case when k.id is null then '[]'::jsonb else (
    select coalesce(jsonb_agg(s.* order by s.name, s."partnerUniqueId"), '[]'::jsonb) from (
      select distinct on (g.name, g.partner_unique_id) g.id, g.name, g.partner_unique_id as "partnerUniqueId", g.value,
        g.revenue::float8 as revenue, floor(extract(epoch from g.occurred_at) * 1000) as "occurredAt"
      from call_signal g where g.call_id = c.id and g.call_revision <= k.revision
      order by g.name, g.partner_unique_id, g.revision desc) s
  ) end as signals`;

export type RecordRow = Omit<CallRecord, "caller" | "diversion" | "attribution" | "correction"> &
  AttributionFields &
  JudgedAttribution & {
    confidence: number | null;
    correctionKind: CorrectionOf["kind"] | null;
    correctsId: string;
    correctedAt: Instant;
    correctedBy: string;
    correctionReason: string;
    callerEnc: Buffer | null;
    callerHash: Buffer | null;
    callerLast4: string | null;
    diversionEnc: Buffer | null;
    diversionLast4: string | null;
  };

export function recordOf(row: RecordRow): CallRecord {
  const {
    callerEnc,
    callerHash,
    callerLast4,
    diversionEnc,
    diversionLast4,
    outcome,
    presentationId,
    visitorId,
    presentedAt,
    matchedSeq,
    touch,
    customData,
    late,
    confidence,
    correctionKind: kind,
    correctsId,
    correctedAt: at,
    correctedBy: actor,
    correctionReason: reason,
    ...rest
  } = row;
  return {
    ...rest,
    caller: { enc: callerEnc, hash: callerHash, last4: callerLast4 },
    diversion: diversionEnc === null || diversionLast4 === null ? null : { enc: diversionEnc, last4: diversionLast4 },
    attribution: {
      ...{ outcome, presentationId, visitorId, presentedAt, matchedSeq, touch, customData, late },
      confidence,
      ...judgedAttributionOf(row),
    },
    correction: kind === null ? null : { kind, correctsId, at, actor, reason },
  };
}
