-- Promo numbers: global, one row each, in exactly one state, with at most one owner. The row holds the lease (which visitor, until when)
-- and the number's own presentation sequence, so that a call is matched by reading this row alone.

create table promo_number (
  id bigint generated always as identity primary key,
  e164 text not null unique check (e164 ~ '^\+[1-9][0-9]{6,14}$'),
  number_type text not null check (number_type in ('toll_free', 'local')),
  npa text,
  carrier text,
  -- The credential this number is hosted under; null means the default of host_account_id, else of account_id, else the platform's.
  credential_id text,
  -- Set when an account loses the number: whose credential speaks for it from then on, through quarantine and later owners.
  host_account_id text references account (id),
  state text not null default 'available'
    check (state in ('available', 'assigned', 'draining', 'quarantined', 'retired')),
  role text check (role in ('pool', 'overflow', 'static')),
  account_id text references account (id),
  pool_id text references pool (id),
  former_account_id text references account (id),
  -- Raised at each change of owner; matching never looks across it.
  ownership_epoch int not null default 0,
  state_since timestamptz not null default now(),
  -- When a job must look at this number again (end of draining, earliest release). The truth; the BullMQ job is only the motor.
  next_check_at timestamptz,
  quarantined_at timestamptz,

  -- The latest presentation.
  presentation_seq bigint not null default 0,
  visitor_id text,
  -- That visitor, while a new visit of theirs gets this number again: until retention is over, it leaves the pool, or somebody else gets it.
  held_by text,
  presentation_id text,
  last_presented_at timestamptz not null default '-infinity',
  locked_until timestamptz not null default '-infinity',
  retained_until timestamptz not null default '-infinity',
  touch jsonb,
  custom_data jsonb,

  created_at timestamptz not null default now(),
  check ((state in ('assigned', 'draining')) = (account_id is not null)),
  check ((state in ('assigned', 'draining')) = (role is not null)),
  check (pool_id is null or account_id is not null),
  check (role is distinct from 'pool' or pool_id is not null),
  check ((state = 'quarantined') = (quarantined_at is not null)),
  check ((visitor_id is null) = (presentation_id is null)),
  check (held_by is null or (held_by = visitor_id and state = 'assigned' and role = 'pool'))
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

-- Allocation order: least recently presented first; locked_until as the last column lets the scan pass over locked numbers in the index.
create index promo_number_lru on promo_number (pool_id, last_presented_at, id, locked_until)
  where state = 'assigned' and role = 'pool';
-- One number per visitor and pool; also the probe for a returning visitor and for a renewal.
create unique index promo_number_holder on promo_number (held_by, pool_id) where held_by is not null;
create unique index promo_number_one_overflow on promo_number (pool_id) where state = 'assigned' and role = 'overflow';
create index promo_number_inventory on promo_number (number_type, npa, e164) where state = 'available';
create index promo_number_due on promo_number (next_check_at) where next_check_at is not null;
create index promo_number_pool on promo_number (pool_id, e164) where pool_id is not null;
create index promo_number_account on promo_number (account_id, e164) where account_id is not null;

-- Every move of a number: who, when, why. Append-only.
create table number_event (
  id bigint generated always as identity primary key,
  number_id bigint not null references promo_number (id),
  at timestamptz not null,
  from_state text,
  state text not null,
  role text,
  account_id text,
  pool_id text,
  ownership_epoch int not null,
  reason text not null,
  actor text not null
);
create index number_event_number on number_event (number_id, id);

-- The clock that judges locks: the database's, unless a test set another one for its transaction.
create function ringmatch_now() returns timestamptz language sql stable as
$$ select coalesce(nullif(current_setting('ringmatch.now', true), '')::timestamptz, now()) $$;

-- Two visitors never hold one number inside the session lifetime, whoever writes: while a lock holds, neither may the visitor change nor the
-- lock be shortened, in whatever state the number is. The exceptions are those of the product: a change of owner clears the lock, a change of
-- pool forgets the visitor (the lock stays), and a pool may say reuse_oldest.
create function refuse_double_lease() returns trigger language plpgsql as $$
begin
  if new.pool_id = old.pool_id and exists (select 1 from pool p where p.id = new.pool_id and p.overflow = 'reuse_oldest') then
    return new;
  end if;
  raise exception 'number % is locked for another visitor until %', old.e164, old.locked_until using errcode = 'exclusion_violation';
end $$;

create trigger no_double_lease before update on promo_number for each row
  when (old.ownership_epoch = new.ownership_epoch
        and (new.locked_until < old.locked_until
             or old.visitor_id is distinct from new.visitor_id
                and not (new.visitor_id is null and old.pool_id is distinct from new.pool_id))
        and old.locked_until > ringmatch_now())
  execute function refuse_double_lease();

-- The state machine of src/pool/promo-number.ts, held by the database as well; and the sequence only ever rises.
create function refuse_illegal_move() returns trigger language plpgsql as $$
begin
  if new.state <> old.state and not (old.state || '>' || new.state = any (array[
      'available>assigned', 'available>quarantined', 'available>retired',
      'assigned>draining', 'assigned>quarantined',
      'draining>assigned', 'draining>quarantined',
      'quarantined>available', 'quarantined>retired'])) then
    raise exception 'number % cannot go from % to %', old.e164, old.state, new.state using errcode = 'check_violation';
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

create trigger legal_move before update on promo_number for each row
  when (old.state <> new.state or old.account_id is distinct from new.account_id or old.e164 <> new.e164
        or new.presentation_seq < old.presentation_seq or new.ownership_epoch <> old.ownership_epoch)
  execute function refuse_illegal_move();

create function refuse_delete() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are never deleted', tg_table_name using errcode = 'check_violation';
end $$;
create trigger never_deleted before delete on promo_number for each row execute function refuse_delete();
