/**
 * What Telnyx's `hangup_cause` and `sip_hangup_cause` of a leg say of its end (developers.telnyx.com/api-reference/callbacks/call-hangup). Pure. Used by
 * telnyx-call-control.ts.
 */
import { type CallFailure, failureOf, huntsOn } from "../../../telephony/sip-status.js";

export type TelnyxEnd =
  /** Somebody talked. `isByLimit`: until the longest time a call may last. */
  | { readonly kind: "completed"; readonly isByLimit: boolean }
  | { readonly kind: "canceled" }
  | {
      readonly kind: "failed";
      readonly failure: CallFailure;
      readonly sipStatus: number | null;
      readonly huntsOn: boolean;
    };

/** SIP: the leg was cancelled by who called. */
const CANCELED = 487;

export function telnyxAttemptEnd(cause: string, sip: string): TelnyxEnd {
  const sipStatus = /^[3-6]\d\d$/.test(sip) ? Number(sip) : null;
  switch (cause) {
    case "normal_clearing":
      if (sipStatus === null) return { kind: "completed", isByLimit: false };
      return sipStatus === CANCELED ? { kind: "canceled" } : bySip(sipStatus);
    case "time_limit":
      return { kind: "completed", isByLimit: true };
    case "originator_cancel":
      return { kind: "canceled" };
    case "user_busy":
      return { kind: "failed", failure: "busy", sipStatus, huntsOn: true };
    // At its own timeout Telnyx cancels the leg, whose SIP status is then no refusal.
    case "timeout":
    case "no_answer":
      return { kind: "failed", failure: "no_answer", sipStatus, huntsOn: true };
    // A person declined, unless SIP says otherwise.
    case "call_rejected":
      return sipStatus === null ? { kind: "failed", failure: "failed", sipStatus, huntsOn: false } : bySip(sipStatus);
    default:
      return sipStatus === null ? { kind: "failed", failure: "failed", sipStatus, huntsOn: true } : bySip(sipStatus);
  }
}

function bySip(sipStatus: number): TelnyxEnd {
  const failure = { kind: "status", status: sipStatus } as const;
  return { kind: "failed", failure: failureOf(failure), sipStatus, huntsOn: huntsOn(failure) };
}
