-- Reports: sums of calls by quarter hour and by day of UTC, exact at any moment, and views for tools that read SQL.

-- Quarter hours: every zone's offset of today is a whole number of them, so that hours, days and months of all zones are made of them.
create function quarter_of(p_at timestamptz) returns timestamptz language sql immutable strict
return date_bin('15 minutes', p_at, timestamptz '1970-01-01 00:00:00+00');

-- A page, whoever visited it: what stands behind it in an address may name a person, and makes every visit a page of its own.
create function report_page(p_url text) returns text language sql immutable strict
return left(split_part(split_part(p_url, '#', 1), '?', 1), 500);

-- Every call with what it adds to each sum, as call_record has it. Whole numbers (confidence in millionths), so that a sum is the same in whatever
-- order it is made. "lateral … offset 0": a corrected call's correction is looked up by its key; joined, all corrections would be read for each quarter.
create view report_call as
select c.id as call_id, c.account_id, c.received_at, v.channel, v.source, v.medium, v.campaign, c.pool_id, report_page(v.landing_page) as landing_page,
  c.promo_number, c.ingress,
  1 as calls,
  (c.disposition = 'routed')::int as routed,
  (c.answered_at is not null)::int as answered,
  (c.disposition = 'routed' and c.answered_at is null and c.status in ('completed', 'busy', 'no_answer', 'failed', 'canceled'))::int as missed,
  (c.status = 'completed')::int as completed,
  (c.status = 'busy')::int as busy,
  (c.status = 'no_answer')::int as no_answer,
  (c.status = 'failed')::int as failed,
  (c.status = 'canceled')::int as canceled,
  (c.status = 'intercepted')::int as intercepted,
  coalesce(c.talk_ms, 0)::bigint as talk_ms,
  (v.attribution = 'matched')::int as matched,
  (v.attribution = 'overflow')::int as overflow,
  (v.attribution = 'expired')::int as expired,
  (v.attribution = 'never_presented')::int as never_presented,
  (v.attribution = 'quarantined')::int as quarantined,
  (v.attribution = 'unattributable')::int as unattributable,
  (c.disposition = 'routed' and v.attribution <> 'matched')::int as unattributed,
  (v.attribution = 'matched' and v.confidence is not null)::int as judged,
  case when v.attribution = 'matched' and v.confidence is not null then round(v.confidence * 1e6)::bigint else 0 end as confidence_ppm,
  (v.conversion is true)::int as conversions,
  coalesce(v.revenue, 0) as revenue
from call c
  left join lateral (
    select k.attribution_corrected, k.channel, k.source, k.medium, k.campaign, k.landing_page, k.attribution, k.confidence, k.conversion, k.revenue
    from call_correction k where c.revision > 0 and k.call_id = c.id and k.revision = c.revision offset 0) k on true
  cross join lateral (
    select case when k.attribution_corrected is not true then c.channel else k.channel end as channel, case when k.attribution_corrected is not true then c.source else k.source end as source,
      case when k.attribution_corrected is not true then c.medium else k.medium end as medium, case when k.attribution_corrected is not true then c.campaign else k.campaign end as campaign,
      case when k.attribution_corrected is not true then c.landing_page else k.landing_page end as landing_page,
      case when k.attribution_corrected is not true then c.attribution else k.attribution end as attribution,
      case when k.attribution_corrected is not true then c.confidence else k.confidence end as confidence, k.conversion, k.revenue) v;

