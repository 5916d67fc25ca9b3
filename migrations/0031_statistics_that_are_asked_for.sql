-- The logs' partitions are new each day and month, and a young table grows past a tenth of what was analyzed again and again: at 600 calls a second a
-- fifth of what PostgreSQL did was to count values that nothing is ever looked up by. These are read with their row, and never in a condition.
alter table call
  alter column ingress_call_id set statistics 0,
  alter column caller_enc set statistics 0,
  alter column caller_name_enc set statistics 0,
  alter column diversion_enc set statistics 0,
  alter column progress set statistics 0,
  alter column touch set statistics 0,
  alter column first_touch set statistics 0,
  alter column custom_data set statistics 0,
  alter column consent set statistics 0,
  alter column referrer set statistics 0,
  alter column hangup_cause set statistics 0,
  alter column released_by set statistics 0,
  alter column pdd_ms set statistics 0,
  alter column ring_ms set statistics 0;
alter table presentation
  alter column touch set statistics 0,
  alter column custom_data set statistics 0,
  alter column context set statistics 0;

-- A log holds more of the same as it grows, and the planner knows its size without statistics: they are made anew when it has grown by half.
create function analyze_log_less(p_partition text) returns void language plpgsql as $$
begin
  execute format('alter table %I set (autovacuum_analyze_scale_factor = 0.5)', p_partition);
end $$;

select analyze_log_less(c.relname) from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent in ('call'::regclass, 'presentation'::regclass) and c.relkind = 'r';

create or replace function ensure_partition(p_table text, p_column text, p_name text, p_from timestamptz, p_to timestamptz) returns int
language plpgsql as $$
declare
  v_column name;
begin
  if to_regclass(p_name) is not null then
    return 0;
  end if;
  -- Attaching, unlike "create table … partition of", lets presentations and calls go on meanwhile.
  execute format('create table %I (like %I including defaults including constraints)', p_name, p_table);
  perform analyze_log_less(p_name);
  -- "like" leaves that out. Until PostgreSQL 16 a column without a word of its own had -1.
  for v_column in
    select attname from pg_attribute where attrelid = p_table::regclass and attnum > 0 and not attisdropped and attstattarget = 0
  loop
    execute format('alter table %I alter column %I set statistics 0', p_name, v_column);
  end loop;
  execute format('with moved as (delete from %I where %I >= %L and %I < %L returning *) insert into %I select * from moved',
    p_table || '_default', p_column, p_from, p_column, p_to, p_name);
  execute format('alter table %I attach partition %I for values from (%L) to (%L)', p_table, p_name, p_from, p_to);
  return 1;
end $$;
