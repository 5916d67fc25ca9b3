/** Webhook endpoints and their deliveries on the wire. */
import { z } from "zod";
import { type Delivery, DELIVERY_STATES } from "../../account/outgoing/deliveries.store.js";
import { OUTGOING_EVENTS } from "../../account/outgoing/outgoing-events.js";
import {
  BODY_FORMATS,
  CONCURRENCY_DEFAULT,
  CONCURRENCY_MAX,
  DISABLED_REASONS,
  type WebhookEndpoint,
} from "../../account/outgoing/webhook-endpoints.store.js";
import { CONVERSION_KINDS } from "../../account/outgoing/conversion-settings.js";
import { toIso } from "../../kernel/clock.js";
import type { RequestStatus } from "../http-deps.js";
import { ga4In, googleAdsIn, isConversionKind, metaIn } from "./conversion-endpoint.js";
import { accountQuery, idIn, idOut, instantOut, nameIn, pageQuery } from "./scalars.js";

const URL_CHARS_MAX = 2_000;

const urlIn = z
  .string()
  .trim()
  .min(1)
  .max(URL_CHARS_MAX)
  .meta({
    description:
      "https on port 443 or 8443 of a public host. Private targets, http and other ports only in networks of WEBHOOK_ALLOW_CIDRS. Redirects are not followed",
    examples: ["https://example.com/hooks/calls"],
  });
const eventsIn = z
  .array(z.enum(OUTGOING_EVENTS))
  .min(1)
  .refine((events) => new Set(events).size === events.length, "must not name an event twice");

const settings = {
  description: nameIn.nullish(),
  format: z.enum(BODY_FORMATS).optional().meta({
    description:
      "standard: {type, timestamp, data}. cloudevents: CloudEvents 1.0, structured JSON. Signed alike; standard when not given",
  }),
  include_caller: z.boolean().optional().meta({
    description:
      "Bodies name the caller in full (number, name, who forwarded the call) instead of the last four digits. Needs a key with calls:pii, and so does any later change of such an endpoint. false when not given",
  }),
  max_concurrency: z
    .int()
    .min(1)
    .max(CONCURRENCY_MAX)
    .optional()
    .meta({
      description: `Deliveries on their way at once; ${CONCURRENCY_DEFAULT} when not given`,
    }),
};

const { format, include_caller, ...common } = settings;

/** A webhook. */
const newWebhook = z.strictObject({
  kind: z.literal("webhook").optional(),
  account_id: idIn.optional().meta({
    description:
      "Keys of the platform: whose events; when not given, those of all accounts and of numbers nobody holds",
  }),
  url: urlIn,
  events: eventsIn,
  format,
  include_caller,
  ...common,
});

const ofAccount = {
  account_id: idIn.optional().meta({ description: "Keys of the platform: whose conversions; they must say so" }),
  ...common,
};

export const newEndpoint = z.discriminatedUnion("kind", [
  newWebhook,
  z.strictObject({ kind: z.literal("ga4"), settings: ga4In, ...ofAccount }),
  z.strictObject({ kind: z.literal("google_ads"), settings: googleAdsIn, ...ofAccount }),
  z.strictObject({ kind: z.literal("meta"), settings: metaIn, include_caller, ...ofAccount }),
]);
export type NewEndpoint = z.output<typeof newEndpoint>;

export const endpointChanges = z.strictObject({
  url: urlIn.optional().meta({ description: "Of webhooks only, as events and format" }),
  events: eventsIn.optional(),
  format,
  include_caller,
  ...common,
  settings: z.record(z.string(), z.unknown()).optional().meta({
    description: "Of kinds other than webhook: fields not given stay as they are, null puts one back to its default",
  }),
  enabled: z.boolean().optional().meta({
    description:
      "true: enables it again, whatever disabled it; what waits goes out. false: nothing is sent, and what happens meanwhile is not kept for it",
  }),
});
export type EndpointChanges = z.output<typeof endpointChanges>;

export const endpointQuery = z.strictObject({ ...pageQuery, ...accountQuery });
export const deliveryQuery = z.strictObject({ ...pageQuery, state: z.enum(DELIVERY_STATES).optional() });
export const deliveryParams = z.strictObject({ id: idIn, delivery_id: idIn });

export const endpointOut = z.object({
  id: idOut,
  account_id: idOut.nullable().meta({ description: "null: the platform's, told of every account's events" }),
  kind: z.enum(["webhook", ...CONVERSION_KINDS]),
  url: z.string().nullable().meta({ description: "null: of kinds other than webhook" }),
  events: z.array(z.enum(OUTGOING_EVENTS)),
  description: z.string().nullable(),
  format: z.enum(BODY_FORMATS),
  include_caller: z.boolean(),
  max_concurrency: z.int(),
  settings: z
    .record(z.string(), z.unknown())
    .nullable()
    .meta({ description: "Of kinds other than webhook, secrets masked; null: a webhook" }),
  enabled: z.boolean(),
  disabled_at: instantOut.nullable(),
  disabled_reason: z.enum(DISABLED_REASONS).nullable().meta({
    description: "asked: by PATCH. gone: it answered 410. failing: nothing but failures for five days",
  }),
  notices: z
    .array(
      z.object({
        event: z.enum(["endpoint.disabled", "endpoint.enabled"]),
        at: instantOut,
        reason: z.enum(DISABLED_REASONS).nullable(),
      }),
    )
    .meta({ description: "What its owner should know of, the newest last" }),
  failing_since: instantOut
    .nullable()
    .meta({ description: "Since when nothing but failures came; null: the last attempt succeeded" }),
  paused_until: instantOut.nullable().meta({ description: "Left alone until then, because it fails" }),
  former_secret_until: instantOut
    .nullable()
    .meta({ description: "Until then the former secret signs beside the new one" }),
  created_at: instantOut,
  updated_at: instantOut,
});

