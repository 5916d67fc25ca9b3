/**
 * Bandwidth Voice: JSON events (dev.bandwidth.com/docs/voice/webhooks), authenticated by HTTP Basic alone, answered in BXML. A password in each request
 * keeps neither its body nor its time: there TLS must. A call has an A leg (the caller's) and B legs (the business's, by <Transfer>); events of a B leg
 * name the A leg in parentCallId, and both numbers of the A leg in `from` and `to`. `transferComplete` comes only while the caller is still there, and
 * `transferDisconnect` always and with the B leg's own times, so these two together tell how an attempt ended.
 */
import type { CarrierCredential } from "../../account/carrier-credentials.store.js";
import type { Instant } from "../../kernel/clock.js";
import type { CallEvent, TerminalStatus } from "../../telephony/call-event.js";
import type { CallFailure } from "../../telephony/sip-status.js";
import {
  fallbackBxml,
  hangupBxml,
  nothingBxml,
  refusalBxml,
  TRANSFERRED_TAG,
  transferBxml,
  whisperBxml,
  withCallbackLogin,
} from "./documents/bxml.js";
import type {
  CallReport,
  CarrierAdapter,
  CarrierAnswer,
  CarrierRequest,
  DialReport,
  DialResult,
  StatusReport,
  WebhookKind,
} from "./carrier-adapter.js";
import { callerNumberOf } from "./reading/caller-number.js";
import { callDurationMs, eventTime, instantOf } from "./reading/event-times.js";
import {
  callIdIn,
  type JsonEvent,
  parseJsonEvent,
  peekObject,
  peekText,
  requiredTextIn,
  textIn,
} from "./reading/json-event.js";
import { keyOf, verstatOf } from "./reading/report-fields.js";
import { isSameSecret } from "./signatures/same-secret.js";
import { secretSetsOf } from "./signatures/secret-sets.js";

export const bandwidth: CarrierAdapter = {
  carrier: "bandwidth",
  contentTypes: ["application/json"],
  takesGet: false,
  // Bandwidth sends its login only to who asked for it (dev.bandwidth.com/docs/numbers/webhooks, "Authentication"), and the event with it.
  challenge: 'Basic realm="ringmatch", charset="UTF-8"',
  peekCalledNumber: ({ rawBody }) => peekText(parseJsonEvent(rawBody), "to"),
  verify: (request, { credential }) => (isAuthorized(request, credential) ? { nonce: null } : null),
  kindOf,
  parseVoice: ({ rawBody }) => callOf(parseJsonEvent(rawBody)),
  parseDial,
  parseStatus,
  renderAttempt: transferBxml,
  renderRefusal: refusalBxml,
  renderHangup: hangupBxml,
  renderEmpty: nothingBxml,
  renderFallback: fallbackBxml,
  renderWhisper: whisperBxml,
  withSecrets,
};

const AUTHORIZATION = /^basic +([\w+/=-]{1,6000})$/i;

/** RFC 7617. The encoded form is compared, so that a header which is none needs no decoding. */
function isAuthorized({ headers }: CarrierRequest, credential: CarrierCredential): boolean {
  const given = AUTHORIZATION.exec(headers.authorization ?? "")?.[1];
  if (given === undefined) return false;
  return secretSetsOf(credential, ["username", "password"])
    .map(({ username, password }) => isSameSecret(given, Buffer.from(`${username}:${password}`).toString("base64")))
    .includes(true);
}

/** The set that is being taken into use: Bandwidth sends it back with the callbacks of this document. */
function withSecrets(answer: CarrierAnswer, credential: CarrierCredential): CarrierAnswer {
  const [login] = secretSetsOf(credential, ["username", "password"]);
  return login === undefined ? answer : { ...answer, text: withCallbackLogin(answer.text, login) };
}

function kindOf({ rawBody }: CarrierRequest, path: WebhookKind): WebhookKind {
  switch (peekText(parseJsonEvent(rawBody), "eventType") ?? "") {
    case "initiate":
      return "voice";
    case "transferComplete":
      return "dial";
    case "transferAnswer":
      return path === "whisper" ? "whisper" : "status";
    default:
      return "status";
  }
}

function parseDial({ rawBody }: CarrierRequest): DialReport {
  const event = parseJsonEvent(rawBody);
  const call = callOf(event);
  return { ...call, deliveryKey: eventKey(event, call), result: dialResult(requiredTextIn(event, "cause")) };
}

/**
 * The talk is not measured here: answerTime is the A leg's, which may have been answered before the business did (an announcement). The caller is still
 * there, so it was the business who hung up.
 */
function dialResult(cause: string): DialResult {
  if (cause === "hangup") return { kind: "completed", talkMs: null, releasedBy: "callee" };
  if (cause === "cancel") return { kind: "canceled" };
  const failure = FAILURES.get(cause) ?? "failed";
  // Somebody's word, and final; whatever else happened, the next target may be better.
  return { kind: "failed", failure, sipStatus: null, huntsOn: cause !== "rejected" };
}

