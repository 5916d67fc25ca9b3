/** The statements of an erasure: tombstones, and what each empties, in batches. Reports keep their counts: nothing here removes a call. */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";

export interface Erasure {
  readonly id: string;
  readonly accountId: string;
  readonly kind: "caller" | "visitor";
  readonly at: Instant;
  readonly actor: string;
  readonly reason: string | null;
  /** null: it still runs, or was cut off and will be taken up. */
  readonly completedAt: Instant | null;
  readonly calls: number;
  readonly presentations: number;
  readonly intercepts: number;
  readonly deliveries: number;
}

export interface OpenErasure extends Erasure {
  readonly subjectHash: Buffer;
  readonly subjectEnc: Buffer;
  /** Whose deliveries were emptied, and are again. */
  readonly callIds: readonly string[];
}

const COLUMNS = `id, account_id as "accountId", kind, at, actor, reason, completed_at as "completedAt", calls, presentations, intercepts, deliveries`;
const INSERT = sql(
  "erasure_insert",
  // Instants are whole milliseconds: the one after now, so that what was just written came before.
  `insert into erasure (id, account_id, kind, at, subject_hash, subject_enc, actor, reason)
   values ($1, $2, $3, date_trunc('milliseconds', clock_timestamp()) + interval '1 millisecond', $4, $5, $6, $7)
   returning ${COLUMNS}, subject_hash as "subjectHash", subject_enc as "subjectEnc", call_ids as "callIds"`,
);
const SELECT_ONE = sql(
  "erasure_select_one",
  `select ${COLUMNS} from erasure where id = $1 and ($2::text is null or account_id = $2)`,
);
const SELECT_PAGE = sql(
  "erasure_select_page",
  `select ${COLUMNS} from erasure where ($1::text is null or account_id = $1) and ($2 = '' or id < $2) order by id desc limit $3`,
);
const SELECT_OPEN = sql(
  "erasure_select_open",
  `select ${COLUMNS}, subject_hash as "subjectHash", subject_enc as "subjectEnc", call_ids as "callIds"
   from erasure where subject_enc is not null and id > $1 order by id limit $2`,
);
const COUNT = sql(
  "erasure_count",
  `update erasure set calls = calls + $2, presentations = presentations + $3, intercepts = intercepts + $4, deliveries = deliveries + $5,
     call_ids = call_ids || $7,
     completed_at = case when $6 then coalesce(completed_at, now()) else completed_at end
   where id = $1 returning ${COLUMNS}`,
);
const SHRED = sql(
  "erasure_shred",
  `update erasure set subject_enc = null, call_ids = '{}' where subject_enc is not null and completed_at is not null and at < now() - make_interval(days => $1)`,
);

export interface NewErasure {
  readonly id: string;
  readonly accountId: string;
  readonly kind: Erasure["kind"];
  readonly subjectHash: Buffer;
  readonly subjectEnc: Buffer;
  readonly actor: string;
  readonly reason: string | null;
}

export async function insertErasure(db: Queryable, added: NewErasure): Promise<OpenErasure> {
  const { id, accountId, kind, subjectHash, subjectEnc, actor, reason } = added;
  const [row] = await db.query<OpenErasure>(INSERT, [id, accountId, kind, subjectHash, subjectEnc, actor, reason]);
  return row as OpenErasure;
}

export async function findErasure(
  db: Queryable,
  { id, accountId }: { id: string; accountId: string | null },
): Promise<Erasure | null> {
  const [row] = await db.query<Erasure>(SELECT_ONE, [id, accountId]);
  return row ?? null;
}

/** Newest first; `before` is the last id of the page before, or "". */
export async function listErasures(
  db: Queryable,
  page: { accountId: string | null; before: string; limit: number },
): Promise<Erasure[]> {
  return db.query<Erasure>(SELECT_PAGE, [page.accountId, page.before, page.limit]);
}

/** Those whose subject is still known, oldest first. */
export async function listOpenErasures(
  db: Queryable,
  { after, limit }: { after: string; limit: number },
): Promise<OpenErasure[]> {
  return db.query<OpenErasure>(SELECT_OPEN, [after, limit]);
}