/*
  A cell: the calls of one account in one quarter hour that are alike in all that its cube tells apart; what it does not is null.
  source: channel, source, medium, campaign, pool · page: landing page, pool · number: promo number, pool, ingress.
  Small next to the calls as soon as many of them are alike; a report of many days reads report_day, the sums of the quarters by day of UTC.
*/
create table report_quarter (
  cube text not null check (cube in ('source', 'page', 'number')),
  at timestamptz not null,
  -- '': calls on numbers that nobody owned.
  account_id text not null,
  -- A digest of what the cube tells apart: a key may hold no null.
  key uuid not null,
  channel text,
  source text,
  medium text,
  campaign text,
  pool_id text,
  landing_page text,
  promo_number text,
  ingress text,
  calls int not null check (calls > 0),
  routed int not null, answered int not null, missed int not null, completed int not null, busy int not null, no_answer int not null, failed int not
  null, canceled int not null, intercepted int not null,
  talk_ms bigint not null,
  matched int not null, overflow int not null, expired int not null, never_presented int not null, quarantined int not null, unattributable int not
  null, unattributed int not null, judged int not null,
  confidence_ppm bigint not null,
  conversions int not null,
  revenue numeric not null,
  primary key (cube, at, account_id, key)
);
create table report_day (like report_quarter including all);

