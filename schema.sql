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
  repeat_caller_days integer not null default 30,
  custom_data_models jsonb not null default '{}'::jsonb,
  presentations_kept_from timestamp with time zone not null default '-infinity'::timestamp with time zone,
  caller_retention_days integer not null default 365,
  presentation_retention_days integer not null default 90,
  allowed_origins text[] not null default '{}'::text[],
  consent text not null default 'assumed'::text,
  visitor_lifetime_days integer not null default 30,
  constraint account_allowed_origins_check CHECK ((cardinality(allowed_origins) <= 100)),
  constraint account_billing_day_check CHECK (((billing_day >= 1) AND (billing_day <= 28))),
  constraint account_caller_retention_days_check CHECK (((caller_retention_days >= 1) AND (caller_retention_days <= 3650))),
  constraint account_consent_check CHECK ((consent = ANY (ARRAY['assumed'::text, 'required'::text]))),
  constraint account_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint account_monthly_number_cap_check CHECK ((monthly_number_cap >= 0)),
  constraint account_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint account_number_limit_check CHECK ((number_limit >= 0)),
  constraint account_pkey PRIMARY KEY (id),
  constraint account_presentation_retention_days_check CHECK (((presentation_retention_days >= 4) AND (presentation_retention_days <= 3650))),
  constraint account_repeat_caller_days_check CHECK (((repeat_caller_days >= 0) AND (repeat_caller_days <= 3650))),
  constraint account_tag_key_key UNIQUE (tag_key),
  constraint account_time_zone_check CHECK (((length(time_zone) <= 64) AND (('2000-01-01 00:00:00+00'::timestamp with time zone AT TIME ZONE time_zone) IS NOT NULL))),
  constraint account_visitor_lifetime_days_check CHECK (((visitor_lifetime_days >= 1) AND (visitor_lifetime_days <= 400)))
);
CREATE TRIGGER routing_changed AFTER UPDATE ON public.account FOR EACH ROW EXECUTE FUNCTION notify_routing_of('id');
CREATE TRIGGER tag_begins AFTER INSERT ON public.account FOR EACH ROW EXECUTE FUNCTION begin_tag();

create table account_retention (
  account_id text not null,
  callers_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  presentations_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  constraint account_retention_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint account_retention_pkey PRIMARY KEY (account_id)
);

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
  judged_at timestamp with time zone,
  delay_model_id bigint,
  source text,
  medium text,
  campaign text,
  consent jsonb,
  previous_call_id text,
  calls_before integer,
  finished_at timestamp with time zone,
  constraint call_attribution_check CHECK ((attribution = ANY (ARRAY['matched'::text, 'overflow'::text, 'expired'::text, 'never_presented'::text, 'quarantined'::text, 'unattributable'::text]))),
  constraint call_caller_last4_check CHECK ((length(caller_last4) <= 4)),
  constraint call_calls_before_check CHECK ((calls_before >= 0)),
  constraint call_check CHECK (((attribution = 'matched'::text) = (presentation_id IS NOT NULL))),
  constraint call_check1 CHECK (((diversion_enc IS NULL) = (diversion_last4 IS NULL))),
  constraint call_check2 CHECK (((previous_call_id IS NULL) = (COALESCE(calls_before, 0) = 0))),
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
CREATE INDEX call_caller ON ONLY public.call USING btree (caller_hash, received_at, id) WHERE (caller_hash IS NOT NULL);
CREATE INDEX call_finished ON ONLY public.call USING btree (account_id, finished_at, id) WHERE (finished_at IS NOT NULL);
CREATE INDEX call_newest ON ONLY public.call USING btree (received_at DESC, id DESC);
CREATE INDEX call_number ON ONLY public.call USING btree (promo_number, received_at DESC);
CREATE INDEX call_open ON ONLY public.call USING btree (received_at) WHERE (status = ANY (ARRAY['ringing'::text, 'in_progress'::text]));
CREATE INDEX call_updated ON ONLY public.call USING btree (updated_at, id);
CREATE INDEX call_visitor ON ONLY public.call USING btree (account_id, visitor_id) WHERE (visitor_id IS NOT NULL);
CREATE TRIGGER finished_new BEFORE INSERT ON public.call FOR EACH ROW WHEN (((new.ended_at IS NOT NULL) AND (new.finished_at IS NULL))) EXECUTE FUNCTION note_finished();
CREATE TRIGGER finished_now BEFORE UPDATE ON public.call FOR EACH ROW WHEN (((new.ended_at IS NOT NULL) AND (new.finished_at IS NULL))) EXECUTE FUNCTION note_finished();
CREATE TRIGGER report_marks_changed AFTER UPDATE ON public.call REFERENCING OLD TABLE AS old_call NEW TABLE AS new_call FOR EACH STATEMENT EXECUTE FUNCTION mark_report();
CREATE TRIGGER report_marks_new AFTER INSERT ON public.call REFERENCING NEW TABLE AS new_call FOR EACH STATEMENT EXECUTE FUNCTION mark_report();
CREATE TRIGGER report_marks_removed AFTER DELETE ON public.call REFERENCING OLD TABLE AS old_call FOR EACH STATEMENT EXECUTE FUNCTION mark_report();
CREATE TRIGGER tell_changed_calls AFTER UPDATE ON public.call REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell_changed_calls();
CREATE TRIGGER tell_new_calls AFTER INSERT ON public.call REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell_new_calls();

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
  source text,
  medium text,
  campaign text,
  consent jsonb,
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
CREATE INDEX call_correction_visitor ON public.call_correction USING btree (account_id, visitor_id) WHERE (visitor_id IS NOT NULL);
CREATE TRIGGER never_changed BEFORE DELETE OR UPDATE ON public.call_correction FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER report_marks_changed AFTER UPDATE ON public.call_correction REFERENCING OLD TABLE AS old_call NEW TABLE AS new_call FOR EACH STATEMENT EXECUTE FUNCTION mark_report();

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
CREATE TRIGGER routing_changed AFTER INSERT OR DELETE OR UPDATE ON public.destination FOR EACH ROW EXECUTE FUNCTION notify_routing_of('account_id');

create table erasure (
  id text not null,
  account_id text not null,
  kind text not null,
  subject_hash bytea not null,
  subject_enc bytea,
  at timestamp with time zone not null default now(),
  actor text not null,
  reason text,
  completed_at timestamp with time zone,
  call_ids text[] not null default '{}'::text[],
  calls integer not null default 0,
  presentations integer not null default 0,
  intercepts integer not null default 0,
  deliveries integer not null default 0,
  constraint erasure_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint erasure_kind_check CHECK ((kind = ANY (ARRAY['caller'::text, 'visitor'::text]))),
  constraint erasure_pkey PRIMARY KEY (id),
  constraint erasure_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 1000)))
);
CREATE INDEX erasure_account ON public.erasure USING btree (account_id, id);
CREATE INDEX erasure_open ON public.erasure USING btree (at) WHERE (subject_enc IS NOT NULL);

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
CREATE INDEX intercept_caller ON public.intercept USING btree (caller_hash) WHERE (caller_hash IS NOT NULL);
CREATE UNIQUE INDEX intercept_counted_caller ON public.intercept USING btree (number_id, ownership_epoch, caller_hash) WHERE (counted AND (caller_hash IS NOT NULL));
CREATE INDEX intercept_newest ON public.intercept USING btree (at DESC, id DESC);
CREATE INDEX intercept_number ON public.intercept USING btree (number_id, ownership_epoch, at);
CREATE TRIGGER tell_intercepts AFTER INSERT ON public.intercept REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell_intercepts();

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
CREATE TRIGGER tell_number_moves AFTER INSERT ON public.number_event REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell_number_moves();

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
  calling_code text,
  constraint number_order_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint number_order_check CHECK (((state = ANY (ARRAY['requested'::text, 'ordering'::text])) = (next_run_at IS NOT NULL))),
  constraint number_order_check1 CHECK (((refusal IS NULL) OR (state = ANY (ARRAY['refused'::text, 'unknown'::text])))),
  constraint number_order_check2 CHECK (((calling_code IS NULL) OR ((calling_code ~ '^\+[1-9][0-9]{0,2}$'::text) AND (npas IS NULL)))),
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

