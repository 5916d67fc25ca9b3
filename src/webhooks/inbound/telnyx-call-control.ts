/**
 * Telnyx Call Control: events in JSON, answered 200 and commanded through Telnyx's API. Events of both legs come to one application, duplicated, at once
 * and in any order, so each is told by itself: `client_state` says of which leg it is, `call_session_id` holds the legs together and is the call's id.
 * Hunting: the business's leg hangs up, the caller's stays, and is transferred to the next target.
 * What it has not: ringing is not reported, so there is no post-dial delay; no duration either, so talk time is what lies between the answer's and the
 * hang-up's `occurred_at`; no document for a fallback URL; no whisper. A recorded call is answered for its announcement and transferred when that was
 * spoken; `call.speak.ended` does not name the caller, so the business sees the promo number then.
 */
import type { Instant } from "../../kernel/clock.js";
import type { CallEvent, ReleasedBy, TerminalStatus } from "../../telephony/call-event.js";
import { type E164, normalizeNumber } from "../../telephony/e164.js";
import { callbackContextOf } from "./callback-url.js";
import type {
  AttemptPlan,
  CallbackContext,
  CallReport,
  CarrierAdapter,
  CarrierAnswer,
  CarrierCommand,
  CarrierRequest,
  DialReport,
  DialResult,
  Refusal,
  CallHandle,
  StatusReport,
  WebhookKind,
} from "./carrier-adapter.js";
import { safeNameOf } from "./reading/caller-name.js";
import { callerNumberOf } from "./reading/caller-number.js";
import { telnyxAttemptEnd } from "./telnyx/telnyx-hangup.js";
import { hangUp, legOf, planOf, rejectCall, speakTo, transferCall } from "./telnyx/telnyx-commands.js";
import { callIdOf, invalidField } from "./reading/report-fields.js";
import {
  type ClientState,
  instantIn,
  type Leg,
  readTelnyxEvent,
  type TelnyxEvent,
  textIn,
} from "./telnyx/telnyx-event.js";
import { telnyxVerstat, verifyTelnyx } from "./signatures/telnyx-signature.js";
import { NOT_IN_SERVICE } from "./documents/twiml.js";

export const telnyxCallControl: CarrierAdapter = {
  carrier: "telnyx",
  contentTypes: ["application/json"],
  takesGet: false,
  peekCalledNumber: (request) => {
    const { state, payload } = readTelnyxEvent(request.rawBody);
    const called = state?.called ?? textIn(payload, "to");
    return called === "" ? null : called;
  },
  verify: verifyTelnyx,
  contextOf: (request) => readTelnyxEvent(request.rawBody).state,
  kindOf,
  parseVoice: (request) => callOf(readTelnyxEvent(request.rawBody), request),
  parseDial,
  parseStatus,
  renderAttempt,
  renderRefusal,
  renderHangup: (call) => {
    const leg = legOf(call);
    return commanded(leg === null ? [] : [hangUp(leg)]);
  },
  renderEmpty: () => commanded([]),
  renderFallback: null,
  renderWhisper: null,
};

/** The path says nothing: an application has one URL for all its events. */
function kindOf(request: CarrierRequest): WebhookKind {
  const event = readTelnyxEvent(request.rawBody);
  const leg = legOfEvent(event, request);
  if (event.type === "call.initiated" && leg === "caller") return "voice";
  return event.type === "call.hangup" && leg === "business" ? "dial" : "status";
}

/** Whose leg, when Telnyx does not give our client_state back: what was dialled elsewhere than at the promo number is the business's. */
function legOfEvent({ state, payload }: TelnyxEvent, request: CarrierRequest): Leg {
  if (state !== null) return state.leg;
  const direction = textIn(payload, "direction");
  if (direction !== "") return direction === "outgoing" ? "business" : "caller";
  const called = callbackContextOf("dial", request.url).called;
  const to = textIn(payload, "to");
  return called === null || to === "" || normalizeNumber(to) === called ? "caller" : "business";
}

function parseDial(request: CarrierRequest): DialReport {
  const event = readTelnyxEvent(request.rawBody);
  const result = dialResult(event);
  const call = callOf(event, request);
  // Once somebody talked, or nobody waits any more, the caller's leg is over by itself: there is nothing to command.
  const handle = result.kind === "failed" ? call.handle : null;
  const at = event.occurredAt === null ? {} : { at: event.occurredAt };
  return { ...call, handle, deliveryKey: deliveryKeyOf(event), result, ...at };
}

function dialResult({ payload }: TelnyxEvent): DialResult {
  const end = telnyxAttemptEnd(textIn(payload, "hangup_cause"), textIn(payload, "sip_hangup_cause"));
  if (end.kind !== "completed") return end;
  return { kind: "completed", talkMs: null, releasedBy: releasedBy(payload, end.isByLimit) };
}

function parseStatus(request: CarrierRequest, input: { attempt: number; now: Instant }): StatusReport {
  const event = readTelnyxEvent(request.rawBody);
  if (event.type === "") throw invalidField("data.event_type", "is missing");
  const call = callOf(event, request);
  const at = timeOf(event, input.now);
  const startedAt = instantIn(event.payload, "start_time") ?? at;
  const isOver = event.type === "call.hangup";
  return {
    ...call,
    deliveryKey: deliveryKeyOf(event),
    events: eventsOf(event, { leg: legOfEvent(event, request), at }),
    elapsedMs: isOver ? Math.min(CALL_MS_MAX, Math.max(0, input.now - startedAt)) : 0,
    ...answerTo(event, call),
  };
}

/** Telnyx ends every call after four hours (transfer's `time_limit_secs`). */
const CALL_MS_MAX = 4 * 60 * 60 * 1_000;

