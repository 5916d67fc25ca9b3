/**
 * Vonage Voice: answer_url by GET (its default) or POST, events as JSON, all signed with a JWT, answered with NCCOs; numbers come without +. Every leg has
 * a uuid of its own; conversation_uuid is the same for the caller's leg (direction inbound) and the business's (outbound), and is the call's id here.
 * We give a `connect` its own eventUrl, so that the business's legs report to our dial URL and the caller's to the application's event_url. An
 * outbound leg's `from` is our promo number, never the caller. developer.vonage.com/en/voice/voice-api/webhook-reference.
 */
import type { Instant } from "../../kernel/clock.js";
import type { CallEvent, TerminalStatus } from "../../telephony/call-event.js";
import { huntsOn } from "../../telephony/sip-status.js";
import { bareE164, withPlus } from "./reading/bare-number.js";
import { eventTime, looseInstantOf } from "./reading/event-times.js";
import { parseJsonEvent } from "./reading/json-event.js";
import type {
  CallReport,
  CarrierAdapter,
  CarrierRequest,
  DialReport,
  DialResult,
  StatusReport,
  WebhookKind,
} from "./carrier-adapter.js";
import { parseForm } from "./reading/form-body.js";
import {
  connectNcco,
  conversationIn,
  fallbackNcco,
  hangupNcco,
  noNcco,
  refusalNcco,
  whisperNcco,
} from "./documents/ncco.js";
import {
  callIdOf,
  durationMs,
  type Field,
  formField,
  invalidField,
  jsonField,
  keyOf,
} from "./reading/report-fields.js";
import { vonageSigned } from "./signatures/vonage-signature.js";

export const vonage: CarrierAdapter = {
  carrier: "vonage",
  contentTypes: ["application/json"],
  takesGet: true,
  peekCalledNumber: (request) => {
    const field = fieldsOf(request);
    const called = field(isBusinessLeg(field) ? "from" : "to");
    return called === "" ? null : withPlus(called);
  },
  verify: vonageSigned,
  kindOf: (request, path) => kindOf(fieldsOf(request), path),
  parseVoice: (request) => callOf(request, fieldsOf(request)),
  parseDial,
  parseStatus,
  renderAttempt: connectNcco,
  renderRefusal: refusalNcco,
  renderHangup: hangupNcco,
  renderEmpty: noNcco,
  renderFallback: fallbackNcco,
  renderWhisper: whisperNcco,
};

/** @throws AppError("unreadable_body") */
function fieldsOf({ method, url, rawBody }: CarrierRequest): Field {
  if (method === "POST") return jsonField(parseJsonEvent(rawBody));
  const at = url.indexOf("?");
  return formField(parseForm(Buffer.from(at < 0 ? "" : url.slice(at + 1))));
}

const isBusinessLeg = (field: Field): boolean => field("direction") === "outbound";

/** How a leg ends that nobody talked on. Vonage documents them for outbound legs. */
const UNCONNECTED: ReadonlyMap<string, Exclude<TerminalStatus, "completed" | "intercepted">> = new Map([
  ["busy", "busy"],
  ["timeout", "no_answer"],
  ["unanswered", "no_answer"],
  ["rejected", "failed"],
  ["failed", "failed"],
  ["cancelled", "canceled"],
]);

/**
 * An answer or whisper request has no status; an event tells by it, and by its leg, what it is. Of what names neither (a recording is ready, an NCCO had
 * an error) only that it came is taken.
 */
function kindOf(field: Field, path: WebhookKind): WebhookKind {
  const status = field("status");
  if (status === "") return field("to") === "" && path !== "whisper" ? "status" : path;
  if (field("direction") === "inbound") return "status";
  if (UNCONNECTED.has(status)) return "dial";
  return status === "completed" && (isBusinessLeg(field) || path === "dial") ? "dial" : "status";
}