create table outbox (
  id bigint not null generated always as identity,
  type text not null,
  at timestamp with time zone not null,
  account_id text,
  call_id text,
  received_at timestamp with time zone,
  data jsonb,
  failures integer not null default 0,
  not_before timestamp with time zone not null default '-infinity'::timestamp with time zone,
  constraint outbox_check CHECK (((call_id IS NULL) = (received_at IS NULL))),
  constraint outbox_check1 CHECK (((call_id IS NULL) = (data IS NOT NULL))),
  constraint outbox_pkey PRIMARY KEY (id)
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000);
CREATE INDEX outbox_call ON public.outbox USING btree (call_id) WHERE (call_id IS NOT NULL);

create table outgoing_delivery (
  id text not null,
  endpoint_id text not null,
  event_id text not null,
  seq bigint not null,
  type text not null,
  event_at timestamp with time zone not null,
  account_id text,
  call_id text,
  body_enc bytea,
  names_caller boolean not null,
  state text not null default 'waiting'::text,
  next_attempt_at timestamp with time zone,
  lease_until timestamp with time zone,
  lease text,
  tries integer not null default 0,
  is_replay boolean not null default false,
  attempts jsonb not null default '[]'::jsonb,
  delivered_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  skipped_reason text,
  conversion jsonb,
  constraint outgoing_delivery_check CHECK (((state = 'waiting'::text) = (next_attempt_at IS NOT NULL))),
  constraint outgoing_delivery_check1 CHECK (((state = 'waiting'::text) OR (lease_until IS NULL))),
  constraint outgoing_delivery_check2 CHECK (((lease_until IS NULL) = (lease IS NULL))),
  constraint outgoing_delivery_check3 CHECK (((state = 'skipped'::text) = (skipped_reason IS NOT NULL))),
  constraint outgoing_delivery_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoint(id),
  constraint outgoing_delivery_endpoint_id_seq_key UNIQUE (endpoint_id, seq),
  constraint outgoing_delivery_pkey PRIMARY KEY (id),
  constraint outgoing_delivery_skipped_reason_check CHECK ((skipped_reason ~ '^[a-z_]{1,40}$'::text)),
  constraint outgoing_delivery_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'delivered'::text, 'failed'::text, 'canceled'::text, 'skipped'::text]))),
  constraint outgoing_delivery_tries_check CHECK ((tries >= 0))
) with (fillfactor=80);
CREATE INDEX outgoing_delivery_age ON public.outgoing_delivery USING btree (created_at);
CREATE INDEX outgoing_delivery_call ON public.outgoing_delivery USING btree (call_id) WHERE (call_id IS NOT NULL);
CREATE INDEX outgoing_delivery_due ON public.outgoing_delivery USING btree (endpoint_id, next_attempt_at, seq) WHERE (state = 'waiting'::text);
CREATE INDEX outgoing_delivery_first_retry ON public.outgoing_delivery USING btree (endpoint_id, next_attempt_at) WHERE ((state = 'waiting'::text) AND (tries = 1));
CREATE INDEX outgoing_delivery_leased ON public.outgoing_delivery USING btree (endpoint_id, lease_until) WHERE (lease_until IS NOT NULL);
CREATE INDEX outgoing_delivery_order ON public.outgoing_delivery USING btree (endpoint_id, call_id, seq) WHERE ((state = 'waiting'::text) AND (call_id IS NOT NULL));

create table pii_access (
  id bigint not null generated always as identity,
  at timestamp with time zone not null default now(),
  key_id text not null,
  account_id text,
  request_id text not null,
  call_ids text[] not null,
  constraint pii_access_pkey PRIMARY KEY (id)
);
CREATE INDEX pii_access_account ON public.pii_access USING btree (account_id, id);
CREATE INDEX pii_access_age ON public.pii_access USING btree (at);

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
  destination_id text,
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
  constraint pool_destination_while_in_use CHECK (((destination_id IS NOT NULL) OR (deleted_at IS NOT NULL))),
  constraint pool_drain_s_check CHECK (((drain_s >= 0) AND (drain_s <= 259200))),
  constraint pool_kind_check CHECK ((kind = ANY (ARRAY['automatic'::text, 'campaign'::text]))),
  constraint pool_max_size_check CHECK (((max_size >= 1) AND (max_size <= 100000))),
  constraint pool_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint pool_number_type_check CHECK ((number_type = ANY (ARRAY['toll_free'::text, 'local'::text]))),
  constraint pool_of_account UNIQUE (id, account_id),
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
CREATE TRIGGER routing_changed AFTER INSERT OR DELETE OR UPDATE ON public.pool FOR EACH ROW EXECUTE FUNCTION notify_routing_of('account_id');
CREATE TRIGGER scaling_begins AFTER INSERT ON public.pool FOR EACH ROW EXECUTE FUNCTION begin_pool_scaling();

create table pool_delay_model (
  id bigint not null generated always as identity,
  pool_id text not null,
  made_at timestamp with time zone not null default now(),
  calls integer not null,
  parts jsonb not null,
  call_share double precision not null,
  background_per_s double precision not null,
  constraint pool_delay_model_background_per_s_check CHECK ((background_per_s > (0)::double precision)),
  constraint pool_delay_model_call_share_check CHECK (((call_share > (0)::double precision) AND (call_share <= (1)::double precision))),
  constraint pool_delay_model_calls_check CHECK ((calls >= 0)),
  constraint pool_delay_model_pkey PRIMARY KEY (id),
  constraint pool_delay_model_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES pool(id)
);
CREATE INDEX pool_delay_model_newest ON public.pool_delay_model USING btree (pool_id, id DESC);
CREATE TRIGGER never_changed BEFORE DELETE OR UPDATE ON public.pool_delay_model FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();

