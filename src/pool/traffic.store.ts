/**
 * What a pool's own log says about its traffic: allocations by hour, how long numbers stay locked, how long people take to call. Read number by
 * number through indexes that are there for other reasons, so that presenting pays nothing for it. A log of millions is sampled: numbers in a
 * mixed order, each with all of its visits, until the limit; under least-recently-presented-first every number has the same share.
 */
import { sql, timestamp, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { HOUR_S, type TrafficProfile } from "./traffic-profile.js";

/** Half a second of reading on one core, and enough that the sample's own error is under a hundredth. */
const VISITS_READ_MAX = 200_000;
/** The error of a share from so many calls is under a point. */
export const CALLS_READ_MAX = 5_000;
/** When one number's visits alone are too many, the window is cut to a quarter, and again. */
const WINDOW_CUT = 4;

/** Of a window of the past; a report asks for those. */
const ENDS_AT = "coalesce($5::timestamptz, now())";
/** All that were ever in the pool, in an order that has nothing to do with how busy they are. "lateral … offset 0" is a probe for each. */
const MEMBERS = `select m.id as number_id, n.e164, n.presentation_seq, n.locked_until, row_number() over (order by hashint8(m.id), m.id) as place
  from (select id from promo_number where pool_id = $2 union select number_id from number_event where pool_id = $2) m
    cross join lateral (select n.e164, n.presentation_seq, n.locked_until from promo_number n where n.id = m.id offset 0) n`;

export const READ_VISITS = sql(
  "traffic_read_visits",
  `with member as materialized (${MEMBERS}), visit as materialized (
     select m.place, v.seq, v.kind, v.presented_at, v.locked_until,
       -- What open pages added to the number's latest lock, once it has ended.
       case when v.seq = m.presentation_seq and m.locked_until between v.locked_until and ${ENDS_AT} then m.locked_until - v.locked_until end as page_time
     from member m cross join lateral (
       select p.seq, p.kind, p.presented_at, p.locked_until
       from presentation p
       where p.account_id = $1 and p.number_id = m.number_id and p.pool_id = $2
         and p.presented_at > ${ENDS_AT} - make_interval(secs => $3) and p.presented_at <= ${ENDS_AT} offset 0) v
     limit $4
   ), covered as (
     select case when count(*) < $4 then (select count(*) from member) else max(place) - 1 end as numbers from visit
   ), used as (
     -- A lock ends early where the number goes on: the visitor renewed it, or the pool reuses the oldest.
     select v.kind, v.presented_at, v.page_time,
       greatest(least(v.locked_until, lead(v.presented_at) over w) - v.presented_at, interval '0') as lock
     from visit v join covered c on v.place <= c.numbers
     window w as (partition by v.place order by v.seq)
   ), hourly as (
     select floor(extract(epoch from ${ENDS_AT} - presented_at) / 3600)::int as "hoursAgo", count(*) filter (where kind = 'presented') as allocations,
       count(*) as visits, sum(extract(epoch from lock))::float8 as "lockS", sum(extract(epoch from page_time))::float8 as "pageTimeS",
       count(page_time) as "pagesLeft", min(presented_at) as "firstAt"
     from used group by 1
   )
   select h."hoursAgo", h.allocations, h.visits, h."lockS", h."pageTimeS", h."pagesLeft", h."firstAt", ${ENDS_AT} as now, c.numbers as covered,
     (select count(*) from member) as members
   from covered c left join hourly h on true`,
);
export const READ_DELAYS = sql(
  "traffic_read_delays",
  `with member as materialized (${MEMBERS})
   select greatest(extract(epoch from c.received_at - c.presented_at), 0)::float8 as "delayS"
   from member m cross join lateral (
     select c.received_at, c.presented_at from call c
     where c.promo_number = m.e164 and c.account_id = $1 and c.pool_id = $2 and c.attribution = 'matched'
       and c.received_at > ${ENDS_AT} - make_interval(secs => $3) and c.received_at <= ${ENDS_AT} offset 0) c
   limit $4`,
);
export const READ_ARRIVALS = sql(
  "traffic_read_arrivals",
  `with member as materialized (${MEMBERS})
   select extract(epoch from v.presented_at)::float8 as "atS", v.visitor_id as visitor
   from member m cross join lateral (
     select p.presented_at, p.visitor_id from presentation p
     where p.account_id = $1 and p.number_id = m.number_id and p.pool_id = $2
       and p.presented_at > now() - make_interval(secs => $3) and p.presented_at <= now() offset 0) v
   order by v.presented_at`,
);

interface HourRow {
  hoursAgo: number | null;
  allocations: number;
  visits: number;
  lockS: number;
  pageTimeS: number | null;
  pagesLeft: number;
  firstAt: Instant;
  now: Instant;
  covered: number;
  members: number;
}

export interface PoolTraffic {
  /** Null when nobody was presented a number in the window. */
  readonly profile: TrafficProfile | null;
  /** Visits per second, renewals included. */
  readonly visitsPerS: number;
  /** Mean time that pages kept their locks after the session lifetime would have begun to run; null when no page was left yet. */
  readonly pageTimeS: number | null;
  /** 1: the whole log was read; less: a sample of the pool's numbers, scaled up. */
  readonly sampledShare: number;
}

export interface PoolWindow {
  readonly pool: { readonly id: string; readonly accountId: string; readonly createdAt: Instant };
  readonly windowS: number;
  /** Where the window ends; now when not given. */
  readonly endsAt?: Instant | undefined;
}

/** @param visitsMax how many visits are read at most; tests have shorter logs */
export async function readTraffic(db: Queryable, input: PoolWindow, visitsMax = VISITS_READ_MAX): Promise<PoolTraffic> {
  const { pool, windowS, endsAt } = input;
  const values = [pool.accountId, pool.id, windowS, visitsMax, timestamp(endsAt ?? null)];
  const rows = await db.query<HourRow>(READ_VISITS, values);
  const [{ now, covered, members }] = rows as [HourRow];
  if (covered === 0 && members > 0) {
    return readTraffic(db, { ...input, windowS: Math.ceil(windowS / WINDOW_CUT) }, visitsMax);
  }
  const hours = rows.filter((row) => row.hoursAgo !== null);
  const scale = covered === 0 ? 1 : members / covered;
  const sum = (of: (row: HourRow) => number | null): number => hours.reduce((total, row) => total + (of(row) ?? 0), 0);
  const allocations = sum((row) => row.allocations);
  const pagesLeft = sum((row) => row.pagesLeft);
  const pageTimeS = pagesLeft === 0 ? null : sum((row) => row.pageTimeS) / pagesLeft;
  const firstAt = Math.min(pool.createdAt, ...hours.map((row) => row.firstAt));
  const observedS = observed(windowS, (now - firstAt) / 1000);
  const hourly = Array<number>(Math.ceil(observedS / HOUR_S)).fill(0);
  for (const row of hours) {
    const place = Math.min(row.hoursAgo ?? 0, hourly.length - 1);
    hourly[place] = (hourly[place] ?? 0) + row.allocations * scale;
  }
  const holdS = sum((row) => row.lockS) / allocations + (pageTimeS ?? 0);
  return {
    profile: allocations === 0 ? null : { observedS, hourly, holdS },
    visitsPerS: (sum((row) => row.visits) * scale) / observedS,
    pageTimeS,
    sampledShare: 1 / scale,
  };
}

/** A pool younger than the window was watched since it was made; an hour at least, so that its first minutes do not look like a rush. */
function observed(windowS: number, ageS: number): number {
  return Math.min(windowS, Math.max(ageS, HOUR_S));
}

/** Seconds from presentation to call, of matched calls, in no order. */
export async function readCallDelays(db: Queryable, { pool, windowS, endsAt }: PoolWindow): Promise<number[]> {
  const values = [pool.accountId, pool.id, windowS, CALLS_READ_MAX, timestamp(endsAt ?? null)];
  const rows = await db.query<{ delayS: number }>(READ_DELAYS, values);
  return rows.map(({ delayS }) => delayS);
}

/** Every visit that was presented or renewed a number, oldest first. The caller keeps the window short enough for its memory. */
export async function readArrivals(
  db: Queryable,
  { pool, windowS }: PoolWindow,
): Promise<{ atS: number; visitor: string }[]> {
  return db.query(READ_ARRIVALS, [pool.accountId, pool.id, windowS]);
}
