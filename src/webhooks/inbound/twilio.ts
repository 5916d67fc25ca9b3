/**
 * Twilio: form posts signed with X-Twilio-Signature (twilio.com/docs/usage/security), answered in TwiML. One idea to keep in mind: a call has a
 * parent leg (the caller's) and child legs (the business's). Dial callbacks and the number's own StatusCallback are about the parent; what we
 * subscribe to in <Number> is about a child, which names its parent in ParentCallSid.
 */
import { validateRequest } from "twilio/lib/webhooks/webhooks.js";
import type { CarrierCredential } from "../../account/carrier-credentials.store.js";
import type { Instant } from "../../kernel/clock.js";
import { AppError } from "../../kernel/errors.js";
import type { CallEvent, TerminalStatus } from "../../telephony/call-event.js";
import { type E164, parseE164 } from "../../telephony/e164.js";
import { type CallFailure, huntsOn } from "../../telephony/sip-status.js";
import type {
  CallReport,
  CarrierAdapter,
  CarrierRequest,
  DialReport,
  DialResult,
  StatusReport,
} from "./carrier-adapter.js";
import { authTokensOf } from "./secret-sets.js";
import { safeNameOf } from "./caller-name.js";
import { type FormParams, parseForm, peekFormField } from "./form-body.js";
import { dialTwiml, emptyTwiml, fallbackTwiml, hangupTwiml, refusalTwiml, whisperTwiml } from "./twiml.js";

export const twilio: CarrierAdapter = {
  carrier: "twilio",
  contentTypes: ["application/x-www-form-urlencoded"],
  takesGet: false,
  peekCalledNumber: ({ rawBody }) => peekFormField(rawBody, "To"),
  verify: (request, { credential }) => (isSigned(request, credential) ? { nonce: null } : null),
  kindOf: (_request, path) => path,
  parseVoice: (request) => {
    const params = parseForm(request.rawBody);
    // One answer a call, whatever a repetition adds (ErrorCode at a fallback URL) or says of the status by then.
    return { ...callOf(params, "CallSid"), deliveryKey: callIdOf(params, "CallSid") };
  },
  parseDial,
  parseStatus,
  renderAttempt: dialTwiml,
  renderRefusal: refusalTwiml,
  renderHangup: hangupTwiml,
  renderEmpty: emptyTwiml,
  renderFallback: fallbackTwiml,
  renderWhisper: whisperTwiml,
};

/** Every token is tried, so that two can be valid during rotation; twilio's own helper compares in constant time. */
function isSigned(request: CarrierRequest, credential: CarrierCredential): boolean {
  const signature = request.headers["x-twilio-signature"];
  if (typeof signature !== "string" || !URL.canParse(request.url)) return false;
  const params = parseForm(request.rawBody);
  return authTokensOf(credential)
    .map((token) => validateRequest(token, signature, request.url, params))
    .includes(true);
}

/**
 * DialCallStatus: how the child ended. CallStatus: the parent's state by then; a final one says that the caller is gone.
 * twilio.com/docs/voice/twiml/dial ("action").
 */
function parseDial(request: CarrierRequest): DialReport {
  const params = parseForm(request.rawBody);
  const call = callOf(params, "CallSid");
  const parts = [call.carrierCallId, text(params, "DialCallSid"), text(params, "DialCallStatus")];
  return { ...call, deliveryKey: keyOf(parts), result: dialResult(params) };
}

function dialResult(params: FormParams): DialResult {
  const status = text(params, "DialCallStatus");
  const isCallerGone = TERMINAL.has(text(params, "CallStatus"));
  switch (status) {
    case "completed":
    case "answered":
      return {
        kind: "completed",
        talkMs: seconds(params, "DialCallDuration"),
        releasedBy: isCallerGone ? "caller" : text(params, "CallStatus") === "in-progress" ? "callee" : null,
      };
    case "canceled":
      return { kind: "canceled" };
    case "no-answer":
      if (isCallerGone) return { kind: "canceled" };
      return failed(params, "no_answer");
    case "busy":
      return failed(params, "busy");
    case "failed":
      return failed(params, "failed");
    default:
      throw invalid("DialCallStatus", "is none that Twilio documents");
  }
}

function failed(params: FormParams, failure: CallFailure): DialResult {
  const sipStatus = sipStatusOf(params, "DialSipResponseCode");
  return {
    kind: "failed",
    failure,
    sipStatus,
    huntsOn: sipStatus === null || huntsOn({ kind: "status", status: sipStatus }),
  };
}

function parseStatus(request: CarrierRequest, input: { attempt: number; now: Instant }): StatusReport {
  const params = parseForm(request.rawBody);
  const isChild = text(params, "ParentCallSid") !== "";
  const call = callOf(params, isChild ? "ParentCallSid" : "CallSid");
  const status = text(params, "CallStatus");
  if (status === "") throw invalid("CallStatus", "is missing");
  const leg = callIdOf(params, "CallSid");
  const parts = [call.carrierCallId, leg, text(params, "CallbackSource"), text(params, "SequenceNumber"), status];
  const at = eventTime(params, input.now);
  const talkMs = seconds(params, "CallDuration");
  const events = isChild ? childEvents(params, { ...input, status, at, talkMs }) : parentEvents({ status, at, talkMs });
  return { ...call, deliveryKey: keyOf(parts), events, elapsedMs: status === "completed" ? (talkMs ?? 0) : 0 };
}

