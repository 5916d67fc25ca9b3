-- Pools that grow and shrink: what an account may take, how often its pools were exhausted, when a pool is looked at next, and every decision
-- with its inputs and reason.

-- Limits are the platform's to set; null means none. The billing cycle starts at midnight of billing_day in time_zone.
alter table account
  add column number_limit int check (number_limit >= 0),
  add column monthly_number_cap int check (monthly_number_cap >= 0),
  add column billing_day int not null default 1 check (billing_day between 1 and 28),
  -- Refuses a zone that PostgreSQL does not know: it could not say when a cycle ends.
  add column time_zone text not null default 'UTC'
    check (length(time_zone) <= 64 and timestamptz '2000-01-01 00:00:00+00' at time zone time_zone is not null);

-- The cycle that p_at lies in. Shifting the calendar back by the billing day makes every cycle a calendar month.
create function billing_cycle(p_day int, p_zone text, p_at timestamptz, out starts_at timestamptz, out ends_at timestamptz)
language sql stable as $$
  select (c.month + c.shift) at time zone p_zone, (c.month + interval '1 month' + c.shift) at time zone p_zone
  from (
    select s.shift, date_trunc('month', p_at at time zone p_zone - s.shift) as month
    from (select make_interval(days => p_day - 1) as shift) s
  ) c
$$;

-- Numbers newly taken by an account: not those that came back from draining, which never left it.
create index number_event_taken on number_event (account_id, at) where state = 'assigned' and from_state not in ('assigned', 'draining');

-- Kept apart from pool, whose every change makes all processes read their routing tables again.
create table pool_scaling (
  pool_id text primary key references pool (id),
  -- When the job looks at the pool again; null: at its next round. The truth; the BullMQ job is only the motor.
  next_scale_at timestamptz,
  -- When autoscaling last wanted more numbers, got or not: growth is limited to one step an interval.
  tried_at timestamptz,
  -- Visitors who found no free number, ever; and up to which of them autoscaling has looked.
  exhausted bigint not null default 0,
  exhausted_seen bigint not null default 0,
  seen_at timestamptz not null default now(),
  check (exhausted_seen between 0 and exhausted)
) with (fillfactor = 70);
create index pool_scaling_due on pool_scaling (next_scale_at);
-- Every pool has its row from the start, so that nobody ever waits for somebody else's insert of it.
create function begin_pool_scaling() returns trigger language plpgsql as $$
begin
  insert into pool_scaling (pool_id, seen_at) values (new.id, new.created_at);
  return null;
end $$;
create trigger scaling_begins after insert on pool for each row execute function begin_pool_scaling();
insert into pool_scaling (pool_id, seen_at) select id, created_at from pool;
create index pool_autoscaled on pool (id) where deleted_at is null and autoscale @> '{"enabled": true}';

create table scale_decision (
  id text primary key,
  pool_id text not null references pool (id),
  account_id text not null references account (id),
  at timestamptz not null,
  trigger text not null check (trigger in ('created', 'asked', 'schedule', 'exhausted')),
  -- Numbers more that were wanted; below 0: fewer.
  wanted int not null,
  added int not null default 0 check (added >= 0),
  removed int not null default 0 check (removed >= 0),
  -- Asked of the carrier; and of these, what it still owes. Those count against the account's limits until they are here or given up.
  ordered int not null default 0 check (ordered >= 0),
  on_order int not null default 0 check (on_order between 0 and ordered),
  size_before int not null check (size_before >= 0),
  size_after int not null check (size_after >= 0),
  outcome text not null check (outcome in ('done', 'partial', 'nothing', 'on_order')),
  code text not null,
  reason text not null,
  actor text not null,
  inputs jsonb not null,
  check ((outcome = 'on_order') = (on_order > 0))
);
create index scale_decision_pool on scale_decision (pool_id, id);
create index scale_decision_on_order on scale_decision (account_id, pool_id) where on_order > 0;

create function refuse_decision_change() returns trigger language plpgsql as $$
begin
  raise exception 'scale decision % is final', old.id using errcode = 'check_violation';
end $$;
create trigger decision_is_final before update on scale_decision for each row
  when (old.outcome <> 'on_order' or new.inputs is distinct from old.inputs or new.wanted <> old.wanted or new.ordered <> old.ordered
        or new.on_order > old.on_order or new.added < old.added or new.pool_id <> old.pool_id or new.at <> old.at)
  execute function refuse_decision_change();
create trigger never_deleted before delete on scale_decision for each row execute function refuse_delete();

-- What an account holds and has taken in its present cycle, beside its limits. Counted only where there is a limit.
create function account_numbers(
  p_account text, p_now timestamptz, out number_limit int, out monthly_number_cap int, out held int, out taken int, out on_order int,
  out cycle_starts_at timestamptz, out cycle_ends_at timestamptz)
language sql stable as $$
  select a.number_limit, a.monthly_number_cap,
    case when a.number_limit is not null then (select count(*)::int from promo_number n where n.account_id = a.id) end,
    case when a.monthly_number_cap is not null then (
      select count(*)::int from number_event e
      where e.account_id = a.id and e.at >= c.starts_at and e.state = 'assigned' and e.from_state not in ('assigned', 'draining')) end,
    (select coalesce(sum(d.on_order), 0)::int from scale_decision d where d.account_id = a.id and d.on_order > 0),
    c.starts_at, c.ends_at
  from account a cross join lateral billing_cycle(a.billing_day, a.time_zone, p_now) c where a.id = p_account
$$;

-- An account never takes a number over its limits, whoever writes. The account's row is locked, so that two writers count one after the other;
-- "no key", so that nobody who merely refers to the account (a new visitor) waits.
create function refuse_over_limit() returns trigger language plpgsql as $$
declare
  v record;
begin
  perform 1 from account where id = new.account_id and (number_limit is not null or monthly_number_cap is not null) for no key update;
  if not found then
    return null;
  end if;
  select * into v from account_numbers(new.account_id, ringmatch_now());
  if v.held > v.number_limit or v.taken > v.monthly_number_cap then
    -- A code of its own: src/pool/number-moves.ts tells it as account_limit.
    raise exception 'account % may not take number %', new.account_id, new.e164 using errcode = 'RM001';
  end if;
  return null;
end $$;
create trigger within_account_limits after update on promo_number for each row
  when (new.account_id is not null and old.account_id is distinct from new.account_id)
  execute function refuse_over_limit();