/** Forgets the subjects of erasures older than so many days. */
export async function shredSubjects(db: Queryable, days: number): Promise<void> {
  await db.query(SHRED, [days]);
}

export interface Emptied {
  readonly calls: number;
  readonly presentations: number;
  readonly intercepts: number;
  readonly deliveries: number;
  /** Of the calls and intercepts. */
  readonly callIds: readonly string[];
}

export async function countEmptied(db: Queryable, id: string, emptied: Emptied, isDone: boolean): Promise<Erasure> {
  const { calls, presentations, intercepts, deliveries } = emptied;
  const [row] = await db.query<Erasure>(COUNT, [
    id,
    calls,
    presentations,
    intercepts,
    deliveries,
    isDone,
    emptied.callIds,
  ]);
  return row as Erasure;
}

/** Allows, for the transaction, what is never allowed otherwise: rows of history lose what names a person. */
const ALLOW = sql("erasure_allow", `select set_config('ringmatch.erasing', 'on', true)`);
const CALLS_OF_CALLER = sql(
  "erasure_calls_of_caller",
  `with mine as (
     select c.id, c.received_at from call c
     where c.account_id = $1 and c.caller_hash = $2 and c.received_at <= $3 order by c.received_at limit $4
   )
   update call c set caller_enc = null, caller_hash = null, caller_last4 = null, caller_name_enc = null, diversion_enc = null, diversion_last4 = null,
     updated_at = clock_timestamp()
   from mine where c.id = mine.id and c.received_at = mine.received_at returning c.id`,
);
const INTERCEPTS_OF_CALLER = sql(
  "erasure_intercepts_of_caller",
  `with mine as (
     select i.id from intercept i where i.caller_hash = $2 and i.former_account_id = $1 and i.at <= $3 limit $4
   )
   update intercept i set caller_enc = null, caller_hash = null, caller_last4 = null from mine where i.id = mine.id returning i.call_id as id`,
);
/** The calls of intercepts belong to no account: their callers are hashed in the platform's realm. */
const CALLS_INTERCEPTED = sql(
  "erasure_calls_intercepted",
  `update call c set caller_enc = null, caller_hash = null, caller_last4 = null, caller_name_enc = null, diversion_enc = null, diversion_last4 = null,
     updated_at = clock_timestamp()
   where c.id = any ($1) and c.caller_last4 is not null returning c.id`,
);
// What a campaign is called names nobody and stays, so that reports do; click ids, pages and custom fields go. A call that came in a moment later may have
// been matched before: what it says of its visitor is of then.
const CALLS_OF_VISITOR = sql(
  "erasure_calls_of_visitor",
  `with mine as (
     select c.id, c.received_at from call c
     where c.account_id = $1 and c.visitor_id = $2 and (c.received_at <= $3 or c.presented_at <= $3) order by c.received_at limit $4
   )
   update call c set visitor_id = $5, touch = '{}', custom_data = '{}', first_touch = null, landing_page = null, referrer = null, consent = null,
     updated_at = clock_timestamp()
   from mine where c.id = mine.id and c.received_at = mine.received_at returning c.id`,
);
const CORRECTIONS_OF_VISITOR = sql(
  "erasure_corrections_of_visitor",
  `with emptied as (
     update call_correction k set visitor_id = $4, touch = '{}', custom_data = '{}', first_touch = null, landing_page = null, referrer = null, consent = null
     where k.account_id = $1 and k.visitor_id = $2 and (k.received_at <= $3 or k.presented_at <= $3)
     returning k.call_id, k.received_at
   )
   update call c set updated_at = clock_timestamp() from emptied e where c.id = e.call_id and c.received_at = e.received_at returning c.id`,
);
const PRESENTATIONS_OF_VISITOR = sql(
  "erasure_presentations_of_visitor",
  `with mine as (
     select p.account_id, p.number_id, p.seq, p.presented_at from presentation p
     where p.account_id = $1 and p.visitor_id = $2 and p.presented_at <= $3 order by p.presented_at limit $4
   )
   update presentation p set visitor_id = $5, touch = '{}', custom_data = '{}', context = '{}'
   from mine m where p.account_id = m.account_id and p.number_id = m.number_id and p.seq = m.seq and p.presented_at = m.presented_at
   returning p.id`,
);
// Taken from the visitor, not from the lock: the page may still show the number. In one order, as renewals take them.
const NUMBERS_OF_VISITOR = sql(
  "erasure_numbers_of_visitor",
  `with mine as materialized (
     select n.id from promo_number n
     where n.id in (select a.id from numbers_of_account($1) a) and n.account_id = $1 and n.visitor_id = $2
       and ($3::timestamptz is null or n.last_presented_at <= $3)
     order by n.id for update
   )
   update promo_number n set visitor_id = $4, held_by = null, touch = '{}', custom_data = '{}' from mine where n.id = mine.id`,
);
const VISITOR = sql(
  "erasure_visitor",
  `delete from visitor v where v.id = $2 and v.account_id = $1 and v.first_seen_at <= $3
     and not exists (select 1 from presentation p where p.account_id = $1 and p.visitor_id = $2)`,
);

