/** Record rows that later knowledge adds: the call locked, its newest row read, one put after it. The rows themselves never change. */
import { sql, sqlState, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { CallId } from "../../kernel/ids.js";
import type { CorrectionOf } from "../call-record.js";
import type { CountedOutcome, Outcome } from "./correction.js";
import type { JudgedAttribution } from "../judging/judged-fields.js";
import type { AttributionOutcome } from "../match.js";

/** Whom the call belongs to, as a correction says it. */
export interface CorrectedAttribution extends Omit<JudgedAttribution, "delayModelId"> {
  readonly confidence: number | null;
  readonly outcome: AttributionOutcome;
  readonly presentationId: string | null;
  readonly visitorId: string | null;
  readonly presentedAt: Instant | null;
  readonly touch: Readonly<Record<string, unknown>> | null;
  readonly customData: Readonly<Record<string, unknown>> | null;
}

/** A call's newest record row, with what the next one goes on from. */
export interface NewestRow extends Outcome {
  readonly callId: CallId;
  readonly receivedAt: Instant;
  readonly accountId: string | null;
  readonly numberId: number | null;
  readonly isOver: boolean;
  readonly revision: number;
  /** Of the row. */
  readonly id: string;
  /** null: no correction has changed it. */
  readonly corrected: CorrectedAttribution | null;
  /** As it counts now. */
  readonly attribution: CorrectedAttribution;
}

export interface NewCorrection extends CountedOutcome {
  readonly id: CallId;
  readonly kind: CorrectionOf["kind"];
  readonly actor: string;
  readonly reason: string;
  readonly corrected: CorrectedAttribution | null;
}

const LOCK_CALL = sql(
  "correction_lock_call",
  `select c.id as "callId", c.received_at as "receivedAt"
   from call c where c.id = coalesce((select k.call_id from call_correction k where k.id = $1), $1)
     and ($2::text is null or c.account_id = $2)
   for no key update of c`,
);
const ATTRIBUTION = (row: "c" | "k"): string =>
  `jsonb_build_object('outcome', ${row}.attribution, 'presentationId', ${row}.presentation_id, 'visitorId', ${row}.visitor_id,
     'presentedAt', floor(extract(epoch from ${row}.presented_at) * 1000), 'confidence', ${row}.confidence, 'touch', ${row}.touch,
     'customData', ${row}.custom_data, 'firstTouch', ${row}.first_touch, 'landingPage', ${row}.landing_page, 'referrer', ${row}.referrer,
     'channel', ${row}.channel, 'source', ${row}.source, 'medium', ${row}.medium, 'campaign', ${row}.campaign, 'consent', ${row}.consent)`;
// After the lock, so that it sees what whoever held it has written.
const SELECT_NEWEST = sql(
  "correction_select_newest",
  `select c.id as "callId", c.received_at as "receivedAt", c.account_id as "accountId", c.number_id as "numberId",
     c.ended_at is not null or c.status not in ('ringing', 'in_progress') as "isOver", c.revision, coalesce(k.id, c.id) as id,
     k.given_conversion as "givenConversion", k.given_revenue::float8 as "givenRevenue",
     case when k.attribution_corrected then ${ATTRIBUTION("k")} end as corrected,
     case when k.attribution_corrected then ${ATTRIBUTION("k")} else ${ATTRIBUTION("c")} end as attribution
   from call c left join call_correction k on k.call_id = c.id and k.revision = c.revision
   where c.id = $1 and c.received_at = $2`,
);
const INSERT = sql(
  "correction_insert",
  `insert into call_correction (id, call_id, received_at, account_id, revision, corrects_id, kind, at, actor, reason, attribution_corrected,
     attribution, presentation_id, visitor_id, presented_at, confidence, touch, custom_data, first_touch, landing_page, referrer, channel,
     source, medium, campaign, consent, given_conversion, given_revenue, conversion, revenue)
   values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), $8, $9, $10::text is not null,
     $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)`,
);
const RAISE_REVISION = sql(
  "correction_raise_revision",
  `update call set revision = $3, updated_at = clock_timestamp() where id = $1 and received_at = $2`,
);

/** @param id of any row of the record; null account: any. @returns null when there is no such call. Locked until the transaction ends. */
export async function lockNewestRow(
  tx: Queryable,
  { id, accountId }: { id: string; accountId: string | null },
): Promise<NewestRow | null> {
  const [call] = await tx.query<{ callId: string; receivedAt: Instant }>(LOCK_CALL, [id, accountId]);
  if (call === undefined) return null;
  const [row] = await tx.query<NewestRow>(SELECT_NEWEST, [call.callId, timestamp(call.receivedAt)]);
  return row ?? null;
}

/** Puts a row after the newest one, which the transaction holds locked. */
export async function addCorrection(tx: Queryable, newest: NewestRow, added: NewCorrection): Promise<void> {
  const { callId, receivedAt } = newest;
  const { corrected } = added;
  const revision = newest.revision + 1;
  await tx.query(INSERT, [
    ...[
      added.id,
      callId,
      timestamp(receivedAt),
      newest.accountId,
      revision,
      newest.id,
      added.kind,
      added.actor,
      added.reason,
    ],
    ...[corrected?.outcome ?? null, corrected?.presentationId ?? null, corrected?.visitorId ?? null],
    ...[timestamp(corrected?.presentedAt ?? null), corrected?.confidence ?? null],
    ...[corrected?.touch ?? null, corrected?.customData ?? null, corrected?.firstTouch ?? null],
    ...[corrected?.landingPage ?? null, corrected?.referrer ?? null, corrected?.channel ?? null],
    ...[corrected?.source ?? null, corrected?.medium ?? null, corrected?.campaign ?? null, corrected?.consent ?? null],
    ...[added.givenConversion, added.givenRevenue, added.conversion, added.revenue],
  ]);
  await tx.query(RAISE_REVISION, [callId, timestamp(receivedAt), revision]);
}

export interface LoggedView {
  readonly seq: number;
  readonly numberId: number;
  readonly presentationId: string;
  readonly visitorId: string;
  readonly presentedAt: Instant;
  readonly touch: Readonly<Record<string, unknown>>;
  readonly customData: Readonly<Record<string, unknown>>;
}

const VIEW_COLUMNS = `p.seq, p.number_id as "numberId", p.presentation_id as "presentationId", p.visitor_id as "visitorId", p.presented_at as "presentedAt", p.touch,
  p.custom_data as "customData"`;
/** An arrival is kept in whole milliseconds, so what was presented within that millisecond was presented before the call. */
const BEFORE_CALL = `p.presented_at < $2::timestamptz + interval '1 millisecond'`;
const LATEST_OF_PRESENTATION = sql(
  "correction_latest_of_presentation",
  `select ${VIEW_COLUMNS} from presentation p
   where p.account_id = $1 and ${BEFORE_CALL} and p.number_id = $3 and p.presentation_id = $4 order by p.seq desc limit 1`,
);
const LATEST_OF_VISITOR = sql(
  "correction_latest_of_visitor",
  `select ${VIEW_COLUMNS} from presentation p
   where p.account_id = $1 and ${BEFORE_CALL} and p.visitor_id = $4
   order by (p.number_id = $3) desc, p.presented_at desc, p.seq desc limit 1`,
);

/** The log's latest row at or before the call: of a presentation of the called number, or of a visitor, of that number rather than of another. */
export async function findLatestView(
  db: Queryable,
  call: Pick<NewestRow, "accountId" | "numberId" | "receivedAt">,
  whose: { readonly presentationId: string } | { readonly visitorId: string },
): Promise<LoggedView | null> {
  const [query, id] =
    "presentationId" in whose ? [LATEST_OF_PRESENTATION, whose.presentationId] : [LATEST_OF_VISITOR, whose.visitorId];
  const [view] = await db.query<LoggedView>(query, [call.accountId, timestamp(call.receivedAt), call.numberId, id]);
  return view ?? null;
}

/** Amounts with more than twelve digits before the point. */
export function isAmountTooLarge(error: unknown): boolean {
  return sqlState(error) === "22003";
}
