-- Numbers from carriers: on order and being ported in, orders that survive a crash, what reconciling finds, and numbers that belong to a source.

alter table promo_number drop constraint promo_number_state_check;
alter table promo_number add constraint promo_number_state_check
  check (state in ('ordering', 'porting', 'available', 'assigned', 'draining', 'quarantined', 'retired'));
-- When it was given back to its carrier.
alter table promo_number add column released_at timestamptz check (released_at is null or state = 'retired');
-- Whose numbers a carrier's list is compared with.
create index promo_number_carrier on promo_number (carrier, e164) where carrier is not null;

-- As in src/pool/promo-number.ts.
create or replace function refuse_illegal_move() returns trigger language plpgsql as $$
begin
  if new.state <> old.state and not (old.state || '>' || new.state = any (array[
      'ordering>available', 'ordering>retired',
      'porting>available', 'porting>assigned', 'porting>retired',
      'available>assigned', 'available>quarantined', 'available>retired',
      'assigned>draining', 'assigned>quarantined',
      'draining>assigned', 'draining>quarantined',
      'quarantined>available', 'quarantined>retired'])) then
    raise exception 'number % cannot go from % to %', old.e164, old.state, new.state using errcode = 'check_violation';
  end if;
  -- A number that was ported in is known to the public: it may go to its source, and to a pool only by way of the inventory.
  if old.state = 'porting' and new.state = 'assigned' and new.role is distinct from 'static' then
    raise exception 'number % is being ported in: it can become static or available', old.e164 using errcode = 'check_violation';
  end if;
  if new.presentation_seq < old.presentation_seq or new.ownership_epoch < old.ownership_epoch or new.e164 <> old.e164 then
    raise exception 'number %: sequence, epoch and number never go back', old.e164 using errcode = 'check_violation';
  end if;
  if (new.account_id is distinct from old.account_id) <> (new.ownership_epoch > old.ownership_epoch) then
    raise exception 'number %: a change of owner, and only that, raises the epoch', old.e164 using errcode = 'check_violation';
  end if;
  if old.account_id <> new.account_id then
    raise exception 'number %: it goes from one owner to another only through quarantine', old.e164 using errcode = 'check_violation';
  end if;
  return new;
end $$;

-- An order is written before the carrier is asked, one item a number. Whoever works on it holds the lease; `run` is the fencing token of its writes.
create table number_order (
  id text primary key,
  -- Asked again with the same key, the same order goes on.
  order_key text not null unique check (length(order_key) between 1 and 400),
  state text not null default 'requested' check (state in ('requested', 'ordering', 'done', 'refused', 'unknown')),
  carrier text not null,
  credential_id text references carrier_credential (id),
  account_id text references account (id),
  pool_id text references pool (id),
  number_type text not null check (number_type in ('toll_free', 'local')),
  npas text[],
  count int not null check (count between 1 and 1000),
  refusal text,
  reason text not null,
  actor text not null,
  run int not null default 0,
  lease_until timestamptz not null default '-infinity',
  next_run_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((state in ('requested', 'ordering')) = (next_run_at is not null)),
  check (refusal is null or state in ('refused', 'unknown'))
);
create index number_order_due on number_order (next_run_at) where next_run_at is not null;

create table number_order_item (
  id text primary key,
  order_id text not null references number_order (id),
  position int not null,
  state text not null default 'requested' check (state in ('requested', 'ordering', 'pending', 'done', 'refused', 'unknown')),
  -- The number that is being bought, written before the carrier is asked for it.
  number text check (number ~ '^\+[1-9][0-9]{6,14}$'),
  carrier_ref text,
  attempts int not null default 0 check (attempts between 0 and 100),
  -- The carrier may have sold it: an attempt was made whose end we do not know.
  uncertain boolean not null default false,
  next_attempt_at timestamptz not null default now(),
  problem text,
  updated_at timestamptz not null default now(),
  unique (order_id, position),
  check ((state in ('ordering', 'pending', 'done', 'unknown')) = (number is not null))
);
-- Twilio treats a second purchase of one number as an update: two items must never try the same one, or one number would count as two.
create unique index number_order_item_number on number_order_item (number) where number is not null;

-- As in src/pool/number-order.ts.
create function refuse_order_move() returns trigger language plpgsql as $$
begin
  if not (old.state || '>' || new.state = any (array[
      'requested>ordering', 'requested>refused',
      'ordering>requested', 'ordering>pending', 'ordering>done', 'ordering>refused', 'ordering>unknown',
      'pending>done', 'pending>refused',
      'unknown>done'])) then
    raise exception 'order item % cannot go from % to %', old.id, old.state, new.state using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger legal_move before update on number_order_item for each row when (old.state <> new.state) execute function refuse_order_move();

-- When a carrier account is compared with the inventory again. The truth; the BullMQ job is only the motor.
create table carrier_reconcile (
  credential_id text primary key references carrier_credential (id),
  next_run_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  outcome text
);

-- What differs between a carrier's list and ours. Stored and shown, never acted upon but by a person, except webhooks, which are put right.
create table inventory_finding (
  id text primary key,
  kind text not null check (kind in ('unknown_here', 'gone_there', 'retired_there', 'port_arrived', 'webhooks_repaired', 'webhooks_wrong')),
  carrier text not null,
  credential_id text not null references carrier_credential (id),
  number text not null,
  carrier_ref text,
  detail text not null,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  resolved_at timestamptz
);
create unique index inventory_finding_open on inventory_finding (credential_id, kind, number) where resolved_at is null;

-- A number that stands for a source (print, TV) instead of a visitor: where its calls go and what they are credited to. One row for each time
-- an account holds a number as static, kept for ever, so that a call attributed late finds what held when it came.
create table static_number (
  id text primary key,
  number_id bigint not null references promo_number (id),
  ownership_epoch int not null,
  account_id text not null references account (id),
  destination_id text not null references destination (id),
  name text not null check (length(name) between 1 and 200),
  touch jsonb not null,
  drain_s int not null check (drain_s between 0 and 259200),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  ended_at timestamptz,
  unique (number_id, ownership_epoch)
);
create index static_number_account on static_number (account_id, id);
create index static_number_destination on static_number (destination_id);

-- Where its calls go may change while the number itself does not move; making and giving up one are moves of the number, told by number_moved.
create function notify_static() returns trigger language plpgsql as $$
begin
  perform pg_notify('ringmatch_routing', 'number ' || n.e164) from promo_number n where n.id = new.number_id;
  return null;
end $$;
create trigger static_changed after update on static_number for each row when (old.destination_id <> new.destination_id) execute function notify_static();
