/**
 * What judging reads beside the candidates of a match (match.store.ts), for many calls in one statement each: the visitor's way in the log, and the
 * caller's earlier calls. Every probe goes by index; the log's partitions of days that cannot matter are left out.
 */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { CustomDataModels } from "./custom-data.js";
import type { Visit } from "./visit.js";

/**
 * A record is judged by the visitor's first presentation and by the latest hundred up to the matched one: three days of an eager visitor. One page view
 * is one row for each of its pools.
 */
export const VISITS_MAX = 100;
/** A dialler that called ten thousand times costs no more than one that called so often; a record says at most this many. */
export const CALLS_BEFORE_MAX = 1_000;
/** Later calls that a call recorded afterwards is put before. */
const LATER_CALLS_MAX = 100;

/*
  A young day of the log, or month of calls, has no statistics or those of its first rows, and an account's own index on times looks as good as the one on
  visitors or callers while it reads the whole day. Hence the equalities that are written as ranges: the order they ask for is one that only the index
  on visitors has (the primary key, of the match; the one on callers, of their calls). That order in full: asked for one column more, PostgreSQL sorts,
  and then any index will do. What came at the same moment is put in order afterwards.
*/
const WAY_OF = `from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[])
       with ordinality as asked (account_id, visitor_id, number_id, seq, presented_at, position)
     cross join lateral (
       select p.id, p.presented_at from presentation p
       -- A record keeps whole milliseconds.
       where p.account_id = asked.account_id and p.number_id = asked.number_id and p.seq >= asked.seq and p.seq <= asked.seq
         and p.presented_at >= asked.presented_at and p.presented_at < asked.presented_at + interval '1 millisecond'
       order by p.seq desc limit 1) matched
     -- A visitor is written with its first presentation, unless two began at the same moment: hence the minute.
     left join lateral (
       select w.first_seen_at - interval '1 minute' as at from visitor w where w.id = asked.visitor_id offset 0) seen on true`;
const UP_TO_MATCH = `select p.id, p.presented_at, p.presentation_id, p.touch, p.custom_data, p.context from presentation p
       where p.account_id = asked.account_id and p.visitor_id >= asked.visitor_id and p.visitor_id <= asked.visitor_id
         and p.presented_at <= matched.presented_at and p.presented_at >= coalesce(seen.at, '-infinity'::timestamptz)`;
const VISIT = `v.id, v.presentation_id as "presentationId", v.touch, v.custom_data as "customData", v.context`;
export const VISITS = sql(
  "judge_visits",
  `select asked.position::int as position, ${VISIT}, a.custom_data_models as models
   ${WAY_OF}
     join account a on a.id = asked.account_id
     cross join lateral (
       select * from (${UP_TO_MATCH} order by p.visitor_id desc, p.presented_at desc fetch first ($6) rows with ties) latest
       order by latest.presented_at desc, latest.id desc limit $6) v
   order by asked.position, v.presented_at, v.id = matched.id, v.id`,
);
export const FIRST_VISITS = sql(
  "judge_first_visits",
  `select asked.position::int as position, ${VISIT}
   ${WAY_OF}
     cross join lateral (
       select * from (${UP_TO_MATCH} order by p.visitor_id, p.presented_at fetch first 1 row with ties) first order by first.id limit 1) v`,
);
export const EARLIER_CALLS = sql(
  "judge_earlier_calls",
  `select asked.position::int as position, e.calls, e.previous
   from unnest($1::text[], $2::bytea[], $3::timestamptz[], $4::text[])
       with ordinality as asked (account_id, caller_hash, received_at, id, position)
     join account a on a.id = asked.account_id and a.repeat_caller_days > 0
     cross join lateral (
       select count(*)::int as calls, (array_agg(c.id))[1] as previous
       from (
         select c.id from call c
         where c.caller_hash >= asked.caller_hash and (c.caller_hash, c.received_at, c.id) < (asked.caller_hash, asked.received_at, asked.id)
           and c.received_at >= asked.received_at - make_interval(days => a.repeat_caller_days) and c.received_at <= asked.received_at
           and c.account_id = asked.account_id
         order by c.caller_hash desc, c.received_at desc, c.id desc limit $5) c) e`,
);
// One that is being written at this moment is left out rather than waited for: two such transactions would wait for one another.
export const LATER_CALLS = sql(
  "judge_later_calls",
  `select c.id, c.received_at as "receivedAt", c.account_id as "accountId", c.caller_hash as "callerHash"
   from unnest($1::text[], $2::bytea[], $3::timestamptz[], $4::text[]) as asked (account_id, caller_hash, received_at, id)
     join account a on a.id = asked.account_id and a.repeat_caller_days > 0
     cross join lateral (
       select c.id, c.received_at, c.account_id, c.caller_hash from call c
       where c.caller_hash <= asked.caller_hash and (c.caller_hash, c.received_at, c.id) > (asked.caller_hash, asked.received_at, asked.id)
         and c.received_at >= asked.received_at and c.received_at <= asked.received_at + make_interval(days => a.repeat_caller_days)
         and c.account_id = asked.account_id and c.judged_at is not null
       order by c.caller_hash, c.received_at, c.id limit $5 for update skip locked) c`,
);
const LINK = sql(
  "judge_link",
  `update call c set previous_call_id = new.previous, calls_before = new.calls, updated_at = clock_timestamp()
   from unnest($1::text[], $2::timestamptz[], $3::text[], $4::int[]) as new (id, received_at, previous, calls)
   where c.id = new.id and c.received_at = new.received_at
     and (c.previous_call_id, c.calls_before) is distinct from (new.previous, new.calls)`,
);

