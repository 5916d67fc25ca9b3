-- Conversions told to ad networks and Google Analytics: endpoints of further kinds, and what such an endpoint was already told of a call.

alter table webhook_endpoint
  drop constraint webhook_endpoint_kind_check,
  add constraint webhook_endpoint_kind_check check (kind in ('webhook', 'ga4', 'google_ads', 'meta')),
  -- Where a network is reached is the operator's configuration, never an endpoint's.
  alter column url drop not null,
  add check ((kind = 'webhook') = (url is not null)),
  -- Of a network: as the API shows it, secrets masked. The whole of it, secrets too, is sealed in secret_enc.
  add column settings jsonb,
  add check ((kind = 'webhook') = (settings is null)),
  -- One account's conversions never go to another one's network.
  add check (kind = 'webhook' or account_id is not null);

alter table outgoing_delivery
  drop constraint outgoing_delivery_state_check,
  add constraint outgoing_delivery_state_check check (state in ('waiting', 'delivered', 'failed', 'canceled', 'skipped')),
  -- Why it was not sent.
  add column skipped_reason text check (skipped_reason ~ '^[a-z_]{1,40}$'),
  add check ((state = 'skipped') = (skipped_reason is not null)),
  -- What the network is told: {who, value, currency}; `who` is a keyed hash. null: no conversion, or erased.
  add column conversion jsonb;
