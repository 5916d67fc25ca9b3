-- What is kept of people, and how long: retention per account, erasure on request with a tombstone, and a trail of who was shown a caller.

alter table account
  -- Callers' and forwarders' numbers and names. A year: a caller who comes back within it is known.
  add column caller_retention_days int not null default 365 check (caller_retention_days between 1 and 3650),
  -- The presentation log with its pages, touches and consents. Never within the longest time a call may still be matched (3 days), and a day more.
  add column presentation_retention_days int not null default 90 check (presentation_retention_days between 4 and 3650);

-- Up to when the chore has done an account's calls and presentations; older rows hold nothing any more.
create table account_retention (
  account_id text primary key references account (id),
  callers_until timestamptz not null default '-infinity',
  presentations_until timestamptz not null default '-infinity'
);

-- The tombstone of an erasure. What comes in late (a spooled call, an import) is erased by it as well.
create table erasure (
  id text primary key,
  account_id text not null references account (id),
  kind text not null check (kind in ('caller', 'visitor')),
  -- Keyed: tells whether somebody was erased to those who already know the number or id.
  subject_hash bytea not null,
  -- Sealed, and emptied when nothing can come in late any more.
  subject_enc bytea,
  at timestamptz not null default now(),
  actor text not null,
  reason text check (length(reason) between 1 and 1000),
  completed_at timestamptz,
  -- Whose deliveries are looked at again: one may have been on its way. Emptied with the subject.
  call_ids text[] not null default '{}',
  -- Rows emptied so far.
  calls int not null default 0,
  presentations int not null default 0,
  intercepts int not null default 0,
  deliveries int not null default 0
);
create index erasure_account on erasure (account_id, id);
create index erasure_open on erasure (at) where subject_enc is not null;

-- Written before the answer that shows a caller's number or name goes out.
create table pii_access (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  key_id text not null,
  account_id text,
  request_id text not null,
  call_ids text[] not null
);
create index pii_access_account on pii_access (account_id, id);
create index pii_access_age on pii_access (at);

-- What an erasure looks for (a caller's calls: call_caller of match quality).
create index intercept_caller on intercept (caller_hash) where caller_hash is not null;
create index call_visitor on call (account_id, visitor_id) where visitor_id is not null;
create index call_correction_visitor on call_correction (account_id, visitor_id) where visitor_id is not null;

-- A lock outlives the visitor's erasure: the page may still show the number, and it must not go to somebody else meanwhile.
create or replace function refuse_double_lease() returns trigger language plpgsql as $$
begin
  if new.pool_id = old.pool_id and exists (select 1 from pool p where p.id = new.pool_id and p.overflow = 'reuse_oldest') then
    return new;
  end if;
  if coalesce(current_setting('ringmatch.erasing', true), '') = 'on' and new.visitor_id like 'erased\_%' and new.locked_until = old.locked_until then
    return new;
  end if;
  raise exception 'number % is locked for another visitor until %', old.e164, old.locked_until using errcode = 'exclusion_violation';
end $$;

-- Visitors are added in the order of time: an index of a few pages finds the old ones and costs a presentation nothing.
create index visitor_age on visitor using brin (first_seen_at);

-- Partitions of the log that lie wholly before p_before, one a call so that each lock is short. null: there is none.
create function drop_old_presentations(p_before timestamptz) returns text language plpgsql as $$
declare
  v_name text;
begin
  select c.relname into v_name
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'presentation'::regclass and c.relname ~ '^presentation_\d{8}$'
    and to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= (p_before at time zone 'utc')::date
  order by c.relname limit 1;
  if v_name is not null then
    -- Waiting for it would make every presentation wait.
    set local lock_timeout = '500ms';
    execute format('drop table %I', v_name);
  end if;
  return v_name;
end $$;
