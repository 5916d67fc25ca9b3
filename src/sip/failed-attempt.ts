/** What a target's final answer says of the attempt to reach it. Used by b-leg.ts and proxy-hunt.ts. */
import type { AttemptFailure } from "../telephony/sip-status.js";
import type { SipMessage } from "./drachtio-types.js";
import { parseNameAddr } from "./edge/name-addr.js";

export interface FailedAttempt {
  readonly failure: AttemptFailure;
  readonly cause: string;
}

export const RING_TIMEOUT: FailedAttempt = { failure: { kind: "ring_timeout" }, cause: "ring_timeout" };

/**
 * What nobody said (no answer in time, no way there) is told by the edge as 408 and 503 (RFC 3261 §8.1.3.1), without the To tag that every phone's answer
 * has: the record must not say that a business refused which was never reached. drachtio-server does so of what it proxies; of calls of ours its 503 has one.
 */
export function failedBy(final: SipMessage, status: number): FailedAttempt {
  const isOwn = parseNameAddr(final.get("To") ?? "")?.params.get("tag") === undefined;
  if (isOwn && status === 408) return RING_TIMEOUT;
  if (isOwn && status === 503) return { failure: { kind: "transport" }, cause: "transport: not reachable" };
  return { failure: { kind: "status", status }, cause: `sip_${status}` };
}
