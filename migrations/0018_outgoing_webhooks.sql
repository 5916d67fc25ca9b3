-- Events told to other systems: what happened (outbox), whom it is told (webhook_endpoint), and each telling (outgoing_delivery).

-- Nobody's: told to endpoints of the platform, which have no account, and to those of the account that an event belongs to.
create table webhook_endpoint (
  id text primary key,
  -- What is made of an event, and how it is sent (src/webhooks/outbound/endpoint-kinds.ts).
  kind text not null default 'webhook' check (kind in ('webhook')),
  account_id text references account (id),
  url text not null check (length(url) <= 2000),
  events text[] not null check (cardinality(events) between 1 and 50),
  description text check (length(description) between 1 and 200),
  format text not null default 'standard' check (format in ('standard', 'cloudevents')),
  include_caller boolean not null default false,
  max_concurrency int not null default 4 check (max_concurrency between 1 and 5),
  -- The former secret signs beside the new one until then.
  secret_enc bytea not null,
  former_secret_enc bytea,
  former_secret_until timestamptz,
  enabled boolean not null default true,
  disabled_at timestamptz,
  disabled_reason text check (disabled_reason in ('asked', 'gone', 'failing')),
  -- What its owner should know of: [{event, at, reason}], the newest last.
  notices jsonb not null default '[]',
  -- Since its last success: when it first failed, how often, and until when it is left alone (the breaker).
  failing_since timestamptz,
  failures int not null default 0 check (failures >= 0),
  paused_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Its deliveries are removed in portions afterwards; the row goes with the last of them.
  deleted_at timestamptz,
  check (enabled = (disabled_at is null)),
  check (enabled = (disabled_reason is null)),
  check (deleted_at is null or not enabled),
  check ((former_secret_enc is null) = (former_secret_until is null))
);
create index webhook_endpoint_account on webhook_endpoint (account_id, id) where deleted_at is null;
create index webhook_endpoint_listening on webhook_endpoint (account_id) where enabled;

