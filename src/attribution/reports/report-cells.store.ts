/**
 * Keeps the cells of reports (report_quarter, report_day) in step with the calls. A chore of the leader; running it twice does no harm.
 *
 * Why a report is exact whatever happens meanwhile. It reads, in one snapshot, the cells of quarters without a mark and the calls of marked ones. So for every
 * snapshot and quarter this must hold: there is a mark, or the cells are the sum of the calls. A transaction that changes calls writes the mark with them:
 * whoever sees one sees the other. A refresh, read committed, (1) reads marks, (2) makes the quarter's cells anew from the calls, (3) removes the marks that
 * (1) read and no others; all of it becomes visible at once. A change whose mark (1) read was committed before (1), so (2), whose snapshot is later,
 * counted it. A change whose mark (1) did not read keeps its mark, counted by (2) or not: the quarter stays marked, and the next refresh comes to it. Two
 * refreshes would both replace one quarter's cells: an advisory lock lets one at a time, taken by a statement before (1), so that (1) sees what the
 * refresh before it did. Marks of one quarter are thinned to the oldest under the same lock: what the others stood for is committed as well, and is
 * counted by whoever removes the oldest later.
 */
import { type Database, type Queryable, sql, timestamp } from "../../db/database.js";
import { byIndexOnly } from "../../db/planner.js";
import type { Instant } from "../../kernel/clock.js";

/**
 * A quarter is counted so long after it began, when most of its calls are over; until then its calls are read. Counting it all the while would write
 * its cells again and again.
 */
const COUNTED_AFTER_S = 20 * 60;
/** Quarters of one transaction: a second or so at ten calls a second, and no snapshot is held for longer. */
const QUARTERS_AT_ONCE = 48;

const LOCK = sql(
  "report_lock",
  `select pg_try_advisory_xact_lock(hashtextextended('ringmatch report cells', 0)) as locked`,
);
const THIN_MARKS = sql(
  "report_thin_marks",
  `delete from report_mark m using (
     select account_id, quarter, min(id) as oldest from report_mark group by account_id, quarter having count(*) > 1) k
   where m.account_id = k.account_id and m.quarter = k.quarter and m.id <> k.oldest`,
);
/** One account's quarters together: its days are then summed once. */
const PICK = sql(
  "report_pick",
  `select m.account_id as "accountId", m.quarter, array_agg(m.id) as marks, coalesce(bool_or(m.quarter < r.before), false) as "isRetired"
   from report_mark m left join report_retired r on r.account_id = m.account_id
   where m.quarter < coalesce($1::timestamptz, now()) - make_interval(secs => $2)
   group by m.account_id, m.quarter order by m.account_id, m.quarter limit $3`,
);
const REMOVE_MARKS = sql("report_remove_marks", `delete from report_mark where id = any ($1::bigint[])`);

const CUBES = `unnest(array['source', 'page', 'number'])`;
const REMOVE_QUARTERS = sql(
  "report_remove_quarters",
  `delete from report_quarter c using unnest($1::text[], $2::timestamptz[]) as q (account_id, quarter), ${CUBES} as k (cube)
   where c.cube = k.cube and c.at = q.quarter and c.account_id = q.account_id`,
);
const REMOVE_DAYS = sql(
  "report_remove_days",
  `delete from report_day c
   using (select distinct account_id, date_trunc('day', quarter, 'UTC') as day from unnest($1::text[], $2::timestamptz[]) as q (account_id, quarter)) d,
     ${CUBES} as k (cube)
   where c.cube = k.cube and c.at = d.day and c.account_id = d.account_id`,
);

const KEY = "channel, source, medium, campaign, pool_id, landing_page, promo_number, ingress";
const MEASURES = `calls, routed, answered, missed, completed, busy, no_answer, failed, canceled, intercepted, talk_ms, matched, overflow, expired,
   never_presented, quarantined, unattributable, unattributed, judged, confidence_ppm, conversions, revenue`;
const SUMS = `sum(c.calls) as calls, sum(c.routed) as routed, sum(c.answered) as answered, sum(c.missed) as missed, sum(c.completed) as completed,
     sum(c.busy) as busy, sum(c.no_answer) as no_answer, sum(c.failed) as failed, sum(c.canceled) as canceled, sum(c.intercepted) as intercepted,
     sum(c.talk_ms) as talk_ms, sum(c.matched) as matched, sum(c.overflow) as overflow, sum(c.expired) as expired,
     sum(c.never_presented) as never_presented, sum(c.quarantined) as quarantined, sum(c.unattributable) as unattributable,
     sum(c.unattributed) as unattributed, sum(c.judged) as judged, sum(c.confidence_ppm) as confidence_ppm, sum(c.conversions) as conversions,
     sum(c.revenue) as revenue`;
