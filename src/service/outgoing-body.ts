/**
 * What receivers are sent: the event around the record as the API shows it. Rendered here because the API's shapes are the HTTP room's, which the sending
 * knows nothing of.
 */
import type { WebhookEndpoint } from "../account/outgoing/webhook-endpoints.store.js";
import type { CallRecord } from "../attribution/call-record.js";
import { type CallView, showCall } from "../http/contract/call.js";
import { toIso } from "../kernel/clock.js";
import { invariant } from "../kernel/invariant.js";
import type { Secrets } from "../kernel/secrets.js";
import type { Rendered, TakenEvent } from "../webhooks/outbound/endpoint-kinds.js";

/** Who moved a number and why is the platform's own affair. */
const PLATFORM_ONLY = new Set(["actor", "reason"]);

export interface BodyDeps {
  readonly secrets: Secrets;
  /** PUBLIC_BASE_URL, the beginning of CloudEvents' `source`; null: a path of the API alone. */
  readonly publicBaseUrl: string | null;
}

export function renderBody(deps: BodyDeps, event: TakenEvent, endpoint: WebhookEndpoint): Rendered {
  const { call } = event;
  const showsCaller = endpoint.includeCaller && call !== null && namesSomebody(call);
  const data = call === null ? factsFor(event, endpoint) : showCall(call, viewOf(deps.secrets, showsCaller));
  const body = JSON.stringify(enveloped(deps, { event, endpoint, data }));
  return { kind: "body", body, namesCaller: showsCaller, conversion: null };
}

function namesSomebody({ caller, callerName, diversion }: CallRecord): boolean {
  return caller.enc !== null || callerName !== null || diversion !== null;
}

function viewOf(secrets: Secrets, showsCaller: boolean): CallView {
  const reveal: CallView["reveal"] = ({ enc }) => (showsCaller && enc !== null ? secrets.open(enc) : null);
  return { reveal, show: ({ callId, enc, last4 }) => ({ number: reveal({ callId, enc }), last4 }) };
}

/** Standard Webhooks' recommended body; CloudEvents 1.0 in structured mode (cloudevents/spec, json-format.md). */
function enveloped(
  { publicBaseUrl }: BodyDeps,
  { event, endpoint, data }: { event: TakenEvent; endpoint: WebhookEndpoint; data: object },
): object {
  const { id, type, accountId, call } = event;
  const time = toIso(event.at);
  if (endpoint.format === "standard") return { type, timestamp: time, data };
  const path = accountId === null ? "/v1" : `/v1/accounts/${accountId}`;
  return {
    specversion: "1.0",
    id,
    source: `${publicBaseUrl ?? ""}${path}`,
    type,
    time,
    ...(call === null ? {} : { subject: call.callId }),
    datacontenttype: "application/json",
    data,
  };
}

/** Times as the database's JSON has them become those of the API; names are the API's already. */
function factsFor({ data, type }: TakenEvent, endpoint: WebhookEndpoint): Record<string, unknown> {
  invariant(data !== null, "what is no call has its facts");
  const isWithheld = (name: string): boolean =>
    endpoint.accountId !== null && type.startsWith("number.") && PLATFORM_ONLY.has(name);
  const shown = Object.entries(data).filter(([name]) => !isWithheld(name));
  return Object.fromEntries(
    shown.map(([name, value]) => [name, isTime(name, value) ? toIso(Date.parse(value)) : value]),
  );
}

function isTime(name: string, value: unknown): value is string {
  return (name === "at" || name.endsWith("_at")) && typeof value === "string";
}