/** As Telnyx's clock had it, which is what talk time is measured with; but nothing has happened later than now. */
function timeOf({ occurredAt }: TelnyxEvent, now: Instant): Instant {
  return occurredAt === null ? now : Math.min(now, occurredAt);
}

/** The caller's leg is answered for announcements too, so only the business's answer is one, or the two being bridged. */
function eventsOf({ type, payload }: TelnyxEvent, { leg, at }: { leg: Leg; at: Instant }): CallEvent[] {
  if (type === "call.bridged" || (type === "call.answered" && leg === "business")) return [{ kind: "answered", at }];
  if (type !== "call.hangup" || leg !== "caller") return [];
  const end = telnyxAttemptEnd(textIn(payload, "hangup_cause"), textIn(payload, "sip_hangup_cause"));
  const status: TerminalStatus = end.kind === "failed" ? end.failure : end.kind;
  const cause = status === "completed" ? null : status;
  const by = end.kind === "canceled" ? "caller" : end.kind === "completed" ? releasedBy(payload, end.isByLimit) : null;
  return [{ kind: "ended", status, cause, releasedBy: by, authority: 1, talkMs: null, at }];
}

function releasedBy(payload: TelnyxEvent["payload"], isByLimit: boolean): ReleasedBy | null {
  if (isByLimit) return "system";
  const source = textIn(payload, "hangup_source");
  return source === "caller" || source === "callee" ? source : null;
}

/** Our words were spoken: the caller is let go, or on. */
function answerTo({ type, payload, state }: TelnyxEvent, call: CallHandle): Pick<StatusReport, "answer"> {
  const afterwards = type === "call.speak.ended" ? (state?.afterwards ?? null) : null;
  const leg = legOf(call);
  // The caller did not wait for the end.
  if (afterwards === null || leg === null || textIn(payload, "status") === "call_hangup") return {};
  if (afterwards.kind === "hangup") return { answer: commanded([hangUp(leg)]) };
  return { answer: commanded([transferCall(leg, { ...afterwards, isRecorded: true })]) };
}

function renderAttempt(plan: AttemptPlan): CarrierAnswer {
  const leg = legOf(plan);
  if (leg === null) return commanded([]);
  const { isRecorded: _isRecorded, ...afterwards } = planOf(plan);
  const text = plan.recording?.announcement ?? null;
  if (text === null) return commanded([transferCall(leg, planOf(plan))]);
  return commanded(speakTo(leg, { text, context: callbackContextOf("dial", plan.dialUrl), afterwards }));
}

function renderRefusal(refusal: Refusal, call: CallHandle): CarrierAnswer {
  const leg = legOf(call);
  if (leg === null) return commanded([]);
  const context: CallbackContext = { called: call.called ?? null, attempt: 0, destination: null, isAnnounced: false };
  switch (refusal) {
    case "reject":
      return commanded([rejectCall(leg, "CALL_REJECTED")]);
    case "busy":
      return commanded([rejectCall(leg, "USER_BUSY")]);
    case "announce":
      return commanded(speakTo(leg, { text: NOT_IN_SERVICE, context, afterwards: { kind: "hangup" } }));
  }
}

function commanded(commands: readonly CarrierCommand[]): CarrierAnswer {
  return { contentType: "application/json", text: "", commands };
}

function callOf(event: TelnyxEvent, request: CarrierRequest): CallReport {
  const { payload, state } = event;
  const isCaller = legOfEvent(event, request) === "caller";
  return {
    carrierCallId: idIn(payload, "call_session_id"),
    handle: isCaller ? idIn(payload, "call_control_id") : (state?.handle ?? null),
    caller: callerOf(payload, isCaller ? null : promoNumberOf(state, request)),
    callerName: isCaller ? safeNameOf(textIn(payload, "caller_id_name")) : null,
    verstat: isCaller
      ? telnyxVerstat(textIn(payload, "shaken_stir_attestation"), payload["shaken_stir_validated"] === true)
      : null,
    diversion: divertedFrom(payload),
  };
}

function promoNumberOf(state: ClientState | null, request: CarrierRequest): string | null {
  return callbackContextOf("dial", request.url).called ?? state?.called ?? null;
}

/** @param shown what the business's leg shows when the caller withheld the number: that is nobody's number */
function callerOf(payload: TelnyxEvent["payload"], shown: string | null): E164 | null {
  const caller = callerNumberOf(normalizeNumber(textIn(payload, "from")) ?? "");
  return caller === shown ? null : caller;
}

/** RFC 5806: the first Diversion is who diverted last. */
function divertedFrom(payload: TelnyxEvent["payload"]): E164 | null {
  const headers: readonly unknown[] = Array.isArray(payload["sip_headers"]) ? payload["sip_headers"] : [];
  for (const header of headers) {
    const { name, value } = (header ?? {}) as { name?: unknown; value?: unknown };
    if (typeof name !== "string" || typeof value !== "string" || name.toLowerCase() !== "diversion") continue;
    const user = /(?:sips?|tel):(\+?[\d.()-]{1,32})/i.exec(value.slice(0, DIVERSION_CHARS_MAX))?.[1];
    return user === undefined ? null : callerNumberOf(normalizeNumber(user) ?? "");
  }
  return null;
}

const DIVERSION_CHARS_MAX = 512;

function idIn(payload: TelnyxEvent["payload"], name: string): string {
  return callIdOf(() => textIn(payload, name), `data.payload.${name}`);
}

/** Telnyx sends an event again under the same id. */
function deliveryKeyOf({ id }: TelnyxEvent): string {
  return callIdOf(() => id, "data.id");
}