/** Each call is read once for all three cubes. Two branches, for an index finds equal accounts and absent ones by different conditions. */
const ADD_QUARTERS = sql(
  "report_add_quarters",
  `insert into report_quarter (cube, at, account_id, key, ${KEY}, ${MEASURES})
   select cube, quarter, account_id, md5(row(${KEY})::text)::uuid, ${KEY}, ${MEASURES}
   from (
     select case when grouping(c.promo_number) = 0 then 'number' when grouping(c.landing_page) = 0 then 'page' else 'source' end as cube,
       q.quarter, q.account_id, c.channel, c.source, c.medium, c.campaign, c.pool_id, c.landing_page, c.promo_number, c.ingress, ${SUMS}
     from unnest($1::text[], $2::timestamptz[]) as q (account_id, quarter) cross join lateral (
       select r.* from report_call r
         where q.account_id <> '' and r.account_id = q.account_id and r.received_at >= q.quarter and r.received_at < q.quarter + interval '15 minutes'
       union all select r.* from report_call r
         where q.account_id = '' and r.account_id is null and r.received_at >= q.quarter and r.received_at < q.quarter + interval '15 minutes') c
     group by q.quarter, q.account_id, c.pool_id,
       grouping sets ((c.channel, c.source, c.medium, c.campaign), (c.landing_page), (c.promo_number, c.ingress))
   ) cell`,
);
const ADD_DAYS = sql(
  "report_add_days",
  `insert into report_day (cube, at, account_id, key, ${KEY}, ${MEASURES})
   select c.cube, d.day, c.account_id, c.key, c.channel, c.source, c.medium, c.campaign, c.pool_id, c.landing_page, c.promo_number, c.ingress, ${SUMS}
   from (
     select distinct account_id, date_trunc('day', quarter, 'UTC') as day from unnest($1::text[], $2::timestamptz[]) as q (account_id, quarter)) d
     cross join ${CUBES} as k (cube)
     cross join generate_series(0, 95) as i (quarter)
     cross join lateral (
       select r.* from report_quarter r
       where r.cube = k.cube and r.at = d.day + i.quarter * interval '15 minutes' and r.account_id = d.account_id offset 0) c
   group by c.cube, d.day, c.account_id, c.key, c.channel, c.source, c.medium, c.campaign, c.pool_id, c.landing_page, c.promo_number, c.ingress`,
);

interface Marked {
  readonly accountId: string;
  readonly quarter: Instant;
  readonly marks: readonly string[];
  readonly isRetired: boolean;
}

export interface RefreshOptions {
  /** Null: the database's clock. */
  readonly now?: Instant | null;
  /** 0: the running quarter too. */
  readonly countedAfterS?: number;
  readonly quartersAtOnce?: number;
}

/**
 * Makes the cells of some marked quarters anew, and of their days, in one transaction.
 * @returns how many quarters; 0: none is due, or another process is at it
 */
export async function refreshReportCells(db: Database, options: RefreshOptions = {}): Promise<number> {
  const { now = null, countedAfterS = COUNTED_AFTER_S, quartersAtOnce = QUARTERS_AT_ONCE } = options;
  return db.transaction(async (tx) => {
    const [lock] = await tx.query<{ locked: boolean }>(LOCK);
    if (lock?.locked !== true) return 0;
    await byIndexOnly(tx);
    const marked = await tx.query<Marked>(PICK, [timestamp(now), countedAfterS, quartersAtOnce]);
    if (marked.length === 0) return 0;
    await makeAnew(
      tx,
      marked.filter(({ isRetired }) => !isRetired),
    );
    await tx.query(REMOVE_MARKS, [marked.flatMap(({ marks }) => marks)]);
    return marked.length;
  });
}

async function makeAnew(tx: Queryable, quarters: readonly Marked[]): Promise<void> {
  const values = [quarters.map(({ accountId }) => accountId), quarters.map(({ quarter }) => timestamp(quarter))];
  for (const query of [REMOVE_QUARTERS, ADD_QUARTERS, REMOVE_DAYS, ADD_DAYS]) await tx.query(query, values);
}

/** Leaves one mark a quarter: a busy quarter gets hundreds a second until it is counted, and reports read all of them. */
export async function thinReportMarks(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    const [lock] = await tx.query<{ locked: boolean }>(LOCK);
    if (lock?.locked === true) await tx.query(THIN_MARKS);
  });
}