create table pool_scaling (
  pool_id text not null,
  next_scale_at timestamp with time zone,
  tried_at timestamp with time zone,
  exhausted bigint not null default 0,
  exhausted_seen bigint not null default 0,
  seen_at timestamp with time zone not null default now(),
  exhaustion_told_at timestamp with time zone,
  constraint pool_scaling_check CHECK (((exhausted_seen >= 0) AND (exhausted_seen <= exhausted))),
  constraint pool_scaling_pkey PRIMARY KEY (pool_id),
  constraint pool_scaling_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES pool(id)
) with (fillfactor=70);
CREATE INDEX pool_scaling_due ON public.pool_scaling USING btree (next_scale_at);
CREATE TRIGGER tell_exhaustion BEFORE UPDATE ON public.pool_scaling FOR EACH ROW WHEN (((new.exhausted > old.exhausted) AND (COALESCE(old.exhaustion_told_at, '-infinity'::timestamp with time zone) <= (ringmatch_now() - exhaustion_told_every())))) EXECUTE FUNCTION tell_exhaustion();
CREATE TRIGGER turned_away AFTER UPDATE ON public.pool_scaling FOR EACH ROW WHEN ((new.exhausted > old.exhausted)) EXECUTE FUNCTION count_turned_away();

create table pool_turned_away (
  pool_id text not null,
  quarter timestamp with time zone not null,
  visitors bigint not null,
  constraint pool_turned_away_pkey PRIMARY KEY (pool_id, quarter),
  constraint pool_turned_away_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES pool(id)
);

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
  constraint promo_number_pool_of_account FOREIGN KEY (pool_id, account_id) REFERENCES pool(id, account_id),
  constraint promo_number_role_check CHECK ((role = ANY (ARRAY['pool'::text, 'overflow'::text, 'static'::text]))),
  constraint promo_number_state_check CHECK ((state = ANY (ARRAY['ordering'::text, 'porting'::text, 'available'::text, 'assigned'::text, 'draining'::text, 'quarantined'::text, 'retired'::text])))
) with (fillfactor=60, autovacuum_vacuum_scale_factor=0.05, autovacuum_vacuum_cost_delay=0, autovacuum_analyze_scale_factor=5);
CREATE INDEX promo_number_abroad ON public.promo_number USING btree (e164 COLLATE "C") WHERE ((state = 'available'::text) AND (number_type = 'local'::text) AND (npa IS NULL));
CREATE INDEX promo_number_due ON public.promo_number USING btree (next_check_at) WHERE (next_check_at IS NOT NULL);
CREATE UNIQUE INDEX promo_number_holder ON public.promo_number USING btree (held_by, pool_id) WHERE (held_by IS NOT NULL);
CREATE INDEX promo_number_inventory ON public.promo_number USING btree (number_type, npa, e164) WHERE (state = 'available'::text);
CREATE INDEX promo_number_lru ON public.promo_number USING btree (pool_id, state, role, last_presented_at, id, locked_until) WHERE (pool_id IS NOT NULL);
CREATE UNIQUE INDEX promo_number_one_overflow ON public.promo_number USING btree (pool_id) WHERE ((state = 'assigned'::text) AND (role = 'overflow'::text));
CREATE INDEX promo_number_proposed ON public.promo_number USING btree (e164) WHERE (retirement_proposed_at IS NOT NULL);
CREATE INDEX promo_number_without_pool ON public.promo_number USING btree (account_id, e164) WHERE ((account_id IS NOT NULL) AND (pool_id IS NULL));
CREATE TRIGGER legal_move BEFORE UPDATE OF state, account_id, e164, ownership_epoch ON public.promo_number FOR EACH ROW WHEN (((old.state <> new.state) OR (old.account_id IS DISTINCT FROM new.account_id) OR (old.e164 <> new.e164) OR (new.ownership_epoch <> old.ownership_epoch))) EXECUTE FUNCTION refuse_illegal_move();
CREATE TRIGGER never_deleted BEFORE DELETE ON public.promo_number FOR EACH ROW EXECUTE FUNCTION refuse_delete();
CREATE TRIGGER no_double_lease BEFORE UPDATE ON public.promo_number FOR EACH ROW WHEN (((old.ownership_epoch = new.ownership_epoch) AND ((new.locked_until < old.locked_until) OR ((old.visitor_id IS DISTINCT FROM new.visitor_id) AND (NOT ((new.visitor_id IS NULL) AND (old.pool_id IS DISTINCT FROM new.pool_id))))) AND (old.locked_until > ringmatch_now()))) EXECUTE FUNCTION refuse_double_lease();
CREATE TRIGGER number_moved AFTER UPDATE OF state, account_id, pool_id, role, credential_id, host_account_id ON public.promo_number FOR EACH ROW WHEN (((old.state <> new.state) OR (old.account_id IS DISTINCT FROM new.account_id) OR (old.pool_id IS DISTINCT FROM new.pool_id) OR (old.role IS DISTINCT FROM new.role) OR (old.credential_id IS DISTINCT FROM new.credential_id) OR (old.host_account_id IS DISTINCT FROM new.host_account_id))) EXECUTE FUNCTION notify_number();
CREATE TRIGGER numbers_added AFTER INSERT ON public.promo_number REFERENCING NEW TABLE AS new_number FOR EACH STATEMENT EXECUTE FUNCTION notify_numbers_added();
CREATE TRIGGER sequence_never_back BEFORE UPDATE OF presentation_seq ON public.promo_number FOR EACH ROW WHEN ((new.presentation_seq < old.presentation_seq)) EXECUTE FUNCTION refuse_illegal_move();
CREATE TRIGGER within_account_limits AFTER UPDATE OF account_id ON public.promo_number FOR EACH ROW WHEN (((new.account_id IS NOT NULL) AND (old.account_id IS DISTINCT FROM new.account_id))) EXECUTE FUNCTION refuse_over_limit();

create table report_day (
  cube text not null,
  at timestamp with time zone not null,
  account_id text not null,
  key uuid not null,
  channel text,
  source text,
  medium text,
  campaign text,
  pool_id text,
  landing_page text,
  promo_number text,
  ingress text,
  calls integer not null,
  routed integer not null,
  answered integer not null,
  missed integer not null,
  completed integer not null,
  busy integer not null,
  no_answer integer not null,
  failed integer not null,
  canceled integer not null,
  intercepted integer not null,
  talk_ms bigint not null,
  matched integer not null,
  overflow integer not null,
  expired integer not null,
  never_presented integer not null,
  quarantined integer not null,
  unattributable integer not null,
  unattributed integer not null,
  judged integer not null,
  confidence_ppm bigint not null,
  conversions integer not null,
  revenue numeric not null,
  constraint report_day_pkey PRIMARY KEY (cube, at, account_id, key),
  constraint report_quarter_calls_check CHECK ((calls > 0)),
  constraint report_quarter_cube_check CHECK ((cube = ANY (ARRAY['source'::text, 'page'::text, 'number'::text])))
);

create table report_mark (
  id bigint not null generated always as identity,
  account_id text not null,
  quarter timestamp with time zone not null,
  constraint report_mark_pkey PRIMARY KEY (id)
) with (autovacuum_vacuum_scale_factor=0.05, autovacuum_vacuum_cost_delay=0);
CREATE INDEX report_mark_quarter ON public.report_mark USING btree (account_id, quarter);

