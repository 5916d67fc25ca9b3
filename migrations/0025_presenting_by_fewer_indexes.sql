-- A presentation writes its number's row anew, into every index that has the row: fewer of them, and no look at what cannot have changed.

-- An account is never deleted, and the check locked its row in share mode for each new visitor: two batches at once make a multixact of that.
alter table visitor drop constraint visitor_account_id_fkey;

-- A pool's numbers by one index, whatever they are doing: those visitors get in the order of presentation, locked_until so that the scan passes over
-- locked numbers in the index.
drop index promo_number_lru;
create index promo_number_lru on promo_number (pool_id, state, role, last_presented_at, id, locked_until) where pool_id is not null;
drop index promo_number_pool;
-- A carrier's numbers are read once an hour, in the order of e164, whose index has them all.
drop index promo_number_carrier;

/*
  Gives every waiting visitor of a batch a number, in one transaction. All arrays have one element an item, in order.

  p_visitor: the id to use if it is new or already this account's; p_fresh: the id to use when it turns out to be another account's.
  p_now: null in production (the database's clock); tests set it.

  outcome: 'presented' | 'renewed' | 'exhausted' (e164 is then the pool's overflow number, or null) | 'gone' (the account has no such pool any more).
  An item without a row was busy: another transaction is serving the same visitor, or moving their number, right now; ask again. Nothing here
  waits for a number's row, so two batches, or a batch and a move, never deadlock.
*/
create or replace function present_batch(
  p_account text[], p_pool text[], p_visitor text[], p_fresh text[], p_presentation text[], p_log text[],
  p_touch jsonb[], p_custom jsonb[], p_context jsonb[], p_now timestamptz default null)
returns table (item int, outcome text, visitor_id text, e164 text, presentation_id text, locked_until timestamptz, session_lifetime_s int)
language plpgsql
-- One plan whatever the statistics say: by index, and not planned again for each batch. A plan made while a table was small or not analysed yet
-- would stay in the session and read whole tables; planning anew costs more than the batch. "lateral … offset 0" is a probe for each item, which
-- the planner may not turn into another join.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := coalesce(p_now, now());
  v_visitor text[];
  v_new boolean[];
  v_is_taken boolean;
  v_lifetime int[];
  v_retention int[];
  v_reuses boolean[];
  v_open boolean[];
  -- The number each item's visitor holds; null: none.
  v_held bigint[];
  v_left boolean[];
  v_count int;
