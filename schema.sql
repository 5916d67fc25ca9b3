-- The whole schema, as migrations/ make it. Written by `npm run schema`; never edited by hand, never run.

create table account (
  id text not null,
  name text not null,
  tag_key text not null,
  auto_create_pools boolean not null default false,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  number_limit integer,
  monthly_number_cap integer,
  billing_day integer not null default 1,
  time_zone text not null default 'UTC'::text,
  currency text not null default 'USD'::text,
  constraint account_billing_day_check CHECK (((billing_day >= 1) AND (billing_day <= 28))),
  constraint account_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint account_monthly_number_cap_check CHECK ((monthly_number_cap >= 0)),
  constraint account_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint account_number_limit_check CHECK ((number_limit >= 0)),
  constraint account_pkey PRIMARY KEY (id),
  constraint account_tag_key_key UNIQUE (tag_key),
  constraint account_time_zone_check CHECK (((length(time_zone) <= 64) AND (('2000-01-01 00:00:00+00'::timestamp with time zone AT TIME ZONE time_zone) IS NOT NULL)))
);
CREATE TRIGGER routing_changed AFTER UPDATE ON public.account FOR EACH STATEMENT EXECUTE FUNCTION notify_routing();

create table api_key (
  id text not null,
  account_id text,
  name text not null,
  key_hash bytea not null,
  scopes text[] not null,
  created_at timestamp with time zone not null default now(),
  revoked_at timestamp with time zone,
  constraint api_key_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint api_key_key_hash_key UNIQUE (key_hash),
  constraint api_key_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint api_key_pkey PRIMARY KEY (id),
  constraint api_key_scopes_check CHECK ((scopes <@ ARRAY['read'::text, 'write'::text, 'admin'::text, 'calls:pii'::text]))
);
CREATE INDEX api_key_account ON public.api_key USING btree (account_id, id);

create table bot_hour (
  account_id text not null,
  hour timestamp with time zone not null,
  reason text not null,
  requests bigint not null,
  withheld bigint not null,
  withheld_lock_s bigint not null,
  constraint bot_hour_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint bot_hour_pkey PRIMARY KEY (account_id, hour, reason),
  constraint bot_hour_reason_check CHECK ((reason = ANY (ARRAY['user_agent'::text, 'invisible'::text, 'address_limit'::text]))),
  constraint bot_hour_requests_check CHECK ((requests >= 0)),
  constraint bot_hour_withheld_check CHECK ((withheld >= 0)),
  constraint bot_hour_withheld_lock_s_check CHECK ((withheld_lock_s >= 0))
);
CREATE INDEX bot_hour_newest ON public.bot_hour USING btree (hour);

create table call (
  id text not null,
  account_id text,
  pool_id text,
  number_id bigint,
  ownership_epoch integer,
  received_at timestamp with time zone not null,
  ingress text not null,
  ingress_call_id text not null,
  promo_number text not null,
  caller_enc bytea,
  caller_hash bytea,
  caller_last4 text,
  disposition text not null,
  status text not null,
  destination_number text,
  progress jsonb not null,
  answered_at timestamp with time zone,
  ended_at timestamp with time zone,
  pdd_ms integer,
  ring_ms integer,
  talk_ms integer,
  hangup_cause text,
  released_by text,
  verstat text,
  attribution text not null,
  presentation_id text,
  visitor_id text,
  presented_at timestamp with time zone,
  matched_seq bigint,
  confidence real,
  touch jsonb,
  custom_data jsonb,
  late boolean not null default false,
  node text,
  updated_at timestamp with time zone not null,
  diversion_enc bytea,
  diversion_last4 text,
  caller_name_enc bytea,
  revision integer not null default 0,
  first_touch jsonb,
  landing_page text,
  referrer text,
  channel text,
  finished_at timestamp with time zone,
  constraint call_attribution_check CHECK ((attribution = ANY (ARRAY['matched'::text, 'overflow'::text, 'expired'::text, 'never_presented'::text, 'quarantined'::text, 'unattributable'::text]))),
  constraint call_caller_last4_check CHECK ((length(caller_last4) <= 4)),
  constraint call_check CHECK (((attribution = 'matched'::text) = (presentation_id IS NOT NULL))),
  constraint call_check1 CHECK (((diversion_enc IS NULL) = (diversion_last4 IS NULL))),
  constraint call_confidence_check CHECK (((confidence >= (0)::double precision) AND (confidence <= (1)::double precision))),
  constraint call_disposition_check CHECK ((disposition = ANY (ARRAY['routed'::text, 'intercepted'::text, 'unknown_number'::text, 'rejected'::text]))),
  constraint call_diversion_last4_check CHECK ((length(diversion_last4) <= 4)),
  constraint call_pdd_ms_check CHECK ((pdd_ms >= 0)),
  constraint call_pkey PRIMARY KEY (id, received_at),
  constraint call_released_by_check CHECK ((released_by = ANY (ARRAY['caller'::text, 'callee'::text, 'system'::text]))),
  constraint call_revision_check CHECK ((revision >= 0)),
  constraint call_ring_ms_check CHECK ((ring_ms >= 0)),
  constraint call_status_check CHECK ((status = ANY (ARRAY['ringing'::text, 'in_progress'::text, 'completed'::text, 'busy'::text, 'no_answer'::text, 'failed'::text, 'canceled'::text, 'intercepted'::text]))),
  constraint call_talk_ms_check CHECK ((talk_ms >= 0))
) partition by RANGE (received_at);
create table call_default partition of call default;
CREATE INDEX call_account ON ONLY public.call USING btree (account_id, received_at DESC, id DESC);
CREATE INDEX call_finished ON ONLY public.call USING btree (account_id, finished_at, id) WHERE (finished_at IS NOT NULL);
CREATE INDEX call_newest ON ONLY public.call USING btree (received_at DESC, id DESC);
CREATE INDEX call_number ON ONLY public.call USING btree (promo_number, received_at DESC);
CREATE INDEX call_open ON ONLY public.call USING btree (received_at) WHERE (status = ANY (ARRAY['ringing'::text, 'in_progress'::text]));
CREATE INDEX call_updated ON ONLY public.call USING btree (updated_at, id);
CREATE TRIGGER finished_new BEFORE INSERT ON public.call FOR EACH ROW WHEN (((new.ended_at IS NOT NULL) AND (new.finished_at IS NULL))) EXECUTE FUNCTION note_finished();
CREATE TRIGGER finished_now BEFORE UPDATE ON public.call FOR EACH ROW WHEN (((new.ended_at IS NOT NULL) AND (new.finished_at IS NULL))) EXECUTE FUNCTION note_finished();

