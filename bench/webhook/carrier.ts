/** Twilio for `bench -- webhook`: places calls by signed webhooks and times our decision; each call is dialled, answered and ended as well. */
import { type Agent, request } from "node:http";
import { text as bodyText } from "node:stream/consumers";
import type { CarrierKeys, SignedRequest, SpokenRequest } from "../../src/dev/carrier-voices/carrier-voice.js";
import { twilioVoice } from "../../src/dev/carrier-voices/twilio-voice.js";
import { systemRandom } from "../../src/kernel/random.js";
import { ADMIN_KEY } from "../present/sides.js";

const TALK_S = 5;

export interface CarrierInput {
  /** http://host:port of the service, which is also what is signed. */
  readonly service: string;
  readonly agent: Agent;
  readonly numbers: readonly string[];
}

export class Carrier {
  private calls = 0;

  private constructor(
    private readonly input: CarrierInput,
    private readonly keys: CarrierKeys,
  ) {}

  /** The platform's credential is set first. @throws Error when it is not taken */
  static async on(input: CarrierInput): Promise<Carrier> {
    const keys = twilioVoice.makeKeys(systemRandom);
    const headers = { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" };
    const body = JSON.stringify(keys.credential);
    const put = await fetch(`${input.service}/v1/carriers/twilio`, { method: "PUT", headers, body });
    if (!put.ok) throw new Error(`The credential was answered with ${put.status}.`);
    return new Carrier(input, keys);
  }

  /** @returns ms from the call to our decision. @throws Error when it is not connected */
  async call(): Promise<number> {
    const { service: baseUrl, numbers } = this.input;
    const at = this.calls++;
    const call = {
      id: twilioVoice.makeCallId(systemRandom),
      to: numbers[at % numbers.length] ?? "",
      from: `+1415555${String(at % 10_000).padStart(4, "0")}`,
      isVerified: true,
      callerName: null,
    };
    const sent = performance.now();
    const answer = await this.send(twilioVoice.voice(call, baseUrl));
    const tookMs = performance.now() - sent;
    const heard = twilioVoice.hear(answer, call);
    if (heard.kind !== "dial") throw new Error(`A call was not connected: ${answer.text}`);
    const outcome = { kind: "answered", talkS: TALK_S, releasedBy: "caller" } as const;
    await this.send(twilioVoice.dialEnded(call, { heard, outcome, baseUrl }));
    return tookMs;
  }

  private async send(
    spoken: SpokenRequest,
  ): Promise<{ status: number; contentType: string; text: string; commands: [] }> {
    const signed: SignedRequest = this.keys.sign(spoken, { nowMs: Date.now(), random: systemRandom });
    const headers = { ...signed.headers, "content-type": signed.contentType };
    const text = await new Promise<string>((resolve, reject) => {
      const asked = request(signed.url, { agent: this.input.agent, method: signed.method, headers }, (answer) => {
        bodyText(answer).then(
          (body) => (answer.statusCode === 200 ? resolve(body) : reject(new Error(`${answer.statusCode} ${body}`))),
          reject,
        );
      });
      asked.once("error", reject).end(signed.body);
    });
    return { status: 200, contentType: "", text, commands: [] };
  }
}