create table report_quarter (
  cube text not null,
  at timestamp with time zone not null,
  account_id text not null,
  key uuid not null,
  channel text,
  source text,
  medium text,
  campaign text,
  pool_id text,
  landing_page text,
  promo_number text,
  ingress text,
  calls integer not null,
  routed integer not null,
  answered integer not null,
  missed integer not null,
  completed integer not null,
  busy integer not null,
  no_answer integer not null,
  failed integer not null,
  canceled integer not null,
  intercepted integer not null,
  talk_ms bigint not null,
  matched integer not null,
  overflow integer not null,
  expired integer not null,
  never_presented integer not null,
  quarantined integer not null,
  unattributable integer not null,
  unattributed integer not null,
  judged integer not null,
  confidence_ppm bigint not null,
  conversions integer not null,
  revenue numeric not null,
  constraint report_quarter_calls_check CHECK ((calls > 0)),
  constraint report_quarter_cube_check CHECK ((cube = ANY (ARRAY['source'::text, 'page'::text, 'number'::text]))),
  constraint report_quarter_pkey PRIMARY KEY (cube, at, account_id, key)
);

create table report_retired (
  account_id text not null,
  before timestamp with time zone not null,
  constraint report_retired_pkey PRIMARY KEY (account_id)
);

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
CREATE TRIGGER tell_arrived_numbers AFTER UPDATE ON public.scale_decision REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell_arrived_numbers();
CREATE TRIGGER tell_scaling AFTER INSERT ON public.scale_decision REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell_scaling();

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
CREATE TRIGGER routing_changed AFTER INSERT OR UPDATE ON public.static_number FOR EACH ROW EXECUTE FUNCTION notify_routing_of('account_id');
CREATE TRIGGER static_changed AFTER UPDATE ON public.static_number FOR EACH ROW WHEN ((old.destination_id <> new.destination_id)) EXECUTE FUNCTION notify_static();

create table tag (
  account_id text not null,
  revision integer not null,
  paused boolean not null default false,
  draft jsonb,
  draft_at timestamp with time zone,
  draft_actor text,
  constraint tag_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint tag_account_id_revision_fkey FOREIGN KEY (account_id, revision) REFERENCES tag_revision(account_id, revision),
  constraint tag_check CHECK ((((draft IS NULL) = (draft_at IS NULL)) AND ((draft IS NULL) = (draft_actor IS NULL)))),
  constraint tag_draft_check CHECK ((jsonb_typeof(draft) = 'object'::text)),
  constraint tag_pkey PRIMARY KEY (account_id)
);
CREATE TRIGGER routing_changed AFTER UPDATE ON public.tag FOR EACH ROW EXECUTE FUNCTION notify_routing_of('account_id');

create table tag_file (
  name text not null,
  version text not null,
  script text not null,
  content text not null,
  integrity text not null,
  published_at timestamp with time zone not null default now(),
  constraint tag_file_integrity_check CHECK ((integrity ~ '^sha384-[A-Za-z0-9+/]{64}$'::text)),
  constraint tag_file_pkey PRIMARY KEY (name)
);
CREATE INDEX tag_file_version ON public.tag_file USING btree (version, published_at DESC);
CREATE TRIGGER never_changed BEFORE DELETE OR UPDATE ON public.tag_file FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();

create table tag_revision (
  account_id text not null,
  revision integer not null,
  settings jsonb not null,
  made_by text not null,
  reverted_to integer,
  at timestamp with time zone not null default now(),
  actor text not null,
  constraint tag_revision_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint tag_revision_account_id_reverted_to_fkey FOREIGN KEY (account_id, reverted_to) REFERENCES tag_revision(account_id, revision),
  constraint tag_revision_check CHECK (((made_by = 'revert'::text) = (reverted_to IS NOT NULL))),
  constraint tag_revision_check1 CHECK ((reverted_to < revision)),
  constraint tag_revision_made_by_check CHECK ((made_by = ANY (ARRAY['account'::text, 'live'::text, 'revert'::text]))),
  constraint tag_revision_pkey PRIMARY KEY (account_id, revision),
  constraint tag_revision_revision_check CHECK ((revision >= 1)),
  constraint tag_revision_settings_check CHECK ((jsonb_typeof(settings) = 'object'::text))
);
CREATE TRIGGER never_changed BEFORE DELETE OR UPDATE ON public.tag_revision FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();

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
  constraint visitor_pkey PRIMARY KEY (id)
);
CREATE INDEX visitor_age ON public.visitor USING brin (first_seen_at);

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

create table webhook_endpoint (
  id text not null,
  kind text not null default 'webhook'::text,
  account_id text,
  url text,
  events text[] not null,
  description text,
  format text not null default 'standard'::text,
  include_caller boolean not null default false,
  max_concurrency integer not null default 4,
  secret_enc bytea not null,
  former_secret_enc bytea,
  former_secret_until timestamp with time zone,
  enabled boolean not null default true,
  disabled_at timestamp with time zone,
  disabled_reason text,
  notices jsonb not null default '[]'::jsonb,
  failing_since timestamp with time zone,
  failures integer not null default 0,
  paused_until timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  deleted_at timestamp with time zone,
  settings jsonb,
  constraint webhook_endpoint_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  constraint webhook_endpoint_check CHECK ((enabled = (disabled_at IS NULL))),
  constraint webhook_endpoint_check1 CHECK ((enabled = (disabled_reason IS NULL))),
  constraint webhook_endpoint_check2 CHECK (((deleted_at IS NULL) OR (NOT enabled))),
  constraint webhook_endpoint_check3 CHECK (((former_secret_enc IS NULL) = (former_secret_until IS NULL))),
  constraint webhook_endpoint_check4 CHECK (((kind = 'webhook'::text) = (url IS NOT NULL))),
  constraint webhook_endpoint_check5 CHECK (((kind = 'webhook'::text) = (settings IS NULL))),
  constraint webhook_endpoint_check6 CHECK (((kind = 'webhook'::text) OR (account_id IS NOT NULL))),
  constraint webhook_endpoint_description_check CHECK (((length(description) >= 1) AND (length(description) <= 200))),
  constraint webhook_endpoint_disabled_reason_check CHECK ((disabled_reason = ANY (ARRAY['asked'::text, 'gone'::text, 'failing'::text]))),
  constraint webhook_endpoint_events_check CHECK (((cardinality(events) >= 1) AND (cardinality(events) <= 50))),
  constraint webhook_endpoint_failures_check CHECK ((failures >= 0)),
  constraint webhook_endpoint_format_check CHECK ((format = ANY (ARRAY['standard'::text, 'cloudevents'::text]))),
  constraint webhook_endpoint_kind_check CHECK ((kind = ANY (ARRAY['webhook'::text, 'ga4'::text, 'google_ads'::text, 'meta'::text]))),
  constraint webhook_endpoint_max_concurrency_check CHECK (((max_concurrency >= 1) AND (max_concurrency <= 5))),
  constraint webhook_endpoint_pkey PRIMARY KEY (id),
  constraint webhook_endpoint_url_check CHECK ((length(url) <= 2000))
);
CREATE INDEX webhook_endpoint_account ON public.webhook_endpoint USING btree (account_id, id) WHERE (deleted_at IS NULL);
CREATE INDEX webhook_endpoint_listening ON public.webhook_endpoint USING btree (account_id) WHERE enabled;

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
    k.conversion, k.revenue,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.source
            ELSE k.source
        END AS source,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.medium
            ELSE k.medium
        END AS medium,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.campaign
            ELSE k.campaign
        END AS campaign,
        CASE
            WHEN k.attribution_corrected IS NOT TRUE THEN c.consent
            ELSE k.consent
        END AS consent,
    c.judged_at, c.delay_model_id, c.previous_call_id, c.calls_before
   FROM call c
     LEFT JOIN call_correction k ON c.revision > 0 AND k.call_id = c.id AND k.revision = c.revision;