const secretOut = z
  .string()
  .meta({ description: "Shown once: keep it", examples: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] });
export const createdEndpointOut = endpointOut.extend({ secret: secretOut });
export const newEndpointOut = endpointOut.extend({ secret: secretOut.optional() });

export function showEndpoint(endpoint: WebhookEndpoint): z.output<typeof endpointOut> {
  return {
    id: endpoint.id,
    account_id: endpoint.accountId,
    kind: isConversionKind(endpoint.kind) ? endpoint.kind : "webhook",
    url: endpoint.url,
    events: [...endpoint.events],
    description: endpoint.description,
    format: endpoint.format,
    include_caller: endpoint.includeCaller,
    max_concurrency: endpoint.maxConcurrency,
    settings: endpoint.settings,
    enabled: endpoint.enabled,
    disabled_at: isoOrNull(endpoint.disabledAt),
    disabled_reason: endpoint.disabledReason,
    notices: endpoint.notices.map(({ event, at, reason }) => ({ event, at, reason })),
    failing_since: isoOrNull(endpoint.failingSince),
    paused_until: isoOrNull(endpoint.pausedUntil),
    former_secret_until: isoOrNull(endpoint.formerSecretUntil),
    created_at: toIso(endpoint.createdAt),
    updated_at: toIso(endpoint.updatedAt),
  };
}

export const deliveryOut = z.object({
  id: idOut,
  event_id: idOut.meta({ description: "The header webhook-id: the same in every attempt and replay" }),
  type: z.enum(OUTGOING_EVENTS),
  event_at: instantOut,
  call_id: idOut.nullable(),
  state: z.enum(DELIVERY_STATES).meta({
    description:
      "waiting: to be sent or tried again. failed: given up, or the receiver is gone. canceled: it may not be sent any more (erased, or it names the caller to an endpoint that is not shown callers). skipped: a conversion that its network would not take",
  }),
  skipped_reason: z
    .string()
    .nullable()
    .meta({
      description: "Why it was skipped; null otherwise",
      examples: ["no_client_id", "no_click_id", "consent_denied", "too_old", "cannot_be_restated", "superseded"],
    }),
  next_attempt_at: instantOut.nullable(),
  delivered_at: instantOut.nullable(),
  attempts: z.array(
    z.object({
      at: instantOut,
      status: z.int().nullable(),
      error: z
        .string()
        .nullable()
        .meta({
          description: "What kept an answer from coming",
          examples: ["timeout", "connection_refused", "forbidden_address"],
        }),
      ms: z.int(),
      response: z.string().nullable().meta({ description: "The beginning of the answer, long numbers masked" }),
      request_id: z
        .string()
        .nullable()
        .meta({ description: "By which a network knows the request; null: it gave none" }),
    }),
  ),
  created_at: instantOut,
});

export function showDelivery(delivery: Delivery): z.output<typeof deliveryOut> {
  return {
    id: delivery.id,
    event_id: delivery.eventId,
    type: delivery.type,
    event_at: toIso(delivery.eventAt),
    call_id: delivery.callId,
    state: delivery.state,
    skipped_reason: delivery.skippedReason,
    next_attempt_at: isoOrNull(delivery.nextAttemptAt),
    delivered_at: isoOrNull(delivery.deliveredAt),
    attempts: delivery.attempts.map(({ at, status, error, ms, response, requestId }) => ({
      ...{ at, status, error, ms, response },
      request_id: requestId ?? null,
    })),
    created_at: toIso(delivery.createdAt),
  };
}

export const requestStatusOut = z.object({
  request_id: z.string(),
  status: z
    .string()
    .nullable()
    .meta({
      description: "As the network names it; null: it did not say",
      examples: ["PROCESSING", "SUCCESS", "FAILED"],
    }),
  errors: z.array(z.string()).meta({ description: "The network's reasons" }),
  error: z.string().nullable().meta({ description: "What kept the network from saying" }),
});

export function showRequestStatus(requestId: string, said: RequestStatus): z.output<typeof requestStatusOut> {
  return said.kind === "known"
    ? { request_id: requestId, status: said.status, errors: [...said.errors], error: null }
    : { request_id: requestId, status: null, errors: [], error: said.error };
}

function isoOrNull(at: number | null): string | null {
  return at === null ? null : toIso(at);
}
