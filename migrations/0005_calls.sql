-- Call attribution records. A record belongs to exactly one ingress call, however often that call is retried, duplicated or reordered.

create table call (
  id text not null,
  account_id text,
  pool_id text,
  number_id bigint,
  ownership_epoch int,
  received_at timestamptz not null,
  ingress text not null,
  ingress_call_id text not null,
  promo_number text not null,

  -- The caller, never plain: sealed with SECRETS_KEY, a keyed hash (per account; the platform's while the number has no owner), last four digits.
  caller_enc bytea,
  caller_hash bytea,
  caller_last4 text check (length(caller_last4) <= 4),

  disposition text not null check (disposition in ('routed', 'intercepted', 'unknown_number', 'rejected')),
  status text not null check (status in ('ringing', 'in_progress', 'completed', 'busy', 'no_answer', 'failed', 'canceled', 'intercepted')),
  destination_number text,
  -- The folded events (src/telephony/call-state.ts); the columns below are read from it.
  progress jsonb not null,
  answered_at timestamptz,
  ended_at timestamptz,
  pdd_ms int check (pdd_ms >= 0),
  ring_ms int check (ring_ms >= 0),
  talk_ms int check (talk_ms >= 0),
  hangup_cause text,
  released_by text check (released_by in ('caller', 'callee', 'system')),
  verstat text,

  -- Attribution, copied so that a record never changes behind its reader's back.
  attribution text not null check (attribution in ('matched', 'overflow', 'expired', 'never_presented', 'quarantined', 'unattributable')),
  presentation_id text,
  visitor_id text,
  presented_at timestamptz,
  matched_seq bigint,
  confidence real check (confidence between 0 and 1),
  touch jsonb,
  custom_data jsonb,
  late boolean not null default false,

  -- The process that holds the SIP dialog; null where the carrier holds it. On restart it closes what it left open.
  node text,

  updated_at timestamptz not null,
  primary key (id, received_at),
  check ((attribution = 'matched') = (presentation_id is not null))
) partition by range (received_at);
create index call_newest on call (received_at desc, id desc);
create index call_account on call (account_id, received_at desc, id desc);
create index call_number on call (promo_number, received_at desc);
create index call_updated on call (updated_at, id);
create index call_open on call (received_at) where status in ('ringing', 'in_progress');
create table call_default partition of call default;

-- The identity of an ingress call → its record. Small and unpartitioned, because a partitioned table cannot hold a key unique over time.
create table call_key (
  ingress_key text primary key,
  call_id text not null,
  received_at timestamptz not null
);
create index call_key_age on call_key (received_at);

-- Answers given to a carrier, by delivery: a repeated delivery gets the same answer. Holds no caller.
create table webhook_delivery (
  carrier text not null,
  delivery_key text not null,
  call_id text,
  content_type text not null,
  answer text not null,
  received_at timestamptz not null default now(),
  primary key (carrier, delivery_key)
);
create index webhook_delivery_age on webhook_delivery (received_at);

-- Makes one partition, taking along rows that the default one caught in its place.
create function ensure_partition(p_table text, p_column text, p_name text, p_from timestamptz, p_to timestamptz) returns int
language plpgsql as $$
begin
  if to_regclass(p_name) is not null then
    return 0;
  end if;
  -- Attaching, unlike "create table … partition of", lets presentations and calls go on meanwhile.
  execute format('create table %I (like %I including defaults including constraints)', p_name, p_table);
  execute format('with moved as (delete from %I where %I >= %L and %I < %L returning *) insert into %I select * from moved',
    p_table || '_default', p_column, p_from, p_column, p_to, p_name);
  execute format('alter table %I attach partition %I for values from (%L) to (%L)', p_table, p_name, p_from, p_to);
  return 1;
end $$;

-- Day partitions for presentations (one behind, p_days ahead), month partitions for calls. Called at start and daily; a missing partition is
-- caught by the default one, so no presentation or call fails for it.
create function ensure_partitions(p_now timestamptz, p_days int default 7) returns int language plpgsql as $$
declare
  v_day timestamp := date_trunc('day', p_now at time zone 'utc');
  v_from timestamp;
  v_made int := 0;
begin
  for i in -1..p_days loop
    v_from := v_day + make_interval(days => i);
    v_made := v_made + ensure_partition('presentation', 'presented_at', 'presentation_' || to_char(v_from, 'YYYYMMDD'),
      v_from at time zone 'utc', (v_from + interval '1 day') at time zone 'utc');
  end loop;
  for i in -1..2 loop
    v_from := date_trunc('month', v_day) + make_interval(months => i);
    v_made := v_made + ensure_partition('call', 'received_at', 'call_' || to_char(v_from, 'YYYYMM'),
      v_from at time zone 'utc', (v_from + interval '1 month') at time zone 'utc');
  end loop;
  return v_made;
end $$;
