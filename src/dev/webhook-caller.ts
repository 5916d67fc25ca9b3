/**
 * Calls that come through carriers' webhooks, spoken in each carrier's language and signed as it signs: the call, its progress, the hunt for as long as we
 * name another target, and its end. Now and then a request is delivered twice, as carriers do. For the simulated traffic of `npm run demo`.
 */
import type { Random } from "../kernel/random.js";
import type {
  CarrierKeys,
  CarrierVoice,
  Heard,
  Outcome,
  SpokenAnswer,
  SpokenCall,
  SpokenRequest,
} from "./carrier-voices/carrier-voice.js";

/** One carrier, and the keys of the account's credential there. */
export interface CarrierLine {
  readonly voice: CarrierVoice;
  readonly keys: CarrierKeys;
}

export interface WebhookCallerInput {
  /** Where requests are sent. */
  readonly httpUrl: string;
  /** What carriers sign; without a slash at its end. */
  readonly publicUrl: string;
  /** UTC ms. */
  readonly now: () => number;
  readonly random: Random;
  /** How an attempt ends; by chance when not given. */
  readonly nextOutcome?: () => Outcome;
}

/** More than carriers do, so that something happens while one watches. */
const DUPLICATE_SHARE = 0.1;
const TALK_S_MAX = 120;
/** More hunts than any destination has targets: a service that names one for ever is no service. */
const ATTEMPTS_MAX = 12;

export class WebhookCaller {
  constructor(private readonly input: WebhookCallerInput) {}

  /**
   * @returns whether the business answered
   * @throws Error when a request is refused, or answered in a way that the carrier would not understand
   */
  async call(line: CarrierLine, call: Omit<SpokenCall, "id">): Promise<boolean> {
    const { random, publicUrl } = this.input;
    const { voice } = line;
    const made: SpokenCall = { ...call, id: voice.makeCallId(random) };
    let heard = await this.ask(line, made, voice.voice(made, publicUrl));
    for (let attempt = 0; heard.kind === "dial" && attempt < ATTEMPTS_MAX; attempt++) {
      const outcome = this.input.nextOutcome?.() ?? someOutcome(random);
      heard = await this.dial(line, made, { heard, outcome });
      if (heard.kind === "dial") continue;
      const over = voice.callEnded(made, { outcome, baseUrl: publicUrl });
      if (over !== null) await this.send(line, over);
      return outcome.kind === "answered";
    }
    return false;
  }

  /** One target rings. @returns what we answer to its end */
  private async dial(
    line: CarrierLine,
    call: SpokenCall,
    { heard, outcome }: { heard: Extract<Heard, { kind: "dial" }>; outcome: Outcome },
  ): Promise<Heard> {
    const baseUrl = this.input.publicUrl;
    const states = outcome.kind === "answered" ? (["ringing", "answered"] as const) : (["ringing"] as const);
    for (const state of states) {
      const progress = line.voice.progress(call, { heard, state, baseUrl });
      if (progress !== null) await this.send(line, progress);
    }
    return this.ask(line, call, line.voice.dialEnded(call, { heard, outcome, baseUrl }));
  }

  private async ask(line: CarrierLine, call: SpokenCall, request: SpokenRequest): Promise<Heard> {
    return line.voice.hear(await this.send(line, request), call);
  }

  private async send(line: CarrierLine, request: SpokenRequest): Promise<SpokenAnswer> {
    const { httpUrl, publicUrl, random, now } = this.input;
    const { method, url, contentType, body, headers } = line.keys.sign(request, { nowMs: now(), random });
    const deliver = async (): Promise<SpokenAnswer> => {
      const response = await fetch(httpUrl + url.slice(publicUrl.length), {
        method,
        headers: { ...(method === "POST" ? { "content-type": contentType } : {}), ...headers },
        ...(method === "POST" ? { body: typeof body === "string" ? body : new Uint8Array(body) } : {}),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${line.voice.name}: ${method} was answered ${response.status}`);
      const type = response.headers.get("content-type") ?? "";
      return { status: response.status, contentType: type, text, commands: [] };
    };
    const answer = await deliver();
    if (chanceOf(random) < DUPLICATE_SHARE && (await deliver()).text !== answer.text) {
      throw new Error(`${line.voice.name}: a repetition was answered otherwise`);
    }
    return answer;
  }
}

/** So many each; all other calls are answered. */
const UNANSWERED_SHARE = 0.05;
const UNANSWERED = ["canceled", "busy", "no_answer"] as const;

function someOutcome(random: Random): Outcome {
  const kind = UNANSWERED[Math.floor(chanceOf(random) / UNANSWERED_SHARE)];
  if (kind !== undefined) return { kind };
  const talkS = 1 + Math.floor(chanceOf(random) * TALK_S_MAX);
  return { kind: "answered", talkS, releasedBy: chanceOf(random) < 0.5 ? "caller" : "callee" };
}

/** Uniform in [0, 1). */
export function chanceOf(random: Random): number {
  return random.bytes(4).readUInt32BE() / 2 ** 32;
}