/** A match, as its record has it. */
export interface MatchedVisitor {
  readonly accountId: string;
  readonly visitorId: string;
  readonly numberId: number;
  readonly matchedSeq: number;
  readonly presentedAt: Instant;
}

export interface VisitorsWay {
  /** Oldest first, the matched one last; empty when the log has it no more. */
  readonly visits: readonly Visit[];
  readonly models: CustomDataModels;
}

/** For each match, in their order. */
export async function readVisits(db: Queryable, matches: readonly MatchedVisitor[]): Promise<VisitorsWay[]> {
  const found: { visits: Visit[]; models: CustomDataModels }[] = matches.map(() => ({ visits: [], models: {} }));
  if (matches.length === 0) return [];
  const rows = await db.query<VisitRow & { models: CustomDataModels }>(VISITS, [...wayColumns(matches), VISITS_MAX]);
  for (const { position, id: _id, models, ...visit } of rows) {
    const way = found[position - 1];
    way?.visits.push(visit);
    if (way !== undefined) way.models = models;
  }
  await addFirst(db, matches, found);
  return found;
}

type VisitRow = Visit & { position: number; id: string };

/** Where the latest hundred are not all: rare, and not worth a probe of everybody's log. */
async function addFirst(
  db: Queryable,
  matches: readonly MatchedVisitor[],
  found: readonly { readonly visits: Visit[] }[],
): Promise<void> {
  const eager = matches.flatMap((match, index) => {
    const visits = found[index]?.visits ?? [];
    return visits.length < VISITS_MAX ? [] : [{ match, visits }];
  });
  if (eager.length === 0) return;
  const rows = await db.query<VisitRow>(FIRST_VISITS, wayColumns(eager.map(({ match }) => match)));
  for (const { position, id: _id, ...visit } of rows) eager[position - 1]?.visits.unshift(visit);
}

function wayColumns(matches: readonly MatchedVisitor[]): unknown[] {
  return [
    matches.map((match) => match.accountId),
    matches.map((match) => match.visitorId),
    matches.map((match) => match.numberId),
    matches.map((match) => match.matchedSeq),
    matches.map((match) => timestamp(match.presentedAt)),
  ];
}

/** A call of somebody who did not withhold the number, to a number of an account. */
export interface CallersCall {
  readonly id: string;
  readonly receivedAt: Instant;
  readonly accountId: string;
  readonly callerHash: Buffer;
}

export interface EarlierCalls {
  /** At most CALLS_BEFORE_MAX. */
  readonly callsBefore: number;
  readonly previousCallId: string | null;
}

/** For each call, in their order; null where the account does not look for repeat callers. Earlier by arrival, whether over or not. */
export async function readEarlierCalls(db: Queryable, calls: readonly CallersCall[]): Promise<(EarlierCalls | null)[]> {
  const found: (EarlierCalls | null)[] = calls.map(() => null);
  if (calls.length === 0) return found;
  const rows = await db.query<{ position: number; calls: number; previous: string | null }>(EARLIER_CALLS, [
    ...callerColumns(calls),
    CALLS_BEFORE_MAX,
  ]);
  for (const row of rows) found[row.position - 1] = { callsBefore: row.calls, previousCallId: row.previous };
  return found;
}

/** Adds earlier calls of the same callers that no statement can see yet. What is unwritten came last: within a tenth of a second. */
export function withUnwritten(
  calls: readonly CallersCall[],
  found: readonly (EarlierCalls | null)[],
  unwritten: readonly CallersCall[],
): (EarlierCalls | null)[] {
  const byCaller = new Map<string, CallersCall[]>();
  const keyOf = ({ accountId, callerHash }: CallersCall): string => `${accountId} ${callerHash.toString("latin1")}`;
  for (const call of unwritten) {
    const known = byCaller.get(keyOf(call));
    if (known === undefined) byCaller.set(keyOf(call), [call]);
    else known.push(call);
  }
  return calls.map((call, index) => {
    const written = found[index] ?? null;
    const before = (byCaller.get(keyOf(call)) ?? []).filter((other) => isBefore(other, call));
    const latest = before.reduce<CallersCall | null>((a, b) => (a === null || isBefore(a, b) ? b : a), null);
    if (written === null || latest === null) return written;
    return {
      callsBefore: Math.min(CALLS_BEFORE_MAX, written.callsBefore + before.length),
      previousCallId: latest.id,
    };
  });
}

function isBefore(a: CallersCall, b: CallersCall): boolean {
  return a.receivedAt < b.receivedAt || (a.receivedAt === b.receivedAt && a.id < b.id);
}

/** Puts calls that were recorded afterwards before those of the same caller that came later and are judged already. */
export async function linkLaterCalls(tx: Queryable, lateCalls: readonly CallersCall[]): Promise<void> {
  if (lateCalls.length === 0) return;
  const rows = await tx.query<CallersCall>(LATER_CALLS, [...callerColumns(lateCalls), LATER_CALLS_MAX]);
  const later = [...new Map(rows.map((row) => [row.id, row])).values()];
  if (later.length === 0) return;
  const earlier = await readEarlierCalls(tx, later);
  await tx.query(LINK, [
    later.map((call) => call.id),
    later.map((call) => timestamp(call.receivedAt)),
    earlier.map((calls) => calls?.previousCallId ?? null),
    earlier.map((calls) => calls?.callsBefore ?? null),
  ]);
}

function callerColumns(calls: readonly CallersCall[]): unknown[] {
  return [
    calls.map((call) => call.accountId),
    calls.map((call) => call.callerHash),
    calls.map((call) => timestamp(call.receivedAt)),
    calls.map((call) => call.id),
  ];
}
