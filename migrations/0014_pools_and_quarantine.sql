-- Area-code fallback, pools made by themselves, counted bots, and what a quarantine leaves behind.

-- Where a local pool looks when its own area code has no number left, in order. "wait" ends the search.
alter table pool add column npa_fallback text[] not null default '{}'
  check (npa_fallback <@ array['same_state', 'toll_free', 'wait'] and cardinality(npa_fallback) <= 3
    and (number_type = 'local' or npa_fallback = '{}'));
-- Made because a page showed the number, not by a person; counted per account and day.
alter table pool add column auto_created boolean not null default false;
create index pool_auto_created on pool (account_id, created_at) where auto_created;

-- When a page showed the number first; null for destinations that a person entered.
alter table destination add column discovered_at timestamptz;
update destination set discovered_at = created_at where status = 'discovered';
create index destination_discovered on destination (account_id, discovered_at) where discovered_at is not null;

-- Processes keep an account's settings in memory with its destinations and pools (src/pool/directory.ts).
create trigger routing_changed after update on account for each statement execute function notify_routing();

-- What suspected bots were refused, an hour, account and reason a row. Written in batches (src/pool/bot-tally.ts).
create table bot_hour (
  account_id text not null references account (id),
  hour timestamptz not null,
  reason text not null check (reason in ('user_agent', 'invisible', 'address_limit')),
  requests bigint not null check (requests >= 0),
  -- Presentations that were not made, and how long each would have locked a number: lock seconds over an hour's seconds are numbers saved.
  withheld bigint not null check (withheld >= 0),
  withheld_lock_s bigint not null check (withheld_lock_s >= 0),
  primary key (account_id, hour, reason)
);
create index bot_hour_newest on bot_hour (hour);

-- Proposed by the rule, decided by a person: a number that never came clean is not retired by itself.
alter table promo_number add column retirement_proposed_at timestamptz
  check (retirement_proposed_at is null or state = 'quarantined');
create index promo_number_proposed on promo_number (e164) where retirement_proposed_at is not null;

-- What was known of a number when it left quarantine, for its next owner: the rule of that day and what was counted under it. Append-only, and
-- nothing of callers or of the former owner.
create table cleanliness_statement (
  id bigint generated always as identity primary key,
  number_id bigint not null references promo_number (id),
  ownership_epoch int not null,
  entered_at timestamptz not null,
  released_at timestamptz not null,
  intercepted_calls int not null check (intercepted_calls >= 0),
  distinct_callers int not null check (distinct_callers >= 0),
  spam_calls int not null check (spam_calls >= 0),
  repeat_calls int not null check (repeat_calls >= 0),
  last_intercepted_at timestamptz,
  rate_upper_bound_per_day double precision,
  hold_s double precision not null,
  max_rate_per_day double precision not null,
  confidence double precision not null,
  is_clean boolean not null,
  reason text not null,
  actor text not null,
  check (released_at >= entered_at)
);
create index cleanliness_statement_number on cleanliness_statement (number_id, id desc);
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are never changed', tg_table_name using errcode = 'check_violation';
end $$;
create trigger never_changed before update or delete on cleanliness_statement for each row execute function refuse_change();
