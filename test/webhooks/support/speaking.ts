/** One carrier's voice over real HTTP to the webhooks of a test, with a credential of its own; what happens between the two can be tampered with. */
import { once } from "node:events";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { text as bodyText } from "node:stream/consumers";
import { putCredential } from "../../../src/account/carrier-credentials.store.js";
import type { CallRecord } from "../../../src/attribution/call-record.js";
import { findCallByKey, getCall } from "../../../src/attribution/calls.store.js";
import type { Database } from "../../../src/db/database.js";
import type {
  CarrierKeys,
  CarrierVoice,
  Dialled,
  Heard,
  SignedRequest,
  SpokenAnswer,
  SpokenCall,
  SpokenRequest,
} from "../../../src/dev/carrier-voices/carrier-voice.js";
import type { Random } from "../../../src/kernel/random.js";
import { systemRandom } from "../../../src/kernel/random.js";
import { freshDatabase } from "../../support/database.js";
import { until } from "../../support/until.js";
import { ids, secrets } from "../../support/world.js";
import { CALLER } from "./caller.js";
import { PUBLIC_URL, startWebhooks, type WebhookService } from "./webhook-service.js";

export interface Sending {
  /** Signs with these instead; null: no signature at all. */
  readonly keys?: CarrierKeys | null;
  readonly nowMs?: number;
  readonly random?: Random;
  /** What arrives instead of what was signed. */
  readonly tamper?: (signed: SignedRequest) => SignedRequest;
}

export interface Speaker {
  readonly voice: CarrierVoice;
  readonly keys: CarrierKeys;
  readonly credentialId: string;
  call(to: string, changes?: Partial<SpokenCall>): SpokenCall;
  send(request: SpokenRequest, sending?: Sending): Promise<SpokenAnswer>;
  /** A voice webhook, and what its answer means. */
  ring(call: SpokenCall): Promise<Heard>;
  /** The same, for a call that must be connected. */
  ringThrough(call: SpokenCall): Promise<Dialled>;
  /** The one record of a call; null when it has none. */
  recordOf(call: SpokenCall): Promise<CallRecord | null>;
  /** As soon as it is there: on a busy machine it may have gone through the spool. */
  record(call: SpokenCall): Promise<CallRecord>;
  /** As soon as it says so. */
  recordWhen(call: SpokenCall, is: (record: CallRecord) => boolean): Promise<CallRecord>;
}

export interface SpeakerInput {
  readonly db: Database;
  readonly service: WebhookService;
  readonly voice: CarrierVoice;
  /** Default: the platform's credential. */
  readonly accountId?: string | null;
  readonly intercept?: "reject" | "announce";
  readonly keys?: CarrierKeys;
  /** What is put instead of the keys' own credential. */
  readonly credential?: Readonly<Record<string, unknown>>;
}

export async function speakAs(input: SpeakerInput): Promise<Speaker> {
  const { db, service, voice, accountId = null, intercept = "reject", keys = voice.makeKeys(systemRandom) } = input;
  const put = { carrier: voice.carrier, accountId, secrets: input.credential ?? keys.credential, intercept };
  const credentialId = await putCredential({ db, ids, secrets }, put);
  const send: Speaker["send"] = (request, sending = {}) =>
    deliver(service, { signed: sign(request, { keys, ...sending }), from: service.commands.length });
  const ring: Speaker["ring"] = async (call) => {
    const answer = await send(voice.voice(call, PUBLIC_URL));
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    return voice.hear(answer, call);
  };
  const recordOf: Speaker["recordOf"] = async (call) => {
    const ref = await findCallByKey(db, `${voice.carrier}:${credentialId}:${call.id}`);
    return ref === null ? null : getCall(db, { id: ref.callId, accountId: null });
  };
  const recordWhen: Speaker["recordWhen"] = (call, is) =>
    until("the call's record is so", async () => {
      await service.routing.callLog.replayNow();
      const record = await recordOf(call);
      return record !== null && is(record) ? record : null;
    });
  return {
    voice,
    keys,
    credentialId,
    call: (to, changes = {}) => ({
      id: voice.makeCallId(systemRandom),
      to,
      from: CALLER,
      isVerified: false,
      callerName: null,
      ...changes,
    }),
    send,
    ring,
    ringThrough: async (call) => {
      const heard = await ring(call);
      if (heard.kind !== "dial") throw new Error(`not connected: ${JSON.stringify(heard)}`);
      return heard;
    },
    recordOf,
    record: (call) => recordWhen(call, () => true),
    recordWhen,
  };
}

/** A service on a database of its own, and the voice on the platform's credential. Stop the service in an afterAll. */
export async function startSpeaking(voice: CarrierVoice) {
  const { db } = await freshDatabase();
  const service = await startWebhooks(db);
  return { db, service, speaker: await speakAs({ db, service, voice }) };
}

function sign(request: SpokenRequest, sending: Sending & { readonly keys: CarrierKeys | null }): SignedRequest {
  const { keys, nowMs = Date.now(), random = systemRandom, tamper = (signed) => signed } = sending;
  return tamper(keys === null ? { ...request, headers: {} } : keys.sign(request, { nowMs, random }));
}

/** The target goes out exactly as given; fetch would rewrite it. */
async function deliver(
  service: WebhookService,
  { signed, from }: { signed: SignedRequest; from: number },
): Promise<SpokenAnswer> {
  const { hostname, port } = new URL(service.server);
  const { method, url, contentType, body } = signed;
  const type = method === "POST" ? { "content-type": contentType } : {};
  const path = url.slice(PUBLIC_URL.length);
  const sending = httpRequest({ hostname, port, method, path, headers: { ...type, ...signed.headers } });
  sending.end(method === "POST" ? body : undefined);
  const [response] = (await once(sending, "response")) as [IncomingMessage];
  const text = await bodyText(response);
  const answer = { status: response.statusCode ?? 0, contentType: response.headers["content-type"] ?? "", text };
  return { ...answer, commands: service.commands.slice(from) };
}
