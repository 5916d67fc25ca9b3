-- Calls taken on numbers that no business holds. The evidence on which a number is judged clean.

create table intercept (
  id text primary key,
  number_id bigint not null references promo_number (id),
  promo_number text not null,
  ownership_epoch int not null,
  at timestamptz not null,
  ingress text not null,
  call_id text not null unique,
  caller_enc bytea,
  -- Keyed with the platform's key: repeated dials of one caller must be recognised whoever owned the number.
  caller_hash bytea,
  caller_last4 text,
  counted boolean not null,
  not_counted_reason text check (not_counted_reason in ('spam_caller', 'repeat_caller')),
  former_account_id text,
  check (counted = (not_counted_reason is null))
);
create index intercept_number on intercept (number_id, ownership_epoch, at);
create index intercept_newest on intercept (at desc, id desc);
create unique index intercept_counted_caller on intercept (number_id, ownership_epoch, caller_hash)
  where counted and caller_hash is not null;
