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

/** A place in the feed, exact to the microsecond. */
export interface FeedPlace {
  readonly callId: string;
  readonly receivedAt: string;
  readonly at: string;
  readonly id: string;
}

/** all: in the order of writing. range: of the calls' starts, to exclusive, in their order. call: one call's, or one transaction of it. */
export type FeedScope =
  | { readonly kind: "all"; readonly after: FeedPlace | null }
  | { readonly kind: "range"; readonly from: Instant; readonly to: Instant; readonly after: FeedPlace | null }
  | { readonly kind: "call"; readonly callId: string; readonly transactionId: string | null };

export interface FeedSearch {
  readonly accountId: string;
  readonly types: readonly TransactionType[];
  readonly scope: FeedScope;
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

/** Of a branch: when it was written, its id, its call's id and start. */
interface BranchColumns {
  readonly at: string;
  readonly id: string;
  readonly call: string;
  readonly received: string;
}

/** A correction that came while its call was still going on stands right behind the call: whoever reads on must not take the call for the newer row. */
const EARLY = `k.call_id = c.id and k.kind = 'correction' and k.at < c.finished_at`;

interface FeedBounds {
  /** Each branch has an index that begins at the place and ends at the limit. */
  readonly of: (columns: BranchColumns) => string;
  /** Instead, of calls `c`, and of them and their early corrections as rows `r`. */
  readonly ofCalls?: string;
  readonly shown?: string;
  /** The early corrections `k` behind the place, of the call `c` before it; left out: there is no place. */
  readonly cut?: string;
}

// $1 account, $2 horizon, $3 types, $4 how many; from $5 on the scope's.
const feed = (name: string, { of, ofCalls, cut = "false", shown = "true" }: FeedBounds, order: string) =>
  sql(
    name,
    `select f.id, f.type, f."callId", f."receivedAt", f.revision, f."correctsId", f.at, f.signal from (
       (select r.id, 'Call' as type, c.id as "callId", c.received_at as "receivedAt", r.revision, r."correctsId", c.finished_at as at,
          null::jsonb as signal
        from (
          select c.id, c.received_at, c.finished_at, c.revision from call c
          where c.account_id = $1 and c.finished_at is not null and c.finished_at < $2 and 'Call' = any ($3::text[])
            ${ofCalls ?? of({ at: "c.finished_at", id: "c.id", call: "c.id", received: "c.received_at" })}) c
          cross join lateral (
            select c.id, 0 as revision, null as "correctsId"
            union all select k.id, k.revision, ${REPLACED("k.call_id", "k.revision")} from call_correction k where c.revision > 0 and ${EARLY}) r
        where ${shown})
       union all
       (select k.id, 'Call', k.call_id, k.received_at, k.revision, ${REPLACED("k.call_id", "k.revision")}, c.finished_at, null
        from call c join call_correction k on ${EARLY}
        where c.account_id = $1 and c.finished_at < $2 and 'Call' = any ($3) and ${cut})
       union all
       (select k.id, 'Call', k.call_id, k.received_at, k.revision, ${REPLACED("k.call_id", "k.revision")}, k.at, null
        from call_correction k
          cross join lateral (select c.finished_at from call c where c.id = k.call_id and c.received_at = k.received_at offset 0) c
        where k.account_id = $1 and k.kind = 'correction' and k.at < $2 and 'Call' = any ($3) and c.finished_at <= k.at
          ${of({ at: "k.at", id: "k.id", call: "k.call_id", received: "k.received_at" })})
       union all
       (select s.id, 'Signal', s.call_id, s.received_at, s.call_revision, s.corrects_id, s.at,
          jsonb_build_object('name', s.name, 'partnerUniqueId', s.partner_unique_id, 'value', s.value, 'revenue', s.revenue::float8,
            'occurredAt', floor(extract(epoch from s.occurred_at) * 1000))
        from call_signal s where s.account_id = $1 and s.at < $2 and 'Signal' = any ($3)
          ${of({ at: "s.at", id: "s.id", call: "s.call_id", received: "s.received_at" })})) f
     order by ${order} limit $4`,
  );
const BEGINNING = `coalesce($5::timestamptz, '-infinity')`;
const ALL = feed(
  "invoca_feed_all",
  {
    of: ({ at, id }) => `and (${at}, ${id}) > (${BEGINNING}, $6) order by ${at}, ${id} limit $4`,
    cut: `c.finished_at = $5::timestamptz and c.id <= $6 and k.id > $6`,
  },
  "f.at, f.id",
);
const RANGE = feed(
  "invoca_feed_range",
  {
    of: ({ at, id, received }) =>
      `and ${received} >= $8 and ${received} < $9 and (${received}, ${at}, ${id}) > (coalesce($7::timestamptz, '-infinity'), ${BEGINNING}, $6)
     order by ${received}, ${at}, ${id} limit $4`,
    cut: `c.received_at = $7::timestamptz and c.received_at >= $8 and c.received_at < $9 and c.finished_at = $5::timestamptz and c.id <= $6 and k.id > $6`,
  },
  `f."receivedAt", f.at, f.id`,
);
const CALL = feed(
  "invoca_feed_call",
  {
    of: ({ at, id, call }) => `and ${call} = $5 and ($6::text is null or ${id} = $6) order by ${at}, ${id} limit $4`,
    ofCalls: `and c.id = $5`,
    shown: `$6::text is null or r.id = $6`,
  },
  "f.at, f.id",
);

/** @returns in the order of the feed */
export async function readFeed(db: Queryable, { accountId, types, scope, limit }: FeedSearch): Promise<FeedRow[]> {
  const [row] = await db.query<{ horizon: string }>(HORIZON, [HELD_BACK_MS]);
  const values = [accountId, row?.horizon, types, limit];
  if (scope.kind === "call") return db.query<FeedRow>(CALL, [...values, scope.callId, scope.transactionId]);
  const place = [scope.after?.at ?? null, scope.after?.id ?? ""];
  if (scope.kind === "all") return db.query<FeedRow>(ALL, [...values, ...place]);
  const range = [scope.after?.receivedAt ?? null, timestamp(scope.from), timestamp(scope.to)];
  return db.query<FeedRow>(RANGE, [...values, ...place, ...range]);
}

const exact = (time: string): string => `to_char(${time} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const PLACE_OF_RECORD = sql(
  "invoca_feed_place_of_record",
  `select ${exact("c.received_at")} as "receivedAt", ${exact("c.finished_at")} as at, c.id, c.id as "callId" from call c
   where c.id = $1 and c.account_id = $2 and c.finished_at is not null
   union all select ${exact("k.received_at")}, ${exact("greatest(k.at, c.finished_at)")}, k.id, k.call_id
   from call_correction k join call c on c.id = k.call_id and c.received_at = k.received_at where k.id = $1 and k.account_id = $2`,
);
const PLACE_OF_SIGNAL = sql(
  "invoca_feed_place_of_signal",
  `select ${exact("s.received_at")} as "receivedAt", ${exact("s.at")} as at, s.id, s.call_id as "callId" from call_signal s where s.id = $1 and s.account_id = $2`,
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
  /** Custom data as the match brought it, before anybody set some of it; null: the record's own, which nobody corrected. */
  readonly matchedData: Readonly<Record<string, unknown>> | null;
}

// Of the first row with the record's presentation: a correction that names another one brings that one's data along.
const MATCHED_DATA = `case when k.attribution_corrected then coalesce((
    select m.custom_data from (
      select 0 as revision, c.presentation_id, c.custom_data
      union all select b.revision, b.presentation_id, b.custom_data from call_correction b where b.call_id = c.id and b.attribution_corrected) m
    where m.presentation_id is not distinct from k.presentation_id order by m.revision limit 1), '{}') end`;

const RECORDS = sql(
  "invoca_feed_records",
  `select ${RECORD_COLUMNS}, p.name as "poolName", i.campaign_id as "campaignId",
     exists (select 1 from static_number t where t.number_id = c.number_id and t.ownership_epoch = c.ownership_epoch) as "isStatic",
     case when c.caller_hash is not null then exists (
       select 1 from call b where b.caller_hash = c.caller_hash and b.account_id = c.account_id and b.received_at < c.received_at
         and b.received_at >= c.received_at - interval '30 days') end as "isRepeat",
     ${MATCHED_DATA} as "matchedData"
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
  for (const { poolName, campaignId, isStatic, isRepeat, matchedData, ...row } of rows) {
    const record = recordOf(row);
    found.set(`${record.callId} ${record.revision}`, { record, poolName, campaignId, isStatic, isRepeat, matchedData });
  }
  return feed.map(({ callId, revision }) => found.get(`${callId} ${revision}`) ?? null);
}
