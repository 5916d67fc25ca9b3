-- A presentation changes neither whose its number is nor where it stands: no index of that is written by it, and no guard of that is asked.

-- Of an account, pools have their numbers by promo_number_lru; by its owner is found what is in no pool.
drop index promo_number_account;
create index promo_number_without_pool on promo_number (account_id, e164) where account_id is not null and pool_id is null;

-- A number in a pool is its pool's account's, in a deleted pool as well while it drains.
alter table pool add constraint pool_of_account unique (id, account_id);
alter table promo_number drop constraint promo_number_pool_id_fkey;
alter table promo_number add constraint promo_number_pool_of_account foreign key (pool_id, account_id) references pool (id, account_id);

create function numbers_of_account(p_account text) returns setof promo_number language sql stable as $$
  -- "lateral … offset 0": a probe for each pool, however unlike the accounts are.
  select n.* from pool p cross join lateral (select m.* from promo_number m where m.pool_id = p.id offset 0) n where p.account_id = p_account
  union all
  select n.* from promo_number n where n.account_id = p_account and n.pool_id is null
$$;

create or replace function account_numbers(
  p_account text, p_now timestamptz, out number_limit int, out monthly_number_cap int, out held int, out taken int, out on_order int,
  out cycle_starts_at timestamptz, out cycle_ends_at timestamptz)
language sql stable as $$
  select a.number_limit, a.monthly_number_cap,
    case when a.number_limit is not null then (select count(*)::int from numbers_of_account(a.id)) end,
    case when a.monthly_number_cap is not null then (
      select count(*)::int from number_event e
      where e.account_id = a.id and e.at >= c.starts_at and e.state = 'assigned' and e.from_state not in ('assigned', 'draining')) end,
    (select coalesce(sum(d.on_order), 0)::int from scale_decision d where d.account_id = a.id and d.on_order > 0),
    c.starts_at, c.ends_at
  from account a cross join lateral billing_cycle(a.billing_day, a.time_zone, p_now) c where a.id = p_account
$$;

-- "update of" looks at the statement's columns, before any row: the conditions cost nothing where no such column is written.
drop trigger legal_move on promo_number;
create trigger legal_move before update of state, account_id, e164, ownership_epoch on promo_number for each row
  when (old.state <> new.state or old.account_id is distinct from new.account_id or old.e164 <> new.e164
        or new.ownership_epoch <> old.ownership_epoch)
  execute function refuse_illegal_move();
create trigger sequence_never_back before update of presentation_seq on promo_number for each row
  when (new.presentation_seq < old.presentation_seq)
  execute function refuse_illegal_move();

drop trigger number_moved on promo_number;
create trigger number_moved after update of state, account_id, pool_id, role, credential_id, host_account_id on promo_number for each row
  when (old.state <> new.state or old.account_id is distinct from new.account_id or old.pool_id is distinct from new.pool_id
        or old.role is distinct from new.role or old.credential_id is distinct from new.credential_id
        or old.host_account_id is distinct from new.host_account_id)
  execute function notify_number();

drop trigger within_account_limits on promo_number;
create trigger within_account_limits after update of account_id on promo_number for each row
  when (new.account_id is not null and old.account_id is distinct from new.account_id)
  execute function refuse_over_limit();

-- Presentations change nothing that the planner asks statistics for, and an import asks for them itself: not after every tenth of a table that is written
-- anew several times a minute.
alter table promo_number set (autovacuum_analyze_scale_factor = 5);