create table call_correction (
  id text not null,
  call_id text not null,
  received_at timestamp with time zone not null,
  account_id text,
  revision integer not null,
  corrects_id text not null,
  kind text not null,
  at timestamp with time zone not null default now(),
  actor text not null,
  reason text not null,
  attribution_corrected boolean not null,
  attribution text,
  presentation_id text,
  visitor_id text,
  presented_at timestamp with time zone,
  confidence real,
  touch jsonb,
  custom_data jsonb,
  first_touch jsonb,
  landing_page text,
  referrer text,
  channel text,
  given_conversion boolean,
  given_revenue numeric(16,4),
  conversion boolean,
  revenue numeric(16,4),
  constraint call_correction_attribution_check CHECK ((attribution = ANY (ARRAY['matched'::text, 'overflow'::text, 'expired'::text, 'never_presented'::text, 'quarantined'::text, 'unattributable'::text]))),
  constraint call_correction_call_id_revision_key UNIQUE (call_id, revision),
  constraint call_correction_check CHECK ((attribution_corrected = (attribution IS NOT NULL))),
  constraint call_correction_check1 CHECK (((NOT (attribution IS DISTINCT FROM 'matched'::text)) = (presentation_id IS NOT NULL))),
  constraint call_correction_confidence_check CHECK (((confidence >= (0)::double precision) AND (confidence <= (1)::double precision))),
  constraint call_correction_corrects_id_key UNIQUE (corrects_id),
  constraint call_correction_kind_check CHECK ((kind = ANY (ARRAY['correction'::text, 'signal'::text]))),
  constraint call_correction_pkey PRIMARY KEY (id),
  constraint call_correction_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 1000))),
  constraint call_correction_revision_check CHECK ((revision >= 1))
);
CREATE INDEX call_correction_account ON public.call_correction USING btree (account_id, at, id) WHERE (kind = 'correction'::text);
CREATE INDEX call_correction_at ON public.call_correction USING btree (at, id);
CREATE TRIGGER never_changed BEFORE DELETE OR UPDATE ON public.call_correction FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();

create table call_key (
  ingress_key text not null,
  call_id text not null,
  received_at timestamp with time zone not null,
  constraint call_key_pkey PRIMARY KEY (ingress_key)
);
CREATE INDEX call_key_age ON public.call_key USING btree (received_at);

create table call_signal (
  id text not null,
  call_id text not null,
  received_at timestamp with time zone not null,
  account_id text not null,
  name text not null,
  partner_unique_id text not null default ''::text,
  revision integer not null,
  corrects_id text,
  call_revision integer not null,
  value boolean,
  revenue numeric(16,4),
  occurred_at timestamp with time zone not null,
  at timestamp with time zone not null default now(),
  actor text not null,
  constraint call_signal_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint call_signal_call_id_name_partner_unique_id_revision_key UNIQUE (call_id, name, partner_unique_id, revision),
  constraint call_signal_check CHECK (((revision = 1) = (corrects_id IS NULL))),
  constraint call_signal_corrects_id_fkey FOREIGN KEY (corrects_id) REFERENCES call_signal(id),
  constraint call_signal_corrects_id_key UNIQUE (corrects_id),
  constraint call_signal_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint call_signal_partner_unique_id_check CHECK ((length(partner_unique_id) <= 200)),
  constraint call_signal_pkey PRIMARY KEY (id),
  constraint call_signal_revision_check CHECK ((revision >= 1))
);
CREATE INDEX call_signal_account ON public.call_signal USING btree (account_id, at, id);
CREATE TRIGGER never_changed BEFORE DELETE OR UPDATE ON public.call_signal FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();

create table carrier_credential (
  id text not null,
  carrier text not null,
  account_id text,
  secrets_enc bytea not null,
  intercept text not null default 'reject'::text,
  updated_at timestamp with time zone not null default now(),
  constraint carrier_credential_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint carrier_credential_carrier_account_id_key UNIQUE NULLS NOT DISTINCT (carrier, account_id),
  constraint carrier_credential_intercept_check CHECK ((intercept = ANY (ARRAY['reject'::text, 'announce'::text]))),
  constraint carrier_credential_pkey PRIMARY KEY (id)
);
CREATE TRIGGER routing_changed AFTER INSERT OR DELETE OR UPDATE ON public.carrier_credential FOR EACH STATEMENT EXECUTE FUNCTION notify_routing();

create table carrier_reconcile (
  credential_id text not null,
  next_run_at timestamp with time zone not null,
  started_at timestamp with time zone,
  finished_at timestamp with time zone,
  outcome text,
  constraint carrier_reconcile_credential_id_fkey FOREIGN KEY (credential_id) REFERENCES carrier_credential(id),
  constraint carrier_reconcile_pkey PRIMARY KEY (credential_id)
);

create table cleanliness_statement (
  id bigint not null generated always as identity,
  number_id bigint not null,
  ownership_epoch integer not null,
  entered_at timestamp with time zone not null,
  released_at timestamp with time zone not null,
  intercepted_calls integer not null,
  distinct_callers integer not null,
  spam_calls integer not null,
  repeat_calls integer not null,
  last_intercepted_at timestamp with time zone,
  rate_upper_bound_per_day double precision,
  hold_s double precision not null,
  max_rate_per_day double precision not null,
  confidence double precision not null,
  is_clean boolean not null,
  reason text not null,
  actor text not null,
  constraint cleanliness_statement_check CHECK ((released_at >= entered_at)),
  constraint cleanliness_statement_distinct_callers_check CHECK ((distinct_callers >= 0)),
  constraint cleanliness_statement_intercepted_calls_check CHECK ((intercepted_calls >= 0)),
  constraint cleanliness_statement_number_id_fkey FOREIGN KEY (number_id) REFERENCES promo_number(id),
  constraint cleanliness_statement_pkey PRIMARY KEY (id),
  constraint cleanliness_statement_repeat_calls_check CHECK ((repeat_calls >= 0)),
  constraint cleanliness_statement_spam_calls_check CHECK ((spam_calls >= 0))
);
CREATE INDEX cleanliness_statement_number ON public.cleanliness_statement USING btree (number_id, id DESC);
CREATE TRIGGER never_changed BEFORE DELETE OR UPDATE ON public.cleanliness_statement FOR EACH ROW EXECUTE FUNCTION refuse_change();

