/**
 * What one carrier's file implements, and the words it speaks with the rest: its requests become reports, our answers become its language. Field
 * names, signatures and markup of a carrier stay in its file. Called by inbound-route.ts and inbound-calls.ts.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Carrier, CarrierCredential } from "../../account/carrier-credentials.store.js";
import type { Instant } from "../../kernel/clock.js";
import type { Target } from "../../routing/decision.js";
import type { CallEvent, ReleasedBy } from "../../telephony/call-event.js";
import type { E164 } from "../../telephony/e164.js";
import type { CallFailure } from "../../telephony/sip-status.js";

/**
 * voice: a call came, what to do? · dial: a target we named is over, what now? · status: progress or outcome, nothing to decide · whisper: the business
 * picked up, what is it told before it is connected? The contract's paths are the first three.
 */
export const WEBHOOK_KINDS = ["voice", "dial", "status", "whisper"] as const;
export type WebhookKind = (typeof WEBHOOK_KINDS)[number];

export interface CarrierRequest {
  readonly method: "GET" | "POST";
  /** As the carrier signed it: the public base URL and the request target exactly as received. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Empty for GET. */
  readonly rawBody: Buffer;
}

/** What a good signature brings along. */
export interface Verified {
  /**
   * What the carrier makes new for every request it signs (Plivo's nonce, Vonage's jti): one that comes again with another delivery is refused. Null:
   * this carrier has none.
   */
  readonly nonce: string | null;
}

/** What every request tells of its call. */
export interface CallReport {
  /** The carrier's id of the caller's leg, the same in every webhook of the call: 1 to 256 printable characters. */
  readonly carrierCallId: string;
  /** What the carrier's API needs to act on the caller's leg, where that is not the id above; null elsewhere. Holds no caller. */
  readonly handle: string | null;
  /** Null when withheld or no E.164 number. */
  readonly caller: E164 | null;
  /** As the carrier looked it up or the network sent it (CNAM); null when it says none. At most 128 characters, no control characters. */
  readonly callerName: string | null;
  /** STIR/SHAKEN verdict in the carrier's spelling; 1 to 64 word characters and hyphens. */
  readonly verstat: string | null;
  /** E.164 of who forwarded the call to the promo number, where the carrier says so. */
  readonly diversion: E164 | null;
}

/** A call is answered once, whatever a repetition of its voice webhook says beside it; of these reports there are several a call. */
interface LaterReport extends CallReport {
  /** The same for every repetition of this delivery, and for nothing else of its kind. Printable, holds no caller. */
  readonly deliveryKey: string;
}

/** What a request brings back of what we gave the carrier: in our callback URL, or in what it echoes beside that. */
export interface CallbackContext {
  /** The promo number; callbacks about the business's leg name the business's number as called. */
  readonly called: string | null;
  /** Index of the hunt; 0 is the first target. */
  readonly attempt: number;
  /** The business the call was routed to; it is hunted on only while the number still belongs there. */
  readonly destination: string | null;
  /** The caller was told at the first attempt that the call is recorded: without it no later attempt is. */
  readonly isAnnounced: boolean;
}

export type DialResult =
  /** The business answered and the conversation is over. `talkMs` as the carrier measured it. */
  | { readonly kind: "completed"; readonly talkMs: number | null; readonly releasedBy: ReleasedBy | null }
  | {
      readonly kind: "failed";
      readonly failure: CallFailure;
      /** Known for SIP targets only. */
      readonly sipStatus: number | null;
      /** False when another target would refuse as well (contract: hunt rules). */
      readonly huntsOn: boolean;
    }
  /** The caller gave up before anybody answered. */
  | { readonly kind: "canceled" };

export interface DialReport extends LaterReport {
  readonly result: DialResult;
  /** When the attempt ended, by the carrier's clock; left out: when it is reported. */
  readonly at?: Instant;
}

export interface StatusReport extends LaterReport {
  readonly events: readonly CallEvent[];
  /** The call began at least this long before the report, ms; 0 when it does not say. */
  readonly elapsedMs: number;
  /** What the carrier is told; left out: nothing to do, thank you. */
  readonly answer?: CarrierAnswer;
}

/** A request to the carrier's own API, for carriers that are not answered but commanded (Telnyx Call Control). Doing it twice must be harmless. */
export interface CarrierCommand {
  /** Below the carrier's API base, e.g. `/v2/calls/…/actions/transfer`. */
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Fields beside those of `body` for a caller who is known; CALLER stands for the number, because a command is stored. */
  readonly bodyWithCaller?: Readonly<Record<string, unknown>>;
  /** Sent first when the carrier says that a call must be answered before it takes this command. */
  readonly ifUnanswered?: CarrierCommand;
}

