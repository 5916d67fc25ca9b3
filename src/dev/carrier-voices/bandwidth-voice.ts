/**
 * Bandwidth as it speaks to us: JSON events with HTTP Basic, our BXML read back. See dev.bandwidth.com/docs/voice/webhooks. The end of an attempt is told by
 * transferComplete while the caller is there, else by transferDisconnect alone.
 */
import type { Random } from "../../kernel/random.js";
import type {
  CarrierVoice,
  Dialled,
  Heard,
  Outcome,
  SpokenAnswer,
  SpokenCall,
  SpokenRequest,
} from "./carrier-voice.js";
import { attributesOf, elementOf, textOf } from "./read-xml.js";

const JSON_TYPE = "application/json; charset=utf-8";
const PASSWORD_BYTES = 16;
const ACCOUNT = "55555555";
const APPLICATION = "7fc9698a-b04a-468b-9e8f-91238c0d0086";
/** BXML documents may be 64 kB long. */
const DOCUMENT_BYTES_MAX = 64 * 1024;

export const bandwidthVoice: CarrierVoice = {
  carrier: "bandwidth",
  name: "bandwidth",
  canHunt: true,
  signsTime: false,
  signsNonce: false,
  signsBody: false,
  makeKeys: (random) => {
    const username = `ringmatch-${random.bytes(2).toString("hex")}`;
    const password = random.bytes(PASSWORD_BYTES).toString("base64url");
    const authorization = `Basic ${btoa(`${username}:${password}`)}`;
    return {
      credential: { username, password },
      sign: (request) => ({ ...request, headers: { authorization } }),
    };
  },
  makeCallId,
  voice: (call, baseUrl) =>
    post(`${baseUrl}/webhooks/bandwidth/voice`, {
      ...callerLeg(call, "initiate"),
      ...(call.isVerified ? VERIFIED : {}),
    }),
  progress: (call, { heard, state }) => {
    if (state === "ringing") return null;
    const url = heard.whisperUrl ?? urlOf(heard.statusUrl);
    return post(url, { ...businessLeg(call, "transferAnswer", heard), answerTime: timeAt(ANSWERED_S) });
  },
  dialEnded: (call, { heard, outcome }) =>
    isCallerGone(outcome) ? legEnded(call, heard, outcome) : asked(call, heard, outcome),
  legEnded: (call, { heard, outcome }) => legEnded(call, heard, outcome),
  callEnded: (call, { outcome, baseUrl }) =>
    post(`${baseUrl}/webhooks/bandwidth/status`, {
      ...callerLeg(call, "disconnect"),
      ...endOf(outcome),
      tag: TAG,
      // What the business could not answer we have hung up.
      cause: outcome.kind === "canceled" ? "cancel" : "hangup",
    }),
  hear: hearBxml,
};

const VERIFIED = {
  stirShaken: {
    verstat: "TN-Validation-Passed",
    attestationIndicator: "A",
    originatingId: "8a2e1c4e-3d44-4d5f-9c6f-2d6e3a8f7b11",
  },
};

/** Which our <Transfer> sets; `hear` refuses one that does not. */
const TAG = "ringmatch";

/** As in Bandwidth's examples: "c-", eight hexadecimal digits, and a UUID. */
function makeCallId(random: Random): string {
  return `c-${random.bytes(4).toString("hex")}-${random.uuid()}`;
}

function isCallerGone(outcome: Outcome): boolean {
  return outcome.kind === "canceled" || (outcome.kind === "answered" && outcome.releasedBy === "caller");
}

const CAUSE: Readonly<Record<Outcome["kind"], string>> = {
  answered: "hangup",
  busy: "busy",
  no_answer: "timeout",
  failed: "error",
  canceled: "cancel",
};

function asked(call: SpokenCall, heard: Dialled, outcome: Outcome): SpokenRequest {
  const transfer = { transferCallerId: call.from ?? "Anonymous", transferTo: heard.target };
  const leg = { ...callerLeg(call, "transferComplete"), ...transfer, ...(outcome.kind === "answered" ? ANSWERED : {}) };
  return post(urlOf(heard.dialUrl), { ...leg, tag: TAG, cause: CAUSE[outcome.kind] });
}