create table destination (
  id text not null,
  account_id text not null,
  number text not null,
  number_type text not null,
  npa text,
  name text,
  sip_uri text,
  failover text[] not null default '{}'::text[],
  max_concurrent_calls integer,
  ring_timeout_s integer not null default 30,
  status text not null default 'tracked'::text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  caller_id text not null default 'caller'::text,
  pass_ids boolean not null default false,
  discovered_at timestamp with time zone,
  whisper text,
  record_announcement text,
  constraint destination_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint destination_account_id_number_key UNIQUE (account_id, number),
  constraint destination_caller_id_check CHECK ((caller_id = ANY (ARRAY['caller'::text, 'promo_number'::text]))),
  constraint destination_max_concurrent_calls_check CHECK ((max_concurrent_calls > 0)),
  constraint destination_number_check CHECK ((number ~ '^\+[1-9][0-9]{6,14}$'::text)),
  constraint destination_number_type_check CHECK ((number_type = ANY (ARRAY['toll_free'::text, 'local'::text]))),
  constraint destination_pkey PRIMARY KEY (id),
  constraint destination_record_announcement_check CHECK (((length(record_announcement) >= 1) AND (length(record_announcement) <= 500))),
  constraint destination_ring_timeout_s_check CHECK (((ring_timeout_s >= 1) AND (ring_timeout_s <= 300))),
  constraint destination_status_check CHECK ((status = ANY (ARRAY['tracked'::text, 'discovered'::text, 'ignored'::text]))),
  constraint destination_whisper_check CHECK (((length(whisper) >= 1) AND (length(whisper) <= 200)))
);
CREATE INDEX destination_discovered ON public.destination USING btree (account_id, discovered_at) WHERE (discovered_at IS NOT NULL);
CREATE TRIGGER routing_changed AFTER INSERT OR DELETE OR UPDATE ON public.destination FOR EACH STATEMENT EXECUTE FUNCTION notify_routing();

create table idempotency_key (
  scope text not null,
  idempotency_key text not null,
  request_hash bytea not null,
  status integer,
  body text,
  created_at timestamp with time zone not null default now(),
  constraint idempotency_key_pkey PRIMARY KEY (scope, idempotency_key)
);
CREATE INDEX idempotency_key_age ON public.idempotency_key USING btree (created_at);

create table intercept (
  id text not null,
  number_id bigint not null,
  promo_number text not null,
  ownership_epoch integer not null,
  at timestamp with time zone not null,
  ingress text not null,
  call_id text not null,
  caller_enc bytea,
  caller_hash bytea,
  caller_last4 text,
  counted boolean not null,
  not_counted_reason text,
  former_account_id text,
  constraint intercept_call_id_key UNIQUE (call_id),
  constraint intercept_check CHECK ((counted = (not_counted_reason IS NULL))),
  constraint intercept_not_counted_reason_check CHECK ((not_counted_reason = ANY (ARRAY['spam_caller'::text, 'repeat_caller'::text]))),
  constraint intercept_number_id_fkey FOREIGN KEY (number_id) REFERENCES promo_number(id),
  constraint intercept_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX intercept_counted_caller ON public.intercept USING btree (number_id, ownership_epoch, caller_hash) WHERE (counted AND (caller_hash IS NOT NULL));
CREATE INDEX intercept_newest ON public.intercept USING btree (at DESC, id DESC);
CREATE INDEX intercept_number ON public.intercept USING btree (number_id, ownership_epoch, at);

create table inventory_finding (
  id text not null,
  kind text not null,
  carrier text not null,
  credential_id text not null,
  number text not null,
  carrier_ref text,
  detail text not null,
  first_seen_at timestamp with time zone not null,
  last_seen_at timestamp with time zone not null,
  resolved_at timestamp with time zone,
  constraint inventory_finding_credential_id_fkey FOREIGN KEY (credential_id) REFERENCES carrier_credential(id),
  constraint inventory_finding_kind_check CHECK ((kind = ANY (ARRAY['unknown_here'::text, 'gone_there'::text, 'retired_there'::text, 'port_arrived'::text, 'webhooks_repaired'::text, 'webhooks_wrong'::text]))),
  constraint inventory_finding_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX inventory_finding_open ON public.inventory_finding USING btree (credential_id, kind, number) WHERE (resolved_at IS NULL);

create table invoca_promo_number (
  static_number_id text not null,
  id_from_network text not null,
  constraint invoca_promo_number_id_from_network_check CHECK (((length(id_from_network) >= 1) AND (length(id_from_network) <= 200))),
  constraint invoca_promo_number_pkey PRIMARY KEY (static_number_id),
  constraint invoca_promo_number_static_number_id_fkey FOREIGN KEY (static_number_id) REFERENCES static_number(id)
);

create table invoca_ring_pool (
  pool_id text not null,
  account_id text not null,
  id_from_network text not null,
  campaign_id text not null,
  preferred boolean not null default false,
  fill_immediately boolean not null default false,
  local_center jsonb,
  local_number_preferences jsonb,
  constraint invoca_ring_pool_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint invoca_ring_pool_account_id_id_from_network_key UNIQUE (account_id, id_from_network),
  constraint invoca_ring_pool_campaign_id_check CHECK (((length(campaign_id) >= 1) AND (length(campaign_id) <= 200))),
  constraint invoca_ring_pool_id_from_network_check CHECK (((length(id_from_network) >= 1) AND (length(id_from_network) <= 200))),
  constraint invoca_ring_pool_pkey PRIMARY KEY (pool_id),
  constraint invoca_ring_pool_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES pool(id)
);

create table number_event (
  id bigint not null generated always as identity,
  number_id bigint not null,
  at timestamp with time zone not null,
  from_state text,
  state text not null,
  role text,
  account_id text,
  pool_id text,
  ownership_epoch integer not null,
  reason text not null,
  actor text not null,
  constraint number_event_number_id_fkey FOREIGN KEY (number_id) REFERENCES promo_number(id),
  constraint number_event_pkey PRIMARY KEY (id)
);
CREATE INDEX number_event_account ON public.number_event USING btree (account_id, number_id) WHERE (account_id IS NOT NULL);
CREATE INDEX number_event_number ON public.number_event USING btree (number_id, id);
CREATE INDEX number_event_pool ON public.number_event USING btree (pool_id, number_id) WHERE (pool_id IS NOT NULL);
CREATE INDEX number_event_taken ON public.number_event USING btree (account_id, at) WHERE ((state = 'assigned'::text) AND (from_state <> ALL (ARRAY['assigned'::text, 'draining'::text])));

create table number_order (
  id text not null,
  order_key text not null,
  state text not null default 'requested'::text,
  carrier text not null,
  credential_id text,
  account_id text,
  pool_id text,
  number_type text not null,
  npas text[],
  count integer not null,
  refusal text,
  reason text not null,
  actor text not null,
  run integer not null default 0,
  lease_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  next_run_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint number_order_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint number_order_check CHECK (((state = ANY (ARRAY['requested'::text, 'ordering'::text])) = (next_run_at IS NOT NULL))),
  constraint number_order_check1 CHECK (((refusal IS NULL) OR (state = ANY (ARRAY['refused'::text, 'unknown'::text])))),
  constraint number_order_count_check CHECK (((count >= 1) AND (count <= 1000))),
  constraint number_order_credential_id_fkey FOREIGN KEY (credential_id) REFERENCES carrier_credential(id),
  constraint number_order_number_type_check CHECK ((number_type = ANY (ARRAY['toll_free'::text, 'local'::text]))),
  constraint number_order_order_key_check CHECK (((length(order_key) >= 1) AND (length(order_key) <= 400))),
  constraint number_order_order_key_key UNIQUE (order_key),
  constraint number_order_pkey PRIMARY KEY (id),
  constraint number_order_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES pool(id),
  constraint number_order_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'ordering'::text, 'done'::text, 'refused'::text, 'unknown'::text])))
);
CREATE INDEX number_order_due ON public.number_order USING btree (next_run_at) WHERE (next_run_at IS NOT NULL);

