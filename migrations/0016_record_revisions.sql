-- Later knowledge about calls: a correction is a record row of its own, which replaces the one before it and leaves it as it was. And what a record tells of
-- its visitor beside the touch that led to the call.

-- Of every amount that the account's records and reports hold; amounts of several currencies cannot be added up.
alter table account add column currency text not null default 'USD' check (currency ~ '^[A-Z]{3}$');

alter table call
  -- How many corrections it has; its newest record row is the correction of this revision. 0: none.
  add column revision int not null default 0 check (revision >= 0),
  -- The visitor's first touch that the log knows, and of the touch that led to the call: where it landed, where it came from, and its channel. Judged
  -- when the call is over, like the confidence.
  add column first_touch jsonb,
  add column landing_page text,
  add column referrer text,
  add column channel text;

create table call_correction (
  -- A record's id, of the same kind as a call's.
  id text primary key,
  -- No foreign key: it would keep rows from being moved out of the default partition.
  call_id text not null,
  received_at timestamptz not null,
  account_id text,
  revision int not null check (revision >= 1),
  -- The record row that this one replaces: the call itself, or the correction before.
  corrects_id text not null unique,
  kind text not null check (kind in ('correction', 'signal')),
  at timestamptz not null default now(),
  actor text not null,
  reason text not null check (length(reason) between 1 and 1000),

  -- Whom the call belongs to, all of it, when this or an earlier correction says so; else the call's own row says it, also what is judged later.
  attribution_corrected boolean not null,
  attribution text check (attribution in ('matched', 'overflow', 'expired', 'never_presented', 'quarantined', 'unattributable')),
  presentation_id text,
  visitor_id text,
  presented_at timestamptz,
  confidence real check (confidence between 0 and 1),
  touch jsonb,
  custom_data jsonb,
  first_touch jsonb,
  landing_page text,
  referrer text,
  channel text,
  -- What corrections said, until one takes it back; null: what the signals say counts.
  given_conversion boolean,
  given_revenue numeric(16, 4),
  -- What counts after this row; null: nothing is known.
  conversion boolean,
  revenue numeric(16, 4),
  unique (call_id, revision),
  check (attribution_corrected = (attribution is not null)),
  check ((attribution is not distinct from 'matched') = (presentation_id is not null))
);
create index call_correction_at on call_correction (at, id);

-- What happened after or outside of a call (a sale, a form): one fact a name and the partner's own id. A changed one is a new row.
create table call_signal (
  id text primary key,
  call_id text not null,
  received_at timestamptz not null,
  account_id text not null references account (id),
  name text not null check (length(name) between 1 and 200),
  partner_unique_id text not null default '' check (length(partner_unique_id) <= 200),
  revision int not null check (revision >= 1),
  corrects_id text unique references call_signal (id),
  -- The call's record row that it made.
  call_revision int not null,
  -- null: it says nothing, as if it had not been sent.
  value boolean,
  revenue numeric(16, 4),
  occurred_at timestamptz not null,
  at timestamptz not null default now(),
  actor text not null,
  unique (call_id, name, partner_unique_id, revision),
  check ((revision = 1) = (corrects_id is null))
);
create index call_signal_account on call_signal (account_id, at, id);

-- History is added to, never changed; only an erasure empties what names a person, and retention removes rows together with their call.
create function refuse_rewriting() returns trigger language plpgsql as $$
begin
  if coalesce(current_setting('ringmatch.erasing', true), '') = 'on' then
    return coalesce(new, old);
  end if;
  raise exception 'rows of % are never changed', tg_table_name using errcode = 'check_violation';
end $$;
create trigger never_changed before update or delete on call_correction for each row execute function refuse_rewriting();
create trigger never_changed before update or delete on call_signal for each row execute function refuse_rewriting();

-- Every call once, as it stands now: its facts, and what its newest correction says. `id` is the record row's, `call_id` the call's.
create view call_record as
select coalesce(k.id, c.id) as id, c.id as call_id, c.revision, k.corrects_id, k.kind as correction_kind, k.at as corrected_at, k.actor as corrected_by,
  k.reason as correction_reason,
  c.account_id, c.pool_id, c.number_id, c.ownership_epoch, c.received_at, c.ingress, c.ingress_call_id, c.promo_number,
  c.caller_enc, c.caller_hash, c.caller_last4, c.caller_name_enc, c.diversion_enc, c.diversion_last4,
  c.disposition, c.status, c.destination_number, c.progress, c.answered_at, c.ended_at, c.pdd_ms, c.ring_ms, c.talk_ms, c.hangup_cause, c.released_by,
  c.verstat, c.matched_seq, c.late, c.node, c.updated_at,
  case when k.attribution_corrected is not true then c.attribution else k.attribution end as attribution,
  case when k.attribution_corrected is not true then c.presentation_id else k.presentation_id end as presentation_id,
  case when k.attribution_corrected is not true then c.visitor_id else k.visitor_id end as visitor_id,
  case when k.attribution_corrected is not true then c.presented_at else k.presented_at end as presented_at,
  case when k.attribution_corrected is not true then c.confidence else k.confidence end as confidence,
  case when k.attribution_corrected is not true then c.touch else k.touch end as touch,
  case when k.attribution_corrected is not true then c.custom_data else k.custom_data end as custom_data,
  case when k.attribution_corrected is not true then c.first_touch else k.first_touch end as first_touch,
  case when k.attribution_corrected is not true then c.landing_page else k.landing_page end as landing_page,
  case when k.attribution_corrected is not true then c.referrer else k.referrer end as referrer,
  case when k.attribution_corrected is not true then c.channel else k.channel end as channel,
  k.conversion, k.revenue
from call c left join call_correction k on c.revision > 0 and k.call_id = c.id and k.revision = c.revision;
