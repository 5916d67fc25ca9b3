/**
 * Sinch as it speaks to us: JSON events to the application's one callback URL, signed as developers.sinch.com/docs/voice/api-reference/authentication/callback-signed-request
 * says, our SVAML read back. It tells of no ringing, and of a failed attempt only that the call is over.
 */
import { createHash, createHmac } from "node:crypto";
import type { CarrierVoice, Heard, Outcome, SignedRequest, SpokenCall, SpokenRequest } from "./carrier-voice.js";

const JSON_TYPE = "application/json";
const SECRET_BYTES = 16;
const ID_BYTES = 16;
const APPLICATION = "669e367e-6bba-48ab-af15-266871c28135";

export const sinchVoice: CarrierVoice = {
  carrier: "sinch",
  name: "sinch",
  canHunt: false,
  signsTime: true,
  signsNonce: false,
  signsBody: true,
  makeKeys: (random) => {
    const key = random.uuid();
    const secret = random.bytes(SECRET_BYTES).toString("base64");
    return { credential: { key, secret }, sign: (request, { nowMs }) => signed(request, { key, secret, nowMs }) };
  },
  makeCallId: (random) => random.bytes(ID_BYTES).toString("hex"),
  voice: (call, baseUrl) =>
    post(baseUrl, call, {
      event: "ice",
      callResourceUrl: `https://calling-use1.api.sinch.com/calling/v1/calls/id/${call.id}`,
      userRate: { currencyId: "USD", amount: 0 },
      cli: cliOf(call),
      to: { type: "did", endpoint: call.to },
      domain: "pstn",
      originationType: "PSTN",
      rdnis: "",
    }),
  progress: (call, { state, baseUrl }) =>
    state === "ringing" ? null : post(baseUrl, call, { event: "ace", ...echoed(call) }),
  dialEnded: (call, { heard, outcome, baseUrl }) =>
    post(baseUrl, call, {
      event: "dice",
      ...END[outcome.kind],
      ...(outcome.kind === "answered"
        ? { reason: outcome.releasedBy === "caller" ? "CALLERHANGUP" : "CALLEEHANGUP" }
        : {}),
      duration: outcome.kind === "answered" ? outcome.talkS : 0,
      debit: { currencyId: "USD", amount: 0.0095 },
      userRate: { currencyId: "USD", amount: 0.0095 },
      to: { type: "number", endpoint: heard.target.slice(1) },
      from: cliOf(call),
      ...echoed(call),
    }),
  callEnded: () => null,
  hear: ({ text }, call) => hearSvaml(text, call),
};

const END: Readonly<Record<Outcome["kind"], { result: string; reason: string }>> = {
  answered: { result: "ANSWERED", reason: "CALLEEHANGUP" },
  busy: { result: "BUSY", reason: "N/A" },
  no_answer: { result: "NOANSWER", reason: "TIMEOUT" },
  failed: { result: "FAILED", reason: "GENERALERROR" },
  canceled: { result: "NOANSWER", reason: "CANCEL" },
};

function cliOf({ from }: SpokenCall): string {
  return from === null ? "private" : from.slice(1);
}

/** What our answer to `ice` set, in the shape of the vendor's own server SDK; `hear` refuses an answer that sets anything else. */
function echoed(call: SpokenCall): { cookies: readonly { key: string; value: string }[] } {
  return { cookies: [{ key: "ringmatch-called", value: call.to }] };
}

/** Without a timestamp in the body: what a voice says has no time of its own before it is signed. */
function post(baseUrl: string, call: SpokenCall, event: Readonly<Record<string, unknown>>): SpokenRequest {
  const body = { callid: call.id, version: 1, custom: "", applicationKey: APPLICATION, ...event };
  return { method: "POST", url: `${baseUrl}/webhooks/sinch/voice`, contentType: JSON_TYPE, body: JSON.stringify(body) };
}

/** Lines of the string to sign, one after the other into the digest. */
function signed(request: SpokenRequest, input: { key: string; secret: string; nowMs: number }): SignedRequest {
  // Ten millionths of a second, as .NET writes them.
  const timestamp = new Date(input.nowMs).toISOString().replace("Z", "0000Z");
  const hmac = createHmac("sha256", Buffer.from(input.secret, "base64"));
  hmac.update(`${request.method}\n`);
  hmac.update(createHash("md5").update(request.body).digest("base64"));
  hmac.update(`\n${request.contentType}\n`);
  hmac.update(`x-timestamp:${timestamp}\n`);
  hmac.update(new URL(request.url).pathname);
  const authorization = `application ${input.key}:${hmac.digest("base64")}`;
  return { ...request, headers: { authorization, "x-timestamp": timestamp } };
}

interface Svaml {
  readonly instructions?: readonly Readonly<Record<string, string>>[];
  readonly action?: Readonly<Record<string, unknown>>;
}

/** @throws Error for what Sinch would not understand in the answer to an event of this call */
function hearSvaml(text: string, call: SpokenCall): Heard {
  const { instructions = [], action = {} } = JSON.parse(text) as Svaml;
  let said: string | null = null;
  let cookie: string | null = null;
  for (const { name, key, value, text: words } of instructions) {
    if (name === "say" && words !== undefined) said = words;
    else if (name === "setCookie" && key === "ringmatch-called" && value !== undefined) cookie = value;
    else throw new Error(`no instruction: ${text}`);
  }
  switch (action["name"]) {
    case "connectPstn":
      if (cookie !== call.to) throw new Error(`later events would not name their number: ${text}`);
      return dialled(String(action["number"]), { ringTimeoutS: Number(action["dialTimeout"]), announcement: said });
    case "hangup":
      return said === null ? { kind: "hangup" } : { kind: "announce", text: said };
    case "continue":
      return { kind: "nothing" };
    default:
      throw new Error(`no action: ${text}`);
  }
}

function dialled(target: string, input: { ringTimeoutS: number; announcement: string | null }): Heard {
  return { kind: "dial", target, ...input, dialUrl: null, statusUrl: null, whisperUrl: null, isRecorded: false };
}
