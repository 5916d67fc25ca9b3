/** What to do with a call, from the number it rang. Pure. Targets come from stored destinations alone, never from anything the caller sent. */
import type { CallerId } from "../account/destinations.store.js";
import type { DestinationFacts } from "../attribution/match.store.js";
import type { Disposition } from "../attribution/new-calls.store.js";

/** Where the business can be reached: a SIP URI, or a number through the carrier or trunk. */
export type Target =
  | { readonly kind: "sip"; readonly uri: string }
  | { readonly kind: "number"; readonly number: string };

export type Decision =
  | {
      readonly kind: "route";
      readonly destinationNumber: string;
      /** Tried in order; never empty. */
      readonly targets: readonly Target[];
      readonly ringTimeoutS: number;
      readonly maxConcurrentCalls: number | null;
      readonly callerId: CallerId;
      readonly passIds: boolean;
      /** Calls by webhook only; see DestinationFacts. */
      readonly whisper: string | null;
      readonly recordAnnouncement: string | null;
    }
  /** Held by no business: logged, never connected to one. */
  | { readonly kind: "intercept" }
  | { readonly kind: "unknown" }
  /** Ours, but not routable right now: nothing is known of its destination. The carrier may try elsewhere. */
  | { readonly kind: "unavailable" };

export function decide(
  number: { readonly isRouted: boolean; readonly destination: DestinationFacts | null } | null,
): Decision {
  if (number === null) return { kind: "unknown" };
  if (!number.isRouted) return { kind: "intercept" };
  const { destination } = number;
  if (destination === null) return { kind: "unavailable" };
  return {
    kind: "route",
    destinationNumber: destination.number,
    targets: [targetOf(destination.sipUri ?? destination.number), ...destination.failover.map(targetOf)],
    ringTimeoutS: destination.ringTimeoutS,
    maxConcurrentCalls: destination.maxConcurrentCalls,
    callerId: destination.callerId,
    passIds: destination.passIds,
    whisper: destination.whisper,
    recordAnnouncement: destination.recordAnnouncement,
  };
}

export function dispositionOf(decision: Decision): Disposition {
  switch (decision.kind) {
    case "route":
      return "routed";
    case "intercept":
      return "intercepted";
    case "unknown":
      return "unknown_number";
    case "unavailable":
      return "rejected";
  }
}

function targetOf(text: string): Target {
  return text.startsWith("+") ? { kind: "number", number: text } : { kind: "sip", uri: text };
}
