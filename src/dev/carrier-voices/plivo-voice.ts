/** Plivo as it speaks to us: form posts with numbers that lack their +, signed with signature V3; our XML read back. See plivo.com/docs/voice/xml. */
import { createHmac } from "node:crypto";
import type { CarrierVoice, Dialled, Heard, Outcome, SpokenCall, SpokenRequest } from "./carrier-voice.js";
import { attributesOf, elementOf, textOf } from "./read-xml.js";

type Params = Readonly<Record<string, string>>;

const TOKEN_BYTES = 20;
const NONCE_BYTES = 10;

export const plivoVoice: CarrierVoice = {
  carrier: "plivo",
  name: "plivo",
  canHunt: true,
  signsTime: false,
  signsNonce: true,
  signsBody: true,
  makeKeys: (random) => {
    const token = random.bytes(TOKEN_BYTES).toString("hex");
    return {
      credential: { auth_tokens: [token] },
      sign: (request, { random: draw }) => {
        const nonce = draw.bytes(NONCE_BYTES).toString("hex");
        const signature = createHmac("sha256", token)
          .update(`${signedPart(request)}.${nonce}`)
          .digest("base64");
        const headers = { "x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": nonce };
        return { ...request, headers };
      },
    };
  },
  makeCallId: (random) => random.uuid(),
  voice: (call, baseUrl) =>
    post(`${baseUrl}/webhooks/plivo/voice`, { ...paramsOf(call), CallStatus: "ringing", Event: "StartApp" }),
  progress: (call, { heard, state }) => {
    if (heard.statusUrl === null || state === "ringing") return null;
    const answered = { Event: "DialAnswer", DialAction: "answer", DialBLegStatus: "answer" };
    return post(heard.statusUrl, { ...paramsOf(call), ...legsOf(call, heard), ...answered });
  },
  dialEnded: (call, { heard, outcome }) => {
    if (heard.dialUrl === null) throw new Error("a <Dial> without an action");
    return post(heard.dialUrl, { ...paramsOf(call), Event: "Redirect", ...dialParams(call, heard, outcome) });
  },
  callEnded: (call, { outcome, baseUrl }) =>
    post(`${baseUrl}/webhooks/plivo/status`, { ...paramsOf(call), ...hangupParams(outcome) }),
  hear: ({ text }) => hearXml(text),
};

/** Everything before the nonce: the query sorted behind a ?, the form sorted behind a point where there is a query. */
function signedPart({ url, body }: SpokenRequest): string {
  const form = [...new URLSearchParams(body.toString())].sort(byNameAndValue);
  const { origin, pathname, searchParams } = new URL(url);
  const query = [...searchParams].sort(byNameAndValue);
  const asked = query.map((pair) => pair.join("=")).join("&");
  const separator = form.length === 0 ? "" : query.length === 0 ? "" : ".";
  const mark = form.length + query.length === 0 ? "" : "?";
  return `${origin}${pathname}${mark}${asked}${separator}${form.map((pair) => pair.join("")).join("")}`;
}

function byNameAndValue([a, aValue]: readonly string[], [b, bValue]: readonly string[]): number {
  return compare(a, b) || compare(aValue, bValue);
}

function compare(a = "", b = ""): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function paramsOf(call: SpokenCall): Params {
  return {
    CallUUID: call.id,
    Direction: "inbound",
    From: call.from?.slice(1) ?? "anonymous",
    To: call.to.slice(1),
    ParentAuthID: "MAMDAWMDFLMDEYMGEWNM",
    SessionStart: "2026-01-01 12:00:00.000000",
    BillRate: "0.0085",
    ...(call.isVerified ? { STIRVerification: "Verified" } : {}),
    ...(call.callerName === null ? {} : { CallerName: call.callerName }),
  };
}

function legsOf(call: SpokenCall, heard: Dialled): Params {
  return {
    DialALegUUID: call.id,
    DialBLegUUID: `${call.id}-b`,
    DialBLegFrom: call.from?.slice(1) ?? "anonymous",
    DialBLegTo: heard.target,
  };
}

