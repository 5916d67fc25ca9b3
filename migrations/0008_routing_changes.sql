-- The routing table (src/routing/routing-table.ts) is a snapshot in memory; these tell it what to read again. A statement that changes many
-- rows sends one notification; who misses some (reconnect) reads everything.

create function notify_routing() returns trigger language plpgsql as $$
begin
  perform pg_notify('ringmatch_routing', tg_table_name);
  return null;
end $$;
create trigger routing_changed after insert or update or delete on destination for each statement execute function notify_routing();
create trigger routing_changed after insert or update or delete on pool for each statement execute function notify_routing();
create trigger routing_changed after insert or update or delete on trunk for each statement execute function notify_routing();
create trigger routing_changed after insert or update or delete on platform_setting for each statement execute function notify_routing();
create trigger routing_changed after insert or update or delete on carrier_credential for each statement execute function notify_routing();

-- Presentations update promo_number all the time and are nothing to routing: only moves of a number are told, with the number.
create function notify_number() returns trigger language plpgsql as $$
begin
  perform pg_notify('ringmatch_routing', 'number ' || new.e164);
  return null;
end $$;
create trigger number_moved after update on promo_number for each row
  when (old.state <> new.state or old.account_id is distinct from new.account_id or old.pool_id is distinct from new.pool_id
        or old.role is distinct from new.role)
  execute function notify_number();
create trigger numbers_added after insert on promo_number for each statement execute function notify_routing();