create table number_order_item (
  id text not null,
  order_id text not null,
  position integer not null,
  state text not null default 'requested'::text,
  number text,
  carrier_ref text,
  attempts integer not null default 0,
  uncertain boolean not null default false,
  next_attempt_at timestamp with time zone not null default now(),
  problem text,
  updated_at timestamp with time zone not null default now(),
  constraint number_order_item_attempts_check CHECK (((attempts >= 0) AND (attempts <= 100))),
  constraint number_order_item_check CHECK (((state = ANY (ARRAY['ordering'::text, 'pending'::text, 'done'::text, 'unknown'::text])) = (number IS NOT NULL))),
  constraint number_order_item_number_check CHECK ((number ~ '^\+[1-9][0-9]{6,14}$'::text)),
  constraint number_order_item_order_id_fkey FOREIGN KEY (order_id) REFERENCES number_order(id),
  constraint number_order_item_order_id_position_key UNIQUE (order_id, "position"),
  constraint number_order_item_pkey PRIMARY KEY (id),
  constraint number_order_item_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'ordering'::text, 'pending'::text, 'done'::text, 'refused'::text, 'unknown'::text])))
);
CREATE UNIQUE INDEX number_order_item_number ON public.number_order_item USING btree (number) WHERE (number IS NOT NULL);
CREATE TRIGGER legal_move BEFORE UPDATE ON public.number_order_item FOR EACH ROW WHEN ((old.state <> new.state)) EXECUTE FUNCTION refuse_order_move();

create table platform_setting (
  name text not null,
  value jsonb not null,
  updated_at timestamp with time zone not null default now(),
  constraint platform_setting_pkey PRIMARY KEY (name)
);
CREATE TRIGGER routing_changed AFTER INSERT OR DELETE OR UPDATE ON public.platform_setting FOR EACH STATEMENT EXECUTE FUNCTION notify_routing();

create table pool (
  id text not null,
  account_id text not null,
  name text not null,
  kind text not null,
  campaign text,
  destination_id text not null,
  number_type text not null,
  npa text,
  session_lifetime_s integer not null,
  retention_s integer not null,
  max_size integer not null,
  overflow text not null,
  drain_s integer not null,
  autoscale jsonb,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  deleted_at timestamp with time zone,
  npa_fallback text[] not null default '{}'::text[],
  auto_created boolean not null default false,
  constraint pool_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint pool_check CHECK ((session_lifetime_s <= retention_s)),
  constraint pool_check1 CHECK (((kind = 'campaign'::text) = (campaign IS NOT NULL))),
  constraint pool_check2 CHECK (((npa_fallback <@ ARRAY['same_state'::text, 'toll_free'::text, 'wait'::text]) AND (cardinality(npa_fallback) <= 3) AND ((number_type = 'local'::text) OR (npa_fallback = '{}'::text[])))),
  constraint pool_destination_id_fkey FOREIGN KEY (destination_id) REFERENCES destination(id),
  constraint pool_drain_s_check CHECK (((drain_s >= 0) AND (drain_s <= 259200))),
  constraint pool_kind_check CHECK ((kind = ANY (ARRAY['automatic'::text, 'campaign'::text]))),
  constraint pool_max_size_check CHECK (((max_size >= 1) AND (max_size <= 100000))),
  constraint pool_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint pool_number_type_check CHECK ((number_type = ANY (ARRAY['toll_free'::text, 'local'::text]))),
  constraint pool_overflow_check CHECK ((overflow = ANY (ARRAY['overflow_number'::text, 'original_number'::text, 'reuse_oldest'::text]))),
  constraint pool_pkey PRIMARY KEY (id),
  constraint pool_retention_s_check CHECK ((retention_s <= 259200)),
  constraint pool_session_lifetime_s_check CHECK ((session_lifetime_s >= 1))
);
CREATE INDEX pool_account ON public.pool USING btree (account_id, id);
CREATE INDEX pool_auto_created ON public.pool USING btree (account_id, created_at) WHERE auto_created;
CREATE INDEX pool_autoscaled ON public.pool USING btree (id) WHERE ((deleted_at IS NULL) AND (autoscale @> '{"enabled": true}'::jsonb));
CREATE UNIQUE INDEX pool_one_automatic_per_destination ON public.pool USING btree (destination_id) WHERE ((kind = 'automatic'::text) AND (deleted_at IS NULL));
CREATE UNIQUE INDEX pool_one_per_campaign_and_destination ON public.pool USING btree (destination_id, campaign) WHERE ((kind = 'campaign'::text) AND (deleted_at IS NULL));
CREATE TRIGGER routing_changed AFTER INSERT OR DELETE OR UPDATE ON public.pool FOR EACH STATEMENT EXECUTE FUNCTION notify_routing();
CREATE TRIGGER scaling_begins AFTER INSERT ON public.pool FOR EACH ROW EXECUTE FUNCTION begin_pool_scaling();