-- In the transaction of what it tells, and gone as soon as it stands as deliveries. Ids of one call rise in the order of its events: each change of a call
-- waits for the lock of the one before.
create table outbox (
  id bigint generated always as identity primary key,
  type text not null,
  at timestamptz not null,
  account_id text,
  call_id text,
  received_at timestamptz,
  -- Of what is no call: the facts. Names no caller.
  data jsonb,
  -- Times that it could not be made into deliveries, and when that is tried again.
  failures int not null default 0,
  not_before timestamptz not null default '-infinity',
  check ((call_id is null) = (received_at is null)),
  check ((call_id is null) = (data is not null))
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index outbox_call on outbox (call_id) where call_id is not null;

-- One event for one endpoint. The truth about what is still to be sent; a BullMQ job is only the motor.
create table outgoing_delivery (
  id text primary key,
  endpoint_id text not null references webhook_endpoint (id),
  -- One event has one id, whoever is told of it and however often.
  event_id text not null,
  -- The outbox row's id: the order of events, and one delivery of each to an endpoint, whoever relays.
  seq bigint not null,
  type text not null,
  event_at timestamptz not null,
  account_id text,
  call_id text,
  -- The whole body, sealed: every attempt and replay sends the same bytes. null: an erasure emptied it.
  body_enc bytea,
  -- The body names the caller in full.
  names_caller boolean not null,
  state text not null default 'waiting' check (state in ('waiting', 'delivered', 'failed', 'canceled')),
  next_attempt_at timestamptz,
  -- Whoever sends it has until then to say what came of it.
  lease_until timestamptz,
  lease text,
  -- In the present round; a replay begins a new one.
  tries int not null default 0 check (tries >= 0),
  is_replay boolean not null default false,
  -- [{at, status, error, ms, response}], the newest last.
  attempts jsonb not null default '[]',
  delivered_at timestamptz,
  created_at timestamptz not null default now(),
  unique (endpoint_id, seq),
  check ((state = 'waiting') = (next_attempt_at is not null)),
  check (state = 'waiting' or lease_until is null),
  check ((lease_until is null) = (lease is null))
) with (fillfactor = 80);
create index outgoing_delivery_due on outgoing_delivery (endpoint_id, next_attempt_at, seq) where state = 'waiting';
create index outgoing_delivery_leased on outgoing_delivery (endpoint_id, lease_until) where lease_until is not null;
create index outgoing_delivery_first_retry on outgoing_delivery (endpoint_id, next_attempt_at) where state = 'waiting' and tries = 1;
create index outgoing_delivery_order on outgoing_delivery (endpoint_id, call_id, seq) where state = 'waiting' and call_id is not null;
create index outgoing_delivery_call on outgoing_delivery (call_id) where call_id is not null;
create index outgoing_delivery_age on outgoing_delivery (created_at);

-- Events are written by triggers, not by the code that makes the change: there are a dozen writers of calls and numbers today (batches, the spool, carriers'
-- callbacks, jobs, corrections), and one that forgot would be noticed by a customer. They are statement triggers: a batch of calls pays once. With no
-- endpoint enabled, each ends after one look at an empty table.

create function is_told(p_type text, p_account text) returns boolean language sql stable as $$
  select exists (select from webhook_endpoint e where e.enabled and e.account_id is null and p_type = any (e.events))
    or p_account is not null
      and exists (select from webhook_endpoint e where e.enabled and e.account_id = p_account and p_type = any (e.events))
$$;

create function tell_new_calls() returns trigger language plpgsql as $$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  -- A call that reaches no business is over when it is recorded.
  insert into outbox (type, at, account_id, call_id, received_at)
  select t.type, t.at, c.account_id, c.id, c.received_at
  from new_rows c cross join lateral (values
      (1, 'call.received', c.received_at, true),
      (2, 'call.completed', coalesce(c.ended_at, c.updated_at), c.status not in ('ringing', 'in_progress'))) as t (place, type, at, applies)
  where t.applies and is_told(t.type, c.account_id)
  order by c.received_at, c.id, t.place;
  return null;
end $$;
create trigger tell_new_calls after insert on call referencing new table as new_rows
  for each statement execute function tell_new_calls();

-- When a destination first rang or answered.
create function call_reached_at(p_progress jsonb) returns timestamptz language sql immutable as $$
  select to_timestamp(least((p_progress ->> 'ringingAt')::float8, (p_progress ->> 'answeredAt')::float8) / 1000)
$$;
-- What a changed call is compared by: not by when it was written, nor by what names the caller, which only ever is removed.
create function call_facts(p_call jsonb) returns jsonb language sql immutable as $$
  select p_call - '{updated_at,node,caller_enc,caller_hash,caller_last4,caller_name_enc,diversion_enc,diversion_last4}'::text[]
$$;

-- Its own settings: whoever folds events turns hash joins off for the transaction (call-progress.store.ts), and then every changed row was compared with
-- every other one (44 ms for 256 calls instead of 6).
create function tell_changed_calls() returns trigger language plpgsql set enable_hashjoin = on as $$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  -- What is erased is told to nobody.
  if coalesce(current_setting('ringmatch.erasing', true), '') = 'on' then
    return null;
  end if;
  insert into outbox (type, at, account_id, call_id, received_at)
  select t.type, t.at, c.account_id, c.id, c.received_at
  from (
    select n.id, n.received_at, n.account_id, n.ended_at, n.updated_at, call_reached_at(n.progress) as reached_at,
      o.status in ('ringing', 'in_progress') as was_open, n.status in ('ringing', 'in_progress') as is_open,
      call_reached_at(o.progress) is null as was_unreached, n.revision > o.revision as is_revised,
      case when o.status not in ('ringing', 'in_progress') then call_facts(to_jsonb(o)) <> call_facts(to_jsonb(n)) else false end as is_changed,
      -- A call that its carrier tried again had an end before, most likely a told one. Rare, so looking is cheap.
      n.progress ->> 'retriedAt' is not null and n.status not in ('ringing', 'in_progress') and (
        exists (select from outbox x where x.call_id = n.id and x.type = 'call.completed')
        or exists (select from outgoing_delivery d where d.call_id = n.id and d.type = 'call.completed')) as was_told_complete
    from new_rows n join old_rows o on o.id = n.id and o.received_at = n.received_at
  ) c cross join lateral (values
      (1, 'call.routed', c.reached_at, c.was_unreached and c.reached_at is not null and (c.was_open or c.is_open)),
      (2, 'call.completed', coalesce(c.ended_at, c.updated_at), c.was_open and not c.is_open and not c.was_told_complete),
      (3, 'call.updated', c.updated_at, c.is_changed or c.is_revised or c.was_open and not c.is_open and c.was_told_complete)
    ) as t (place, type, at, applies)
  where t.applies and is_told(t.type, c.account_id)
  order by c.received_at, c.id, t.place;
  return null;
end $$;
create trigger tell_changed_calls after update on call referencing old table as old_rows new table as new_rows
  for each statement execute function tell_changed_calls();

-- To the platform always; to the account that held the number while the number is still kept from others for its sake.
create function tell_intercepts() returns trigger language plpgsql as $$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  insert into outbox (type, at, account_id, data)
  select 'number.intercepted', i.at, i.account_id, jsonb_build_object('number', i.promo_number, 'at', i.at, 'ingress', i.ingress,
    'call_id', i.call_id, 'counted', i.counted, 'not_counted_reason', i.not_counted_reason, 'former_account_id', i.former_account_id)
  from (
    select r.*, case when n.state = 'quarantined' then r.former_account_id end as account_id
    from new_rows r join promo_number n on n.id = r.number_id
  ) i
  where is_told('number.intercepted', i.account_id)
  order by i.at, i.id;
  return null;
end $$;
create trigger tell_intercepts after insert on intercept referencing new table as new_rows
  for each statement execute function tell_intercepts();

create function tell_number_moves() returns trigger language plpgsql as $$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  insert into outbox (type, at, account_id, data)
  select m.type, m.at, m.former_account_id, jsonb_build_object('number', m.e164, 'at', m.at, 'from_state', m.from_state, 'state', m.state,
    'reason', m.reason, 'actor', m.actor, 'former_account_id', m.former_account_id, 'next_check_at', m.next_check_at)
  from (
    select case when r.state = 'quarantined' then 'number.quarantined' else 'number.released' end as type, r.id, r.at, r.from_state, r.state,
      r.reason, r.actor, n.e164, n.next_check_at,
      -- A number that goes back from the inventory is no matter of who held it once.
      case when r.from_state <> 'available' then n.former_account_id end as former_account_id
    from new_rows r join promo_number n on n.id = r.number_id
    where r.state = 'quarantined' and r.from_state <> 'quarantined' or r.state = 'available' and r.from_state = 'quarantined'
  ) m
  where is_told(m.type, m.former_account_id)
  order by m.id;
  return null;
end $$;
create trigger tell_number_moves after insert on number_event referencing new table as new_rows
  for each statement execute function tell_number_moves();

create function scale_facts(d scale_decision) returns jsonb language sql immutable as $$
  select jsonb_build_object('pool_id', d.pool_id, 'account_id', d.account_id, 'decision_id', d.id, 'decided_at', d.at, 'trigger', d.trigger,
    'wanted', d.wanted, 'added', d.added, 'removed', d.removed, 'on_order', d.on_order, 'size_before', d.size_before,
    'size_after', d.size_after, 'outcome', d.outcome, 'code', d.code, 'reason', d.reason)
$$;

-- A decision tells when numbers came or went: at once, and again when what was on order arrives.
create function tell_scaling() returns trigger language plpgsql as $$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  insert into outbox (type, at, account_id, data)
  select 'pool.scaled', d.at, d.account_id, scale_facts(d) from new_rows d
  where (d.added > 0 or d.removed > 0) and is_told('pool.scaled', d.account_id) order by d.id;
  return null;
end $$;
create trigger tell_scaling after insert on scale_decision referencing new table as new_rows
  for each statement execute function tell_scaling();

create function tell_arrived_numbers() returns trigger language plpgsql as $$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  insert into outbox (type, at, account_id, data)
  select 'pool.scaled', ringmatch_now(), d.account_id, scale_facts(d) from new_rows d join old_rows o on o.id = d.id
  where d.added > o.added and is_told('pool.scaled', d.account_id) order by d.id;
  return null;
end $$;
create trigger tell_arrived_numbers after update on scale_decision referencing old table as old_rows new table as new_rows
  for each statement execute function tell_arrived_numbers();

-- A pool that is full is full for every visitor until it grows: told once in this time, the interval in which a pool grows when nobody says otherwise.
create function exhaustion_told_every() returns interval language sql immutable as $$ select interval '5 minutes' $$;
alter table pool_scaling add column exhaustion_told_at timestamptz;

-- By row and before it: when it was told stands in the same row.
create function tell_exhaustion() returns trigger language plpgsql as $$
declare
  v_account text;
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return new;
  end if;
  select p.account_id into v_account from pool p where p.id = new.pool_id;
  if not is_told('pool.exhausted', v_account) then
    return new;
  end if;
  new.exhaustion_told_at := ringmatch_now();
  insert into outbox (type, at, account_id, data)
  values ('pool.exhausted', ringmatch_now(), v_account, jsonb_build_object('pool_id', new.pool_id, 'account_id', v_account, 'at', ringmatch_now(),
    'exhausted', new.exhausted, 'newly_exhausted', new.exhausted - old.exhausted));
  return new;
end $$;
create trigger tell_exhaustion before update on pool_scaling for each row
  when (new.exhausted > old.exhausted and coalesce(old.exhaustion_told_at, '-infinity') <= ringmatch_now() - exhaustion_told_every())
  execute function tell_exhaustion();
