-- Calls by carriers' webhooks: what a business hears before it is connected, what callers hear before they are recorded, who the network says calls,
-- and which signed requests were seen before.

alter table destination
  add column whisper text check (length(whisper) between 1 and 200),
  -- The consent that recording needs is spoken first: without a text there is no recording.
  add column record_announcement text check (length(record_announcement) between 1 and 500);

alter table call add column caller_name_enc bytea;

-- What the carrier's API was told along with an answer, to be told again when the delivery is.
alter table webhook_delivery add column commands jsonb not null default '[]';

-- Numbers that carriers sign once: the same one with another delivery is a forgery.
create table webhook_nonce (
  carrier text not null,
  -- Starts with the credential's id, like a delivery key.
  nonce text not null,
  delivery_key text not null,
  received_at timestamptz not null default now(),
  primary key (carrier, nonce)
);
create index webhook_nonce_age on webhook_nonce (received_at);

-- Whose webhooks speak for a number is kept in memory as well.
drop trigger number_moved on promo_number;
create trigger number_moved after update on promo_number for each row
  when (old.state <> new.state or old.account_id is distinct from new.account_id or old.pool_id is distinct from new.pool_id
        or old.role is distinct from new.role or old.credential_id is distinct from new.credential_id
        or old.host_account_id is distinct from new.host_account_id)
  execute function notify_number();
