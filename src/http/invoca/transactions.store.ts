/**
 * The feed of transactions: every finished call, every correction, every signal, in the order in which they were written. A reader who goes on from the last
 * one they saw misses nothing and sees nothing twice, whatever is written meanwhile: rows are shown only when nothing can be written before them any more.
 */
import { type CallRecord, RECORD_COLUMNS, recordOf, type RecordRow } from "../../attribution/call-record.js";
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { TransactionKey } from "./transaction-id.js";

export type TransactionType = "Call" | "Signal";

export interface FeedRow {
  readonly id: string;
  readonly type: TransactionType;
  readonly callId: string;
  readonly receivedAt: Instant;
  /** Of the call's record: what the row shows. */
  readonly revision: number;
  /** The transaction that this one replaces: for a call, the newest correction before it, else the call's first. */
  readonly correctsId: string | null;
  readonly at: Instant;
  /** null for a call */
  readonly signal: FeedSignal | null;
}

export interface FeedSignal {
  readonly name: string;
  readonly partnerUniqueId: string;
  readonly value: boolean | null;
  readonly revenue: number | null;
  readonly occurredAt: Instant;
}

/** A place in the feed, exact to the microsecond; compared as text by the database alone. */
export interface FeedPlace {
  readonly receivedAt: string;
  readonly at: string;
  readonly id: string;
}

export interface FeedSearch {
  readonly accountId: string;
  readonly types: readonly TransactionType[];
  /** Of the call's start; null: by the order of writing, whenever the call was. to is exclusive. */
  readonly range: { readonly from: Instant; readonly to: Instant } | null;
  readonly callId: string | null;
  readonly transactionId: string | null;
  readonly after: FeedPlace | null;
  readonly limit: number;
}

/**
 * A row's time is taken when it is written, it can be seen from its commit on: a transaction that is still open may have written earlier ones than we see.
 * So nothing is shown that is younger than the oldest open transaction that writes, nor than this, for clocks that are set back a little, and for the
 * moment between a row's time and its transaction being known as a writer.
 */
export const HELD_BACK_MS = 1_000;
const HORIZON = sql(
  "invoca_feed_horizon",
  `select to_char(least(clock_timestamp() - make_interval(secs => $1::float8 / 1000), min(xact_start)) at time zone 'utc',
     'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as horizon
   from pg_stat_activity where datname = current_database() and backend_xid is not null`,
);

/** A signal's row of the record is no transaction of the call: what a correction replaces is the newest correction before it, else the call's first row. */
const REPLACED = (callId: string, revision: string): string =>
  `coalesce((select b.id from call_correction b where b.call_id = ${callId} and b.revision < ${revision} and b.kind = 'correction'
     order by b.revision desc limit 1), ${callId})`;
const SELECT_REPLACED = sql("invoca_feed_replaced", `select ${REPLACED("$1::text", "$2::int")} as id`);

/** The transaction that a correction replaces. */
export async function findReplaced(
  db: Queryable,
  { callId, revision }: { callId: string; revision: number },
): Promise<string> {
  const [row] = await db.query<{ id: string }>(SELECT_REPLACED, [callId, revision]);
  return row?.id ?? callId;
}

// $1 account, $2 horizon, $3 types, $4 call, $5 transaction, $6 and $7 the place, $8 how many, $9 to $11 the range. Each branch has an index in its order.
const bound = (at: string, id: string): string =>
  `and ${at} < $2 and ($6::timestamptz is null or (${at}, ${id}) > ($6, $7)) and ($5::text is null or ${id} = $5)
   order by ${at}, ${id} limit $8`;
const FEED = (name: string, bounds: (at: string, id: string, received: string) => string, order: string) =>
  sql(
    name,
    `select f.id, f.type, f."callId", f."receivedAt", f.revision, f."correctsId", f.at, f.signal from (
       (select c.id, 'Call' as type, c.id as "callId", c.received_at as "receivedAt", 0 as revision, null as "correctsId", c.finished_at as at,
          null::jsonb as signal
        from call c where c.account_id = $1 and c.finished_at is not null and 'Call' = any ($3::text[]) and ($4::text is null or c.id = $4)
          ${bounds("c.finished_at", "c.id", "c.received_at")})
       union all
       (select k.id, 'Call', k.call_id, k.received_at, k.revision,
          ${REPLACED("k.call_id", "k.revision")}, k.at, null
        from call_correction k where k.account_id = $1 and k.kind = 'correction' and 'Call' = any ($3::text[]) and ($4::text is null or k.call_id = $4)
          ${bounds("k.at", "k.id", "k.received_at")})
       union all
       (select s.id, 'Signal', s.call_id, s.received_at, s.call_revision, s.corrects_id, s.at,
          jsonb_build_object('name', s.name, 'partnerUniqueId', s.partner_unique_id, 'value', s.value, 'revenue', s.revenue::float8,
            'occurredAt', floor(extract(epoch from s.occurred_at) * 1000))
        from call_signal s where s.account_id = $1 and 'Signal' = any ($3::text[]) and ($4::text is null or s.call_id = $4)
          ${bounds("s.at", "s.id", "s.received_at")})) f
     order by ${order} limit $8`,
  );
