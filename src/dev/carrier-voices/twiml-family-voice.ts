/**
 * What the carriers that speak TwiML have in common: form posts with CallSid, From, To and CallStatus, a <Dial action> callback, a statusCallback of the
 * business's leg and one of the number. They differ in signatures, ids and spellings. For twilio-voice.ts and its like.
 */
import type { Carrier } from "../../account/carrier-credentials.store.js";
import type { Random } from "../../kernel/random.js";
import type { CarrierKeys, CarrierVoice, Dialled, Heard, Outcome, SpokenCall, SpokenRequest } from "./carrier-voice.js";
import { attributesOf, elementOf, textOf } from "./read-xml.js";

export type Params = Readonly<Record<string, string>>;

export interface TwimlDialect {
  readonly carrier: Carrier;
  readonly name: string;
  makeCallId(random: Random): string;
  readonly accountSid: string;
  /** What From says when the caller withholds the number. */
  readonly withheld: string;
  /** Fields of a call whose caller the network vouches for. */
  readonly verified: Params;
  /** Fields that every request has beside those of all. */
  readonly also?: (call: SpokenCall) => Params;
  /** Fields of a dial callback and of the call's end beside those of all. */
  readonly alsoEnded?: (outcome: Outcome) => Params;
  readonly signsTime: boolean;
  makeKeys(random: Random): CarrierKeys;
}

const FORM = "application/x-www-form-urlencoded";
const TOKEN_BYTES = 16;

/** Keys of the carriers that sign the URL and the sorted fields with a token. @param header of the signature */
export function tokenKeys(header: string, sign: (token: string, url: string, params: Params) => string) {
  return (random: Random): CarrierKeys => {
    const token = random.bytes(TOKEN_BYTES).toString("hex");
    return {
      credential: { auth_tokens: [token] },
      sign: (request) => {
        const params = Object.fromEntries(new URLSearchParams(request.body.toString()));
        return { ...request, headers: { [header]: sign(token, request.url, params) } };
      },
    };
  };
}

export function twimlFamilyVoice(dialect: TwimlDialect): CarrierVoice {
  const { carrier, name, makeCallId } = dialect;
  const paramsOf = (call: SpokenCall): Params => ({
    AccountSid: dialect.accountSid,
    CallSid: call.id,
    Direction: "inbound",
    From: call.from ?? dialect.withheld,
    To: call.to,
    ...(call.isVerified ? dialect.verified : {}),
    ...(call.callerName === null ? {} : { CallerName: call.callerName }),
    ...dialect.also?.(call),
  });
  return {
    carrier,
    name,
    canHunt: true,
    signsTime: dialect.signsTime,
    signsNonce: false,
    signsBody: true,
    makeKeys: dialect.makeKeys,
    makeCallId,
    voice: (call, baseUrl) =>
      post(`${baseUrl}/webhooks/${carrier}/voice`, { ...paramsOf(call), CallStatus: "ringing" }),
    progress: (call, { heard, state }) => {
      if (heard.statusUrl === null) return null;
      const leg = { CallSid: `${call.id}-leg`, ParentCallSid: call.id, To: heard.target, Direction: "outbound-dial" };
      const CallStatus = state === "answered" ? "in-progress" : "ringing";
      return post(heard.statusUrl, { ...paramsOf(call), ...leg, CallStatus });
    },
    dialEnded: (call, { heard, outcome }) =>
      post(urlOf(heard), { ...paramsOf(call), ...dialParams(call, outcome), ...dialect.alsoEnded?.(outcome) }),
    callEnded: (call, { outcome, baseUrl }) => {
      const ended = outcome.kind === "answered" ? { CallDuration: String(outcome.talkS) } : {};
      return post(`${baseUrl}/webhooks/${carrier}/status`, {
        ...paramsOf(call),
        CallStatus: PARENT_STATUS[outcome.kind],
        SequenceNumber: "0",
        ...ended,
        ...dialect.alsoEnded?.(outcome),
      });
    },
    hear: ({ text }) => hearTwiml(text),
  };
}

function urlOf({ dialUrl }: Dialled): string {
  if (dialUrl === null) throw new Error("a <Dial> without an action");
  return dialUrl;
}

/** The caller's leg in the end. One whose business was busy has been told so by us: it is completed. */
const PARENT_STATUS: Readonly<Record<Outcome["kind"], string>> = {
  answered: "completed",
  busy: "busy",
  no_answer: "no-answer",
  failed: "failed",
  canceled: "canceled",
};

function dialParams(call: SpokenCall, outcome: Outcome): Params {
  const leg = { DialCallSid: `${call.id}-leg` };
  switch (outcome.kind) {
    case "answered": {
      const CallStatus = outcome.releasedBy === "callee" ? "in-progress" : "completed";
      return { ...leg, DialCallStatus: "completed", DialCallDuration: String(outcome.talkS), CallStatus };
    }
    case "canceled":
      return { ...leg, DialCallStatus: "canceled", CallStatus: "completed" };
    case "busy":
      return { ...leg, DialCallStatus: "busy", CallStatus: "ringing" };
    case "no_answer":
      return { ...leg, DialCallStatus: "no-answer", CallStatus: "ringing" };
    case "failed":
      return { ...leg, DialCallStatus: "failed", CallStatus: "ringing" };
  }
}

function post(url: string, params: Params): SpokenRequest {
  return { method: "POST", url, contentType: FORM, body: new URLSearchParams(params).toString() };
}

/** @throws Error for what is no TwiML of ours */
export function hearTwiml(xml: string): Heard {
  if (elementOf(xml, "Response") === null) throw new Error(`no <Response>: ${xml}`);
  const said = textOf(xml, "Say");
  const dial = attributesOf(xml, "Dial");
  if (dial !== null) {
    const noun = attributesOf(xml, "Number") === null ? "Sip" : "Number";
    const leg = attributesOf(xml, noun) ?? {};
    const target = textOf(xml, noun);
    if (target === null) throw new Error(`nobody is dialled: ${xml}`);
    return {
      kind: "dial",
      target,
      ringTimeoutS: Number(dial["timeout"]),
      dialUrl: dial["action"] ?? null,
      statusUrl: leg["statusCallback"] ?? null,
      whisperUrl: leg["url"] ?? null,
      isRecorded: (dial["record"] ?? "do-not-record") !== "do-not-record",
      announcement: said,
    };
  }
  const reject = attributesOf(xml, "Reject");
  if (reject !== null) return { kind: reject["reason"] === "busy" ? "busy" : "reject" };
  if (said !== null) return { kind: "announce", text: said };
  return { kind: elementOf(xml, "Hangup") === null ? "nothing" : "hangup" };
}
