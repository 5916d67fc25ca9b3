-- What processes keep in memory is told by name. Before, any account's change of a destination or pool made every process read all numbers of all
-- accounts again, and forget what it knew of all accounts' pages.

-- Numbers that are added are told with their ids: of two transactions the later ids may be committed first, and who had read up to those never saw the
-- others. No notification when a statement added none.
create function notify_numbers_added() returns trigger language plpgsql as $$
begin
  perform pg_notify('ringmatch_routing', 'promo_number ' || min(n.id) || ' ' || max(n.id)) from new_number n having count(*) > 0;
  return null;
end $$;
drop trigger numbers_added on promo_number;
create trigger numbers_added after insert on promo_number referencing new table as new_number for each statement
  execute function notify_numbers_added();

-- `table id account`; the argument names the column of the account's id, which is the row's own where there is no other.
create function notify_routing_of() returns trigger language plpgsql as $$
declare
  v jsonb := case when tg_op = 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
begin
  perform pg_notify('ringmatch_routing', concat_ws(' ', tg_table_name, coalesce(v ->> 'id', v ->> tg_argv[0]), v ->> tg_argv[0]));
  return null;
end $$;
drop trigger routing_changed on account;
drop trigger routing_changed on destination;
drop trigger routing_changed on pool;
drop trigger routing_changed on tag;
drop trigger routing_changed on static_number;
create trigger routing_changed after update on account for each row execute function notify_routing_of('id');
create trigger routing_changed after insert or update or delete on destination for each row execute function notify_routing_of('account_id');
create trigger routing_changed after insert or update or delete on pool for each row execute function notify_routing_of('account_id');
create trigger routing_changed after update on tag for each row execute function notify_routing_of('account_id');
create trigger routing_changed after insert or update on static_number for each row execute function notify_routing_of('account_id');

-- As before, with whose static number it is or was.
create or replace function notify_number() returns trigger language plpgsql as $$
begin
  perform pg_notify('ringmatch_routing', 'number ' || new.e164);
  if old.role = 'static' or new.role = 'static' then
    perform pg_notify('ringmatch_routing', 'static_number ' || new.e164 || ' ' || a.id)
      from unnest(array[old.account_id, new.account_id]) as a (id) where a.id is not null;
  end if;
  return null;
end $$;