/** Nobody else's leg has an id when nobody answered. */
function dialParams(call: SpokenCall, heard: Dialled, outcome: Outcome): Params {
  const legs = { DialALegUUID: call.id, DialRingStatus: "true" };
  switch (outcome.kind) {
    case "answered": {
      const CallStatus = outcome.releasedBy === "callee" ? "in-progress" : "completed";
      const { DialBLegUUID = "" } = legsOf(call, heard);
      return { ...legs, DialBLegUUID, DialStatus: "completed", DialHangupCause: "NORMAL_CLEARING", CallStatus };
    }
    case "busy":
      return { ...legs, DialBLegUUID: "", DialStatus: "busy", DialHangupCause: "USER_BUSY", CallStatus: "ringing" };
    case "no_answer":
      return {
        ...legs,
        DialBLegUUID: "",
        DialStatus: "no-answer",
        DialHangupCause: "NO_ANSWER",
        CallStatus: "ringing",
      };
    case "failed":
      return {
        ...{ ...legs, DialRingStatus: "false", DialBLegUUID: "", DialStatus: "failed", CallStatus: "ringing" },
        DialHangupCause: "NETWORK_OUT_OF_ORDER",
      };
    case "canceled":
      return {
        ...{ ...legs, DialBLegUUID: "", DialStatus: "cancel", CallStatus: "completed" },
        DialHangupCause: "ORIGINATOR_CANCEL",
      };
  }
}

/** Of the caller's leg. One whose business was busy has been hung up on by our document. */
function hangupParams(outcome: Outcome): Params {
  const ended = { Event: "Hangup", CallStatus: "completed", HangupCauseCode: "4000" };
  const cause = { HangupCause: "NORMAL_CLEARING", HangupCauseName: "Normal Hangup" };
  if (outcome.kind === "answered") {
    const HangupSource = outcome.releasedBy === "caller" ? "Caller" : "Callee";
    const Duration = String(outcome.talkS);
    return { ...ended, ...cause, HangupSource, Duration, BillDuration: "60", TotalCost: "0.00850" };
  }
  const nothing = { Duration: "0", BillDuration: "0", TotalCost: "0.00000" };
  if (outcome.kind === "canceled")
    return { ...ended, ...nothing, HangupCause: "ORIGINATOR_CANCEL", HangupSource: "Caller" };
  return { ...ended, ...cause, ...nothing, HangupSource: "Answer XML" };
}

function post(url: string, params: Params): SpokenRequest {
  const body = new URLSearchParams(params).toString();
  return { method: "POST", url, contentType: "application/x-www-form-urlencoded", body };
}

/** @throws Error for what is no Plivo XML of ours */
function hearXml(xml: string): Heard {
  if (elementOf(xml, "Response") === null) throw new Error(`no <Response>: ${xml}`);
  const said = textOf(xml, "Speak");
  const dial = attributesOf(xml, "Dial");
  if (dial !== null) {
    const target = textOf(xml, "Number") ?? textOf(xml, "User");
    if (target === null) throw new Error(`nobody is dialled: ${xml}`);
    return {
      kind: "dial",
      target,
      ringTimeoutS: Number(dial["timeout"]),
      dialUrl: dial["action"] ?? null,
      statusUrl: dial["callbackUrl"] ?? null,
      whisperUrl: dial["confirmSound"] ?? null,
      isRecorded: attributesOf(xml, "Record")?.["startOnDialAnswer"] === "true",
      announcement: said,
    };
  }
  if (said !== null) return { kind: "announce", text: said };
  const hangup = attributesOf(xml, "Hangup");
  if (hangup === null) return { kind: "nothing" };
  if (hangup["reason"] === "busy") return { kind: "busy" };
  return { kind: hangup["reason"] === "rejected" ? "reject" : "hangup" };
}
