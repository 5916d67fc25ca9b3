/**
 * The sums of a report, read in one statement: cells of quarters that are as they were counted, calls of the others and of the range's ends. Exact at any
 * moment (report-cells.store.ts says why).
 */
import { type Queryable, sql, timestamp } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { Span } from "./report-stretches.js";

/** What calls are told apart by, beside time. The statement numbers them in this order. */
export const DIMENSIONS = [
  "account_id",
  "channel",
  "source",
  "medium",
  "campaign",
  "pool_id",
  "landing_page",
  "promo_number",
  "ingress",
] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** What each kind of cell tells apart; the first that fits is read. */
export const CUBES = {
  source: ["account_id", "channel", "source", "medium", "campaign", "pool_id"],
  page: ["account_id", "landing_page", "pool_id"],
  number: ["account_id", "promo_number", "pool_id", "ingress"],
} as const satisfies Readonly<Record<string, readonly Dimension[]>>;
export type Cube = keyof typeof CUBES;

/** @returns null when no kind of cell tells all of these apart together */
export function cubeOf(dimensions: readonly Dimension[]): Cube | null {
  const cubes = Object.keys(CUBES) as Cube[];
  return cubes.find((cube) => dimensions.every((one) => (CUBES[cube] as readonly Dimension[]).includes(one))) ?? null;
}

export const COUNTS = [
  "calls",
  "routed",
  "answered",
  "missed",
  "completed",
  "busy",
  "no_answer",
  "failed",
  "canceled",
  "intercepted",
  "talk_ms",
  "matched",
  "overflow",
  "expired",
  "never_presented",
  "quarantined",
  "unattributable",
  "unattributed",
  "judged",
  "confidence_ppm",
  "conversions",
] as const;
export type Count = (typeof COUNTS)[number];
export type Counts = Readonly<Record<Count, number>>;

/** One combination of what was asked for that has calls. What was not asked for is null, like what a call does not have. */
export interface ReportGroup extends Counts {
  /** Place in the calendar's list. */
  readonly bucket: number;
  readonly dimensions: Readonly<Record<Dimension, string | null>>;
  /** Of the accounts whose calls these are; null: calls that nobody owned. */
  readonly currency: string | null;
  /** Exact, as PostgreSQL writes it. */
  readonly revenue: string;
}

/** `$1`: the account, null for all. Without one the time alone leads to the cells, whose key begins with it. */
const CELLS = `account_id, channel, source, medium, campaign, pool_id, landing_page, promo_number, ingress, calls, routed, answered, missed, completed,
       busy, no_answer, failed, canceled, intercepted, talk_ms, matched, overflow, expired, never_presented, quarantined, unattributable, unattributed,
       judged, confidence_ppm, conversions, revenue`;
const SPANS = `span as materialized (
     select * from unnest($3::text[], $4::int[], $5::timestamptz[], $6::timestamptz[]) as s (grain, bucket, begins, ends)
   ), dirty as materialized (
     select distinct m.account_id, m.quarter, s.bucket
     from report_mark m join span s on s.grain <> 'call' and m.quarter >= s.begins and m.quarter < s.ends
       left join report_retired r on r.account_id = m.account_id
     where m.quarter >= $7 and m.quarter < $8 and (r.account_id is null or m.quarter >= r.before)`;
/** "lateral … offset 0" is a probe for each day or quarter, which the planner may not turn into reading the whole table. */
const CLEAN = `select t.bucket, ${CELLS} from (
       select s.bucket, at from span s cross join lateral generate_series(s.begins, s.ends - interval '24 hours', interval '24 hours') at
       where s.grain = 'day') t
     cross join lateral (select * from report_day d where d.cube = $2 and d.at = t.at`;
const QUARTERS = `union all select t.bucket, ${CELLS} from (
       select s.bucket, at from span s cross join lateral generate_series(s.begins, s.ends - interval '15 minutes', interval '15 minutes') at
       where s.grain = 'quarter') t
     cross join lateral (select * from report_quarter q where q.cube = $2 and q.at = t.at`;