/*
  Quarters whose calls changed after their cells were made. Written by the transaction that changes a call, so whoever sees the change sees the mark,
  and reads that quarter's calls instead of its cells. Rows are only added and removed, never updated: nobody waits for another's mark.
*/
create table report_mark (
  id bigint generated always as identity primary key,
  account_id text not null,
  quarter timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
create index report_mark_quarter on report_mark (account_id, quarter);

-- Quarters before it lost calls to retention: their cells are all that is left, and are never made again.
create table report_retired (
  account_id text primary key,
  before timestamptz not null
);

/*
  Once a statement, not once a call. Retention says that it removes calls which stay counted: set_config('ringmatch.retiring', 'on', true). It may
  remove none of a quarter that is still marked (they would be lost), and does best to remove whole quarters.
*/
create function mark_report() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into report_mark (account_id, quarter)
      select distinct coalesce(c.account_id, ''), quarter_of(c.received_at) from new_call c;
  elsif tg_op = 'UPDATE' then
    -- What retention empties in a call is in no sum.
    if coalesce(current_setting('ringmatch.retiring', true), '') = 'on' then
      return null;
    end if;
    insert into report_mark (account_id, quarter)
      select coalesce(c.account_id, ''), quarter_of(c.received_at) from old_call c
      union select coalesce(c.account_id, ''), quarter_of(c.received_at) from new_call c;
  elsif coalesce(current_setting('ringmatch.retiring', true), '') <> 'on' then
    insert into report_mark (account_id, quarter)
      select distinct coalesce(c.account_id, ''), quarter_of(c.received_at) from old_call c;
  else
    if exists (select 1 from old_call c join report_mark m on m.account_id = coalesce(c.account_id, '') and m.quarter = quarter_of(c.received_at)) then
      raise exception 'calls that are not counted yet may not be retired' using errcode = 'object_not_in_prerequisite_state';
    end if;
    insert into report_retired as r (account_id, before)
      select coalesce(c.account_id, ''), quarter_of(max(c.received_at)) + interval '15 minutes' from old_call c group by 1
      on conflict (account_id) do update set before = greatest(r.before, excluded.before);
  end if;
  return null;
end $$;
create trigger report_marks_new after insert on call referencing new table as new_call for each statement execute function mark_report();
create trigger report_marks_changed after update on call referencing old table as old_call new table as new_call
  for each statement execute function mark_report();
create trigger report_marks_removed after delete on call referencing old table as old_call for each statement execute function mark_report();
-- A new correction comes with an update of its call; an erasure may empty corrections alone.
create trigger report_marks_changed after update on call_correction referencing old table as old_call new table as new_call
  for each statement execute function mark_report();

-- What was recorded before there were reports.
insert into report_mark (account_id, quarter) select distinct coalesce(account_id, ''), quarter_of(received_at) from call;

-- Visitors who found no free number, by the quarter hour in which it was written down: what a pool turned away.
create table pool_turned_away (
  pool_id text not null references pool (id),
  quarter timestamptz not null,
  visitors bigint not null,
  primary key (pool_id, quarter)
);
-- The pool's row is locked by the update that fires it, so nobody waits here.
create function count_turned_away() returns trigger language plpgsql as $$
begin
  insert into pool_turned_away as t (pool_id, quarter, visitors) values (new.pool_id, quarter_of(now()), new.exhausted - old.exhausted)
    on conflict (pool_id, quarter) do update set visitors = t.visitors + excluded.visitors;
  return null;
end $$;
create trigger turned_away after update on pool_scaling for each row when (new.exhausted > old.exhausted) execute function count_turned_away();

-- The sums by day of UTC, exact: the days' cells, less the marked quarters', plus the calls of the marked quarters.
create view report_daily as
with dirty as materialized (
  select distinct m.account_id, m.quarter from report_mark m left join report_retired r on r.account_id = m.account_id
  where r.account_id is null or m.quarter >= r.before
), changed as (
  select c.* from dirty d cross join lateral (
    select r.* from report_call r
      where d.account_id <> '' and r.account_id = d.account_id and r.received_at >= d.quarter and r.received_at < d.quarter + interval '15 minutes'
    union all select r.* from report_call r
      where d.account_id = '' and r.account_id is null and r.received_at >= d.quarter and r.received_at < d.quarter + interval '15 minutes') c
), part as (
  select d.cube, d.at as day, d.account_id, d.channel, d.source, d.medium, d.campaign, d.pool_id, d.landing_page, d.promo_number, d.ingress,
    d.calls, d.routed, d.answered, d.missed, d.completed, d.busy, d.no_answer, d.failed, d.canceled, d.intercepted, d.talk_ms, d.matched, d.overflow,
    d.expired, d.never_presented, d.quarantined, d.unattributable, d.unattributed, d.judged, d.confidence_ppm, d.conversions, d.revenue
  from report_day d
  union all
  select q.cube, date_trunc('day', q.at, 'UTC'), q.account_id, q.channel, q.source, q.medium, q.campaign, q.pool_id, q.landing_page, q.promo_number, q.ingress,
    -q.calls, -q.routed, -q.answered, -q.missed, -q.completed, -q.busy, -q.no_answer, -q.failed, -q.canceled, -q.intercepted, -q.talk_ms, -q.matched,
    -q.overflow, -q.expired, -q.never_presented, -q.quarantined, -q.unattributable, -q.unattributed, -q.judged, -q.confidence_ppm, -q.conversions,
    -q.revenue
  from dirty d cross join (values ('source'), ('page'), ('number')) k (cube)
    join report_quarter q on q.cube = k.cube and q.at = d.quarter and q.account_id = d.account_id
  union all
  select 'source', date_trunc('day', c.received_at, 'UTC'), coalesce(c.account_id, ''), c.channel, c.source, c.medium, c.campaign, c.pool_id, null, null, null,
    c.calls, c.routed, c.answered, c.missed, c.completed, c.busy, c.no_answer, c.failed, c.canceled, c.intercepted, c.talk_ms, c.matched, c.overflow,
    c.expired, c.never_presented, c.quarantined, c.unattributable, c.unattributed, c.judged, c.confidence_ppm, c.conversions, c.revenue
  from changed c
  union all
  select 'page', date_trunc('day', c.received_at, 'UTC'), coalesce(c.account_id, ''), null, null, null, null, c.pool_id, c.landing_page, null, null,
    c.calls, c.routed, c.answered, c.missed, c.completed, c.busy, c.no_answer, c.failed, c.canceled, c.intercepted, c.talk_ms, c.matched, c.overflow,
    c.expired, c.never_presented, c.quarantined, c.unattributable, c.unattributed, c.judged, c.confidence_ppm, c.conversions, c.revenue
  from changed c
  union all
  select 'number', date_trunc('day', c.received_at, 'UTC'), coalesce(c.account_id, ''), null, null, null, null, c.pool_id, null, c.promo_number, c.ingress,
    c.calls, c.routed, c.answered, c.missed, c.completed, c.busy, c.no_answer, c.failed, c.canceled, c.intercepted, c.talk_ms, c.matched, c.overflow,
    c.expired, c.never_presented, c.quarantined, c.unattributable, c.unattributed, c.judged, c.confidence_ppm, c.conversions, c.revenue
  from changed c
)
select p.cube, p.day, p.account_id, p.channel, p.source, p.medium, p.campaign, p.pool_id, p.landing_page, p.promo_number, p.ingress,
  sum(p.calls)::bigint as calls, sum(p.routed)::bigint as routed, sum(p.answered)::bigint as answered, sum(p.missed)::bigint as missed,
  sum(p.completed)::bigint as completed, sum(p.busy)::bigint as busy, sum(p.no_answer)::bigint as no_answer, sum(p.failed)::bigint as failed,
  sum(p.canceled)::bigint as canceled, sum(p.intercepted)::bigint as intercepted, sum(p.talk_ms)::bigint as talk_ms, sum(p.matched)::bigint as
  matched, sum(p.overflow)::bigint as overflow, sum(p.expired)::bigint as expired, sum(p.never_presented)::bigint as never_presented,
  sum(p.quarantined)::bigint as quarantined, sum(p.unattributable)::bigint as unattributable, sum(p.unattributed)::bigint as unattributed,
  sum(p.judged)::bigint as judged, sum(p.confidence_ppm)::bigint as confidence_ppm, sum(p.conversions)::bigint as conversions, sum(p.revenue) as
  revenue
from part p
group by p.cube, p.day, p.account_id, p.channel, p.source, p.medium, p.campaign, p.pool_id, p.landing_page, p.promo_number, p.ingress
having sum(p.calls) > 0;

-- What tools that read SQL may rely on: a view that changes in meaning gets a new number, and the old one stays. Nothing here is sealed or secret, and
-- nothing names a person but by an id and the last four digits.
create schema reporting;

create view reporting.accounts_v1 as select id as account_id, name, currency, time_zone, created_at from public.account;

create view reporting.calls_v1 as
select c.call_id, c.id as record_id, c.revision, c.account_id, c.pool_id, c.received_at, c.ingress, c.promo_number, c.caller_last4, c.disposition, c.status,
  c.destination_number, c.answered_at, c.ended_at, c.pdd_ms, c.ring_ms, c.talk_ms, c.hangup_cause, c.released_by, c.verstat, c.attribution, c.presentation_id,
  c.visitor_id, c.presented_at, c.confidence, c.late, c.channel, c.source, c.medium, c.campaign, public.report_page(c.landing_page) as landing_page,
  c.conversion, c.revenue, c.updated_at
from public.call_record c;

create view reporting.presentations_v1 as
select p.id, p.presentation_id, p.account_id, p.pool_id, p.promo_number, p.seq, p.kind, p.visitor_id, p.presented_at, p.locked_until, p.retained_until,
  p.touch ->> 'utm_source' as utm_source, p.touch ->> 'utm_medium' as utm_medium, p.touch ->> 'utm_campaign' as utm_campaign
from public.presentation p;

create view reporting.pools_v1 as
select p.id as pool_id, p.account_id, p.name, p.kind, p.campaign, p.destination_id, p.number_type, p.npa, p.session_lifetime_s, p.retention_s, p.max_size,
  p.overflow, p.created_at, p.deleted_at, n.assigned, n.draining, s.exhausted as visitors_turned_away
from public.pool p
  join public.pool_scaling s on s.pool_id = p.id
  cross join lateral (
    select count(*) filter (where n.state = 'assigned') as assigned, count(*) filter (where n.state = 'draining') as draining
    from public.promo_number n where n.pool_id = p.id) n;

-- How long each number was held on each day of UTC, by whom: the running day up to now. As GET /v1/usage counts it.
create view reporting.number_days_v1 as
with move as (
  select e.number_id, e.id, e.state, e.account_id, e.pool_id, max(e.at) over (partition by e.number_id order by e.id) as begins from public.number_event e
), stay as (
  select m.*, coalesce(lead(m.begins) over (partition by m.number_id order by m.id), now()) as ends from move m
)
select d.day, s.account_id, s.pool_id, n.e164 as promo_number,
  sum(extract(epoch from least(s.ends, d.day + interval '24 hours') - greatest(s.begins, d.day))) as held_s
from stay s
  join public.promo_number n on n.id = s.number_id
  cross join lateral generate_series(date_trunc('day', s.begins, 'UTC'), s.ends, interval '24 hours') as d (day)
where s.state in ('assigned', 'draining') and s.begins < s.ends and d.day < s.ends
group by d.day, s.account_id, s.pool_id, n.e164;

-- Exact at any moment, as /v1/reports are.
create view reporting.source_daily_v1 as
select d.day, nullif(d.account_id, '') as account_id, d.channel, d.source, d.medium, d.campaign, d.pool_id,
  d.calls, d.routed, d.answered, d.missed, d.completed, d.busy, d.no_answer, d.failed, d.canceled, d.intercepted, d.talk_ms, d.matched, d.overflow,
  d.expired, d.never_presented, d.quarantined, d.unattributable, d.unattributed, d.judged, d.confidence_ppm, d.conversions, d.revenue,
  d.unattributed::float8 / nullif(d.routed, 0) as unattributed_share, 1 - d.confidence_ppm / nullif(d.judged * 1e6, 0) as estimated_misattribution
from public.report_daily d where d.cube = 'source';

create view reporting.landing_page_daily_v1 as
select d.day, nullif(d.account_id, '') as account_id, d.landing_page, d.pool_id,
  d.calls, d.routed, d.answered, d.missed, d.completed, d.busy, d.no_answer, d.failed, d.canceled, d.intercepted, d.talk_ms, d.matched, d.overflow,
  d.expired, d.never_presented, d.quarantined, d.unattributable, d.unattributed, d.judged, d.confidence_ppm, d.conversions, d.revenue,
  d.unattributed::float8 / nullif(d.routed, 0) as unattributed_share, 1 - d.confidence_ppm / nullif(d.judged * 1e6, 0) as estimated_misattribution
from public.report_daily d where d.cube = 'page';

create view reporting.number_daily_v1 as
select d.day, nullif(d.account_id, '') as account_id, d.promo_number, d.pool_id, d.ingress,
  d.calls, d.routed, d.answered, d.missed, d.completed, d.busy, d.no_answer, d.failed, d.canceled, d.intercepted, d.talk_ms, d.matched, d.overflow,
  d.expired, d.never_presented, d.quarantined, d.unattributable, d.unattributed, d.judged, d.confidence_ppm, d.conversions, d.revenue,
  d.unattributed::float8 / nullif(d.routed, 0) as unattributed_share, 1 - d.confidence_ppm / nullif(d.judged * 1e6, 0) as estimated_misattribution
from public.report_daily d where d.cube = 'number';

/*
  A role that reads these views and nothing else; a login is made a member of it (docs/reporting.md). Roles belong to the whole server: it may be there
  already, another database may make it at the same moment, and whoever migrates may not be allowed to make roles at all. Then the views are there, and
  docs/reporting.md says what an administrator runs.
*/
do $$
begin
  if not exists (select 1 from pg_roles where rolname = 'ringmatch_reporting') then
    begin
      create role ringmatch_reporting nologin;
      alter role ringmatch_reporting set default_transaction_read_only = on;
      alter role ringmatch_reporting set statement_timeout = '30s';
    exception
      when insufficient_privilege then
        raise notice 'the role ringmatch_reporting was not made: docs/reporting.md says how';
      when duplicate_object or unique_violation then null;
    end;
  end if;
  if exists (select 1 from pg_roles where rolname = 'ringmatch_reporting') then
    grant usage on schema reporting to ringmatch_reporting;
    grant select on all tables in schema reporting to ringmatch_reporting;
  end if;
end $$;