function legEnded(call: SpokenCall, heard: Dialled, outcome: Outcome): SpokenRequest {
  const leg = { ...businessLeg(call, "transferDisconnect", heard), ...endOf(outcome), cause: CAUSE[outcome.kind] };
  return post(urlOf(heard.statusUrl), leg);
}

/** Seconds after the call's start. */
const ANSWERED_S = 3;
/** A voice has no clock: its times are right among each other, and too late for any of them to look like a report that was held up. */
const START_MS = Date.parse("2099-06-20T15:54:22.234Z");

function timeAt(seconds: number): string {
  return new Date(START_MS + seconds * 1000).toISOString();
}

const ANSWERED = { answerTime: timeAt(ANSWERED_S) };

function endOf(outcome: Outcome): { answerTime?: string; endTime: string } {
  if (outcome.kind !== "answered") return { endTime: timeAt(ANSWERED_S) };
  return { ...ANSWERED, endTime: timeAt(ANSWERED_S + outcome.talkS) };
}

function callerLeg(call: SpokenCall, eventType: string): Readonly<Record<string, unknown>> {
  return {
    eventType,
    eventTime: timeAt(ANSWERED_S),
    accountId: ACCOUNT,
    applicationId: APPLICATION,
    from: call.from ?? "Anonymous",
    to: call.to,
    direction: "inbound",
    callId: call.id,
    callUrl: `https://voice.bandwidth.com/api/v2/accounts/${ACCOUNT}/calls/${call.id}`,
    startTime: timeAt(0),
  };
}

function businessLeg(call: SpokenCall, eventType: string, heard: Dialled): Readonly<Record<string, unknown>> {
  const transfer = { transferCallerId: call.from ?? "Anonymous", transferTo: heard.target };
  const leg = { callId: `${call.id}-b`, parentCallId: call.id, direction: "outbound" };
  return { ...callerLeg(call, eventType), ...leg, ...transfer };
}

function post(url: string, event: Readonly<Record<string, unknown>>): SpokenRequest {
  return { method: "POST", url, contentType: JSON_TYPE, body: JSON.stringify(event) };
}

function urlOf(url: string | null): string {
  if (url === null) throw new Error("a <Transfer> without its URLs");
  return url;
}

/** @throws Error for what is no BXML of ours, or names callbacks that would come without a login */
function hearBxml({ text }: SpokenAnswer): Heard {
  if (elementOf(text, "Response") === null || Buffer.byteLength(text) > DOCUMENT_BYTES_MAX)
    throw new Error(`no <Response>: ${text}`);
  const said = textOf(text, "SpeakSentence");
  const transfer = attributesOf(text, "Transfer");
  if (transfer !== null) return transferred(text, { transfer, said });
  if (said !== null) return { kind: "announce", text: said };
  // An empty document hangs up, too.
  return { kind: elementOf(text, "Tag") === null ? "hangup" : "nothing" };
}

function transferred(text: string, input: { transfer: Record<string, string>; said: string | null }): Heard {
  const { transfer, said } = input;
  const noun = attributesOf(text, "PhoneNumber") === null ? "SipUri" : "PhoneNumber";
  const leg = attributesOf(text, noun) ?? {};
  const target = textOf(text, noun);
  if (target === null || transfer["tag"] !== TAG) throw new Error(`nobody is called, or nothing tells it: ${text}`);
  for (const login of [transfer["username"], transfer["password"], leg["username"], leg["password"]])
    if (login === undefined || login === "") throw new Error(`callbacks without a login: ${text}`);
  const statusUrl = leg["transferDisconnectUrl"] ?? null;
  const answerUrl = leg["transferAnswerUrl"] ?? null;
  return {
    kind: "dial",
    target,
    ringTimeoutS: Number(transfer["callTimeout"]),
    dialUrl: transfer["transferCompleteUrl"] ?? null,
    statusUrl,
    whisperUrl: answerUrl === statusUrl ? null : answerUrl,
    isRecorded: elementOf(text, "StartRecording") !== null,
    announcement: said,
  };
}
