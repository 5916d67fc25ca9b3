/** What can happen to a call, in our words. Every ingress (SIP, a carrier's callbacks) turns its signals into these; call-state.ts folds them. */
import type { Instant } from "../kernel/clock.js";

export type TerminalStatus = "completed" | "busy" | "no_answer" | "failed" | "canceled" | "intercepted";

export type ReleasedBy = "caller" | "callee" | "system";

export type CallEvent =
  /** An INVITE (or a carrier's dial) left for target `index` of the hunt; 0 is the first. */
  | { readonly kind: "attempt_started"; readonly index: number; readonly target: string; readonly at: Instant }
  | {
      readonly kind: "attempt_failed";
      readonly index: number;
      readonly sipStatus: number | null;
      readonly cause: string;
      readonly at: Instant;
    }
  /** First sign from a target: 180, 183 or the like. */
  | { readonly kind: "ringing"; readonly at: Instant }
  /** `index`: which target, where its status was seen by us (200). */
  | { readonly kind: "answered"; readonly at: Instant; readonly index?: number }
  /** The carrier sent the same call again after a final failure: a further attempt of the same record. */
  | { readonly kind: "retried"; readonly at: Instant }
  | {
      readonly kind: "ended";
      readonly status: TerminalStatus;
      readonly releasedBy: ReleasedBy | null;
      readonly cause: string | null;
      /**
       * How much the reporter knows: 1 = it saw only the caller's leg, 2 = it saw the business's leg too. A better-informed end replaces a
       * worse-informed one; equal ones do not (the first stands).
       */
      readonly authority: 1 | 2;
      /** Talk time as the carrier measured it, ms; null when the answer was seen by us. */
      readonly talkMs: number | null;
      readonly at: Instant;
    };