create view report_call as
 SELECT c.id AS call_id, c.account_id, c.received_at, v.channel, v.source, v.medium, v.campaign, c.pool_id,
    report_page(v.landing_page) AS landing_page, c.promo_number, c.ingress, 1 AS calls,
    (c.disposition = 'routed'::text)::integer AS routed, (c.answered_at IS NOT NULL)::integer AS answered,
    (c.disposition = 'routed'::text AND c.answered_at IS NULL AND (c.status = ANY (ARRAY['completed'::text, 'busy'::text, 'no_answer'::text, 'failed'::text, 'canceled'::text])))::integer AS missed,
    (c.status = 'completed'::text)::integer AS completed, (c.status = 'busy'::text)::integer AS busy,
    (c.status = 'no_answer'::text)::integer AS no_answer, (c.status = 'failed'::text)::integer AS failed,
    (c.status = 'canceled'::text)::integer AS canceled, (c.status = 'intercepted'::text)::integer AS intercepted,
    COALESCE(c.talk_ms, 0)::bigint AS talk_ms, (v.attribution = 'matched'::text)::integer AS matched,
    (v.attribution = 'overflow'::text)::integer AS overflow, (v.attribution = 'expired'::text)::integer AS expired,
    (v.attribution = 'never_presented'::text)::integer AS never_presented,
    (v.attribution = 'quarantined'::text)::integer AS quarantined,
    (v.attribution = 'unattributable'::text)::integer AS unattributable,
    (c.disposition = 'routed'::text AND v.attribution <> 'matched'::text)::integer AS unattributed,
    (v.attribution = 'matched'::text AND v.confidence IS NOT NULL)::integer AS judged,
        CASE
            WHEN v.attribution = 'matched'::text AND v.confidence IS NOT NULL THEN round(v.confidence * '1000000'::numeric::double precision)::bigint
            ELSE 0::bigint
        END AS confidence_ppm,
    (v.conversion IS TRUE)::integer AS conversions, COALESCE(v.revenue, 0::numeric) AS revenue
   FROM call c
     LEFT JOIN LATERAL ( SELECT k_1.attribution_corrected, k_1.channel, k_1.source, k_1.medium, k_1.campaign,
            k_1.landing_page, k_1.attribution, k_1.confidence, k_1.conversion, k_1.revenue
           FROM call_correction k_1
          WHERE c.revision > 0 AND k_1.call_id = c.id AND k_1.revision = c.revision
         OFFSET 0) k ON true
     CROSS JOIN LATERAL ( SELECT
                CASE
                    WHEN k.attribution_corrected IS NOT TRUE THEN c.channel
                    ELSE k.channel
                END AS channel,
                CASE
                    WHEN k.attribution_corrected IS NOT TRUE THEN c.source
                    ELSE k.source
                END AS source,
                CASE
                    WHEN k.attribution_corrected IS NOT TRUE THEN c.medium
                    ELSE k.medium
                END AS medium,
                CASE
                    WHEN k.attribution_corrected IS NOT TRUE THEN c.campaign
                    ELSE k.campaign
                END AS campaign,
                CASE
                    WHEN k.attribution_corrected IS NOT TRUE THEN c.landing_page
                    ELSE k.landing_page
                END AS landing_page,
                CASE
                    WHEN k.attribution_corrected IS NOT TRUE THEN c.attribution
                    ELSE k.attribution
                END AS attribution,
                CASE
                    WHEN k.attribution_corrected IS NOT TRUE THEN c.confidence
                    ELSE k.confidence
                END AS confidence,
            k.conversion, k.revenue) v;

