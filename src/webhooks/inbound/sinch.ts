/**
 * Sinch Voice v1: JSON events signed with the application's secret (developers.sinch.com/docs/voice/api-reference/authentication/callback-signed-request),
 * answered in SVAML. All events of an application go to its one callback URL, so the event says what a request is: `ice` a call came, `ace` the
 * business answered, `dice` the call is over, `pie` and `notify` nothing of ours. What follows from that:
 * - No hunting: no event asks what next when a connectPstn failed; `dice` alone tells it. Failover targets are never tried.
 * - `ace` names no number and `dice` perhaps the business's, so the promo number travels as a cookie, which Sinch sends along in later events of the
 *   call. Without it (cookies lost) such an event is checked against the platform's credential and finds its call by the id.
 * - No recording: startRecording wants the storage's credentials in the document, and our answers are stored. No whisper: what is said in the answer to
 *   `ace` is heard on the caller's side.
 * - No verdict of the caller (STIR/SHAKEN) and no name in any event.
 */
import { createHash, createHmac } from "node:crypto";
import type { CarrierCredential } from "../../account/carrier-credentials.store.js";
import type { Instant } from "../../kernel/clock.js";
import type { CallEvent, ReleasedBy } from "../../telephony/call-event.js";
import type { E164 } from "../../telephony/e164.js";
import type { CallReport, CarrierAdapter, CarrierRequest, DialReport, StatusReport } from "./carrier-adapter.js";
import { bareE164, withPlus } from "./reading/bare-number.js";
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
import { invalidField, keyOf } from "./reading/report-fields.js";
import { isSameSecret } from "./signatures/same-secret.js";
import { secretSetsOf } from "./signatures/secret-sets.js";
import {
  CALLED_COOKIE,
  connectSvaml,
  continueSvaml,
  fallbackSvaml,
  hangupSvaml,
  refusalSvaml,
} from "./documents/svaml.js";

export const sinch: CarrierAdapter = {
  carrier: "sinch",
  contentTypes: ["application/json"],
  takesGet: false,
  peekCalledNumber,
  verify: (request, { credential, now }) => (isSigned(request, { credential, now }) ? { nonce: null } : null),
  kindOf: ({ rawBody }) => (peekText(parseJsonEvent(rawBody), "event") === "ice" ? "voice" : "status"),
  parseVoice: ({ rawBody }) => callOf(parseJsonEvent(rawBody)),
  parseDial,
  parseStatus,
  renderAttempt: connectSvaml,
  renderRefusal: refusalSvaml,
  renderHangup: hangupSvaml,
  renderEmpty: continueSvaml,
  renderFallback: fallbackSvaml,
  renderWhisper: null,
};

/**
 * Sinch writes numbers of `cli`, `from` and `dice` without their +, that of `ice`'s `to` with it. The number that was rung, of `ice`; of later events the one in our cookie, which is the same. Empty for an event that names none and needs none,
 * because its call is known by the id.
 */
function peekCalledNumber({ rawBody }: CarrierRequest): string | null {
  const event = parseJsonEvent(rawBody);
  const to = peekObject(event, "to");
  const rung = to === null ? null : peekText(to, "endpoint");
  const name = peekText(event, "event");
  if (name === null || name === "ice") return rung === null ? null : withPlus(rung);
  return cookieOf(event) ?? withPlus(rung ?? "");
}

function cookieOf(event: JsonEvent): string | null {
  const { cookies } = event;
  if (!Array.isArray(cookies)) return null;
  const ours = cookies
    .map((cookie) => peekObject({ cookie }, "cookie"))
    .find((cookie) => cookie?.["key"] === CALLED_COOKIE);
  return ours === undefined || ours === null ? null : peekText(ours, "value");
}

/**
 * x-timestamp is signed to tell a request that is too old (callback-signed-request, "Timestamp"); Sinch names no limit. The one usual among carriers:
 * it bears clocks that are minutes apart, and a repetition within it gets the stored answer.
 */
export const SIGNED_MS_MAX = 5 * 60 * 1000;

const AUTHORIZATION = /^application ([^\s:]{1,256}):([\w+/=]{1,256})$/i;

