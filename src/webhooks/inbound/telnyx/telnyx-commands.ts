/**
 * Our answers as commands to the caller's leg (developers.telnyx.com/api-reference/call-commands). Telnyx ignores a command whose `command_id` it has seen
 * within the last 60 s, so every id follows from the call and the step alone and the same command may be sent again. Used by telnyx-call-control.ts.
 */
import { createHash } from "node:crypto";
import { callbackContextOf } from "../callback-url.js";
import { type AttemptPlan, CALLER, type CallHandle, type CarrierCommand } from "../carrier-adapter.js";
import { clientStateOf, type ClientState, type TransferAfter } from "./telnyx-event.js";

export interface CallerLeg {
  readonly carrierCallId: string;
  /** call_control_id */
  readonly handle: string;
}

export type RejectCause = "CALL_REJECTED" | "USER_BUSY";

/** Unanswered and unbilled. */
export function rejectCall(leg: CallerLeg, cause: RejectCause): CarrierCommand {
  return command(leg, { action: "reject", step: "reject", body: { cause } });
}

/** A call that was never answered is rejected, should Telnyx insist. */
export function hangUp(leg: CallerLeg): CarrierCommand {
  const hangup = command(leg, { action: "hangup", step: "hangup", body: {} });
  return { ...hangup, ifUnanswered: rejectCall(leg, "USER_BUSY") };
}

export type TransferPlan = TransferAfter & { readonly isRecorded: boolean };

/**
 * Rings the business, and answers the caller's leg when the business answers (from general knowledge; the documentation of `answer` says it comes before
 * all else, so it is sent first if Telnyx insists). Without `from` the business would see the promo number. `diversion` makes Telnyx accept the caller's
 * number: it is on a call to that promo number right now.
 */
export function transferCall(leg: CallerLeg, plan: TransferPlan): CarrierCommand {
  const { dialUrl, promoNumber } = plan;
  const context = callbackContextOf("dial", dialUrl);
  const transfer = command(leg, {
    action: "transfer",
    step: dialUrl,
    body: {
      to: plan.to,
      timeout_secs: Math.min(TIMEOUT_S_MAX, Math.max(TIMEOUT_S_MIN, plan.ringTimeoutS)),
      webhook_url: dialUrl,
      webhook_url_method: "POST",
      client_state: clientStateOf({ ...context, leg: "caller" }),
      target_leg_client_state: clientStateOf({ ...context, leg: "business", handle: leg.handle }),
      ...(plan.isRecorded ? { record: "record-from-answer", record_channels: "dual" } : {}),
    },
  });
  const bodyWithCaller = { from: CALLER, diversion: promoNumber };
  return { ...transfer, bodyWithCaller, ifUnanswered: answerCall(leg) };
}

/** Transfer's `timeout_secs`. */
const TIMEOUT_S_MIN = 5;
const TIMEOUT_S_MAX = 600;

/** Words for the caller, who is answered for it; what comes afterwards, `call.speak.ended` tells by its client_state. */
export function speakTo(
  leg: CallerLeg,
  input: {
    text: string;
    context: Pick<ClientState, "called" | "attempt" | "destination">;
    afterwards: ClientState["afterwards"];
  },
): CarrierCommand[] {
  const { text, context, afterwards } = input;
  const body = {
    payload: text,
    payload_type: "text",
    service_level: "basic",
    voice: "female",
    language: "en-US",
    client_state: clientStateOf({ ...context, leg: "caller", afterwards }),
  };
  return [answerCall(leg), command(leg, { action: "speak", step: "speak", body })];
}

export function legOf({ carrierCallId, handle }: CallHandle): CallerLeg | null {
  return handle === null ? null : { carrierCallId, handle };
}

export function planOf(plan: AttemptPlan): TransferPlan {
  const { target, ringTimeoutS, dialUrl, promoNumber, recording } = plan;
  const to = target.kind === "number" ? target.number : target.uri;
  return { kind: "transfer", to, ringTimeoutS, dialUrl, promoNumber, isRecorded: recording !== null };
}

function answerCall(leg: CallerLeg): CarrierCommand {
  return command(leg, { action: "answer", step: "answer", body: {} });
}

function command(
  { carrierCallId, handle }: CallerLeg,
  input: { action: string; step: string; body: Readonly<Record<string, unknown>> },
): CarrierCommand {
  const { action, step, body } = input;
  // Telnyx writes the colon of its ids as it is.
  const id = encodeURIComponent(handle).replaceAll("%3A", ":");
  return {
    path: `/v2/calls/${id}/actions/${action}`,
    body: { ...body, command_id: commandId([carrierCallId, handle, action, step]) },
  };
}

/** In the shape of a UUID, which Telnyx suggests. */
function commandId(parts: readonly string[]): string {
  const hex = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