/** Put in by inbound-route.ts at the moment a command is sent. */
export const CALLER = "{caller}";

/** An answer in the carrier's language, status 200. Holds no caller: it is stored. */
export interface CarrierAnswer {
  readonly contentType: string;
  readonly text: string;
  /** In order, before the answer is given; a carrier that gets no 2xx asks again. None for most carriers. */
  readonly commands?: readonly CarrierCommand[];
}

export interface AttemptPlan {
  readonly target: Target;
  readonly ringTimeoutS: number;
  /** The promo number that was dialled. */
  readonly promoNumber: string;
  /** Of the caller's leg; see CallReport. */
  readonly carrierCallId: string;
  readonly handle: string | null;
  /** Where the carrier reports the end of this attempt and asks what next. */
  readonly dialUrl: string;
  /** Where it reports the progress of the business's leg. */
  readonly statusUrl: string;
  /** Where it asks what the business hears before it is connected; null: it hears nothing. */
  readonly whisperUrl: string | null;
  /** Null: no recording. `announcement`: what the caller hears before the call is connected; null after the first attempt, for it was heard then. */
  readonly recording: { readonly announcement: string | null } | null;
}

/** Who is rung without asking us: a document that can be kept anywhere and needs no webhook of ours. */
export interface FallbackPlan {
  /** The business's number, E.164. */
  readonly number: E164;
  readonly ringTimeoutS: number;
}

/** What a refusal or an end needs to know of its call. */
export type CallHandle = Pick<CallReport, "carrierCallId" | "handle"> & {
  /** The promo number, for carriers whose later events of the call do not name it. */
  readonly called?: string;
};

/** reject: hung up on without an answer, where the carrier can · announce: told that the number is not in service · busy: busy tone. */
export type Refusal = "reject" | "announce" | "busy";

export interface CarrierAdapter {
  readonly carrier: Carrier;
  /** Bodies of other media types are refused with 415. A carrier with two languages has an adapter for each, told apart by these. */
  readonly contentTypes: readonly string[];
  /** Whether webhooks come as GET as well, their fields in the query (Vonage). */
  readonly takesGet: boolean;
  /** WWW-Authenticate for a request that brings neither credentials nor a body, of a carrier that asks first which credentials are wanted. */
  readonly challenge?: string;

  /**
   * The called number as sent, with its + even where the carrier leaves it out, for choosing the credential; nothing else is read before the signature
   * passes. Null when there is none. @throws AppError("unreadable_body")
   */
  peekCalledNumber(request: CarrierRequest): string | null;
  /**
   * Whether one of the credential's secrets signed this very request, lately where the carrier signs the time; in constant time. Null: no.
   * @throws AppError("unreadable_body")
   */
  verify(
    request: CarrierRequest,
    input: { credential: CarrierCredential; now: Instant },
  ): Verified | null | Promise<Verified | null>;

  /** What the carrier echoes in the request itself, for callbacks whose URL does not say; read before `verify`. @throws AppError("unreadable_body") */
  readonly contextOf?: (request: CarrierRequest) => CallbackContext | null;

  /** What the request is, whichever path it came by: carriers that send every event to one URL tell by the event. Called after `verify` only. */
  kindOf(request: CarrierRequest, path: WebhookKind): WebhookKind;
  /** The parse functions are called after `verify` only. @throws AppError("invalid_value") */
  parseVoice(request: CarrierRequest): CallReport;
  parseDial(request: CarrierRequest): DialReport;
  /** @param input `attempt`: index of the hunt the report belongs to, from our callback URL */
  parseStatus(request: CarrierRequest, input: { attempt: number; now: Instant }): StatusReport;

  renderAttempt(plan: AttemptPlan): CarrierAnswer;
  renderRefusal(refusal: Refusal, call: CallHandle): CarrierAnswer;
  /** Ends a call whose hunt is over. */
  renderHangup(call: CallHandle): CarrierAnswer;
  /** Nothing to do, thank you. */
  renderEmpty(): CarrierAnswer;
  /**
   * The static answer of a number, for the carrier's fallback URL: it rings the business with Ringmatch down. Null: this carrier takes no document.
   */
  readonly renderFallback: ((plan: FallbackPlan) => CarrierAnswer) | null;
  /** What the business hears before it is connected; null: this carrier's verbs have no such thing, and plans have no `whisperUrl`. */
  readonly renderWhisper: ((text: string) => CarrierAnswer) | null;
  /**
   * Fills in what an answer must not hold while it is stored, and the carrier must be told all the same (Bandwidth: the password of its callbacks). Done
   * when the answer is sent, also a stored one. Left out: this carrier needs none.
   */
  withSecrets?(answer: CarrierAnswer, credential: CarrierCredential): CarrierAnswer;
}