create table pool_scaling (
  pool_id text not null,
  next_scale_at timestamp with time zone,
  tried_at timestamp with time zone,
  exhausted bigint not null default 0,
  exhausted_seen bigint not null default 0,
  seen_at timestamp with time zone not null default now(),
  constraint pool_scaling_check CHECK (((exhausted_seen >= 0) AND (exhausted_seen <= exhausted))),
  constraint pool_scaling_pkey PRIMARY KEY (pool_id),
  constraint pool_scaling_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES pool(id)
) with (fillfactor=70);
CREATE INDEX pool_scaling_due ON public.pool_scaling USING btree (next_scale_at);

create table presentation (
  account_id text not null,
  number_id bigint not null,
  ownership_epoch integer not null,
  seq bigint not null,
  presented_at timestamp with time zone not null,
  id text not null,
  presentation_id text not null,
  visitor_id text not null,
  pool_id text not null,
  promo_number text not null,
  kind text not null,
  locked_until timestamp with time zone not null,
  retained_until timestamp with time zone not null,
  touch jsonb not null,
  custom_data jsonb not null,
  context jsonb not null,
  constraint presentation_kind_check CHECK ((kind = ANY (ARRAY['presented'::text, 'renewal'::text]))),
  constraint presentation_pkey PRIMARY KEY (account_id, number_id, seq, presented_at)
) partition by RANGE (presented_at);
create table presentation_default partition of presentation default;
CREATE INDEX presentation_recent ON ONLY public.presentation USING btree (account_id, presented_at, id);
CREATE INDEX presentation_visitor ON ONLY public.presentation USING btree (account_id, visitor_id, presented_at);

create table promo_number (
  id bigint not null generated always as identity,
  e164 text not null,
  number_type text not null,
  npa text,
  carrier text,
  credential_id text,
  host_account_id text,
  state text not null default 'available'::text,
  role text,
  account_id text,
  pool_id text,
  former_account_id text,
  ownership_epoch integer not null default 0,
  state_since timestamp with time zone not null default now(),
  next_check_at timestamp with time zone,
  quarantined_at timestamp with time zone,
  presentation_seq bigint not null default 0,
  visitor_id text,
  held_by text,
  presentation_id text,
  last_presented_at timestamp with time zone not null default '-infinity'::timestamp with time zone,
  locked_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  retained_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  touch jsonb,
  custom_data jsonb,
  created_at timestamp with time zone not null default now(),
  released_at timestamp with time zone,
  retirement_proposed_at timestamp with time zone,
  constraint promo_number_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint promo_number_check CHECK (((state = ANY (ARRAY['assigned'::text, 'draining'::text])) = (account_id IS NOT NULL))),
  constraint promo_number_check1 CHECK (((state = ANY (ARRAY['assigned'::text, 'draining'::text])) = (role IS NOT NULL))),
  constraint promo_number_check2 CHECK (((pool_id IS NULL) OR (account_id IS NOT NULL))),
  constraint promo_number_check3 CHECK (((role IS DISTINCT FROM 'pool'::text) OR (pool_id IS NOT NULL))),
  constraint promo_number_check4 CHECK (((state = 'quarantined'::text) = (quarantined_at IS NOT NULL))),
  constraint promo_number_check5 CHECK (((visitor_id IS NULL) = (presentation_id IS NULL))),
  constraint promo_number_check6 CHECK (((held_by IS NULL) OR ((held_by = visitor_id) AND (state = 'assigned'::text) AND (role = 'pool'::text)))),
  constraint promo_number_check7 CHECK (((released_at IS NULL) OR (state = 'retired'::text))),
  constraint promo_number_check8 CHECK (((retirement_proposed_at IS NULL) OR (state = 'quarantined'::text))),
  constraint promo_number_credential FOREIGN KEY (credential_id) REFERENCES carrier_credential(id),
  constraint promo_number_e164_check CHECK ((e164 ~ '^\+[1-9][0-9]{6,14}$'::text)),
  constraint promo_number_e164_key UNIQUE (e164),
  constraint promo_number_former_account_id_fkey FOREIGN KEY (former_account_id) REFERENCES account(id),
  constraint promo_number_host_account_id_fkey FOREIGN KEY (host_account_id) REFERENCES account(id),
  constraint promo_number_number_type_check CHECK ((number_type = ANY (ARRAY['toll_free'::text, 'local'::text]))),
  constraint promo_number_pkey PRIMARY KEY (id),
  constraint promo_number_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES pool(id),
  constraint promo_number_role_check CHECK ((role = ANY (ARRAY['pool'::text, 'overflow'::text, 'static'::text]))),
  constraint promo_number_state_check CHECK ((state = ANY (ARRAY['ordering'::text, 'porting'::text, 'available'::text, 'assigned'::text, 'draining'::text, 'quarantined'::text, 'retired'::text])))
) with (fillfactor=60, autovacuum_vacuum_scale_factor=0.05, autovacuum_vacuum_cost_delay=0);
CREATE INDEX promo_number_account ON public.promo_number USING btree (account_id, e164) WHERE (account_id IS NOT NULL);
CREATE INDEX promo_number_carrier ON public.promo_number USING btree (carrier, e164) WHERE (carrier IS NOT NULL);
CREATE INDEX promo_number_due ON public.promo_number USING btree (next_check_at) WHERE (next_check_at IS NOT NULL);
CREATE UNIQUE INDEX promo_number_holder ON public.promo_number USING btree (held_by, pool_id) WHERE (held_by IS NOT NULL);
CREATE INDEX promo_number_inventory ON public.promo_number USING btree (number_type, npa, e164) WHERE (state = 'available'::text);
CREATE INDEX promo_number_lru ON public.promo_number USING btree (pool_id, last_presented_at, id, locked_until) WHERE ((state = 'assigned'::text) AND (role = 'pool'::text));
CREATE UNIQUE INDEX promo_number_one_overflow ON public.promo_number USING btree (pool_id) WHERE ((state = 'assigned'::text) AND (role = 'overflow'::text));
CREATE INDEX promo_number_pool ON public.promo_number USING btree (pool_id, e164) WHERE (pool_id IS NOT NULL);
CREATE INDEX promo_number_proposed ON public.promo_number USING btree (e164) WHERE (retirement_proposed_at IS NOT NULL);
CREATE TRIGGER legal_move BEFORE UPDATE ON public.promo_number FOR EACH ROW WHEN (((old.state <> new.state) OR (old.account_id IS DISTINCT FROM new.account_id) OR (old.e164 <> new.e164) OR (new.presentation_seq < old.presentation_seq) OR (new.ownership_epoch <> old.ownership_epoch))) EXECUTE FUNCTION refuse_illegal_move();
CREATE TRIGGER never_deleted BEFORE DELETE ON public.promo_number FOR EACH ROW EXECUTE FUNCTION refuse_delete();
CREATE TRIGGER no_double_lease BEFORE UPDATE ON public.promo_number FOR EACH ROW WHEN (((old.ownership_epoch = new.ownership_epoch) AND ((new.locked_until < old.locked_until) OR ((old.visitor_id IS DISTINCT FROM new.visitor_id) AND (NOT ((new.visitor_id IS NULL) AND (old.pool_id IS DISTINCT FROM new.pool_id))))) AND (old.locked_until > ringmatch_now()))) EXECUTE FUNCTION refuse_double_lease();
CREATE TRIGGER number_moved AFTER UPDATE ON public.promo_number FOR EACH ROW WHEN (((old.state <> new.state) OR (old.account_id IS DISTINCT FROM new.account_id) OR (old.pool_id IS DISTINCT FROM new.pool_id) OR (old.role IS DISTINCT FROM new.role) OR (old.credential_id IS DISTINCT FROM new.credential_id) OR (old.host_account_id IS DISTINCT FROM new.host_account_id))) EXECUTE FUNCTION notify_number();
CREATE TRIGGER numbers_added AFTER INSERT ON public.promo_number FOR EACH STATEMENT EXECUTE FUNCTION notify_routing();
CREATE TRIGGER within_account_limits AFTER UPDATE ON public.promo_number FOR EACH ROW WHEN (((new.account_id IS NOT NULL) AND (old.account_id IS DISTINCT FROM new.account_id))) EXECUTE FUNCTION refuse_over_limit();