/**
 * A leg ends once: Vonage reports `completed` after `busy`, and perhaps `cancelled` after `timeout`, so the first end of a leg is the one that counts
 * and its answer is given to all.
 */
function parseDial(request: CarrierRequest): DialReport {
  const field = fieldsOf(request);
  const call = callOf(request, field);
  return { ...call, deliveryKey: keyOf([call.carrierCallId, field("uuid")]), result: dialResult(field) };
}

function dialResult(field: Field): DialResult {
  const status = field("status");
  if (status === "completed") {
    const talkMs = durationMs(field("duration"));
    // The leg ended unanswered, and no reason came before: it was given up with the call.
    if (talkMs === 0) return { kind: "canceled" };
    return { kind: "completed", talkMs, releasedBy: field("disconnected_by") === "user" ? "callee" : null };
  }
  const failure = UNCONNECTED.get(status);
  if (failure === undefined) throw invalidField("status", "does not end a leg");
  if (failure === "canceled") return { kind: "canceled" };
  const sipStatus = sipStatusOf(field);
  return { kind: "failed", failure, sipStatus, huntsOn: huntsOnAfter(field, sipStatus) };
}

/** Who declines has spoken for the business. Else the network's word counts only where Vonage has none of its own for what happened. */
function huntsOnAfter(field: Field, sipStatus: number | null): boolean {
  if (field("detail") === "declined" || sipStatus === 603) return false;
  if (sipStatus === null || !["rejected", "failed"].includes(field("status"))) return true;
  return huntsOn({ kind: "status", status: sipStatus });
}

function sipStatusOf(field: Field): number | null {
  const code = field("sip_code");
  return /^[3-6]\d\d$/.test(code) ? Number(code) : null;
}

function parseStatus(request: CarrierRequest, { now }: { attempt: number; now: Instant }): StatusReport {
  const field = fieldsOf(request);
  const call = callOf(request, field);
  const parts = [call.carrierCallId, field("uuid"), field("status"), field("timestamp")];
  const at = eventTime(looseInstantOf(field("timestamp")), now);
  const events = isBusinessLeg(field) ? businessEvents(field, at) : callerEvents(field, at);
  const isOver = field("status") === "completed";
  const elapsedMs = isOver ? (durationMs(field("duration")) ?? 0) : 0;
  return { ...call, deliveryKey: keyOf(parts), events, elapsedMs };
}

function businessEvents(field: Field, at: Instant): CallEvent[] {
  switch (field("status")) {
    case "ringing":
      return [{ kind: "ringing", at }];
    case "answered":
      return [{ kind: "answered", at }];
    default:
      return [];
  }
}

/**
 * Vonage answers the caller before anybody rings: that says nothing of the business. Its end does; its duration is longer than the conversation by the
 * ringing, and the business's leg's own replaces it.
 */
function callerEvents(field: Field, at: Instant): CallEvent[] {
  const ended = { kind: "ended", authority: 1, at } as const;
  const status = field("status");
  if (status === "completed") {
    const releasedBy = field("disconnected_by") === "user" ? "caller" : null;
    return [{ ...ended, status, cause: null, releasedBy, talkMs: durationMs(field("duration")) }];
  }
  const cause = UNCONNECTED.get(status);
  if (cause === undefined) return [];
  return [{ ...ended, status: cause, cause, releasedBy: cause === "canceled" ? "caller" : null, talkMs: null }];
}

/** Vonage's webhooks carry no STIR verdict, no caller's name and no diversion. A caller is no number when withheld, or a user of its client SDK. */
function callOf({ url }: CarrierRequest, field: Field): CallReport {
  const ofCall: Field = (name) => conversationIn(url) ?? field(name);
  return {
    carrierCallId: callIdOf(ofCall, field("conversation_uuid") === "" ? "uuid" : "conversation_uuid"),
    handle: null,
    caller: isBusinessLeg(field) ? null : bareE164(field("from")),
    callerName: null,
    verstat: null,
    diversion: null,
  };
}
