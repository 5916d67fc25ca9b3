/**
 * Plivo: form posts signed with signature V3, answered in Plivo XML; numbers come without +. A call has an A leg (the caller's, CallUUID) and a B leg
 * for each attempt. The answer URL, <Dial action> and the hangup URL are about the A leg; <Dial callbackUrl> is about a B leg and names its A leg in
 * DialALegUUID. Plivo does not tell when the business's phone rings. plivo.com/docs/voice/xml/dial, …/xml/request, …/troubleshooting/hangup-causes.
 */
import type { Instant } from "../../kernel/clock.js";
import type { CallEvent, ReleasedBy, TerminalStatus } from "../../telephony/call-event.js";
import { type CallFailure, huntsOn } from "../../telephony/sip-status.js";
import { bareE164, withPlus } from "./reading/bare-number.js";
import { safeNameOf } from "./reading/caller-name.js";
import type {
  CallReport,
  CarrierAdapter,
  CarrierRequest,
  DialReport,
  DialResult,
  StatusReport,
  WebhookKind,
} from "./carrier-adapter.js";
import { parseForm, peekFormField } from "./reading/form-body.js";
import { plivoNonce } from "./signatures/plivo-signature.js";
import { dialXml, emptyXml, fallbackXml, hangupXml, refusalXml, whisperXml } from "./documents/plivo-xml.js";
import {
  callIdOf,
  durationMs,
  type Field,
  formField,
  invalidField,
  keyOf,
  verstatOf,
} from "./reading/report-fields.js";
import { authTokensOf } from "./signatures/secret-sets.js";

export const plivo: CarrierAdapter = {
  carrier: "plivo",
  contentTypes: ["application/x-www-form-urlencoded"],
  takesGet: false,
  peekCalledNumber: ({ rawBody }) => {
    const to = peekFormField(rawBody, "To");
    return to === null ? null : withPlus(to);
  },
  verify: (request, { credential }) => {
    const nonce = plivoNonce(request, authTokensOf(credential));
    return nonce === null ? null : { nonce };
  },
  kindOf: (request, path) => kindOf(fieldsOf(request), path),
  parseVoice: (request) => callOf(fieldsOf(request)),
  parseDial,
  parseStatus,
  renderAttempt: dialXml,
  renderRefusal: refusalXml,
  renderHangup: hangupXml,
  renderEmpty: emptyXml,
  renderFallback: fallbackXml,
  renderWhisper: whisperXml,
};

const fieldsOf = ({ rawBody }: CarrierRequest): Field => formField(parseForm(rawBody));

/** Only an action has a DialStatus, only a callback a DialAction, and only a call that is over a HangupCause of its own. */
function kindOf(field: Field, path: WebhookKind): WebhookKind {
  if (field("DialStatus") !== "") return "dial";
  if (field("DialAction") !== "" || field("HangupCause") !== "" || field("RecordingID") !== "") return "status";
  return field("Event") === "StartApp" && path !== "whisper" ? "voice" : path;
}

function parseDial(request: CarrierRequest): DialReport {
  const field = fieldsOf(request);
  const call = callOf(field);
  const parts = [call.carrierCallId, field("DialBLegUUID"), field("DialStatus")];
  return { ...call, deliveryKey: keyOf(parts), result: dialResult(field) };
}

/** DialStatus: how the B leg ended. CallStatus: the A leg's by then; "completed" says that the caller is gone. */
function dialResult(field: Field): DialResult {
  const isCallerGone = field("CallStatus") === "completed";
  const cause = field("DialHangupCause").toUpperCase();
  const status = field("DialStatus");
  if (status === "cancel" || CANCELED.has(cause)) return { kind: "canceled" };
  switch (status) {
    case "completed": {
      const releasedBy = isCallerGone ? "caller" : field("CallStatus") === "in-progress" ? "callee" : null;
      return { kind: "completed", talkMs: durationMs(field("DialBLegDuration")), releasedBy };
    }
    case "busy":
      return failed("busy", cause);
    case "timeout":
    case "no-answer":
      return isCallerGone ? { kind: "canceled" } : failed("no_answer", cause);
    case "failed":
      return failed("failed", cause);
    default:
      throw invalidField("DialStatus", "is none that Plivo documents");
  }
}

function failed(failure: CallFailure, cause: string): DialResult {
  const status = STATUS_OF_CAUSE.get(cause);
  return {
    kind: "failed",
    failure,
    sipStatus: null,
    huntsOn: status === undefined || huntsOn({ kind: "status", status }),
  };
}

const CANCELED: ReadonlySet<string> = new Set(["ORIGINATOR_CANCEL", "LOSE_RACE"]);

/**
 * The SIP status that a cause stands for (RFC 3398 §8.2.6.1), so that one rule says which refusals end a hunt: somebody who declined, or a number
 * that does not exist. What is not here was not said by anybody, and the next target is tried.
 */
