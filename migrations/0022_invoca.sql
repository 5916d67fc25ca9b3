-- The Invoca-compatible API: what its clients say of pools and numbers beyond what ours are, and the order in which transactions are read.

-- Names and settings that are given back as they were sent. A pool without a row is named by its own id.
create table invoca_ring_pool (
  pool_id text primary key references pool (id),
  account_id text not null references account (id),
  id_from_network text not null check (length(id_from_network) between 1 and 200),
  campaign_id text not null check (length(campaign_id) between 1 and 200),
  preferred boolean not null default false,
  fill_immediately boolean not null default false,
  local_center jsonb,
  local_number_preferences jsonb,
  -- A deleted pool's row makes room for a new one of its name.
  unique (account_id, id_from_network)
);

create table invoca_promo_number (
  static_number_id text primary key references static_number (id),
  id_from_network text not null check (length(id_from_network) between 1 and 200)
);

-- When a call's record became a transaction: at its end, once; a call that is tried again keeps its place. Readers go on from places, and a place that
-- moved would hide what lies between.
alter table call add column finished_at timestamptz;
update call set finished_at = greatest(ended_at, updated_at) where ended_at is not null;

create function note_finished() returns trigger language plpgsql as $$
begin
  new.finished_at := clock_timestamp();
  return new;
end $$;
create trigger finished_new before insert on call for each row when (new.ended_at is not null and new.finished_at is null)
  execute function note_finished();
create trigger finished_now before update on call for each row when (new.ended_at is not null and new.finished_at is null)
  execute function note_finished();

create index call_finished on call (account_id, finished_at, id) where finished_at is not null;
create index call_correction_account on call_correction (account_id, at, id) where kind = 'correction';