const BY_WRITING = FEED("invoca_feed_by_writing", bound, "f.at, f.id");
const BY_CALL_START = FEED(
  "invoca_feed_by_call_start",
  (at, id, received) =>
    `and ${received} >= $9 and ${received} < $10 and ${at} < $2
     and ($6::timestamptz is null or (${received}, ${at}, ${id}) > ($11::timestamptz, $6, $7)) and ($5::text is null or ${id} = $5)
     order by ${received}, ${at}, ${id} limit $8`,
  `f."receivedAt", f.at, f.id`,
);

/** @returns in the order of the feed */
export async function readFeed(db: Queryable, search: FeedSearch): Promise<FeedRow[]> {
  const [row] = await db.query<{ horizon: string }>(HORIZON, [HELD_BACK_MS]);
  const { accountId, types, range, callId, transactionId, after, limit } = search;
  const place = [after?.at ?? null, after?.id ?? ""];
  const values = [accountId, row?.horizon, types, callId, transactionId, ...place, limit];
  if (range === null) return db.query<FeedRow>(BY_WRITING, values);
  const bounds = [timestamp(range.from), timestamp(range.to), after?.receivedAt ?? null];
  return db.query<FeedRow>(BY_CALL_START, [...values, ...bounds]);
}

const exact = (time: string): string => `to_char(${time} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const PLACE_OF_RECORD = sql(
  "invoca_feed_place_of_record",
  `select ${exact("c.received_at")} as "receivedAt", ${exact("c.finished_at")} as at, c.id from call c
   where c.id = $1 and c.account_id = $2 and c.finished_at is not null
   union all select ${exact("k.received_at")}, ${exact("k.at")}, k.id from call_correction k where k.id = $1 and k.account_id = $2`,
);
const PLACE_OF_SIGNAL = sql(
  "invoca_feed_place_of_signal",
  `select ${exact("s.received_at")} as "receivedAt", ${exact("s.at")} as at, s.id from call_signal s where s.id = $1 and s.account_id = $2`,
);

/** @returns null for a transaction that the account does not have */
export async function findPlace(db: Queryable, key: TransactionKey, accountId: string): Promise<FeedPlace | null> {
  const query = key.kind === "signal" ? PLACE_OF_SIGNAL : PLACE_OF_RECORD;
  const [row] = await db.query<FeedPlace>(query, [key.id, accountId]);
  return row ?? null;
}

/** What a row shows beside the record itself. */
export interface RecordFacts {
  readonly record: CallRecord;
  readonly poolName: string | null;
  readonly campaignId: string | null;
  readonly isStatic: boolean;
  /** The same caller called the account in the 30 days before; null: nobody knows who called. */
  readonly isRepeat: boolean | null;
}

const RECORDS = sql(
  "invoca_feed_records",
  `select ${RECORD_COLUMNS}, p.name as "poolName", i.campaign_id as "campaignId",
     exists (select 1 from static_number t where t.number_id = c.number_id and t.ownership_epoch = c.ownership_epoch) as "isStatic",
     case when c.caller_hash is not null then exists (
       select 1 from call b where b.caller_hash = c.caller_hash and b.account_id = c.account_id and b.received_at < c.received_at
         and b.received_at >= c.received_at - interval '30 days') end as "isRepeat"
   from unnest($1::text[], $2::timestamptz[], $3::int[]) as asked (id, received_at, revision)
     join call c on c.id = asked.id and c.received_at = asked.received_at
     left join call_correction k on k.call_id = c.id and k.revision = asked.revision
     left join account a on a.id = c.account_id left join pool p on p.id = c.pool_id left join invoca_ring_pool i on i.pool_id = c.pool_id`,
);

type FactsRow = RecordRow & Omit<RecordFacts, "record">;

/** One for each feed row, in order; null where the call is gone meanwhile. */
export async function readRecords(db: Queryable, feed: readonly FeedRow[]): Promise<(RecordFacts | null)[]> {
  const rows = await db.query<FactsRow>(RECORDS, [
    feed.map(({ callId }) => callId),
    feed.map(({ receivedAt }) => timestamp(receivedAt)),
    feed.map(({ revision }) => revision),
  ]);
  const found = new Map<string, RecordFacts>();
  for (const { poolName, campaignId, isStatic, isRepeat, ...row } of rows) {
    const record = recordOf(row);
    found.set(`${record.callId} ${record.revision}`, { record, poolName, campaignId, isStatic, isRepeat });
  }
  return feed.map(({ callId, revision }) => found.get(`${callId} ${revision}`) ?? null);
}