begin
  if p_now is not null then
    perform set_config('ringmatch.now', p_now::text, true);
  end if;

  -- 1. The pools' settings (no lifetime: the pool is gone, or another account's). And one transaction at a time serves a visitor of a pool; whoever
  --    comes second asks again instead of waiting.
  select array_agg(p.session_lifetime_s order by i.ord), array_agg(p.retention_s order by i.ord), array_agg(p.reuses order by i.ord),
      array_agg(p.session_lifetime_s is not null and pg_try_advisory_xact_lock(hashtextextended(i.pool || i.vid, 0)) order by i.ord)
    into v_lifetime, v_retention, v_reuses, v_open
    from unnest(p_pool, p_account, p_visitor) with ordinality as i (pool, acc, vid, ord)
      left join lateral (
        select q.session_lifetime_s, q.retention_s, q.overflow = 'reuse_oldest' as reuses
        from pool q where q.id = i.pool and q.account_id = i.acc and q.deleted_at is null offset 0) p on true;

  -- 2. Visitors: adopt new ids for this account; an id that belongs to another account gives way to the fresh one. Looked at once more only when
  --    somebody else took a new id in this very moment, or two accounts sent the same one.
  v_visitor := p_visitor;
  for v_look in 1..2 loop
    select array_agg(case when v.account_id is null or v.account_id = i.acc then i.vid else i.fresh end order by i.ord),
        array_agg(v.account_id is distinct from i.acc and i.lifetime is not null order by i.ord)
      into v_visitor, v_new
      from unnest(v_visitor, p_account, p_fresh, v_lifetime) with ordinality as i (vid, acc, fresh, lifetime, ord)
        left join lateral (select v.account_id from visitor v where v.id = i.vid offset 0) v on true;
    exit when (true = any (v_new)) is not true;
    with asked as materialized (
      select distinct i.vid, i.acc from unnest(v_visitor, p_account, v_new) as i (vid, acc, is_new) where i.is_new
    ), put as (
      insert into visitor (id, account_id, first_seen_at)
        select distinct on (a.vid) a.vid, a.acc, v_now from asked a order by a.vid, a.acc
        on conflict (id) do nothing returning id
    )
    select (select count(*) from asked) > (select count(*) from put) into v_is_taken;
    exit when not v_is_taken;
  end loop;

  -- 3. A visitor who holds a number keeps it while retention has not passed. A lock that outlives the retention (renewals extend only the lock)
  --    makes a new presentation of the same number; when both are over the number lets go of its visitor.
  select array_agg(n.id order by i.ord), array_agg(i.lifetime is null or i.is_open and (n.id is null or not n.is_kept) order by i.ord), count(n.id)
    into v_held, v_left, v_count
    from unnest(p_pool, v_visitor, v_open, v_lifetime) with ordinality as i (pool, vid, is_open, lifetime, ord)
      left join lateral (
        select n.id, n.retained_until >= v_now or n.locked_until > v_now as is_kept
        from promo_number n where n.held_by = i.vid and n.pool_id = i.pool and i.is_open offset 0) n on true;
  if v_count > 0 then
    return query
      with held as materialized (
        select i.*, n.retained_until >= v_now as is_retained, n.locked_until > v_now as is_locked
        from unnest(v_held, v_visitor, v_lifetime, v_retention, p_presentation, p_log, p_touch, p_custom, p_context) with ordinality
               as i (id, vid, lifetime, retention, prs, log, touch, custom, context, ord)
          cross join lateral (
            select n.retained_until, n.locked_until from promo_number n where n.id = i.id and n.held_by = i.vid for update skip locked) n
        where i.id is not null
      ), let_go as (
        update promo_number n set held_by = null from held h where n.id = h.id and not h.is_retained and not h.is_locked
      ), renewed as (
        update promo_number n set
          presentation_seq = n.presentation_seq + 1,
          presentation_id = case when h.is_retained then n.presentation_id else h.prs end,
          last_presented_at = v_now,
          touch = case when h.is_retained and h.touch = '{}'::jsonb then n.touch else h.touch end,
          custom_data = case when h.is_retained then n.custom_data || h.custom else h.custom end,
          locked_until = greatest(n.locked_until, v_now + make_interval(secs => h.lifetime)),
          retained_until = v_now + make_interval(secs => h.retention)
        from held h
        where n.id = h.id and (h.is_retained or h.is_locked)
        returning h.ord, h.log, h.context, h.lifetime, h.is_retained, n.*
      ), logged as (
        insert into presentation (account_id, number_id, ownership_epoch, seq, presented_at, id, presentation_id, visitor_id, pool_id,
            promo_number, kind, locked_until, retained_until, touch, custom_data, context)
          select r.account_id, r.id, r.ownership_epoch, r.presentation_seq, v_now, r.log, r.presentation_id, r.visitor_id, r.pool_id,
            r.e164, case when r.is_retained then 'renewal' else 'presented' end, r.locked_until, r.retained_until,
            r.touch, r.custom_data, r.context
          from renewed r
      )
      select r.ord::int, case when r.is_retained then 'renewed' else 'presented' end, r.visitor_id, r.e164, r.presentation_id,
        r.locked_until, r.lifetime
      from renewed r;
  end if;

  -- 4. Everybody else: the unlocked number presented longest ago; then, in pools that say reuse_oldest, the oldest whatever its lock. Numbers
  --    of this batch's own visitors are spared: who is left then asks again in the next batch.
  if not true = any (v_left) then
    return;
  end if;
  for v_pass in 0..1 loop
    exit when v_pass = 1 and not true = any (v_reuses);
    return query
      with want as materialized (
        select i.*, row_number() over (partition by i.pool order by i.ord) as place
        from unnest(p_pool, v_visitor, v_left, v_reuses, v_lifetime, v_retention, p_presentation, p_log, p_touch, p_custom, p_context)
               with ordinality as i (pool, vid, is_left, reuses, lifetime, retention, prs, log, touch, custom, context, ord)
        where i.is_left and i.lifetime is not null and (v_pass = 0 or i.reuses)
      ), need as (
        select w.pool, count(*) as numbers from want w group by w.pool
      ), free as materialized (
        select c.id, need.pool, row_number() over (partition by need.pool order by c.last_presented_at, c.id) as place
        from need cross join lateral (
          select n.id, n.last_presented_at from promo_number n
          where n.pool_id = need.pool and n.state = 'assigned' and n.role = 'pool'
            and n.locked_until <= case v_pass when 0 then v_now else 'infinity' end
            and (v_pass = 0 or n.held_by is null or n.held_by <> all (v_visitor))
          order by n.last_presented_at, n.id limit need.numbers for update skip locked) c
      ), given as (
        update promo_number n set
          visitor_id = w.vid, held_by = w.vid, presentation_id = w.prs, presentation_seq = n.presentation_seq + 1,
          last_presented_at = v_now, locked_until = v_now + make_interval(secs => w.lifetime),
          retained_until = v_now + make_interval(secs => w.retention), touch = w.touch, custom_data = w.custom
        from free f join want w on w.pool = f.pool and w.place = f.place
        where n.id = f.id
        returning w.ord, w.log, w.context, w.lifetime, n.*
      ), logged as (
        insert into presentation (account_id, number_id, ownership_epoch, seq, presented_at, id, presentation_id, visitor_id, pool_id,
            promo_number, kind, locked_until, retained_until, touch, custom_data, context)
          select g.account_id, g.id, g.ownership_epoch, g.presentation_seq, v_now, g.log, g.presentation_id, g.visitor_id, g.pool_id,
            g.e164, 'presented', g.locked_until, g.retained_until, g.touch, g.custom_data, g.context
          from given g
      )
      select g.ord::int, 'presented', g.visitor_id, g.e164, g.presentation_id, g.locked_until, g.lifetime from given g;
    get diagnostics v_count = row_count;
    if v_count = cardinality(array_positions(v_left, true)) then
      return;
    end if;
    select array_agg(i.is_left and not exists (select 1 from promo_number n where n.held_by = i.vid and n.pool_id = i.pool) order by i.ord)
      into v_left
      from unnest(p_pool, v_visitor, v_left) with ordinality as i (pool, vid, is_left, ord);
  end loop;

  -- 5. Nothing left for these.
  return query
    select i.ord::int, case when i.lifetime is null then 'gone' else 'exhausted' end, i.vid, o.e164, null::text, null::timestamptz, null::int
    from unnest(p_pool, v_visitor, v_left, v_lifetime, v_reuses) with ordinality as i (pool, vid, is_left, lifetime, reuses, ord)
      left join lateral (
        select n.e164 from pool p join promo_number n on n.pool_id = p.id and n.state = 'assigned' and n.role = 'overflow'
        where p.id = i.pool and p.deleted_at is null and p.overflow = 'overflow_number' offset 0) o on true
    where i.is_left
      and (i.reuses is not true
        or not exists (select 1 from promo_number n where n.pool_id = i.pool and n.state = 'assigned' and n.role = 'pool'));
end $$;