create view report_daily as
 WITH dirty AS MATERIALIZED (
         SELECT DISTINCT m.account_id, m.quarter
           FROM report_mark m
             LEFT JOIN report_retired r ON r.account_id = m.account_id
          WHERE r.account_id IS NULL OR m.quarter >= r.before
        ), changed AS (
         SELECT c.call_id, c.account_id, c.received_at, c.channel, c.source, c.medium, c.campaign, c.pool_id,
            c.landing_page, c.promo_number, c.ingress, c.calls, c.routed, c.answered, c.missed, c.completed, c.busy,
            c.no_answer, c.failed, c.canceled, c.intercepted, c.talk_ms, c.matched, c.overflow, c.expired,
            c.never_presented, c.quarantined, c.unattributable, c.unattributed, c.judged, c.confidence_ppm,
            c.conversions, c.revenue
           FROM dirty d
             CROSS JOIN LATERAL ( SELECT r.call_id, r.account_id, r.received_at, r.channel, r.source, r.medium,
                    r.campaign, r.pool_id, r.landing_page, r.promo_number, r.ingress, r.calls, r.routed, r.answered,
                    r.missed, r.completed, r.busy, r.no_answer, r.failed, r.canceled, r.intercepted, r.talk_ms,
                    r.matched, r.overflow, r.expired, r.never_presented, r.quarantined, r.unattributable, r.unattributed,
                    r.judged, r.confidence_ppm, r.conversions, r.revenue
                   FROM report_call r
                  WHERE d.account_id <> ''::text AND r.account_id = d.account_id AND r.received_at >= d.quarter AND r.received_at < (d.quarter + '00:15:00'::interval)
                UNION ALL
                 SELECT r.call_id, r.account_id, r.received_at, r.channel, r.source, r.medium, r.campaign, r.pool_id,
                    r.landing_page, r.promo_number, r.ingress, r.calls, r.routed, r.answered, r.missed, r.completed,
                    r.busy, r.no_answer, r.failed, r.canceled, r.intercepted, r.talk_ms, r.matched, r.overflow,
                    r.expired, r.never_presented, r.quarantined, r.unattributable, r.unattributed, r.judged,
                    r.confidence_ppm, r.conversions, r.revenue
                   FROM report_call r
                  WHERE d.account_id = ''::text AND r.account_id IS NULL AND r.received_at >= d.quarter AND r.received_at < (d.quarter + '00:15:00'::interval)) c
        ), part AS (
         SELECT d.cube, d.at AS day, d.account_id, d.channel, d.source, d.medium, d.campaign, d.pool_id, d.landing_page,
            d.promo_number, d.ingress, d.calls, d.routed, d.answered, d.missed, d.completed, d.busy, d.no_answer,
            d.failed, d.canceled, d.intercepted, d.talk_ms, d.matched, d.overflow, d.expired, d.never_presented,
            d.quarantined, d.unattributable, d.unattributed, d.judged, d.confidence_ppm, d.conversions, d.revenue
           FROM report_day d
        UNION ALL
         SELECT q.cube, date_trunc('day'::text, q.at, 'UTC'::text) AS date_trunc, q.account_id, q.channel, q.source,
            q.medium, q.campaign, q.pool_id, q.landing_page, q.promo_number, q.ingress, - q.calls, - q.routed,
            - q.answered, - q.missed, - q.completed, - q.busy, - q.no_answer, - q.failed, - q.canceled, - q.intercepted,
            - q.talk_ms, - q.matched, - q.overflow, - q.expired, - q.never_presented, - q.quarantined,
            - q.unattributable, - q.unattributed, - q.judged, - q.confidence_ppm, - q.conversions, - q.revenue
           FROM dirty d
             CROSS JOIN ( VALUES ('source'::text), ('page'::text), ('number'::text)) k(cube)
             JOIN report_quarter q ON q.cube = k.cube AND q.at = d.quarter AND q.account_id = d.account_id
        UNION ALL
         SELECT 'source'::text, date_trunc('day'::text, c.received_at, 'UTC'::text) AS date_trunc,
            COALESCE(c.account_id, ''::text) AS "coalesce", c.channel, c.source, c.medium, c.campaign, c.pool_id,
            NULL::text, NULL::text, NULL::text, c.calls, c.routed, c.answered, c.missed, c.completed, c.busy,
            c.no_answer, c.failed, c.canceled, c.intercepted, c.talk_ms, c.matched, c.overflow, c.expired,
            c.never_presented, c.quarantined, c.unattributable, c.unattributed, c.judged, c.confidence_ppm,
            c.conversions, c.revenue
           FROM changed c
        UNION ALL
         SELECT 'page'::text, date_trunc('day'::text, c.received_at, 'UTC'::text) AS date_trunc,
            COALESCE(c.account_id, ''::text) AS "coalesce", NULL::text, NULL::text, NULL::text, NULL::text, c.pool_id,
            c.landing_page, NULL::text, NULL::text, c.calls, c.routed, c.answered, c.missed, c.completed, c.busy,
            c.no_answer, c.failed, c.canceled, c.intercepted, c.talk_ms, c.matched, c.overflow, c.expired,
            c.never_presented, c.quarantined, c.unattributable, c.unattributed, c.judged, c.confidence_ppm,
            c.conversions, c.revenue
           FROM changed c
        UNION ALL
         SELECT 'number'::text, date_trunc('day'::text, c.received_at, 'UTC'::text) AS date_trunc,
            COALESCE(c.account_id, ''::text) AS "coalesce", NULL::text, NULL::text, NULL::text, NULL::text, c.pool_id,
            NULL::text, c.promo_number, c.ingress, c.calls, c.routed, c.answered, c.missed, c.completed, c.busy,
            c.no_answer, c.failed, c.canceled, c.intercepted, c.talk_ms, c.matched, c.overflow, c.expired,
            c.never_presented, c.quarantined, c.unattributable, c.unattributed, c.judged, c.confidence_ppm,
            c.conversions, c.revenue
           FROM changed c
        )
 SELECT cube, day, account_id, channel, source, medium, campaign, pool_id, landing_page, promo_number, ingress,
    sum(calls) AS calls, sum(routed) AS routed, sum(answered) AS answered, sum(missed) AS missed,
    sum(completed) AS completed, sum(busy) AS busy, sum(no_answer) AS no_answer, sum(failed) AS failed,
    sum(canceled) AS canceled, sum(intercepted) AS intercepted, sum(talk_ms)::bigint AS talk_ms, sum(matched) AS matched,
    sum(overflow) AS overflow, sum(expired) AS expired, sum(never_presented) AS never_presented,
    sum(quarantined) AS quarantined, sum(unattributable) AS unattributable, sum(unattributed) AS unattributed,
    sum(judged) AS judged, sum(confidence_ppm)::bigint AS confidence_ppm, sum(conversions) AS conversions,
    sum(revenue) AS revenue
   FROM part p
  GROUP BY cube, day, account_id, channel, source, medium, campaign, pool_id, landing_page, promo_number, ingress
 HAVING sum(calls) > 0;

create view reporting.accounts_v1 as
 SELECT id AS account_id, name, currency, time_zone, created_at
   FROM account;

create view reporting.calls_v1 as
 SELECT call_id, id AS record_id, revision, account_id, pool_id, received_at, ingress, promo_number, caller_last4,
    disposition, status, destination_number, answered_at, ended_at, pdd_ms, ring_ms, talk_ms, hangup_cause, released_by,
    verstat, attribution, presentation_id, visitor_id, presented_at, confidence, late, channel, source, medium, campaign,
    report_page(landing_page) AS landing_page, conversion, revenue, updated_at
   FROM call_record c;

create view reporting.landing_page_daily_v1 as
 SELECT day, NULLIF(account_id, ''::text) AS account_id, landing_page, pool_id, calls, routed, answered, missed,
    completed, busy, no_answer, failed, canceled, intercepted, talk_ms, matched, overflow, expired, never_presented,
    quarantined, unattributable, unattributed, judged, confidence_ppm, conversions, revenue,
    unattributed::double precision / NULLIF(routed, 0)::double precision AS unattributed_share,
    1::numeric - confidence_ppm::numeric / NULLIF(judged::numeric * '1000000'::numeric, 0::numeric) AS estimated_misattribution
   FROM report_daily d
  WHERE cube = 'page'::text;

create view reporting.number_daily_v1 as
 SELECT day, NULLIF(account_id, ''::text) AS account_id, promo_number, pool_id, ingress, calls, routed, answered, missed,
    completed, busy, no_answer, failed, canceled, intercepted, talk_ms, matched, overflow, expired, never_presented,
    quarantined, unattributable, unattributed, judged, confidence_ppm, conversions, revenue,
    unattributed::double precision / NULLIF(routed, 0)::double precision AS unattributed_share,
    1::numeric - confidence_ppm::numeric / NULLIF(judged::numeric * '1000000'::numeric, 0::numeric) AS estimated_misattribution
   FROM report_daily d
  WHERE cube = 'number'::text;

create view reporting.number_days_v1 as
 WITH move AS (
         SELECT e.number_id, e.id, e.state, e.account_id, e.pool_id,
            max(e.at) OVER (PARTITION BY e.number_id ORDER BY e.id) AS begins
           FROM number_event e
        ), stay AS (
         SELECT m.number_id, m.id, m.state, m.account_id, m.pool_id, m.begins,
            COALESCE(lead(m.begins) OVER (PARTITION BY m.number_id ORDER BY m.id), now()) AS ends
           FROM move m
        )
 SELECT d.day, s.account_id, s.pool_id, n.e164 AS promo_number,
    sum(EXTRACT(epoch FROM LEAST(s.ends, d.day + '24:00:00'::interval) - GREATEST(s.begins, d.day))) AS held_s
   FROM stay s
     JOIN promo_number n ON n.id = s.number_id
     CROSS JOIN LATERAL generate_series(date_trunc('day'::text, s.begins, 'UTC'::text), s.ends, '24:00:00'::interval) d(day)
  WHERE (s.state = ANY (ARRAY['assigned'::text, 'draining'::text])) AND s.begins < s.ends AND d.day < s.ends
  GROUP BY d.day, s.account_id, s.pool_id, n.e164;

