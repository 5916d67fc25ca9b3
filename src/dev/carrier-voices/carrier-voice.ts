/**
 * A carrier as it speaks to our webhooks: makes its signed requests and reads our answers in its language. Sends nothing itself. Spoken by `npm run demo`
 * and by the contract suite that every adapter passes (test/webhooks/inbound/contract.test.ts).
 */
import type { Carrier } from "../../account/carrier-credentials.store.js";
import type { Random } from "../../kernel/random.js";

/** A call as the carrier has it. */
export interface SpokenCall {
  /** The carrier's id of the call. */
  readonly id: string;
  /** The promo number, E.164; the voice writes it as its carrier does. */
  readonly to: string;
  /** E.164; null: withheld, written as the carrier does it. */
  readonly from: string | null;
  /** STIR/SHAKEN verdict, as the carrier spells a good one; left out when false. */
  readonly isVerified: boolean;
  readonly callerName: string | null;
}

/** Unsigned, as it leaves the carrier. */
export interface SpokenRequest {
  readonly method: "GET" | "POST";
  /** Absolute, below the public base URL. */
  readonly url: string;
  readonly contentType: string;
  /** UTF-8 text; bytes to send what is none. */
  readonly body: string | Buffer;
}

/** What an answer of ours tells the carrier to do. */
export type Heard =
  | {
      readonly kind: "dial";
      /** E.164, or a SIP URI. */
      readonly target: string;
      readonly ringTimeoutS: number;
      /** Where the end of the attempt is reported and the next one asked for; null: this carrier cannot. */
      readonly dialUrl: string | null;
      readonly statusUrl: string | null;
      readonly whisperUrl: string | null;
      readonly isRecorded: boolean;
      /** Spoken to the caller before anything else; null: nothing. */
      readonly announcement: string | null;
      /** What the carrier gives back with every event of the attempt beside what is in the URLs; left out by most carriers. */
      readonly echoed?: string;
    }
  | { readonly kind: "reject" }
  | { readonly kind: "busy" }
  /** Spoken to the caller, then hung up. */
  | { readonly kind: "announce"; readonly text: string }
  | { readonly kind: "hangup" }
  | { readonly kind: "nothing" };

/** Our answer as the carrier gets it. */
export interface SpokenAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  /** Requests to the carrier's API that came before it, `METHOD path` and body; empty for most carriers. */
  readonly commands: readonly { readonly path: string; readonly body: Record<string, unknown> }[];
}

export type Outcome =
  /** The business talked for so long; who hung up. */
  | { readonly kind: "answered"; readonly talkS: number; readonly releasedBy: "caller" | "callee" }
  | { readonly kind: "busy" }
  | { readonly kind: "no_answer" }
  | { readonly kind: "failed" }
  /** The caller gave up while it rang. */
  | { readonly kind: "canceled" };

export interface CarrierVoice {
  readonly carrier: Carrier;
  /** For test names: the carrier, or its language, e.g. "telnyx call control". */
  readonly name: string;
  /** Whether a failed attempt is reported so that the next target can be tried; false: the carrier has no such verb. */
  readonly canHunt: boolean;
  /** False: no event says how long somebody talked; the times of events must do. */
  readonly tellsTalk?: false;
  /** Whether a request that was signed some minutes ago is refused. */
  readonly signsTime: boolean;
  /** Whether a nonce is signed that may come with one delivery alone. */
  readonly signsNonce: boolean;
  /** False: the request carries a password, and nothing keeps its body but TLS. */
  readonly signsBody: boolean;
  /** New keys. */
  makeKeys(random: Random): CarrierKeys;
  makeCallId(random: Random): string;

  /** A call came. @param baseUrl the public base URL, without a slash at its end */
  voice(call: SpokenCall, baseUrl: string): SpokenRequest;
  /** The business's phone of the attempt `heard` rings or was answered; null: this carrier does not tell. */
  progress(
    call: SpokenCall,
    input: { heard: Dialled; state: "ringing" | "answered"; baseUrl: string },
  ): SpokenRequest | null;
  /** The attempt is over: the request by which the carrier asks what next, or by which it tells the end where it does not ask. */
  dialEnded(call: SpokenCall, input: { heard: Dialled; outcome: Outcome; baseUrl: string }): SpokenRequest;
  /** The business's leg is over, by carriers that tell its times beside `dialEnded`; left out: this carrier's `dialEnded` has them. */
  legEnded?(call: SpokenCall, input: { heard: Dialled; outcome: Outcome; baseUrl: string }): SpokenRequest;
  /** The whole call is over, as told beside `dialEnded`; null: this carrier tells nothing more. */
  callEnded(call: SpokenCall, input: { outcome: Outcome; baseUrl: string }): SpokenRequest | null;
  /**
   * What the answer to voice or dialEnded tells it to do with this call; commands may be of others too. @throws Error for what the carrier would not
   * understand
   */
  hear(answer: SpokenAnswer, call: SpokenCall): Heard;
}

export type Dialled = Extract<Heard, { kind: "dial" }>;

/** A signed request. */
export interface SignedRequest extends SpokenRequest {
  readonly headers: Readonly<Record<string, string>>;
}

export interface CarrierKeys {
  /** The carrier's part of the body of PUT /v1/carriers/:carrier. */
  readonly credential: Readonly<Record<string, unknown>>;
  /** @param input `nowMs`: UTC, for carriers that sign the time; `random`: for nonces */
  sign(request: SpokenRequest, input: { nowMs: number; random: Random }): SignedRequest;
}
