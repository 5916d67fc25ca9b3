/** Reading call records. Writing: new-calls.store.ts for the record, call-progress.store.ts for events. */
import { sql, timestamp, type Queryable } from "../db/database.js";
import { byKeys } from "../db/planner.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { CallId } from "../kernel/ids.js";
import { type CallRecord, RECORD_COLUMNS, recordOf, type RecordRow } from "./call-record.js";
import type { AttributionOutcome } from "./match.js";
import type { Disposition } from "./new-calls.store.js";

export const ATTRIBUTIONS = [
  "matched",
  "overflow",
  "expired",
  "never_presented",
  "quarantined",
  "unattributable",
] as const;

const SELECT_BY_KEY = sql(
  "call_select_by_key",
  `select k.call_id as "callId", k.received_at as "receivedAt" from call_key k where k.ingress_key = $1`,
);
const SELECT_BY_KEYS = sql(
  "call_select_by_keys",
  `select k.ingress_key as "ingressKey", k.call_id as "callId", k.received_at as "receivedAt"
   from unnest($1::text[]) as asked (ingress_key) join call_key k on k.ingress_key = asked.ingress_key`,
);
const SELECT_STANDING = sql(
  "call_select_standing",
  `select jsonb_array_length(progress -> 'attempts') as "attemptsBefore", presentation_id as "presentationId" from call where id = $1 and received_at = $2`,
);
const SELECT_ONE = sql(
  "call_select_one",
  `select ${RECORD_COLUMNS}
   from (select call_id as id, revision from call_correction where id = $1 union all select id, 0 from call where id = $1) asked
     join call c on c.id = asked.id left join call_correction k on k.call_id = c.id and k.revision = asked.revision
     left join account a on a.id = c.account_id
   where ($2::text is null or c.account_id = $2)`,
);
const NEWEST = `from call c left join call_correction k on c.revision > 0 and k.call_id = c.id and k.revision = c.revision
     left join account a on a.id = c.account_id`;
const SELECT_NEWEST = sql("call_select_newest", `select ${RECORD_COLUMNS} ${NEWEST} where c.id = $1`);
const SELECT_REVISIONS = sql(
  "call_select_revisions",
  `select ${RECORD_COLUMNS}
   from call c cross join generate_series(0, c.revision) as asked (revision)
     left join call_correction k on k.call_id = c.id and k.revision = asked.revision left join account a on a.id = c.account_id
   where c.id = $1 and c.received_at = $2 and asked.revision > $3 order by asked.revision limit $4`,
);
const SELECT_PAGE = sql(
  "call_select_page",
  `select ${RECORD_COLUMNS}
   ${NEWEST}
   where ($1::text is null or c.account_id = $1)
     and c.received_at >= coalesce($2, '-infinity'::timestamptz) and c.received_at < coalesce($3, 'infinity'::timestamptz)
     and ($4::text is null or c.promo_number = $4) and ($5::text is null or c.pool_id = $5) and ($6::text is null or c.disposition = $6)
     and ($7::text is null or case when k.attribution_corrected then k.attribution else c.attribution end = $7) and ($8::timestamptz is null or c.updated_at >= $8)
     and ($9::timestamptz is null or (c.received_at, c.id) < ($9, $10))
   order by c.received_at desc, c.id desc limit $11`,
);
const SELECT_OPEN = sql(
  "call_select_open",
  `select id, received_at as "receivedAt" from call
   where status in ('ringing', 'in_progress')
     and ((node = $1 and received_at < $2) or received_at < now() - make_interval(secs => $3)) limit $4`,
);

export interface CallRef {
  readonly callId: CallId;
  readonly receivedAt: Instant;
}

export async function findCallByKey(db: Queryable, ingressKey: string): Promise<CallRef | null> {
  const [row] = await db.query<CallRef>(SELECT_BY_KEY, [ingressKey]);
  return row ?? null;
}

/** By ingress key; without those of which there is no record. */
export async function findCallsByKeys(tx: Queryable, ingressKeys: readonly string[]): Promise<Map<string, CallRef>> {
  await byKeys(tx);
  const rows = await tx.query<CallRef & { ingressKey: string }>(SELECT_BY_KEYS, [ingressKeys]);
  return new Map(rows.map(({ ingressKey, ...ref }) => [ingressKey, ref]));
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

/**
 * @param id of the call, as it was received, or of a correction, as that left it
 * @param accountId null: any account (admin). @throws AppError("not_found")
 */
export async function getCall(db: Queryable, input: { id: string; accountId: string | null }): Promise<CallRecord> {
  const [row] = await db.query<RecordRow>(SELECT_ONE, [input.id, input.accountId]);
  if (row === undefined) throw new AppError("not_found", "There is no such call.");
  return recordOf(row);
}

/** A call as it stands now. @param callId the call's own */
export async function findNewestRow(db: Queryable, callId: string): Promise<CallRecord | null> {
  const [row] = await db.query<RecordRow>(SELECT_NEWEST, [callId]);
  return row === undefined ? null : recordOf(row);
}

/** Every row of one call's record, oldest first. */
export async function listRevisions(
  db: Queryable,
  page: CallRef & { readonly after: number; readonly limit: number },
): Promise<CallRecord[]> {
  const { callId, receivedAt, after, limit } = page;
  const rows = await db.query<RecordRow>(SELECT_REVISIONS, [callId, timestamp(receivedAt), after, limit]);
  return rows.map(recordOf);
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

/** Each call once, as it stands now; newest first; stable while calls arrive. `before.id` is a call's. */
export async function listCalls(db: Queryable, page: CallPage): Promise<CallRecord[]> {
  const rows = await db.query<RecordRow>(SELECT_PAGE, [
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

/** A node's lives before the present one. */
export interface FormerLife {
  readonly node: string;
  /** When the present one began, by the database's clock. */
  readonly before: Instant;
}

/** Calls that nobody will end: left open by this node's former life, or older than any call may last. */
export async function listOrphanedCalls(
  db: Queryable,
  input: { formerLife: FormerLife | null; olderThanS: number; limit: number },
): Promise<CallRef[]> {
  const rows = await db.query<{ id: CallId; receivedAt: Instant }>(SELECT_OPEN, [
    input.formerLife?.node ?? null,
    timestamp(input.formerLife?.before ?? null),
    input.olderThanS,
    input.limit,
  ]);
  return rows.map((row) => ({ callId: row.id, receivedAt: row.receivedAt }));
}
