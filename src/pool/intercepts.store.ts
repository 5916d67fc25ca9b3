/** Calls taken on numbers that no business holds: the evidence for a number's cleanliness. */
import { sql, timestamp, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import type { CallId, InterceptId } from "../kernel/ids.js";

export type NotCountedReason = "spam_caller" | "repeat_caller";

export interface Intercept {
  readonly id: InterceptId;
  readonly promoNumber: string;
  readonly at: Instant;
  readonly ingress: string;
  readonly callId: CallId;
  readonly callerEnc: Buffer | null;
  readonly callerLast4: string | null;
  readonly counted: boolean;
  readonly notCountedReason: NotCountedReason | null;
  readonly formerAccountId: string | null;
}

export interface NewIntercept {
  readonly id: InterceptId;
  readonly numberId: number;
  readonly ownershipEpoch: number;
  readonly promoNumber: string;
  readonly at: Instant;
  readonly ingress: string;
  readonly callId: CallId;
  readonly callerEnc: Buffer | null;
  readonly callerHash: Buffer | null;
  readonly callerLast4: string | null;
  readonly isSpamCaller: boolean;
  readonly formerAccountId: string | null;
}

// Whether this caller was counted before is decided by the unique index, so two dials at the same moment count once. An anonymous caller
// cannot be told from another and counts every time: too careful beats too early.
const INSERT = sql(
  "intercept_insert",
  `insert into intercept (id, number_id, promo_number, ownership_epoch, at, ingress, call_id, caller_enc, caller_hash, caller_last4,
     counted, not_counted_reason, former_account_id)
   select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, r.reason is null, r.reason, $12
   from (select case
       when $11::boolean then 'spam_caller'
       when exists (select 1 from intercept i where i.number_id = $2 and i.ownership_epoch = $4 and i.caller_hash = $9::bytea and i.counted)
         then 'repeat_caller' end as reason) r
   on conflict do nothing returning counted`,
);
const INSERT_REPEAT = sql(
  "intercept_insert_repeat",
  `insert into intercept (id, number_id, promo_number, ownership_epoch, at, ingress, call_id, caller_enc, caller_hash, caller_last4,
     counted, not_counted_reason, former_account_id)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, false, 'repeat_caller', $11) on conflict (call_id) do nothing`,
);
const SUMMARY = sql(
  "intercept_summary",
  `select n.id as "numberId", count(i.id) as "interceptedCalls", max(i.at) as "lastInterceptedAt",
     count(*) filter (where i.not_counted_reason = 'spam_caller') as "spamCalls",
     count(distinct i.caller_hash) filter (where i.not_counted_reason is distinct from 'spam_caller')
       + count(*) filter (where i.counted and i.caller_hash is null) as "distinctCallers"
   from unnest($1::bigint[], $2::int[], $3::timestamptz[]) as n (id, epoch, since)
     left join intercept i on i.number_id = n.id and i.ownership_epoch = n.epoch and i.at >= coalesce(n.since, '-infinity'::timestamptz)
   group by n.id`,
);
const SELECT_PAGE = sql(
  "intercept_select_page",
  `select id, promo_number as "promoNumber", at, ingress, call_id as "callId", caller_enc as "callerEnc", caller_last4 as "callerLast4",
     counted, not_counted_reason as "notCountedReason", former_account_id as "formerAccountId"
   from intercept where ($1::text is null or promo_number = $1)
     and ($2::timestamptz is null or (at, id) < ($2, $3)) order by at desc, id desc limit $4`,
);

export async function insertIntercept(tx: Queryable, input: NewIntercept): Promise<void> {
  const shared = [
    input.id,
    input.numberId,
    input.promoNumber,
    input.ownershipEpoch,
    timestamp(input.at),
    input.ingress,
    input.callId,
    input.callerEnc,
    input.callerHash,
    input.callerLast4,
  ];
  const rows = await tx.query(INSERT, [...shared, input.isSpamCaller, input.formerAccountId]);
  // A conflict is either this very call, logged already, or the same caller counted a moment ago by another transaction.
  if (rows.length === 0) await tx.query(INSERT_REPEAT, [...shared, input.formerAccountId]);
}

export interface InterceptSummary {
  readonly interceptedCalls: number;
  readonly distinctCallers: number;
  /** Not counted, as known spam callers. What is neither these nor a distinct caller is a repeated dial. */
  readonly spamCalls: number;
  readonly lastInterceptedAt: Instant | null;
}

/**
 * Since the number was quarantined; for one that is not, since it lost its owner. A caller of an earlier quarantine who calls again counts in this
 * one, though their call is marked as a repeat.
 */
export async function summarizeIntercepts(
  db: Queryable,
  number: { id: number; ownershipEpoch: number; quarantinedAt: Instant | null },
): Promise<InterceptSummary> {
  return (await summarizeInterceptsOf(db, [number])).get(number.id) as InterceptSummary;
}

/** The same for many numbers at once, by number id. */
export async function summarizeInterceptsOf(
  db: Queryable,
  numbers: readonly { id: number; ownershipEpoch: number; quarantinedAt: Instant | null }[],
): Promise<Map<number, InterceptSummary>> {
  const rows = await db.query<InterceptSummary & { numberId: number }>(SUMMARY, [
    numbers.map(({ id }) => id),
    numbers.map(({ ownershipEpoch }) => ownershipEpoch),
    numbers.map(({ quarantinedAt }) => timestamp(quarantinedAt)),
  ]);
  return new Map(rows.map(({ numberId, ...summary }) => [numberId, summary]));
}

/** Newest first; `before` is the last row of the page before. */
export async function listIntercepts(
  db: Queryable,
  page: { promoNumber: string | null; before: { at: Instant; id: string } | null; limit: number },
): Promise<Intercept[]> {
  return db.query<Intercept>(SELECT_PAGE, [
    page.promoNumber,
    timestamp(page.before?.at ?? null),
    page.before?.id ?? "",
    page.limit,
  ]);
}