create table scale_decision (
  id text not null,
  pool_id text not null,
  account_id text not null,
  at timestamp with time zone not null,
  trigger text not null,
  wanted integer not null,
  added integer not null default 0,
  removed integer not null default 0,
  ordered integer not null default 0,
  on_order integer not null default 0,
  size_before integer not null,
  size_after integer not null,
  outcome text not null,
  code text not null,
  reason text not null,
  actor text not null,
  inputs jsonb not null,
  constraint scale_decision_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint scale_decision_added_check CHECK ((added >= 0)),
  constraint scale_decision_check CHECK (((on_order >= 0) AND (on_order <= ordered))),
  constraint scale_decision_check1 CHECK (((outcome = 'on_order'::text) = (on_order > 0))),
  constraint scale_decision_ordered_check CHECK ((ordered >= 0)),
  constraint scale_decision_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'partial'::text, 'nothing'::text, 'on_order'::text]))),
  constraint scale_decision_pkey PRIMARY KEY (id),
  constraint scale_decision_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES pool(id),
  constraint scale_decision_removed_check CHECK ((removed >= 0)),
  constraint scale_decision_size_after_check CHECK ((size_after >= 0)),
  constraint scale_decision_size_before_check CHECK ((size_before >= 0)),
  constraint scale_decision_trigger_check CHECK ((trigger = ANY (ARRAY['created'::text, 'asked'::text, 'schedule'::text, 'exhausted'::text])))
);
CREATE INDEX scale_decision_on_order ON public.scale_decision USING btree (account_id, pool_id) WHERE (on_order > 0);
CREATE INDEX scale_decision_pool ON public.scale_decision USING btree (pool_id, id);
CREATE TRIGGER decision_is_final BEFORE UPDATE ON public.scale_decision FOR EACH ROW WHEN (((old.outcome <> 'on_order'::text) OR (new.inputs IS DISTINCT FROM old.inputs) OR (new.wanted <> old.wanted) OR (new.ordered <> old.ordered) OR (new.on_order > old.on_order) OR (new.added < old.added) OR (new.pool_id <> old.pool_id) OR (new.at <> old.at))) EXECUTE FUNCTION refuse_decision_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON public.scale_decision FOR EACH ROW EXECUTE FUNCTION refuse_delete();

create table static_number (
  id text not null,
  number_id bigint not null,
  ownership_epoch integer not null,
  account_id text not null,
  destination_id text not null,
  name text not null,
  touch jsonb not null,
  drain_s integer not null,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  constraint static_number_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint static_number_destination_id_fkey FOREIGN KEY (destination_id) REFERENCES destination(id),
  constraint static_number_drain_s_check CHECK (((drain_s >= 0) AND (drain_s <= 259200))),
  constraint static_number_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint static_number_number_id_fkey FOREIGN KEY (number_id) REFERENCES promo_number(id),
  constraint static_number_number_id_ownership_epoch_key UNIQUE (number_id, ownership_epoch),
  constraint static_number_pkey PRIMARY KEY (id)
);
CREATE INDEX static_number_account ON public.static_number USING btree (account_id, id);
CREATE INDEX static_number_destination ON public.static_number USING btree (destination_id);
CREATE TRIGGER static_changed AFTER UPDATE ON public.static_number FOR EACH ROW WHEN ((old.destination_id <> new.destination_id)) EXECUTE FUNCTION notify_static();

create table trunk (
  name text not null,
  source_cidrs text[] not null,
  transport text not null default 'udp'::text,
  default_country text not null default 'US'::text,
  max_cps integer,
  max_calls integer,
  outbound_uri text,
  mode text not null default 'b2bua'::text,
  trust_identity boolean not null default true,
  updated_at timestamp with time zone not null default now(),
  constraint trunk_default_country_check CHECK ((default_country ~ '^[A-Z]{2}$'::text)),
  constraint trunk_max_calls_check CHECK ((max_calls > 0)),
  constraint trunk_max_cps_check CHECK ((max_cps > 0)),
  constraint trunk_mode_check CHECK ((mode = ANY (ARRAY['b2bua'::text, 'proxy'::text, 'redirect'::text]))),
  constraint trunk_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'::text)),
  constraint trunk_pkey PRIMARY KEY (name),
  constraint trunk_transport_check CHECK ((transport = ANY (ARRAY['udp'::text, 'tcp'::text, 'tls'::text])))
);
CREATE TRIGGER routing_changed AFTER INSERT OR DELETE OR UPDATE ON public.trunk FOR EACH STATEMENT EXECUTE FUNCTION notify_routing();

