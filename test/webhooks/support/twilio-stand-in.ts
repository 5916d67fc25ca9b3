/** Speaks to our webhooks as Twilio does: real HTTP, form posts, signatures by Twilio's own helper, and reads our TwiML back. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text as body } from "node:stream/consumers";
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import { CALLER } from "./caller.js";

export type Params = Readonly<Record<string, string>>;

export interface TwilioAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

export interface PostOptions {
  /** Signs with this token instead; null: no signature. */
  readonly token?: string | null;
  readonly signature?: string;
  /** Signs these instead of what is sent. */
  readonly signedUrl?: string;
  readonly signedParams?: Params;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TwilioStandIn {
  /** @param path with query, or an absolute URL from our TwiML */
  post(path: string, params: Params, options?: PostOptions): Promise<TwilioAnswer>;
  voice(call: Params, options?: PostOptions): Promise<TwilioAnswer>;
  /** The action callback of the answer's <Dial>. */
  dialEnded(answer: TwilioAnswer, call: Params, result: Params): Promise<TwilioAnswer>;
  /** The number's own StatusCallback, about the caller's leg. */
  status(call: Params, changes: Params): Promise<TwilioAnswer>;
  /** The <Number>'s or <Sip>'s statusCallback, about the business's leg. */
  legStatus(answer: TwilioAnswer, call: Params, changes: Params): Promise<TwilioAnswer>;
}

/** @param server where the service listens · publicUrl what Twilio was told and signs */
export function twilioStandIn(input: { server: string; publicUrl: string; token: string }): TwilioStandIn {
  const post: TwilioStandIn["post"] = async (path, params, options = {}) => {
    const target = path.startsWith("http") ? path.slice(input.publicUrl.length) : path;
    const token = options.token === undefined ? input.token : options.token;
    const signedUrl = options.signedUrl ?? input.publicUrl + target;
    const sign = () => getExpectedTwilioSignature(token ?? "", signedUrl, options.signedParams ?? params);
    const signature = options.signature ?? (token === null ? "" : sign());
    const headers = { ...(signature !== "" ? { "x-twilio-signature": signature } : {}), ...options.headers };
    return postForm({ server: input.server, target, body: new URLSearchParams(params).toString(), headers });
  };
  return {
    post,
    voice: (call, options) => post("/webhooks/twilio/voice", call, options),
    dialEnded: (answer, call, result) => post(attribute(answer, "action"), { ...call, ...result }),
    status: (call, changes) => post("/webhooks/twilio/status", { ...call, ...changes }),
    legStatus: (answer, call, changes) => {
      const { CallSid = "", ...rest } = call;
      const leg = { ...rest, ParentCallSid: CallSid, To: dialled(answer), Direction: "outbound-dial" };
      return post(attribute(answer, "statusCallback"), { CallSid: `${CallSid}-child`, ...leg, ...changes });
    },
  };
}

/** The target goes out exactly as given; fetch would rewrite it. */
export async function postForm(input: {
  server: string;
  target: string;
  body: string | Buffer;
  headers: Readonly<Record<string, string>>;
}): Promise<TwilioAnswer> {
  const { hostname, port } = new URL(input.server);
  const headers = { "content-type": "application/x-www-form-urlencoded", ...input.headers };
  const sending = request({ hostname, port, method: "POST", path: input.target, headers });
  sending.end(input.body);
  const [response] = (await once(sending, "response")) as [IncomingMessage];
  const text = await body(response);
  return { status: response.statusCode ?? 0, contentType: response.headers["content-type"] ?? "", text };
}

let serial = 0;

/** The parameters of an incoming call's voice webhook; every one is a call of its own. */
export function incomingCall(to: string, changes: Params = {}): Params {
  return {
    AccountSid: "AC00000000000000000000000000000001",
    ApiVersion: "2010-04-01",
    CallSid: `CA${String(serial++).padStart(32, "0")}`,
    CallStatus: "ringing",
    Called: to,
    Caller: CALLER,
    Direction: "inbound",
    From: CALLER,
    FromCity: "SÃO PAULO & CO = 100%+",
    To: to,
    ...changes,
  };
}

/** An attribute of the first element that has it. */
export function attribute(answer: TwilioAnswer, name: string): string {
  const found = new RegExp(`\\b${name}="([^"]*)"`).exec(answer.text);
  if (found === null) throw new Error(`no ${name} in ${answer.text}`);
  return (found[1] as string).replaceAll("&amp;", "&");
}

/** The number or SIP URI in <Number> or <Sip>. */
export function dialled(answer: TwilioAnswer): string {
  const found = /<(?:Number|Sip)\b[^>]*>([^<]*)</.exec(answer.text);
  if (found === null) throw new Error(`nothing is dialled in ${answer.text}`);
  return found[1] as string;
}

export const REJECTED = /<Response><Reject reason="rejected"\/><\/Response>$/;
export const HANGUP = /<Response><Hangup\/><\/Response>$/;
export const EMPTY = /<Response\/>$/;
