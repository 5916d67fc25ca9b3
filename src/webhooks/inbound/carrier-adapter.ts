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

/** voice: a call came, what to do? · dial: a target we named is over, what now? · status: progress or outcome, nothing to decide. */
export const WEBHOOK_KINDS = ["voice", "dial", "status"] as const;
export type WebhookKind = (typeof WEBHOOK_KINDS)[number];

export interface CarrierRequest {
  /** As the carrier signed it: the public base URL and the request target exactly as received. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawBody: Buffer;
}

/** What every request tells of its call. */
export interface CallReport {
  /** The carrier's id of the caller's leg: 1 to 128 printable characters. */
  readonly carrierCallId: string;
  /** Null when withheld or no E.164 number. */
  readonly caller: E164 | null;
  /** STIR/SHAKEN verdict in the carrier's spelling. */
  readonly verstat: string | null;
  /** The same for every repetition of this delivery, and for nothing else of its kind. Printable, holds no caller. */
  readonly deliveryKey: string;
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

export interface DialReport extends CallReport {
  readonly result: DialResult;
}

export interface StatusReport extends CallReport {
  readonly events: readonly CallEvent[];
  /** The call began at least this long before the report, ms; 0 when it does not say. */
  readonly elapsedMs: number;
}

/** An answer in the carrier's language, status 200. Holds no caller: it is stored. */
export interface CarrierAnswer {
  readonly contentType: string;
  readonly text: string;
}

export interface AttemptPlan {
  readonly target: Target;
  readonly ringTimeoutS: number;
  /** Where the carrier reports the end of this attempt and asks what next. */
  readonly dialUrl: string;
  /** Where it reports the progress of the business's leg. */
  readonly statusUrl: string;
}

/** reject: hung up on without an answer, where the carrier can · announce: told that the number is not in service · busy: busy tone. */
export type Refusal = "reject" | "announce" | "busy";

export interface CarrierAdapter {
  readonly carrier: Carrier;
  /** Bodies of other media types are refused with 415. */
  readonly contentTypes: readonly string[];

  /** The called number as sent, for choosing the credential; nothing else is read before the signature passes. Null when there is none. */
  peekCalledNumber(rawBody: Buffer): string | null;
  /**
   * Whether one of the credential's secrets signed this very request; in constant time.
   * @throws AppError("unreadable_body")
   */
  verify(request: CarrierRequest, credential: CarrierCredential): boolean;

  /** The parse functions are called after `verify` only. @throws AppError("invalid_value") */
  parseVoice(request: CarrierRequest): CallReport;
  parseDial(request: CarrierRequest): DialReport;
  /** @param input `attempt`: index of the hunt the report belongs to, from our callback URL */
  parseStatus(request: CarrierRequest, input: { attempt: number; now: Instant }): StatusReport;

  renderAttempt(plan: AttemptPlan): CarrierAnswer;
  renderRefusal(refusal: Refusal): CarrierAnswer;
  /** Ends a call whose hunt is over. */
  renderHangup(): CarrierAnswer;
  /** Nothing to do, thank you. */
  renderEmpty(): CarrierAnswer;
}