create table visitor (
  id text not null,
  account_id text not null,
  first_seen_at timestamp with time zone not null,
  constraint visitor_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint visitor_pkey PRIMARY KEY (id)
);

create table webhook_delivery (
  carrier text not null,
  delivery_key text not null,
  call_id text,
  content_type text not null,
  answer text not null,
  received_at timestamp with time zone not null default now(),
  commands jsonb not null default '[]'::jsonb,
  constraint webhook_delivery_pkey PRIMARY KEY (carrier, delivery_key)
);
CREATE INDEX webhook_delivery_age ON public.webhook_delivery USING btree (received_at);

create table webhook_nonce (
  carrier text not null,
  nonce text not null,
  delivery_key text not null,
  received_at timestamp with time zone not null default now(),
  constraint webhook_nonce_pkey PRIMARY KEY (carrier, nonce)
);
CREATE INDEX webhook_nonce_age ON public.webhook_nonce USING btree (received_at);

create view call_record as
 SELECT COALESCE(k.id, c.id) AS id, c.id AS call_id, c.revision, k.corrects_id, k.kind AS correction_kind,
    k.at AS corrected_at, k.actor AS corrected_by, k.reason AS correction_reason, c.account_id, c.pool_id, c.number_id,
    c.ownership_epoch, c.received_at, c.ingress, c.ingress_call_id, c.promo_number, c.caller_enc, c.caller_hash,
    c.caller_last4, c.caller_name_enc, c.diversion_enc, c.diversion_last4, c.disposition, c.status, c.destination_number,
    c.progress, c.answered_at, c.ended_at, c.pdd_ms, c.ring_ms, c.talk_ms, c.hangup_cause, c.released_by, c.verstat,
    c.matched_seq, c.late, c.node, c.updated_at,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.attribution
            ELSE k.attribution
        END AS attribution,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.presentation_id
            ELSE k.presentation_id
        END AS presentation_id,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.visitor_id
            ELSE k.visitor_id
        END AS visitor_id,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.presented_at
            ELSE k.presented_at
        END AS presented_at,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.confidence
            ELSE k.confidence
        END AS confidence,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.touch
            ELSE k.touch
        END AS touch,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.custom_data
            ELSE k.custom_data
        END AS custom_data,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.first_touch
            ELSE k.first_touch
        END AS first_touch,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.landing_page
            ELSE k.landing_page
        END AS landing_page,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.referrer
            ELSE k.referrer
        END AS referrer,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.channel
            ELSE k.channel
        END AS channel,
    k.conversion, k.revenue
   FROM call c
     LEFT JOIN call_correction k ON c.revision > 0 AND k.call_id = c.id AND k.revision = c.revision;

CREATE OR REPLACE FUNCTION public.account_numbers(p_account text, p_now timestamp with time zone, OUT number_limit integer, OUT monthly_number_cap integer, OUT held integer, OUT taken integer, OUT on_order integer, OUT cycle_starts_at timestamp with time zone, OUT cycle_ends_at timestamp with time zone)
 RETURNS record
 LANGUAGE sql
 STABLE
AS $function$
  select a.number_limit, a.monthly_number_cap,
    case when a.number_limit is not null then (select count(*)::int from promo_number n where n.account_id = a.id) end,
    case when a.monthly_number_cap is not null then (
      select count(*)::int from number_event e
      where e.account_id = a.id and e.at >= c.starts_at and e.state = 'assigned' and e.from_state not in ('assigned', 'draining')) end,
    (select coalesce(sum(d.on_order), 0)::int from scale_decision d where d.account_id = a.id and d.on_order > 0),
    c.starts_at, c.ends_at
  from account a cross join lateral billing_cycle(a.billing_day, a.time_zone, p_now) c where a.id = p_account
$function$;

CREATE OR REPLACE FUNCTION public.begin_pool_scaling()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  insert into pool_scaling (pool_id, seen_at) values (new.id, new.created_at);
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.billing_cycle(p_day integer, p_zone text, p_at timestamp with time zone, OUT starts_at timestamp with time zone, OUT ends_at timestamp with time zone)
 RETURNS record
 LANGUAGE sql
 STABLE
AS $function$
  select (c.month + c.shift) at time zone p_zone, (c.month + interval '1 month' + c.shift) at time zone p_zone
  from (
    select s.shift, date_trunc('month', p_at at time zone p_zone - s.shift) as month
    from (select make_interval(days => p_day - 1) as shift) s
  ) c
$function$;

