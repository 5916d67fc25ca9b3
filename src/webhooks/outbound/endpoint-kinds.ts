/**
 * What a kind of endpoint is: how an event becomes a body, and how a body is sent. The relay and the delivering know nothing else of it; the composition
 * root lists the kinds (src/service/outbound-side.ts), the database knows their names (webhook_endpoint.kind).
 */
import type { ToldConversion } from "../../account/outgoing/deliveries.store.js";
import type { LockedEndpoint, WebhookEndpoint } from "../../account/outgoing/webhook-endpoints.store.js";
import type { CallRecord } from "../../attribution/call-record.js";
import type { Instant } from "../../kernel/clock.js";
import type { OutgoingEvent } from "../../account/outgoing/outgoing-events.js";

/** What happened, once, for whoever is told. */
export interface TakenEvent {
  /** `evt_…`: the same for every endpoint, attempt and replay. */
  readonly id: string;
  readonly type: OutgoingEvent;
  readonly at: Instant;
  readonly accountId: string | null;
  /** As it stands when the event is taken up; null for what is no call. */
  readonly call: CallRecord | null;
  /** The facts of what is no call. */
  readonly data: Readonly<Record<string, unknown>> | null;
}

export type Rendered =
  | {
      readonly kind: "body";
      readonly body: string;
      /** In full or hashed: such a body is never sent to an endpoint that is not shown callers (any more). */
      readonly namesCaller: boolean;
      /** What a network is told with it; null for kinds that are told of every event. */
      readonly conversion: ToldConversion | null;
    }
  /** There is something to tell, and it cannot be told: shown in the list of deliveries. @param reason a word */
  | { readonly kind: "skipped"; readonly reason: string };

export type SendOutcome =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly ms: number;
      /** The beginning of the answer's body. */
      readonly response: string;
      /** What the receiver asked for; null: nothing. */
      readonly retryAfterS: number | null;
      /** The same bytes are refused for ever: no retries. */
      readonly isFinal?: boolean;
      /** By which the receiver tells later what became of it. */
      readonly requestId?: string | null;
    }
  /** @see send.ts for the words */
  | { readonly kind: "unanswered"; readonly error: string; readonly ms: number }
  /** Nothing was sent: too late for it by now. */
  | { readonly kind: "skipped"; readonly reason: string };

export interface EndpointKind {
  /** Each call is told once; render is given what the endpoint was told of it before. */
  readonly remembers: boolean;
  /** @returns null when the endpoint is not told of this event */
  render(event: TakenEvent, endpoint: WebhookEndpoint, told: ToldConversion | null): Rendered | null;
  /** Never throws for what the receiver or the network does. */
  send(delivery: { readonly eventId: string; readonly body: string }, endpoint: LockedEndpoint): Promise<SendOutcome>;
}

export type EndpointKinds = Readonly<Record<string, EndpointKind>>;
