-- What is judged about a call when it is over: how sure its match is and by which model, where its visitor came from, and who called before.

-- A pool's own answer to "how long after a presentation do people call": immutable versions, so that a judged record can be computed again.
create table pool_delay_model (
  id bigint generated always as identity primary key,
  pool_id text not null references pool (id),
  made_at timestamptz not null default now(),
  -- Matched calls it was measured from.
  calls int not null check (calls >= 0),
  -- The density of the delay (src/attribution/judging/delay-model.ts).
  parts jsonb not null,
  call_share float8 not null check (call_share > 0 and call_share <= 1),
  background_per_s float8 not null check (background_per_s > 0)
);
create index pool_delay_model_newest on pool_delay_model (pool_id, id desc);
create trigger never_changed before update or delete on pool_delay_model for each row execute function refuse_rewriting();

alter table account
  -- A caller who called the account within so many days before is a repeat caller; 0: nobody is.
  add column repeat_caller_days int not null default 30 check (repeat_caller_days between 0 and 3650),
  -- By field: which of a visitor's values a record gets ('first', 'last', 'unique'); 'last' where nothing is said.
  add column custom_data_models jsonb not null default '{}',
  -- Presentations before this are not in the log any more; whoever removes them raises it. A late call of that time is unattributable.
  add column presentations_kept_from timestamptz not null default '-infinity';

alter table call
  -- When the call was over and the columns below (and confidence, first_touch, landing_page, referrer, channel, custom_data) were written.
  add column judged_at timestamptz,
  -- The model of its confidence; null: the prior.
  add column delay_model_id bigint,
  add column source text,
  add column medium text,
  add column campaign text,
  -- The visitor's consent as the page gave it with the presentation that was matched.
  add column consent jsonb,
  -- The call of the same caller to the same account that came in before this one, and how many there were within the account's days.
  add column previous_call_id text,
  add column calls_before int check (calls_before >= 0),
  add check ((previous_call_id is null) = (coalesce(calls_before, 0) = 0));

alter table call_correction
  add column source text,
  add column medium text,
  add column campaign text,
  add column consent jsonb;

-- A caller's calls, in order. The hash is keyed by account, so the account need not stand in it. Also what an erasure by number looks for.
create index call_caller on call (caller_hash, received_at, id) where caller_hash is not null;

create or replace view call_record as
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
  k.conversion, k.revenue,
  case when k.attribution_corrected is not true then c.source else k.source end as source,
  case when k.attribution_corrected is not true then c.medium else k.medium end as medium,
  case when k.attribution_corrected is not true then c.campaign else k.campaign end as campaign,
  case when k.attribution_corrected is not true then c.consent else k.consent end as consent,
  c.judged_at, c.delay_model_id, c.previous_call_id, c.calls_before
from call c left join call_correction k on c.revision > 0 and k.call_id = c.id and k.revision = c.revision;
