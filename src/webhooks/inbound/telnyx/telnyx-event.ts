/**
 * A Call Control event as Telnyx posts it (developers.telnyx.com/docs/voice/programmable-voice/receiving-webhooks), read before its signature is checked,
 * so nothing here trusts it; and `client_state`, which Telnyx gives back with the events of a leg: what we must know there that the event does not say.
 * Used by telnyx-call-control.ts and telnyx-commands.ts.
 */
import { z } from "zod";
import type { Instant } from "../../../kernel/clock.js";
import { looseInstantOf } from "../reading/event-times.js";
import { type JsonEvent, parseJsonEvent, peekObject, peekText } from "../reading/json-event.js";

/** The caller's leg arrived at the promo number; the business's leg was dialled by our transfer. */
export type Leg = "caller" | "business";

const transferAfter = z.strictObject({
  kind: z.literal("transfer"),
  to: z.string(),
  ringTimeoutS: z.number(),
  dialUrl: z.string(),
  promoNumber: z.string(),
});

const clientState = z.strictObject({
  leg: z.enum(["caller", "business"]),
  called: z.string().nullable(),
  attempt: z.int().min(0).max(99),
  destination: z.string().nullable(),
  isAnnounced: z.boolean(),
  /** call_control_id of the caller's leg. */
  handle: z.string().nullable(),
  /** What comes after our words have been spoken. */
  afterwards: z.union([z.strictObject({ kind: z.literal("hangup") }), transferAfter]).nullable(),
});

export type ClientState = z.output<typeof clientState>;
export type TransferAfter = z.output<typeof transferAfter>;

export interface TelnyxEvent {
  /** Empty when missing, as every text here. */
  readonly id: string;
  readonly type: string;
  readonly occurredAt: Instant | null;
  readonly payload: JsonEvent;
  /** Null: none, or none of ours. */
  readonly state: ClientState | null;
}

/** @throws AppError("unreadable_body") for anything that is no JSON in UTF-8 */
export function readTelnyxEvent(raw: Buffer): TelnyxEvent {
  const data = peekObject(parseJsonEvent(raw), "data") ?? {};
  const payload = peekObject(data, "payload") ?? {};
  return {
    id: textIn(data, "id"),
    type: textIn(data, "event_type"),
    occurredAt: instantIn(data, "occurred_at"),
    payload,
    state: stateOf(textIn(payload, "client_state")),
  };
}

export function textIn(fields: JsonEvent, name: string): string {
  return peekText(fields, name) ?? "";
}

export function instantIn(fields: JsonEvent, name: string): Instant | null {
  return looseInstantOf(textIn(fields, name));
}

/** Base64, as the commands want it. */
export function clientStateOf(state: Partial<ClientState> & Pick<ClientState, "leg">): string {
  const none = { called: null, attempt: 0, destination: null, isAnnounced: false, handle: null, afterwards: null };
  return Buffer.from(JSON.stringify({ ...none, ...state })).toString("base64");
}

function stateOf(text: string): ClientState | null {
  if (text === "") return null;
  try {
    return clientState.safeParse(JSON.parse(Buffer.from(text, "base64").toString("utf8"))).data ?? null;
  } catch (error) {
    // The operator's own state, of a call that another application had before.
    void error;
    return null;
  }
}