const TERMINAL: ReadonlyMap<string, TerminalStatus> = new Map([
  ["completed", "completed"],
  ["busy", "busy"],
  ["no-answer", "no_answer"],
  ["failed", "failed"],
  ["canceled", "canceled"],
]);

/**
 * The parent rings while Twilio looks for somebody to talk to: that says nothing of the business's phone. With answerOnBridge it is answered when,
 * and only when, the business answers. Its end is what the caller's leg saw.
 */
function parentEvents(input: { status: string; at: Instant; talkMs: number | null }): CallEvent[] {
  const { status, at, talkMs } = input;
  if (status === "in-progress" || status === "answered") return [{ kind: "answered", at }];
  const end = TERMINAL.get(status);
  if (end === undefined) return [];
  const cause = end === "completed" ? null : end;
  const releasedBy = end === "canceled" ? "caller" : null;
  return [
    { kind: "ended", status: end, cause, releasedBy, authority: 1, talkMs: end === "completed" ? talkMs : null, at },
  ];
}

/** A child that fails is one attempt of the hunt; whether the call is over, its dial callback says. */
function childEvents(
  params: FormParams,
  input: { attempt: number; status: string; at: Instant; talkMs: number | null },
): CallEvent[] {
  const { attempt: index, status, at, talkMs } = input;
  if (status === "ringing") return [{ kind: "ringing", at }];
  if (status === "in-progress" || status === "answered") return [{ kind: "answered", at }];
  if (status === "completed") {
    return [{ kind: "ended", status: "completed", cause: null, releasedBy: null, authority: 2, talkMs, at }];
  }
  const cause = TERMINAL.get(status);
  if (cause === undefined) return [];
  return [{ kind: "attempt_failed", index, sipStatus: sipStatusOf(params, "SipResponseCode"), cause, at }];
}

function callOf(params: FormParams, idField: "CallSid" | "ParentCallSid"): Omit<CallReport, "deliveryKey"> {
  text(params, "To");
  return {
    carrierCallId: callIdOf(params, idField),
    handle: null,
    caller: callerOf(params),
    callerName: callerNameOf(params),
    verstat: verstatOf(params),
    diversion: parseE164(text(params, "ForwardedFrom")),
  };
}

/** Twilio's are 34 characters; those of carriers that speak its language are longer. */
const CALL_ID = /^[\x21-\x7e]{1,256}$/;

function callIdOf(params: FormParams, name: string): string {
  const id = text(params, name);
  if (!CALL_ID.test(id)) throw invalid(name, "must be 1 to 256 printable characters");
  return id;
}

/** RESTRICTED, BLOCKED, UNKNOWN, ANONYMOUS and UNAVAILABLE on a phone's keys: what Twilio puts into From when the number is withheld. */
const WITHHELD: ReadonlySet<string> = new Set(["+7378742833", "+2562533", "+8656696", "+266696687", "+86282452253"]);

function callerOf(params: FormParams): E164 | null {
  const from = text(params, "From");
  return WITHHELD.has(from) ? null : parseE164(from);
}

/** Only with Caller ID Lookup on the number (twilio.com/docs/voice/twiml, "CallerName"). */
function callerNameOf(params: FormParams): string | null {
  return safeNameOf(text(params, "CallerName"));
}

function verstatOf(params: FormParams): string | null {
  const verstat = text(params, "StirVerstat");
  return /^[\w-]{1,64}$/.test(verstat) ? verstat : null;
}

function sipStatusOf(params: FormParams, name: string): number | null {
  const code = text(params, name);
  return /^[1-6]\d\d$/.test(code) ? Number(code) : null;
}

/** No call lasts longer; a duration beyond it is no duration. */
const CALL_S_MAX = 24 * 60 * 60;

function seconds(params: FormParams, name: string): number | null {
  const value = text(params, name);
  if (!/^\d{1,6}$/.test(value) || Number(value) > CALL_S_MAX) return null;
  return Number(value) * 1000;
}

/** Twilio's Timestamp has whole seconds, so the arrival is the better time, unless the delivery was held up for longer than this. */
const HELD_UP_MS = 5_000;

function eventTime(params: FormParams, now: Instant): Instant {
  const sent = Date.parse(text(params, "Timestamp"));
  return Number.isFinite(sent) && sent < now - HELD_UP_MS ? sent : now;
}

/** Empty when missing. @throws AppError("invalid_value") when it comes twice: Twilio sends every field once */
function text(params: FormParams, name: string): string {
  const value = params[name] ?? "";
  if (typeof value !== "string") throw invalid(name, "comes more than once");
  return value;
}

/** Only what identifies a delivery, printable and short. */
function keyOf(parts: readonly string[]): string {
  return parts.map((part) => part.replace(/[^\x21-\x7b\x7d\x7e]/g, "").slice(0, 128)).join("|");
}

function invalid(field: string, message: string): AppError {
  return new AppError("invalid_value", `${field} ${message}.`, { fields: [{ path: field, message }] });
}
