-- The businesses' own numbers and the pools of promo numbers that stand in for them.

create table destination (
  id text primary key,
  account_id text not null references account (id),
  number text not null check (number ~ '^\+[1-9][0-9]{6,14}$'),
  number_type text not null check (number_type in ('toll_free', 'local')),
  npa text,
  name text,
  sip_uri text,
  failover text[] not null default '{}',
  max_concurrent_calls int check (max_concurrent_calls > 0),
  ring_timeout_s int not null default 30 check (ring_timeout_s between 1 and 300),
  status text not null default 'tracked' check (status in ('tracked', 'discovered', 'ignored')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Two accounts may track the same business number; one account only once.
  unique (account_id, number)
);

create table pool (
  id text primary key,
  account_id text not null references account (id),
  name text not null check (length(name) between 1 and 200),
  kind text not null check (kind in ('automatic', 'campaign')),
  campaign text,
  destination_id text not null references destination (id),
  number_type text not null check (number_type in ('toll_free', 'local')),
  npa text,
  session_lifetime_s int not null check (session_lifetime_s >= 1),
  retention_s int not null check (retention_s <= 259200),
  max_size int not null check (max_size between 1 and 100000),
  overflow text not null check (overflow in ('overflow_number', 'original_number', 'reuse_oldest')),
  drain_s int not null check (drain_s between 0 and 259200),
  autoscale jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  check (session_lifetime_s <= retention_s),
  check ((kind = 'campaign') = (campaign is not null))
);
create index pool_account on pool (account_id, id);
create unique index pool_one_automatic_per_destination on pool (destination_id)
  where kind = 'automatic' and deleted_at is null;
create unique index pool_one_per_campaign_and_destination on pool (destination_id, campaign)
  where kind = 'campaign' and deleted_at is null;