create view reporting.pools_v1 as
 SELECT p.id AS pool_id, p.account_id, p.name, p.kind, p.campaign, p.destination_id, p.number_type, p.npa,
    p.session_lifetime_s, p.retention_s, p.max_size, p.overflow, p.created_at, p.deleted_at, n.assigned, n.draining,
    s.exhausted AS visitors_turned_away
   FROM pool p
     JOIN pool_scaling s ON s.pool_id = p.id
     CROSS JOIN LATERAL ( SELECT count(*) FILTER (WHERE n_1.state = 'assigned'::text) AS assigned,
            count(*) FILTER (WHERE n_1.state = 'draining'::text) AS draining
           FROM promo_number n_1
          WHERE n_1.pool_id = p.id) n;

create view reporting.presentations_v1 as
 SELECT id, presentation_id, account_id, pool_id, promo_number, seq, kind, visitor_id, presented_at, locked_until,
    retained_until, touch ->> 'utm_source'::text AS utm_source, touch ->> 'utm_medium'::text AS utm_medium,
    touch ->> 'utm_campaign'::text AS utm_campaign
   FROM presentation p;

create view reporting.source_daily_v1 as
 SELECT day, NULLIF(account_id, ''::text) AS account_id, channel, source, medium, campaign, pool_id, calls, routed,
    answered, missed, completed, busy, no_answer, failed, canceled, intercepted, talk_ms, matched, overflow, expired,
    never_presented, quarantined, unattributable, unattributed, judged, confidence_ppm, conversions, revenue,
    unattributed::double precision / NULLIF(routed, 0)::double precision AS unattributed_share,
    1::numeric - confidence_ppm::numeric / NULLIF(judged::numeric * '1000000'::numeric, 0::numeric) AS estimated_misattribution
   FROM report_daily d
  WHERE cube = 'source'::text;

CREATE OR REPLACE FUNCTION public.account_numbers(p_account text, p_now timestamp with time zone, OUT number_limit integer, OUT monthly_number_cap integer, OUT held integer, OUT taken integer, OUT on_order integer, OUT cycle_starts_at timestamp with time zone, OUT cycle_ends_at timestamp with time zone)
 RETURNS record
 LANGUAGE sql
 STABLE
AS $function$
  select a.number_limit, a.monthly_number_cap,
    case when a.number_limit is not null then (select count(*)::int from numbers_of_account(a.id)) end,
    case when a.monthly_number_cap is not null then (
      select count(*)::int from number_event e
      where e.account_id = a.id and e.at >= c.starts_at and e.state = 'assigned' and e.from_state not in ('assigned', 'draining')) end,
    (select coalesce(sum(d.on_order), 0)::int from scale_decision d where d.account_id = a.id and d.on_order > 0),
    c.starts_at, c.ends_at
  from account a cross join lateral billing_cycle(a.billing_day, a.time_zone, p_now) c where a.id = p_account
$function$;