CREATE OR REPLACE FUNCTION public.ensure_partition(p_table text, p_column text, p_name text, p_from timestamp with time zone, p_to timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
begin
  if to_regclass(p_name) is not null then
    return 0;
  end if;
  -- Attaching, unlike "create table … partition of", lets presentations and calls go on meanwhile.
  execute format('create table %I (like %I including defaults including constraints)', p_name, p_table);
  execute format('with moved as (delete from %I where %I >= %L and %I < %L returning *) insert into %I select * from moved',
    p_table || '_default', p_column, p_from, p_column, p_to, p_name);
  execute format('alter table %I attach partition %I for values from (%L) to (%L)', p_table, p_name, p_from, p_to);
  return 1;
end $function$;

CREATE OR REPLACE FUNCTION public.ensure_partitions(p_now timestamp with time zone, p_days integer DEFAULT 7)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  v_day timestamp := date_trunc('day', p_now at time zone 'utc');
  v_from timestamp;
  v_made int := 0;
begin
  for i in -1..p_days loop
    v_from := v_day + make_interval(days => i);
    v_made := v_made + ensure_partition('presentation', 'presented_at', 'presentation_' || to_char(v_from, 'YYYYMMDD'),
      v_from at time zone 'utc', (v_from + interval '1 day') at time zone 'utc');
  end loop;
  for i in -1..2 loop
    v_from := date_trunc('month', v_day) + make_interval(months => i);
    v_made := v_made + ensure_partition('call', 'received_at', 'call_' || to_char(v_from, 'YYYYMM'),
      v_from at time zone 'utc', (v_from + interval '1 month') at time zone 'utc');
  end loop;
  return v_made;
end $function$;

CREATE OR REPLACE FUNCTION public.note_finished()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.finished_at := clock_timestamp();
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.notify_number()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_notify('ringmatch_routing', 'number ' || new.e164);
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.notify_routing()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_notify('ringmatch_routing', tg_table_name);
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.notify_static()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_notify('ringmatch_routing', 'number ' || n.e164) from promo_number n where n.id = new.number_id;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.present_batch(p_account text[], p_pool text[], p_visitor text[], p_fresh text[], p_presentation text[], p_log text[], p_touch jsonb[], p_custom jsonb[], p_context jsonb[], p_now timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS TABLE(item integer, outcome text, visitor_id text, e164 text, presentation_id text, locked_until timestamp with time zone, session_lifetime_s integer)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
#variable_conflict use_column
declare
  v_now timestamptz := coalesce(p_now, now());
  v_visitor text[];
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

  -- 1. Visitors: adopt new ids for this account; an id that belongs to another account gives way to the fresh one.
  select array_agg(case when v.account_id is null or v.account_id = i.acc then i.vid else i.fresh end order by i.ord),
      count(*) filter (where v.account_id is distinct from i.acc)
    into v_visitor, v_count
    from unnest(p_visitor, p_account, p_fresh) with ordinality as i (vid, acc, fresh, ord)
      left join lateral (select v.account_id from visitor v where v.id = i.vid offset 0) v on true;
  if v_count > 0 then
    insert into visitor (id, account_id, first_seen_at)
      select distinct on (i.vid) i.vid, i.acc, v_now from unnest(v_visitor, p_account) as i (vid, acc) order by i.vid, i.acc
      on conflict (id) do nothing;
    -- Somebody else may have taken a new id in this very moment.
    select array_agg(case when v.account_id = i.acc then i.vid else i.fresh end order by i.ord),
        count(*) filter (where v.account_id is distinct from i.acc)
      into v_visitor, v_count
      from unnest(v_visitor, p_account, p_fresh) with ordinality as i (vid, acc, fresh, ord)
        left join lateral (select v.account_id from visitor v where v.id = i.vid offset 0) v on true;
    if v_count > 0 then
      insert into visitor (id, account_id, first_seen_at)
        select distinct on (i.vid) i.vid, i.acc, v_now from unnest(v_visitor, p_account) as i (vid, acc) order by i.vid, i.acc
        on conflict (id) do nothing;
    end if;
  end if;

  -- 2. The pools' settings (no lifetime: the pool is gone). And one transaction at a time serves a visitor of a pool; whoever comes second asks
  --    again instead of waiting.
  select array_agg(p.session_lifetime_s order by i.ord), array_agg(p.retention_s order by i.ord), array_agg(p.reuses order by i.ord),
      array_agg(p.session_lifetime_s is not null and pg_try_advisory_xact_lock(hashtextextended(i.pool || i.vid, 0)) order by i.ord)
    into v_lifetime, v_retention, v_reuses, v_open
    from unnest(p_pool, v_visitor) with ordinality as i (pool, vid, ord)
      left join lateral (
        select q.session_lifetime_s, q.retention_s, q.overflow = 'reuse_oldest' as reuses
        from pool q where q.id = i.pool and q.deleted_at is null offset 0) p on true;

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
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'rows of % are never changed', tg_table_name using errcode = 'check_violation';
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_decision_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'scale decision % is final', old.id using errcode = 'check_violation';
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_delete()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'rows of % are never deleted', tg_table_name using errcode = 'check_violation';
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_double_lease()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if new.pool_id = old.pool_id and exists (select 1 from pool p where p.id = new.pool_id and p.overflow = 'reuse_oldest') then
    return new;
  end if;
  raise exception 'number % is locked for another visitor until %', old.e164, old.locked_until using errcode = 'exclusion_violation';
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_illegal_move()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_order_move()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not (old.state || '>' || new.state = any (array[
      'requested>ordering', 'requested>refused',
      'ordering>requested', 'ordering>pending', 'ordering>done', 'ordering>refused', 'ordering>unknown',
      'pending>done', 'pending>refused',
      'unknown>done'])) then
    raise exception 'order item % cannot go from % to %', old.id, old.state, new.state using errcode = 'check_violation';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_over_limit()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  v record;
begin
  perform 1 from account where id = new.account_id and (number_limit is not null or monthly_number_cap is not null) for no key update;
  if not found then
    return null;
  end if;
  select * into v from account_numbers(new.account_id, ringmatch_now());
  if v.held > v.number_limit or v.taken > v.monthly_number_cap then
    -- A code of its own: src/pool/number-moves.ts tells it as account_limit.
    raise exception 'account % may not take number %', new.account_id, new.e164 using errcode = 'RM001';
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_rewriting()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if coalesce(current_setting('ringmatch.erasing', true), '') = 'on' then
    return coalesce(new, old);
  end if;
  raise exception 'rows of % are never changed', tg_table_name using errcode = 'check_violation';
end $function$;

CREATE OR REPLACE FUNCTION public.renew_locks(p_account text, p_visitor text, p_presentation text[], p_now timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS TABLE(presentation_id text, outcome text, locked_until timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
declare
  v_now timestamptz := coalesce(p_now, now());
begin
  if p_now is not null then
    perform set_config('ringmatch.now', p_now::text, true);
  end if;
  return query
    -- Locked in one order, so that two requests of one visitor cannot lock each other out.
    with mine as materialized (
      select n.id, p.session_lifetime_s
      from promo_number n join pool p on p.id = n.pool_id and p.deleted_at is null
      where n.held_by = p_visitor and n.account_id = p_account and n.presentation_id = any (p_presentation)
        and (n.retained_until >= v_now or n.locked_until > v_now)
      order by n.id for update of n
    ), kept as (
      update promo_number n set locked_until = greatest(n.locked_until, v_now + make_interval(secs => m.session_lifetime_s))
      from mine m where n.id = m.id
      returning n.presentation_id, n.locked_until
    )
    select a.id, case when k.presentation_id is null then 'lost' else 'renewed' end, k.locked_until
    from unnest(p_presentation) with ordinality as a (id, ord) left join kept k on k.presentation_id = a.id order by a.ord;
end $function$;

CREATE OR REPLACE FUNCTION public.ringmatch_now()
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$ select coalesce(nullif(current_setting('ringmatch.now', true), '')::timestamptz, now()) $function$;
