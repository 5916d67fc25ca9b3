-- On a busy node a call's record is written after its phone has begun to ring, so a match also tells which calls have their records already. In a
-- function, because a plan kept from when the table held little would read all of it, for each call, until statistics come.
create function recorded_calls(p_ingress_keys text[]) returns setof text
language plpgsql stable rows 10 set enable_seqscan = off as $$
begin
  -- One probe for each, whatever the planner thinks of the table's size.
  return query select k.ingress_key from unnest(p_ingress_keys) as asked (ingress_key)
    cross join lateral (select c.ingress_key from call_key c where c.ingress_key = asked.ingress_key offset 0) k;
end $$;

-- Such a record may be inserted when its phone rings already, or when the call is over.
create or replace function tell_new_calls() returns trigger language plpgsql as $$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  -- A call that reaches no business is over when it is recorded.
  insert into outbox (type, at, account_id, call_id, received_at)
  select t.type, t.at, c.account_id, c.id, c.received_at
  from (select n.*, call_reached_at(n.progress) as reached_at from new_rows n) c cross join lateral (values
      (1, 'call.received', c.received_at, true),
      (2, 'call.routed', c.reached_at, c.reached_at is not null),
      (3, 'call.completed', coalesce(c.ended_at, c.updated_at), c.status not in ('ringing', 'in_progress'))) as t (place, type, at, applies)
  where t.applies and is_told(t.type, c.account_id)
  order by c.received_at, c.id, t.place;
  return null;
end $$;
