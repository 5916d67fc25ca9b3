/**
 * What the carriers that speak TwiML have in common: form posts about a call's parent leg (the caller's) and its child legs (the business's), answered
 * in TwiML. Dial callbacks and the number's own StatusCallback are about the parent; what we subscribe to in <Number> is about a child, which names its
 * parent in ParentCallSid. Signatures, verdicts and a few field names are each carrier's own: twilio.ts, signalwire.ts, telnyx-texml.ts.
 */
import type { Carrier } from "../../account/carrier-credentials.store.js";
import type { Instant } from "../../kernel/clock.js";
import type { CallEvent, ReleasedBy, TerminalStatus } from "../../telephony/call-event.js";
import { type CallFailure, huntsOn } from "../../telephony/sip-status.js";
import type {
  CallReport,
  CarrierAdapter,
  CarrierRequest,
  DialReport,
  DialResult,
  StatusReport,
} from "./carrier-adapter.js";
import { safeNameOf } from "./reading/caller-name.js";
import { callerNumberOf } from "./reading/caller-number.js";
import { eventTime, looseInstantOf } from "./reading/event-times.js";
import { type FormParams, parseForm, peekFormField } from "./reading/form-body.js";
import { callIdOf, durationMs, formField, invalidField, keyOf, sipStatusOf } from "./reading/report-fields.js";
import { dialTwiml, emptyTwiml, fallbackTwiml, hangupTwiml, refusalTwiml, whisperTwiml } from "./documents/twiml.js";

export interface TwimlDialect {
  readonly carrier: Carrier;
  readonly verify: CarrierAdapter["verify"];
  /** STIR/SHAKEN verdict; see CallReport. */
  verstatOf(params: FormParams): string | null;
  /** Where the caller's name is, when somebody looked it up. */
  readonly nameField: string;
  /** Where a SIP status is: of the attempt in a dial callback, of the leg in its status callback. */
  readonly sipStatusFields: { readonly dial: string; readonly leg: string };
  /** What a dial callback says of the two who talked. */
  whoLeft(params: FormParams): WhoLeft;
  /** False: the caller is answered before anybody is rung, which says nothing of the business's phone. */
  readonly answersCallerWithBusiness: boolean;
  /** Answer to end of the leg, ms, where the carrier tells both times; null: its durations are talk time. */
  talkMsOf(params: FormParams): number | null;
  /** What the carrier takes as a ring timeout, seconds; a longer or shorter one becomes the nearest. */
  readonly ringTimeoutS: { readonly min: number; readonly max: number };
}

export interface WhoLeft {
  /** The caller's leg is over: nobody is left to be connected. */
  readonly isCallerGone: boolean;
  /** Of a conversation: who hung up. */
  readonly releasedBy: ReleasedBy | null;
}

export function twimlFamily(dialect: TwimlDialect): CarrierAdapter {
  const { carrier, verify, ringTimeoutS } = dialect;
  const within = (timeoutS: number): number => Math.min(ringTimeoutS.max, Math.max(ringTimeoutS.min, timeoutS));
  return {
    carrier,
    contentTypes: ["application/x-www-form-urlencoded"],
    takesGet: false,
    peekCalledNumber: ({ rawBody }) => peekFormField(rawBody, "To"),
    verify,
    kindOf: (_request, path) => path,
    parseVoice: (request) => callOf(dialect, parseForm(request.rawBody), "CallSid"),
    parseDial: (request) => parseDial(dialect, request),
    parseStatus: (request, input) => parseStatus(dialect, request, input),
    renderAttempt: (plan) => dialTwiml({ ...plan, ringTimeoutS: within(plan.ringTimeoutS) }),
    renderRefusal: refusalTwiml,
    renderHangup: hangupTwiml,
    renderEmpty: emptyTwiml,
    renderFallback: (plan) => fallbackTwiml({ ...plan, ringTimeoutS: within(plan.ringTimeoutS) }),
    renderWhisper: whisperTwiml,
  };
}

/**
 * DialCallStatus: how the child ended. CallStatus: the parent's state by then; a final one says that the caller is gone.
 * twilio.com/docs/voice/twiml/dial ("action").
 */
function parseDial(dialect: TwimlDialect, request: CarrierRequest): DialReport {
  const params = parseForm(request.rawBody);
  const call = callOf(dialect, params, isAboutChild(params) ? "ParentCallSid" : "CallSid");
  const parts = [call.carrierCallId, text(params, "DialCallSid"), text(params, "DialCallStatus")];
  return { ...call, deliveryKey: keyOf(parts), result: dialResult(dialect, params) };
}

/**
 * A dial callback is the parent's, and names the child in DialCallSid. Telnyx's example of one (api-reference/callbacks/texml-call-completed) has the same
 * id in both, and another one in ParentCallSid: then the child itself speaks.
 */
function isAboutChild(params: FormParams): boolean {
  return text(params, "ParentCallSid") !== "" && text(params, "CallSid") === text(params, "DialCallSid");
}