/** Signed are the bytes of the body, the path without any query, and the headers as they came. */
function isSigned(request: CarrierRequest, input: { credential: CarrierCredential; now: Instant }): boolean {
  const { method, url, headers, rawBody } = request;
  const [, givenKey, signature] = AUTHORIZATION.exec(headers.authorization ?? "") ?? [];
  const timestamp = headers["x-timestamp"];
  const sentAt = instantOf(timestamp);
  if (givenKey === undefined || signature === undefined || sentAt === null) return false;
  if (Math.abs(input.now - sentAt) > SIGNED_MS_MAX) return false;
  const digest = createHash("md5").update(rawBody).digest("base64");
  const path = url.replace(/^https?:\/\/[^/]*/i, "").split(/[?#]/, 1)[0];
  const signed = [method, digest, headers["content-type"] ?? "", `x-timestamp:${timestamp}`, path].join("\n");
  return secretSetsOf(input.credential, ["key", "secret"])
    .map(({ key, secret }) => {
      const bytes = Buffer.from(secret, "base64");
      const expected = createHmac("sha256", bytes).update(signed, "utf8").digest("base64");
      // What is no base64 at all would be an empty key, with which anybody can sign.
      return isSameSecret(givenKey, key) && isSameSecret(signature, expected) && bytes.length > 0;
    })
    .includes(true);
}

/** No event asks what next: `dice` is a status. */
function parseDial(): DialReport {
  throw invalidField("event", "is none that asks for the next target");
}

function parseStatus({ rawBody }: CarrierRequest, { now }: { now: Instant }): StatusReport {
  const event = parseJsonEvent(rawBody);
  const name = requiredTextIn(event, "event");
  const call = callOf(event);
  const at = eventTime(instantOf(event["timestamp"]), now);
  const deliveryKey = keyOf([call.carrierCallId, name, textIn(event, "type")]);
  if (name === "ace") return { ...call, deliveryKey, events: [{ kind: "answered", at }], elapsedMs: 0 };
  if (name !== "dice") return { ...call, deliveryKey, events: [], elapsedMs: 0 };
  const talkMs = durationOf(event);
  return { ...call, deliveryKey, events: endOf(event, { at, talkMs }), elapsedMs: talkMs ?? 0 };
}

/** Durations are whole seconds: an answer time computed from one is this much too early at worst. */
const DURATION_STEP_MS = 1_000;

/**
 * Both legs in one report. A call that we refused has a `dice` too: an attempt failed only when one was made, which our cookie tells, or a result that only a
 * target can give.
 */
function endOf(event: JsonEvent, input: { at: Instant; talkMs: number | null }): CallEvent[] {
  const { at, talkMs } = input;
  const result = textIn(event, "result");
  const reason = textIn(event, "reason");
  if (result === "" && reason === "") throw invalidField("result", "is missing");
  const ended = { kind: "ended", authority: 2, at } as const;
  if (result === "ANSWERED") {
    const releasedBy = RELEASED_BY.get(reason) ?? null;
    const end: CallEvent = { ...ended, status: "completed", cause: null, releasedBy, talkMs };
    if (talkMs === null) return [end];
    // Fills in when `ace` was lost; never earlier than the answer, so that it replaces none that was seen.
    return [{ kind: "answered", at: Math.min(at, at - talkMs + DURATION_STEP_MS) }, end];
  }
  const status = failureOf(result, reason);
  const isAttempted = cookieOf(event) !== null || result === "BUSY" || result === "NOANSWER";
  const releasedBy = status === "canceled" ? "caller" : null;
  const end: CallEvent = { ...ended, status, cause: status, releasedBy, talkMs: null };
  return isAttempted ? [{ kind: "attempt_failed", index: 0, sipStatus: null, cause: status, at }, end] : [end];
}

const RELEASED_BY: ReadonlyMap<string, ReleasedBy> = new Map([
  ["CALLERHANGUP", "caller"],
  ["CALLEEHANGUP", "callee"],
  ["MANAGERHANGUP", "system"],
  // The longest duration of a call was reached.
  ["TIMEOUT", "system"],
]);

/** A reason or result that Sinch adds one day is a failure, never an error. */
function failureOf(result: string, reason: string): "busy" | "canceled" | "no_answer" | "failed" {
  if (result === "BUSY") return "busy";
  if (reason === "CALLERHANGUP" || reason === "CANCEL") return "canceled";
  return result === "NOANSWER" || reason === "TIMEOUT" ? "no_answer" : "failed";
}

/** In seconds; from general knowledge of the answer on, as it is what the call is charged for. */
function durationOf(event: JsonEvent): number | null {
  const { duration } = event;
  return textIn(event, "result") === "ANSWERED" && typeof duration === "number"
    ? callDurationMs(duration * 1000)
    : null;
}

function callOf(event: JsonEvent): CallReport {
  return {
    // The documentation spells it both ways.
    carrierCallId: callIdIn(event, event["callid"] === undefined ? "callId" : "callid"),
    handle: null,
    caller: numberIn(event, "cli") ?? numberIn(event, "from"),
    callerName: null,
    verstat: null,
    // Redirected Dialled Number Information: who forwarded the call.
    diversion: numberIn(event, "rdnis"),
  };
}

/** "private" when the number is withheld. */
function numberIn(event: JsonEvent, name: string): E164 | null {
  return bareE164(textIn(event, name));
}
