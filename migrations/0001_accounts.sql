-- Tenants, their API keys and the platform's settings.

create table account (
  id text primary key,
  name text not null check (length(name) between 1 and 200),
  tag_key text not null unique,
  auto_create_pools boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- A key is random enough (256 bits) that a plain SHA-256 is a safe way to keep it.
create table api_key (
  id text primary key,
  account_id text references account (id),
  name text not null check (length(name) between 1 and 200),
  key_hash bytea not null unique,
  scopes text[] not null check (scopes <@ array['read', 'write', 'admin', 'calls:pii']),
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);
create index api_key_account on api_key (account_id, id);

create table platform_setting (
  name text primary key,
  value jsonb not null,
  updated_at timestamptz not null default now()
);

-- Answers kept for a repeated POST with the same Idempotency-Key. `scope` is the key that asked, so tenants cannot meet.
create table idempotency_key (
  scope text not null,
  idempotency_key text not null,
  request_hash bytea not null,
  status int,
  body text,
  created_at timestamptz not null default now(),
  primary key (scope, idempotency_key)
);
create index idempotency_key_age on idempotency_key (created_at);
