/** Vonage as it speaks to us: a signed answer request by GET or POST, JSON events, our NCCOs read back. See developer.vonage.com/en/voice/voice-api. */
import { createHash, createHmac } from "node:crypto";
import { systemClock, toIso } from "../../kernel/clock.js";
import type { CarrierVoice, Dialled, Heard, Outcome, SpokenCall, SpokenRequest } from "./carrier-voice.js";

type Fields = Readonly<Record<string, string | null>>;

const SECRET_BYTES = 24;
const JSON_TYPE = "application/json";

/** As an application is set up that nobody changed: answer_method GET. */
export const vonageGetVoice = vonageBy("GET");
export const vonageVoice = vonageBy("POST");

function vonageBy(answerMethod: "GET" | "POST"): CarrierVoice {
  return {
    carrier: "vonage",
    name: answerMethod === "GET" ? "vonage, asking by GET" : "vonage",
    canHunt: true,
    signsTime: true,
    signsNonce: true,
    signsBody: true,
    makeKeys: (random) => {
      const secret = random.bytes(SECRET_BYTES).toString("base64");
      return {
        credential: { signature_secret: secret },
        sign: (request, { nowMs, random: draw }) => {
          const payload_hash = createHash("sha256").update(payloadOf(request)).digest("hex");
          const claims = {
            ...{ iat: Math.floor(nowMs / 1000), jti: draw.uuid(), iss: "Vonage", payload_hash },
            ...{ api_key: "a1b2c3d4", application_id: "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab" },
          };
          return { ...request, headers: { authorization: `Bearer ${jwtOf(claims, secret)}` } };
        },
      };
    },
    makeCallId: (random) => `CON-${random.uuid()}`,
    voice: (call, baseUrl) => {
      const url = `${baseUrl}/webhooks/vonage/voice`;
      const region_url = "https://api-us-3.vonage.com";
      const asked = { ...numbersOf(call), endpoint_type: "phone", ...callerLeg(call), region_url };
      return answerMethod === "GET" ? get(url, asked) : post(url, asked);
    },
    progress: (call, { heard, state }) => post(urlOf(heard), { ...businessLeg(call, heard), status: state }),
    dialEnded: (call, { heard, outcome }) =>
      post(urlOf(heard), { ...businessLeg(call, heard), ...outcomeOf(outcome, "callee") }),
    callEnded: (call, { outcome, baseUrl }) =>
      post(`${baseUrl}/webhooks/vonage/status`, {
        ...{ ...callerLeg(call), ...numbersOf(call), direction: "inbound", timestamp: now() },
        ...completed(outcome.kind === "answered" ? outcome.talkS + RINGING_S : RINGING_S),
        disconnected_by: isReleasedBy(outcome, "caller") ? "user" : "platform",
      }),
    hear: ({ text }) => hearNcco(text),
  };
}

/** The caller's leg is up while the business's phone rings. */
const RINGING_S = 6;

/** Of a GET the query's fields as Vonage's support tells: a JSON object of texts in their order. */
function payloadOf({ method, url, body }: SpokenRequest): string | Buffer {
  if (method === "POST") return body;
  const fields: Record<string, string> = {};
  for (const [name, value] of new URL(url).searchParams) fields[name] = value;
  return JSON.stringify(fields);
}

function jwtOf(claims: object, secret: string): string {
  const [head, payload] = [{ typ: "JWT", alg: "HS256" }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  const signature = createHmac("sha256", secret).update(`${head}.${payload}`).digest("base64url");
  return `${head}.${payload}.${signature}`;
}

const numbersOf = (call: SpokenCall): Fields => ({ from: call.from?.slice(1) ?? "anonymous", to: call.to.slice(1) });
const callerLeg = (call: SpokenCall): Fields => ({ conversation_uuid: call.id, uuid: call.id.replace("CON-", "") });

/** Each attempt's leg has a uuid of its own; it calls from the promo number. */
function businessLeg(call: SpokenCall, heard: Dialled): Fields {
  const attempt = new URL(urlOf(heard)).searchParams.get("attempt") ?? "";
  const uuid = call.id.replace("CON-", "").replace(/^.{8}/, `leg${attempt.padStart(5, "0")}`);
  const to = heard.target.replace(/^\+/, "");
  const legs = { conversation_uuid: call.id, uuid, from: call.to.slice(1), to };
  return { ...legs, direction: "outbound", timestamp: now() };
}

function outcomeOf(outcome: Outcome, party: "caller" | "callee"): Fields {
  switch (outcome.kind) {
    case "answered":
      return { ...completed(outcome.talkS), disconnected_by: isReleasedBy(outcome, party) ? "user" : "platform" };
    case "busy":
      return { status: "busy", sip_code: "486" };
    case "no_answer":
      return { status: "timeout" };
    case "failed":
      return { status: "failed", detail: "cannot_route", sip_code: "503" };
    case "canceled":
      return { status: "cancelled" };
  }
}

const isReleasedBy = (outcome: Outcome, party: "caller" | "callee"): boolean =>
  outcome.kind === "answered" ? outcome.releasedBy === party : outcome.kind === "canceled" && party === "caller";

function completed(durationS: number): Fields {
  const end = systemClock.now();
  const times = { start_time: toIso(end - durationS * 1000), end_time: toIso(end) };
  return {
    status: "completed",
    duration: String(durationS),
    ...times,
    rate: "0.00450000",
    price: "0.00090000",
    network: null,
  };
}

const now = (): string => toIso(systemClock.now());

function urlOf({ dialUrl }: Dialled): string {
  if (dialUrl === null) throw new Error("a connect without an eventUrl");
  return dialUrl;
}

function get(url: string, fields: Fields): SpokenRequest {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== null) query.append(name, value);
  return { method: "GET", url: `${url}?${query.toString()}`, contentType: JSON_TYPE, body: "" };
}

function post(url: string, fields: Fields): SpokenRequest {
  return { method: "POST", url, contentType: JSON_TYPE, body: JSON.stringify(fields) };
}

interface Action {
  readonly action: string;
  readonly text?: string;
  readonly timeout?: number;
  readonly eventUrl?: readonly string[];
  readonly endpoint?: readonly {
    readonly type: string;
    readonly number?: string;
    readonly uri?: string;
    readonly onAnswer?: { readonly url: string };
  }[];
}

/** @throws Error for what is no NCCO of ours */
function hearNcco(text: string): Heard {
  if (text === "") return { kind: "nothing" };
  const actions = JSON.parse(text) as readonly Action[];
  if (!Array.isArray(actions)) throw new Error(`no NCCO: ${text}`);
  const find = (name: string): Action | undefined =>
    (actions as readonly Action[]).find(({ action }) => action === name);
  const said = find("talk")?.text ?? null;
  const connect = find("connect");
  if (connect === undefined) return said === null ? { kind: "hangup" } : { kind: "announce", text: said };
  const [endpoint] = connect.endpoint ?? [];
  const target = endpoint?.type === "phone" ? `+${endpoint.number ?? ""}` : endpoint?.uri;
  if (target === undefined) throw new Error(`nobody is dialled: ${text}`);
  return {
    kind: "dial",
    target,
    ringTimeoutS: connect.timeout ?? Number.NaN,
    dialUrl: connect.eventUrl?.[0] ?? null,
    statusUrl: connect.eventUrl?.[0] ?? null,
    whisperUrl: endpoint?.onAnswer?.url ?? null,
    isRecorded: find("record") !== undefined,
    announcement: said,
  };
}