CREATE OR REPLACE FUNCTION public.analyze_log_less(p_partition text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  execute format('alter table %I set (autovacuum_analyze_scale_factor = 0.5)', p_partition);
end $function$;

CREATE OR REPLACE FUNCTION public.begin_pool_scaling()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  insert into pool_scaling (pool_id, seen_at) values (new.id, new.created_at);
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.begin_tag()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  insert into tag_revision (account_id, revision, settings, made_by, at, actor)
  values (new.id, 1, '{"slotsOnly": false, "numbersNotToReplace": [], "customData": [], "file": "latest"}', 'account', new.created_at, 'system');
  insert into tag (account_id, revision) values (new.id, 1);
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

CREATE OR REPLACE FUNCTION public.call_facts(p_call jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select p_call - '{updated_at,node,caller_enc,caller_hash,caller_last4,caller_name_enc,diversion_enc,diversion_last4}'::text[]
$function$;

CREATE OR REPLACE FUNCTION public.call_reached_at(p_progress jsonb)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select to_timestamp(least((p_progress ->> 'ringingAt')::float8, (p_progress ->> 'answeredAt')::float8) / 1000)
$function$;

CREATE OR REPLACE FUNCTION public.count_turned_away()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  insert into pool_turned_away as t (pool_id, quarter, visitors) values (new.pool_id, quarter_of(now()), new.exhausted - old.exhausted)
    on conflict (pool_id, quarter) do update set visitors = t.visitors + excluded.visitors;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.drop_old_presentations(p_before timestamp with time zone)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
declare
  v_name text;
begin
  select c.relname into v_name
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'presentation'::regclass and c.relname ~ '^presentation_\d{8}$'
    and to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= (p_before at time zone 'utc')::date
  order by c.relname limit 1;
  if v_name is not null then
    -- Waiting for it would make every presentation wait.
    set local lock_timeout = '500ms';
    execute format('drop table %I', v_name);
  end if;
  return v_name;
end $function$;

CREATE OR REPLACE FUNCTION public.ensure_partition(p_table text, p_column text, p_name text, p_from timestamp with time zone, p_to timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
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

CREATE OR REPLACE FUNCTION public.exhaustion_told_every()
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
AS $function$ select interval '5 minutes' $function$;

CREATE OR REPLACE FUNCTION public.is_told(p_type text, p_account text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select exists (select from webhook_endpoint e where e.enabled and e.account_id is null and p_type = any (e.events))
    or p_account is not null
      and exists (select from webhook_endpoint e where e.enabled and e.account_id = p_account and p_type = any (e.events))
$function$;

CREATE OR REPLACE FUNCTION public.mark_report()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'INSERT' then
    insert into report_mark (account_id, quarter)
      select distinct coalesce(c.account_id, ''), quarter_of(c.received_at) from new_call c;
  elsif tg_op = 'UPDATE' then
    -- What retention empties in a call is in no sum.
    if coalesce(current_setting('ringmatch.retiring', true), '') = 'on' then
      return null;
    end if;
    insert into report_mark (account_id, quarter)
      select coalesce(c.account_id, ''), quarter_of(c.received_at) from old_call c
      union select coalesce(c.account_id, ''), quarter_of(c.received_at) from new_call c;
  elsif coalesce(current_setting('ringmatch.retiring', true), '') <> 'on' then
    insert into report_mark (account_id, quarter)
      select distinct coalesce(c.account_id, ''), quarter_of(c.received_at) from old_call c;
  else
    if exists (select 1 from old_call c join report_mark m on m.account_id = coalesce(c.account_id, '') and m.quarter = quarter_of(c.received_at)) then
      raise exception 'calls that are not counted yet may not be retired' using errcode = 'object_not_in_prerequisite_state';
    end if;
    insert into report_retired as r (account_id, before)
      select coalesce(c.account_id, ''), quarter_of(max(c.received_at)) + interval '15 minutes' from old_call c group by 1
      on conflict (account_id) do update set before = greatest(r.before, excluded.before);
  end if;
  return null;
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
  if old.role = 'static' or new.role = 'static' then
    perform pg_notify('ringmatch_routing', 'static_number ' || new.e164 || ' ' || a.id)
      from unnest(array[old.account_id, new.account_id]) as a (id) where a.id is not null;
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.notify_numbers_added()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_notify('ringmatch_routing', 'promo_number ' || min(n.id) || ' ' || max(n.id)) from new_number n having count(*) > 0;
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

CREATE OR REPLACE FUNCTION public.notify_routing_of()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  v jsonb := case when tg_op = 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
begin
  perform pg_notify('ringmatch_routing', concat_ws(' ', tg_table_name, coalesce(v ->> 'id', v ->> tg_argv[0]), v ->> tg_argv[0]));
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

CREATE OR REPLACE FUNCTION public.numbers_of_account(p_account text)
 RETURNS SETOF promo_number
 LANGUAGE sql
 STABLE
AS $function$
  -- "lateral … offset 0": a probe for each pool, however unlike the accounts are.
  select n.* from pool p cross join lateral (select m.* from promo_number m where m.pool_id = p.id offset 0) n where p.account_id = p_account
  union all
  select n.* from promo_number n where n.account_id = p_account and n.pool_id is null
$function$;

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
end $function$;

CREATE OR REPLACE FUNCTION public.quarter_of(p_at timestamp with time zone)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE STRICT
RETURN date_bin('00:15:00'::interval, p_at, '1970-01-01 00:00:00+00'::timestamp with time zone);

CREATE OR REPLACE FUNCTION public.recorded_calls(p_ingress_keys text[])
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE ROWS 10
 SET enable_seqscan TO 'off'
AS $function$
begin
  -- One probe for each, whatever the planner thinks of the table's size.
  return query select k.ingress_key from unnest(p_ingress_keys) as asked (ingress_key)
    cross join lateral (select c.ingress_key from call_key c where c.ingress_key = asked.ingress_key offset 0) k;
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
  if coalesce(current_setting('ringmatch.erasing', true), '') = 'on' and new.visitor_id like 'erased\_%' and new.locked_until = old.locked_until then
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

CREATE OR REPLACE FUNCTION public.report_page(p_url text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE STRICT
RETURN "left"(split_part(split_part(p_url, '#'::text, 1), '?'::text, 1), 500);

CREATE OR REPLACE FUNCTION public.ringmatch_now()
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$ select coalesce(nullif(current_setting('ringmatch.now', true), '')::timestamptz, now()) $function$;

CREATE OR REPLACE FUNCTION public.scale_facts(d scale_decision)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select jsonb_build_object('pool_id', d.pool_id, 'account_id', d.account_id, 'decision_id', d.id, 'decided_at', d.at, 'trigger', d.trigger,
    'wanted', d.wanted, 'added', d.added, 'removed', d.removed, 'on_order', d.on_order, 'size_before', d.size_before,
    'size_after', d.size_after, 'outcome', d.outcome, 'code', d.code, 'reason', d.reason)
$function$;

CREATE OR REPLACE FUNCTION public.tell_arrived_numbers()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  insert into outbox (type, at, account_id, data)
  select 'pool.scaled', ringmatch_now(), d.account_id, scale_facts(d) from new_rows d join old_rows o on o.id = d.id
  where d.added > o.added and is_told('pool.scaled', d.account_id) order by d.id;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.tell_changed_calls()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_hashjoin TO 'on'
AS $function$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  -- What is erased is told to nobody.
  if coalesce(current_setting('ringmatch.erasing', true), '') = 'on' then
    return null;
  end if;
  insert into outbox (type, at, account_id, call_id, received_at)
  select t.type, t.at, c.account_id, c.id, c.received_at
  from (
    select n.id, n.received_at, n.account_id, n.ended_at, n.updated_at, call_reached_at(n.progress) as reached_at,
      o.status in ('ringing', 'in_progress') as was_open, n.status in ('ringing', 'in_progress') as is_open,
      call_reached_at(o.progress) is null as was_unreached, n.revision > o.revision as is_revised,
      case when o.status not in ('ringing', 'in_progress') then call_facts(to_jsonb(o)) <> call_facts(to_jsonb(n)) else false end as is_changed,
      -- A call that its carrier tried again had an end before, most likely a told one. Rare, so looking is cheap.
      n.progress ->> 'retriedAt' is not null and n.status not in ('ringing', 'in_progress') and (
        exists (select from outbox x where x.call_id = n.id and x.type = 'call.completed')
        or exists (select from outgoing_delivery d where d.call_id = n.id and d.type = 'call.completed')) as was_told_complete
    from new_rows n join old_rows o on o.id = n.id and o.received_at = n.received_at
  ) c cross join lateral (values
      (1, 'call.routed', c.reached_at, c.was_unreached and c.reached_at is not null and (c.was_open or c.is_open)),
      (2, 'call.completed', coalesce(c.ended_at, c.updated_at), c.was_open and not c.is_open and not c.was_told_complete),
      (3, 'call.updated', c.updated_at, c.is_changed or c.is_revised or c.was_open and not c.is_open and c.was_told_complete)
    ) as t (place, type, at, applies)
  where t.applies and is_told(t.type, c.account_id)
  order by c.received_at, c.id, t.place;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.tell_exhaustion()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  v_account text;
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return new;
  end if;
  select p.account_id into v_account from pool p where p.id = new.pool_id;
  if not is_told('pool.exhausted', v_account) then
    return new;
  end if;
  new.exhaustion_told_at := ringmatch_now();
  insert into outbox (type, at, account_id, data)
  values ('pool.exhausted', ringmatch_now(), v_account, jsonb_build_object('pool_id', new.pool_id, 'account_id', v_account, 'at', ringmatch_now(),
    'exhausted', new.exhausted, 'newly_exhausted', new.exhausted - old.exhausted));
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.tell_intercepts()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  insert into outbox (type, at, account_id, data)
  select 'number.intercepted', i.at, i.account_id, jsonb_build_object('number', i.promo_number, 'at', i.at, 'ingress', i.ingress,
    'call_id', i.call_id, 'counted', i.counted, 'not_counted_reason', i.not_counted_reason, 'former_account_id', i.former_account_id)
  from (
    select r.*, case when n.state = 'quarantined' then r.former_account_id end as account_id
    from new_rows r join promo_number n on n.id = r.number_id
  ) i
  where is_told('number.intercepted', i.account_id)
  order by i.at, i.id;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.tell_new_calls()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.tell_number_moves()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  insert into outbox (type, at, account_id, data)
  select m.type, m.at, m.former_account_id, jsonb_build_object('number', m.e164, 'at', m.at, 'from_state', m.from_state, 'state', m.state,
    'reason', m.reason, 'actor', m.actor, 'former_account_id', m.former_account_id, 'next_check_at', m.next_check_at)
  from (
    select case when r.state = 'quarantined' then 'number.quarantined' else 'number.released' end as type, r.id, r.at, r.from_state, r.state,
      r.reason, r.actor, n.e164, n.next_check_at,
      -- A number that goes back from the inventory is no matter of who held it once.
      case when r.from_state <> 'available' then n.former_account_id end as former_account_id
    from new_rows r join promo_number n on n.id = r.number_id
    where r.state = 'quarantined' and r.from_state <> 'quarantined' or r.state = 'available' and r.from_state = 'quarantined'
  ) m
  where is_told(m.type, m.former_account_id)
  order by m.id;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.tell_scaling()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not exists (select from webhook_endpoint e where e.enabled) then
    return null;
  end if;
  insert into outbox (type, at, account_id, data)
  select 'pool.scaled', d.at, d.account_id, scale_facts(d) from new_rows d
  where (d.added > 0 or d.removed > 0) and is_told('pool.scaled', d.account_id) order by d.id;
  return null;
end $function$;