function dialResult(dialect: TwimlDialect, params: FormParams): DialResult {
  const { isCallerGone, releasedBy } = dialect.whoLeft(params);
  const failed = (failure: CallFailure): DialResult => {
    const sipStatus = sipStatusOf(text(params, dialect.sipStatusFields.dial));
    return { kind: "failed", failure, sipStatus, huntsOn: sipStatus === null || goesOnAfter(sipStatus) };
  };
  switch (text(params, "DialCallStatus")) {
    case "completed":
    case "answered":
      return {
        kind: "completed",
        talkMs: dialect.talkMsOf(params) ?? durationMs(text(params, "DialCallDuration")),
        releasedBy,
      };
    case "canceled":
      return { kind: "canceled" };
    case "no-answer":
      if (isCallerGone) return { kind: "canceled" };
      return failed("no_answer");
    case "busy":
      return failed("busy");
    case "failed":
      return failed("failed");
    default:
      throw invalidField("DialCallStatus", "is none that is documented");
  }
}

/** The carrier cancelled the attempt at its ring timeout: that is no answer, and nobody's refusal. */
const CANCELED_BY_US = 487;

function goesOnAfter(status: number): boolean {
  return status === CANCELED_BY_US || huntsOn({ kind: "status", status });
}

/** CallStatus of a dial callback is the parent's state by then; a final one says that the caller is gone. */
export function whoLeftByCallStatus(params: FormParams): WhoLeft {
  const status = text(params, "CallStatus");
  const isCallerGone = TERMINAL.has(status);
  return { isCallerGone, releasedBy: isCallerGone ? "caller" : status === "in-progress" ? "callee" : null };
}

function parseStatus(
  dialect: TwimlDialect,
  request: CarrierRequest,
  input: { attempt: number; now: Instant },
): StatusReport {
  const params = parseForm(request.rawBody);
  const isChild = text(params, "ParentCallSid") !== "";
  const call = callOf(dialect, params, isChild ? "ParentCallSid" : "CallSid");
  const status = text(params, "CallStatus");
  if (status === "") throw invalidField("CallStatus", "is missing");
  const leg = callIdOf(formField(params), "CallSid");
  const parts = [call.carrierCallId, leg, text(params, "CallbackSource"), text(params, "SequenceNumber"), status];
  const at = eventTime(looseInstantOf(text(params, "Timestamp")), input.now);
  const tookMs = durationMs(text(params, "CallDuration"));
  const talkMs = dialect.talkMsOf(params) ?? tookMs;
  const sipStatus = sipStatusOf(text(params, dialect.sipStatusFields.leg));
  const events = isChild
    ? childEvents({ ...input, status, sipStatus, at, talkMs })
    : parentEvents(dialect, { status, at, talkMs });
  return { ...call, deliveryKey: keyOf(parts), events, elapsedMs: status === "completed" ? (tookMs ?? 0) : 0 };
}

/** Final states of a leg. */
const TERMINAL: ReadonlyMap<string, TerminalStatus> = new Map([
  ["completed", "completed"],
  ["busy", "busy"],
  ["no-answer", "no_answer"],
  ["failed", "failed"],
  ["canceled", "canceled"],
]);

/**
 * The parent rings while the carrier looks for somebody to talk to: that says nothing of the business's phone. With answerOnBridge, where the carrier has
 * that, it is answered when, and only when, the business answers. Its end is what the caller's leg saw.
 */
function parentEvents(
  { answersCallerWithBusiness }: TwimlDialect,
  input: { status: string; at: Instant; talkMs: number | null },
): CallEvent[] {
  const { status, at, talkMs } = input;
  if (status === "in-progress" || status === "answered")
    return answersCallerWithBusiness ? [{ kind: "answered", at }] : [];
  const end = TERMINAL.get(status);
  if (end === undefined) return [];
  const cause = end === "completed" ? null : end;
  const releasedBy = end === "canceled" ? "caller" : null;
  return [
    { kind: "ended", status: end, cause, releasedBy, authority: 1, talkMs: end === "completed" ? talkMs : null, at },
  ];
}

/** A child that fails is one attempt of the hunt; whether the call is over, its dial callback says. */
function childEvents(input: {
  attempt: number;
  status: string;
  sipStatus: number | null;
  at: Instant;
  talkMs: number | null;
}): CallEvent[] {
  const { attempt: index, status, sipStatus, at, talkMs } = input;
  if (status === "ringing") return [{ kind: "ringing", at }];
  if (status === "in-progress" || status === "answered") return [{ kind: "answered", at }];
  if (status === "completed") {
    return [{ kind: "ended", status: "completed", cause: null, releasedBy: null, authority: 2, talkMs, at }];
  }
  const cause = TERMINAL.get(status);
  if (cause === undefined) return [];
  return [{ kind: "attempt_failed", index, sipStatus, cause, at }];
}

function callOf(dialect: TwimlDialect, params: FormParams, idField: "CallSid" | "ParentCallSid"): CallReport {
  text(params, "To");
  return {
    carrierCallId: callIdOf(formField(params), idField),
    handle: null,
    caller: callerNumberOf(text(params, "From")),
    callerName: safeNameOf(text(params, dialect.nameField)),
    verstat: dialect.verstatOf(params),
    diversion: callerNumberOf(text(params, "ForwardedFrom")),
  };
}

/** Empty when missing. @throws AppError("invalid_value") when it comes twice: these carriers send every field once */
export function text(params: FormParams, name: string): string {
  return formField(params)(name);
}