interface Subject {
  readonly accountId: string;
  /** What came before this time is erased. */
  readonly until: Instant;
  readonly limit: number;
}

/** @returns the ids of calls that were emptied; fewer than `limit`: that was all */
export async function emptyCallsOfCaller(tx: Queryable, subject: Subject & { hash: Buffer }): Promise<string[]> {
  const { accountId, hash, until, limit } = subject;
  return idsOf(await tx.query(CALLS_OF_CALLER, [accountId, hash, timestamp(until), limit]));
}

/** @param hash in the platform's realm. @returns the ids of the calls of intercepts that were emptied */
export async function emptyInterceptsOfCaller(tx: Queryable, subject: Subject & { hash: Buffer }): Promise<string[]> {
  const { accountId, hash, until, limit } = subject;
  const calls = idsOf(await tx.query(INTERCEPTS_OF_CALLER, [accountId, hash, timestamp(until), limit]));
  if (calls.length > 0) await tx.query(CALLS_INTERCEPTED, [calls]);
  return calls;
}

interface VisitorSubject extends Subject {
  readonly visitorId: string;
  /** What stands in the visitor's place, so that a log without them still tells visitors apart. */
  readonly pseudonym: string;
}

/** @returns the ids of calls that were emptied, once each */
export async function emptyCallsOfVisitor(tx: Queryable, subject: VisitorSubject): Promise<string[]> {
  const { accountId, visitorId, until, limit, pseudonym } = subject;
  await tx.query(ALLOW);
  const calls = await tx.query(CALLS_OF_VISITOR, [accountId, visitorId, timestamp(until), limit, pseudonym]);
  const corrected = await tx.query(CORRECTIONS_OF_VISITOR, [accountId, visitorId, timestamp(until), pseudonym]);
  return [...new Set([...idsOf(calls), ...idsOf(corrected)])];
}

/** @returns how many rows of the log were emptied; fewer than `limit`: that was all */
export async function emptyPresentations(tx: Queryable, subject: VisitorSubject): Promise<number> {
  const { accountId, visitorId, until, limit, pseudonym } = subject;
  return (await tx.query(PRESENTATIONS_OF_VISITOR, [accountId, visitorId, timestamp(until), limit, pseudonym])).length;
}

/**
 * Their numbers' rows. A number keeps its last visitor when the log has none of them any more, so the account's numbers are looked through.
 * @param subject `until` null: up to now
 */
export async function forgetNumbersOf(
  tx: Queryable,
  subject: Pick<VisitorSubject, "accountId" | "visitorId" | "pseudonym"> & { readonly until: Instant | null },
): Promise<void> {
  const { accountId, visitorId, until, pseudonym } = subject;
  await tx.query(ALLOW);
  await tx.query(NUMBERS_OF_VISITOR, [accountId, visitorId, timestamp(until), pseudonym]);
}

export async function forgetVisitor(tx: Queryable, subject: VisitorSubject): Promise<void> {
  await tx.query(VISITOR, [subject.accountId, subject.visitorId, timestamp(subject.until)]);
}

function idsOf(rows: readonly Record<string, unknown>[]): string[] {
  return rows.map(({ id }) => id as string);
}
