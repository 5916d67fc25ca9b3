/** Reading call records. Writing: new-calls.store.ts for the record, call-progress.store.ts for events. */
import { sql, timestamp, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { CallId } from "../kernel/ids.js";
import type { ReleasedBy } from "../telephony/call-event.js";
import type { CallStatus } from "../telephony/call-state.js";
import { JUDGED_COLUMNS, type JudgedAttribution, judgedAttributionOf, type JudgedFields } from "./judged-fields.js";
import type { AttributionOutcome } from "./match.js";
import type { AttributionFields, Disposition, NewCall } from "./new-calls.store.js";

export const ATTRIBUTIONS = [
  "matched",
  "overflow",
  "expired",
  "never_presented",
  "quarantined",
  "unattributable",
] as const;

export interface CallRecord extends Omit<NewCall, "ingressKey" | "attribution" | "node">, JudgedFields {
  readonly status: CallStatus;
  readonly attribution: AttributionFields & { readonly confidence: number | null } & JudgedAttribution;
  readonly answeredAt: Instant | null;
  readonly endedAt: Instant | null;
  readonly pddMs: number | null;
  readonly ringMs: number | null;
  readonly talkMs: number | null;
  readonly hangupCause: string | null;
  readonly releasedBy: ReleasedBy | null;
  readonly updatedAt: Instant;
}

const SELECT_BY_KEY = sql(
  "call_select_by_key",
  `select k.call_id as "callId", k.received_at as "receivedAt" from call_key k where k.ingress_key = $1`,
);
const SELECT_STANDING = sql(
  "call_select_standing",
  `select jsonb_array_length(progress -> 'attempts') as "attemptsBefore", presentation_id as "presentationId" from call where id = $1 and received_at = $2`,
);
const COLUMNS = `c.id, c.account_id as "accountId", c.pool_id as "poolId", c.number_id as "numberId", c.ownership_epoch as "ownershipEpoch",
  c.received_at as "receivedAt", c.ingress, c.ingress_call_id as "ingressCallId", c.promo_number as "promoNumber", c.caller_enc as "callerEnc",
  c.caller_hash as "callerHash", c.caller_last4 as "callerLast4",
  c.caller_name_enc as "callerName", c.diversion_enc as "diversionEnc",
  c.diversion_last4 as "diversionLast4", c.disposition, c.status, c.destination_number as "destinationNumber",
  c.progress, c.answered_at as "answeredAt", c.ended_at as "endedAt", c.pdd_ms as "pddMs", c.ring_ms as "ringMs", c.talk_ms as "talkMs",
  c.hangup_cause as "hangupCause", c.released_by as "releasedBy", c.verstat, c.attribution as outcome,
  c.presentation_id as "presentationId", c.visitor_id as "visitorId", c.presented_at as "presentedAt", c.matched_seq as "matchedSeq",
  c.confidence, c.touch, c.custom_data as "customData", c.late, c.updated_at as "updatedAt",
  ${JUDGED_COLUMNS}`;
const SELECT_ONE = sql(
  "call_select_one",
  `select ${COLUMNS} from call c where c.id = $1 and ($2::text is null or c.account_id = $2)`,
);
const SELECT_PAGE = sql(
  "call_select_page",
  `select ${COLUMNS} from call c
   where ($1::text is null or c.account_id = $1)
     and c.received_at >= coalesce($2, '-infinity'::timestamptz) and c.received_at < coalesce($3, 'infinity'::timestamptz)
     and ($4::text is null or c.promo_number = $4) and ($5::text is null or c.pool_id = $5) and ($6::text is null or c.disposition = $6)
     and ($7::text is null or c.attribution = $7) and ($8::timestamptz is null or c.updated_at >= $8)
     and ($9::timestamptz is null or (c.received_at, c.id) < ($9, $10))
   order by c.received_at desc, c.id desc limit $11`,
);
const SELECT_OPEN = sql(
  "call_select_open",
  `select id, received_at as "receivedAt" from call
   where status in ('ringing', 'in_progress') and (node = $1 or received_at < now() - make_interval(secs => $2)) limit $3`,
);

export interface CallRef {
  readonly callId: CallId;
  readonly receivedAt: Instant;
}

export async function findCallByKey(db: Queryable, ingressKey: string): Promise<CallRef | null> {
  const [row] = await db.query<CallRef>(SELECT_BY_KEY, [ingressKey]);
  return row ?? null;
}

export interface CallStanding {
  readonly attemptsBefore: number;
  readonly presentationId: string | null;
}

/** What a further INVITE of the same call goes on from. */
export async function readStanding(db: Queryable, ref: CallRef): Promise<CallStanding> {
  const [row] = await db.query<CallStanding>(SELECT_STANDING, [ref.callId, timestamp(ref.receivedAt)]);
  return row ?? { attemptsBefore: 0, presentationId: null };
}

/** @param accountId null: any account (admin). @throws AppError("not_found") */
export async function getCall(db: Queryable, input: { id: string; accountId: string | null }): Promise<CallRecord> {
  const [row] = await db.query<Row>(SELECT_ONE, [input.id, input.accountId]);
  if (row === undefined) throw new AppError("not_found", "There is no such call.");
  return recordOf(row);
}

export interface CallPage {
  readonly accountId: string | null;
  readonly from: Instant | null;
  readonly to: Instant | null;
  readonly promoNumber: string | null;
  readonly poolId: string | null;
  readonly disposition: Disposition | null;
  readonly attribution: AttributionOutcome | null;
  readonly updatedSince: Instant | null;
  readonly before: { readonly at: Instant; readonly id: string } | null;
  readonly limit: number;
}

/** Newest first; stable while calls arrive. */
export async function listCalls(db: Queryable, page: CallPage): Promise<CallRecord[]> {
  const rows = await db.query<Row>(SELECT_PAGE, [
    page.accountId,
    timestamp(page.from),
    timestamp(page.to),
    page.promoNumber,
    page.poolId,
    page.disposition,
    page.attribution,
    timestamp(page.updatedSince),
    timestamp(page.before?.at ?? null),
    page.before?.id ?? "",
    page.limit,
  ]);
  return rows.map(recordOf);
}

/** Calls that nobody will end: left open by this node's former life, or older than any call may last. */
export async function listOrphanedCalls(
  db: Queryable,
  input: { formerNode: string | null; olderThanS: number; limit: number },
): Promise<CallRef[]> {
  const rows = await db.query<{ id: CallId; receivedAt: Instant }>(SELECT_OPEN, [
    input.formerNode,
    input.olderThanS,
    input.limit,
  ]);
  return rows.map((row) => ({ callId: row.id, receivedAt: row.receivedAt }));
}

type Row = Omit<CallRecord, "caller" | "diversion" | "attribution"> &
  AttributionFields &
  JudgedAttribution & {
    confidence: number | null;
    callerEnc: Buffer | null;
    callerHash: Buffer | null;
    callerLast4: string | null;
    diversionEnc: Buffer | null;
    diversionLast4: string | null;
  };

function recordOf(row: Row): CallRecord {
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
    confidence,
    touch,
    customData,
    late,
    ...rest
  } = row;
  return {
    ...rest,
    caller: { enc: callerEnc, hash: callerHash, last4: callerLast4 },
    diversion: diversionEnc === null || diversionLast4 === null ? null : { enc: diversionEnc, last4: diversionLast4 },
    attribution: {
      ...{ outcome, presentationId, visitorId, presentedAt, matchedSeq, confidence, touch, customData, late },
      ...judgedAttributionOf(row),
    },
  };
}
