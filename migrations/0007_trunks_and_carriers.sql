-- Where calls come from: SIP trunks and carrier accounts.

create table trunk (
  name text primary key check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  source_cidrs text[] not null,
  transport text not null default 'udp' check (transport in ('udp', 'tcp', 'tls')),
  default_country text not null default 'US' check (default_country ~ '^[A-Z]{2}$'),
  max_cps int check (max_cps > 0),
  max_calls int check (max_calls > 0),
  outbound_uri text,
  mode text not null default 'b2bua' check (mode in ('b2bua', 'proxy', 'redirect')),
  trust_identity boolean not null default true,
  updated_at timestamptz not null default now()
);

create table carrier_credential (
  id text primary key,
  carrier text not null,
  -- Null: the platform's own.
  account_id text references account (id),
  secrets_enc bytea not null,
  intercept text not null default 'reject' check (intercept in ('reject', 'announce')),
  updated_at timestamptz not null default now(),
  unique nulls not distinct (carrier, account_id)
);
alter table promo_number add constraint promo_number_credential foreign key (credential_id) references carrier_credential (id);