/** The list of causes is not exhaustive, says Bandwidth: all others are failures. */
const FAILURES: ReadonlyMap<string, CallFailure> = new Map([
  ["busy", "busy"],
  ["timeout", "no_answer"],
]);

function parseStatus({ rawBody }: CarrierRequest, input: { attempt: number; now: Instant }): StatusReport {
  const event = parseJsonEvent(rawBody);
  const call = callOf(event);
  const deliveryKey = eventKey(event, call);
  const endAt = instantOf(event["endTime"]) ?? instantOf(event["eventTime"]);
  const elapsedMs = durationMs(instantOf(event["startTime"]), endAt) ?? 0;
  const leg = { ...input, at: eventTime(endAt, input.now), answeredAt: instantOf(event["answerTime"]), endAt };
  return { ...call, deliveryKey, events: eventsOf(event, leg), elapsedMs };
}

interface Leg {
  /** Index of the hunt. */
  readonly attempt: number;
  readonly now: Instant;
  /** By our clock, when it ended. */
  readonly at: Instant;
  /** Both by Bandwidth's clock. */
  readonly answeredAt: Instant | null;
  readonly endAt: Instant | null;
}

function eventsOf(event: JsonEvent, leg: Leg): CallEvent[] {
  switch (requiredTextIn(event, "eventType")) {
    case "transferAnswer":
      return [{ kind: "answered", at: eventTime(leg.answeredAt, leg.now) }];
    case "transferDisconnect":
      return businessEvents(requiredTextIn(event, "cause"), leg);
    case "disconnect":
      return callerEvents(event, leg);
    default:
      return [];
  }
}

/** An answer's time computed from a duration is not to replace one that was seen, which had some way to us. */
const ANSWER_SLACK_MS = 1_000;

/** The B leg's end, with its own times. One that failed is one attempt; whether the call is over, `transferComplete` says. */
function businessEvents(cause: string, leg: Leg): CallEvent[] {
  const { attempt: index, at } = leg;
  const ended = { kind: "ended", authority: 2, at } as const;
  if (cause === "hangup") {
    const talkMs = durationMs(leg.answeredAt, leg.endAt);
    const end: CallEvent = { ...ended, status: "completed", cause: null, releasedBy: null, talkMs };
    if (talkMs === null) return [end];
    return [{ kind: "answered", at: Math.min(at, at - talkMs + ANSWER_SLACK_MS) }, end];
  }
  const failed = (failure: string): CallEvent => ({
    kind: "attempt_failed",
    index,
    sipStatus: null,
    cause: failure,
    at,
  });
  if (cause !== "cancel") return [failed(FAILURES.get(cause) ?? "failed")];
  return [failed("canceled"), { ...ended, status: "canceled", cause: "canceled", releasedBy: "caller", talkMs: null }];
}

/**
 * The A leg's end is what the caller's side saw; it counts when no B leg told more. Its time is no talk when there was a B leg, of which a report may still
 * come: the announcement is part of it, and perhaps the ringing.
 */
function callerEvents(event: JsonEvent, { at, answeredAt, endAt }: Leg): CallEvent[] {
  const status = callerStatus(requiredTextIn(event, "cause"), answeredAt !== null);
  const isMeasured = status === "completed" && textIn(event, "tag") !== TRANSFERRED_TAG;
  const talkMs = isMeasured ? durationMs(answeredAt, endAt) : null;
  const releasedBy = status === "canceled" ? "caller" : null;
  return [
    { kind: "ended", authority: 1, at, status, cause: status === "completed" ? null : status, releasedBy, talkMs },
  ];
}

function callerStatus(cause: string, isAnswered: boolean): TerminalStatus {
  if (cause === "hangup") return isAnswered ? "completed" : "no_answer";
  return cause === "cancel" ? "canceled" : (FAILURES.get(cause) ?? "failed");
}

function durationMs(from: Instant | null, to: Instant | null): number | null {
  return from === null || to === null ? null : callDurationMs(to - from);
}

function callOf(event: JsonEvent): CallReport {
  const diversion = peekObject(event, "diversion") ?? {};
  const stirShaken = peekObject(event, "stirShaken") ?? {};
  callIdIn(event, "callId");
  return {
    carrierCallId: callIdIn(event, textIn(event, "parentCallId") === "" ? "callId" : "parentCallId"),
    handle: null,
    // Restricted, Anonymous, Private or Unavailable when it is withheld.
    caller: callerNumberOf(textIn(event, "from")),
    callerName: null,
    // TN-Validation-Passed, or TN-Verification-Passed as it was once called, and -Failed.
    verstat: verstatOf(peekText(stirShaken, "verstat") ?? ""),
    diversion: callerNumberOf(peekText(diversion, "origTo") ?? ""),
  };
}

function eventKey(event: JsonEvent, call: CallReport): string {
  const named = ["callId", "eventType", "eventTime"].map((name) => textIn(event, name));
  return keyOf([call.carrierCallId, ...named]);
}