const LESS_DIRTY = `union all select d.bucket, q.account_id, channel, source, medium, campaign, q.pool_id, landing_page, promo_number, ingress, -calls, -routed,
       -answered, -missed, -completed, -busy, -no_answer, -failed, -canceled, -intercepted, -talk_ms, -matched, -overflow, -expired, -never_presented,
       -quarantined, -unattributable, -unattributed, -judged, -confidence_ppm, -conversions, -revenue
     from dirty d cross join lateral (
       select * from report_quarter q where q.cube = $2 and q.at = d.quarter and q.account_id = d.account_id offset 0) q
     union all select d.bucket, d.account_id, channel, source, medium, campaign, pool_id, landing_page, promo_number, ingress, calls, routed, answered,
       missed, completed, busy, no_answer, failed, canceled, intercepted, talk_ms, matched, overflow, expired, never_presented, quarantined,
       unattributable, unattributed, judged, confidence_ppm, conversions, revenue
     from dirty d cross join lateral (
       select r.* from report_call r
         where d.account_id <> '' and r.account_id = d.account_id and r.received_at >= d.quarter and r.received_at < d.quarter + interval '15 minutes'
       union all select r.* from report_call r
         where d.account_id = '' and r.account_id is null and r.received_at >= d.quarter and r.received_at < d.quarter + interval '15 minutes') r`;
const ENDS = `union all select s.bucket, coalesce(c.account_id, ''), channel, source, medium, campaign, pool_id, landing_page, promo_number, ingress, calls,
       routed, answered, missed, completed, busy, no_answer, failed, canceled, intercepted, talk_ms, matched, overflow, expired, never_presented,
       quarantined, unattributable, unattributed, judged, confidence_ppm, conversions, revenue
     from span s cross join lateral (select * from report_call r where s.grain = 'call' and r.received_at >= s.begins and r.received_at < s.ends`;
/** What is not asked for is null for all; the filter's fields that are null ask for calls without it. */
const GROUPED = `select p.bucket, a.currency, case when ($9::boolean[])[1] then nullif(p.account_id, '') end as account_id,
     case when ($9::boolean[])[2] then p.channel end as channel, case when ($9::boolean[])[3] then p.source end as source,
     case when ($9::boolean[])[4] then p.medium end as medium, case when ($9::boolean[])[5] then p.campaign end as campaign,
     case when ($9::boolean[])[6] then p.pool_id end as pool_id,
     -- The unread rest of a cell is empty in its kind, and full in calls that are read themselves.
     case when ($9::boolean[])[7] then p.landing_page end as landing_page, case when ($9::boolean[])[8] then p.promo_number end as promo_number,
     case when ($9::boolean[])[9] then p.ingress end as ingress,
     sum(p.calls)::bigint as calls, sum(p.routed)::bigint as routed, sum(p.answered)::bigint as answered, sum(p.missed)::bigint as missed,
     sum(p.completed)::bigint as completed, sum(p.busy)::bigint as busy, sum(p.no_answer)::bigint as no_answer, sum(p.failed)::bigint as failed,
     sum(p.canceled)::bigint as canceled, sum(p.intercepted)::bigint as intercepted, sum(p.talk_ms)::bigint as talk_ms,
     sum(p.matched)::bigint as matched, sum(p.overflow)::bigint as overflow, sum(p.expired)::bigint as expired,
     sum(p.never_presented)::bigint as never_presented, sum(p.quarantined)::bigint as quarantined, sum(p.unattributable)::bigint as unattributable,
     sum(p.unattributed)::bigint as unattributed, sum(p.judged)::bigint as judged, sum(p.confidence_ppm)::bigint as confidence_ppm,
     sum(p.conversions)::bigint as conversions, sum(p.revenue)::text as revenue
   from part p left join account a on a.id = p.account_id
   where $10::jsonb is null or (
     (not $10 ? 'channel' or p.channel is not distinct from $10 ->> 'channel') and (not $10 ? 'source' or p.source is not distinct from $10 ->> 'source')
     and (not $10 ? 'medium' or p.medium is not distinct from $10 ->> 'medium')
     and (not $10 ? 'campaign' or p.campaign is not distinct from $10 ->> 'campaign')
     and (not $10 ? 'pool_id' or p.pool_id is not distinct from $10 ->> 'pool_id')
     and (not $10 ? 'landing_page' or p.landing_page is not distinct from $10 ->> 'landing_page')
     and (not $10 ? 'promo_number' or p.promo_number is not distinct from $10 ->> 'promo_number')
     and (not $10 ? 'ingress' or p.ingress is not distinct from $10 ->> 'ingress'))
   group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 having sum(p.calls) > 0
   limit $11`;