const STATUS_OF_CAUSE: ReadonlyMap<string, number> = new Map([
  ["USER_BUSY", 486],
  ["NO_ANSWER", 480],
  ["NO_USER_RESPONSE", 408],
  ["SUBSCRIBER_ABSENT", 480],
  ["CALL_REJECTED", 603],
  ["UNALLOCATED_NUMBER", 404],
  ["INVALID_NUMBER_FORMAT", 484],
]);

function parseStatus(request: CarrierRequest, input: { attempt: number; now: Instant }): StatusReport {
  const field = fieldsOf(request);
  const call = callOf(field);
  const action = field("DialAction");
  const parts = [call.carrierCallId, field("DialBLegUUID"), field("Event"), action, field("CallStatus")];
  const talkMs = durationMs(field(action === "" ? "Duration" : "DialBLegDuration"));
  const { attempt, now: at } = input;
  const events = action === "" ? callerEvents(field, { talkMs, at }) : businessEvents(field, { attempt, talkMs, at });
  return { ...call, deliveryKey: keyOf(parts), events, elapsedMs: talkMs ?? 0 };
}

/** With a whisper "answer" comes before it, "connected" after it; the business picked up at the first. Digits say nothing of the call. */
function businessEvents(field: Field, input: { attempt: number; talkMs: number | null; at: Instant }): CallEvent[] {
  const { attempt: index, talkMs, at } = input;
  const action = field("DialAction");
  if (action === "answer" || action === "connected") return [{ kind: "answered", at }];
  if (action !== "hangup") return [];
  const releasedBy = releasedByOf(field("DialBLegHangupSource"));
  if (talkMs !== null && talkMs > 0)
    return [{ kind: "ended", status: "completed", cause: null, releasedBy, authority: 2, talkMs, at }];
  // One attempt of the hunt; whether the call is over, the action says.
  const cause = endOfCause(field("DialBLegHangupCause"));
  return cause === null ? [] : [{ kind: "attempt_failed", index, sipStatus: null, cause, at }];
}

/**
 * The hangup URL calls every incoming call "completed": whether anybody talked, its duration says. It is longer than the conversation when an
 * announcement came before; the B leg's own replaces it.
 */
function callerEvents(field: Field, { talkMs, at }: { talkMs: number | null; at: Instant }): CallEvent[] {
  const told = field("CallStatus");
  const ended = { kind: "ended", releasedBy: releasedByOf(field("HangupSource")), authority: 1, at } as const;
  if (told === "completed" && talkMs !== 0) return [{ ...ended, status: "completed", cause: null, talkMs }];
  const status = told === "completed" ? (endOfCause(field("HangupCause")) ?? "no_answer") : FINAL.get(told);
  return status === undefined ? [] : [{ ...ended, status, cause: status, talkMs: null }];
}

/** Of outgoing calls; an incoming one is "completed". */
const FINAL: ReadonlyMap<string, TerminalStatus> = new Map([
  ["busy", "busy"],
  ["no-answer", "no_answer"],
  ["timeout", "no_answer"],
  ["failed", "failed"],
  ["cancel", "canceled"],
]);

/** Null: the cause tells no failure (NORMAL_CLEARING), or nothing at all. */
function endOfCause(cause: string): Exclude<TerminalStatus, "completed" | "intercepted"> | null {
  switch (cause.toUpperCase()) {
    case "":
    case "NORMAL_CLEARING":
      return null;
    case "ORIGINATOR_CANCEL":
    case "LOSE_RACE":
      return "canceled";
    case "USER_BUSY":
      return "busy";
    case "NO_ANSWER":
    case "NO_USER_RESPONSE":
    case "SUBSCRIBER_ABSENT":
    case "ALLOTTED_TIMEOUT":
    case "PROGRESS_TIMEOUT":
      return "no_answer";
    default:
      return "failed";
  }
}

/** "Call recipient" in the list of hangup sources, "Callee" in callbacks. */
function releasedByOf(source: string): ReleasedBy | null {
  switch (source.toLowerCase()) {
    case "caller":
      return "caller";
    case "callee":
    case "call recipient":
      return "callee";
    default:
      return null;
  }
}

/** A call may come with STIRVerification ("Verified", "Not Verified", "Not Applicable"), for callers of the USA alone. */
function callOf(field: Field): CallReport {
  field("To");
  return {
    carrierCallId: callIdOf(field, field("DialALegUUID") === "" ? "CallUUID" : "DialALegUUID"),
    handle: null,
    caller: bareE164(field("From")),
    callerName: safeNameOf(field("CallerName")),
    verstat: verstatOf(field("STIRVerification")),
    diversion: bareE164(field("ForwardedFrom")),
  };
}
