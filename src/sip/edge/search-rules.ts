/**
 * How the search of a proxied INVITE goes on after a failure, and what the caller hears in the end. `proxy` does as RFC 3261 §16.7 and drachtio-server
 * do. `line` is for a telephone line whose targets are all one business (contract: SIP answers): only busy, absent and broken targets are passed over,
 * and the caller's carrier learns whether the line was reached, not what one phone said. Pure; chosen by SipEdgeOptions, asked by proxy-invite.ts.
 */
import { q850OfStatus, reasonHeader } from "../../telephony/q850.js";
import { type AttemptFailure, finalStatusFor, huntsOn } from "../../telephony/sip-status.js";
import { asSeenByCaller, betterFailure, challengesOf, type ForkFailure } from "./best-response.js";
import type { CheckedResponse } from "./message-check.js";
import type { EdgeStatus } from "./reason-phrases.js";
import { type Header, header } from "./sip-message.js";

export type FinalAnswer =
  | { readonly kind: "relayed"; readonly response: CheckedResponse; readonly extra: readonly Header[] }
  | { readonly kind: "own"; readonly status: EdgeStatus; readonly headers: readonly Header[] };

export interface SearchRules {
  /** Nobody else is tried after this one. */
  endsWith(failure: ForkFailure): boolean;
  /** @param failures in the order in which they came */
  answerFor(failures: readonly ForkFailure[]): FinalAnswer;
  /** Whether the app is shown the first ringing of each target among the final responses; drachtio-server shows none. */
  readonly showsRinging: boolean;
}

export type SearchStyle = "proxy" | "line";

export function searchRules(style: SearchStyle): SearchRules {
  return style === "proxy" ? proxy : line;
}

const proxy: SearchRules = {
  showsRinging: false,
  // §16.7 step 5: a 6xx speaks for everybody.
  endsWith: ({ status }) => status >= 600,
  answerFor(failures) {
    const best = failures.reduce<ForkFailure | null>(betterFailure, null);
    if (best === null || best.response === null)
      return { kind: "own", status: best?.status === 408 ? 408 : 503, headers: [] };
    return { kind: "relayed", response: asSeenByCaller(best.response), extra: challengesOf(failures, best) };
  },
};

const line: SearchRules = {
  showsRinging: true,
  endsWith: (failure) => !huntsOn(asAttempt(failure)),
  answerFor(failures) {
    const last = failures.at(-1);
    const status = finalStatusFor(last === undefined ? { kind: "transport" } : asAttempt(last));
    // Never the phone's own answer: a Contact in it could send the carrier anywhere, at the called side's word.
    return { kind: "own", status: ownStatus(status), headers: [header("Reason", reasonHeader(q850OfStatus(status)))] };
  },
};

function asAttempt({ status, response }: ForkFailure): AttemptFailure {
  if (response !== null) return { kind: "status", status: response.message.status };
  return { kind: status === 503 ? "transport" : "ring_timeout" };
}

function ownStatus(status: number): EdgeStatus {
  return status === 480 || status === 486 || status === 603 ? status : 503;
}