export const OF_ACCOUNT = sql(
  "report_of_account",
  `with ${SPANS} and m.account_id = $1
   ), part as (
     ${CLEAN} and d.account_id = $1 offset 0) d
     ${QUARTERS} and q.account_id = $1 offset 0) q
     ${LESS_DIRTY}
     ${ENDS} and r.account_id = $1) c
   ) ${GROUPED}`,
);
const OF_ALL = sql(
  "report_of_all",
  `with ${SPANS} and $1::text is null
   ), part as (
     ${CLEAN} offset 0) d
     ${QUARTERS} offset 0) q
     ${LESS_DIRTY}
     ${ENDS}) c
   ) ${GROUPED}`,
);

export interface ReportQuestion {
  /** Null: all, and calls that nobody owned. */
  readonly accountId: string | null;
  readonly cube: Cube;
  readonly spans: readonly Span[];
  readonly groupBy: readonly Dimension[];
  /** Null: calls without it. */
  readonly where: Readonly<Partial<Record<Dimension, string | null>>>;
  readonly groupsMax: number;
}

/**
 * For the transaction. The planner cannot know how few groups there are, expects more than fit into its usual memory, and then sorts all cells by eleven
 * texts instead of hashing them: a quarter of the statement's time. 64 MB with PostgreSQL's own work_mem.
 */
const MEMORY_FOR_GROUPS = sql("report_memory_for_groups", `select set_config('hash_mem_multiplier', '16', true)`);

/** In a transaction, which the setting is for. @returns groups with calls, in no order; more than `groupsMax`: there are others */
export async function readReport(tx: Queryable, question: ReportQuestion): Promise<ReportGroup[]> {
  const query = question.accountId === null ? OF_ALL : OF_ACCOUNT;
  await tx.query(MEMORY_FOR_GROUPS);
  const rows = await tx.query<
    Counts & Record<Dimension | "currency", string | null> & { bucket: number; revenue: string }
  >(query, reportValues(question));
  return rows.map((row) => ({
    ...row,
    dimensions: Object.fromEntries(DIMENSIONS.map((one) => [one, row[one]])) as Record<Dimension, string | null>,
  }));
}

/** As the statement takes them; for tests of its plan. */
export function reportValues({ accountId, cube, spans, groupBy, where, groupsMax }: ReportQuestion): unknown[] {
  const at = (times: readonly Instant[]): (string | null)[] => times.map((time) => timestamp(time));
  return [
    accountId,
    cube,
    spans.map(({ grain }) => grain),
    spans.map(({ bucket }) => bucket),
    at(spans.map(({ from }) => from)),
    at(spans.map(({ to }) => to)),
    timestamp(Math.min(...spans.map(({ from }) => from))),
    timestamp(Math.max(...spans.map(({ to }) => to))),
    DIMENSIONS.map((one) => groupBy.includes(one)),
    Object.keys(where).length === 0 ? null : JSON.stringify(where),
    groupsMax + 1,
  ];
}

const ACCOUNT = sql("report_account", `select currency, time_zone as "timeZone" from account where id = $1`);
const POOLS = sql(
  "report_pools",
  `select id as pool_id, account_id from pool
   where deleted_at is null and ($1::text is null or account_id = $1) and ($2::text is null or id = $2) order by id limit $3`,
);

/** What an account's reports are made in. Null: there is no such account. */
export async function readReportAccount(
  db: Queryable,
  id: string,
): Promise<{ currency: string; timeZone: string } | null> {
  const [account] = await db.query<{ currency: string; timeZone: string }>(ACCOUNT, [id]);
  return account ?? null;
}

/** Live pools. Null: any. */
export async function readReportPools(
  db: Queryable,
  input: { accountId: string | null; poolId: string | null; limit: number },
): Promise<{ pool_id: string; account_id: string }[]> {
  return db.query(POOLS, [input.accountId, input.poolId, input.limit]);
}
