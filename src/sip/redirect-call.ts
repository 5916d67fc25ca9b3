/**
 * Trunk mode `redirect`: the caller's carrier is told where the business is (302 with the targets as Contacts, in the order of the hunt) and calls there
 * by itself. The service sees nothing of the call after that: the record ends as routed, cause `redirected`, without ring and talk time, and with the
 * lower authority, so that a carrier's own report of the call's end replaces it.
 */
import type { Target } from "../routing/decision.js";
import type { CallEvent } from "../telephony/call-event.js";
import type { SipResponse } from "./drachtio-types.js";
import { refuse } from "./bridge.js";
import { targetUri } from "./target-uri.js";

export interface RedirectRequest {
  readonly response: SipResponse;
  readonly targets: readonly Target[];
  /** The destination has all the calls it may have: its own target is left out, failover targets are named. */
  readonly isFirstTargetFull: boolean;
  readonly attemptsBefore: number;
  readonly outboundUri: string | null;
  readonly now: () => number;
  readonly ending: AbortController;
  readonly record: (...events: CallEvent[]) => void;
}

export function redirectCall(request: RedirectRequest): void {
  const { response, now, record, ending } = request;
  const at = now();
  if (ending.signal.aborted) {
    const byCaller = ending.signal.reason === "canceled";
    if (!byCaller) refuse(response, 503);
    const cause = String(ending.signal.reason);
    const status = byCaller ? "canceled" : "failed";
    return record({ ...end, kind: "ended", status, releasedBy: byCaller ? "caller" : "system", cause, at });
  }
  const open = request.targets.slice(request.isFirstTargetFull ? 1 : 0);
  const uris = open.map((target) => targetUri(target, request.outboundUri)).filter((uri) => uri !== null);
  const [first] = uris;
  if (first === undefined) {
    const isBusy = request.isFirstTargetFull;
    refuse(response, isBusy ? 486 : 503);
    const cause = isBusy ? "max_concurrent_calls" : "no_target";
    return record({ ...end, kind: "ended", status: isBusy ? "busy" : "failed", releasedBy: "system", cause, at });
  }
  response.send(302, { headers: { Contact: contacts(uris) } });
  record(
    { kind: "attempt_started", index: request.attemptsBefore, target: first, at },
    { ...end, kind: "ended", status: "completed", releasedBy: "system", cause: "redirected", at },
  );
}

const end = { authority: 1, talkMs: null } as const;

/** Falling q, because the order of Contacts means nothing (RFC 3261 §8.1.3.4, §20.10). */
function contacts(uris: readonly string[]): string {
  return uris.map((uri, index) => `<${uri}>;q=${Math.max(0.1, 1 - index / 10).toFixed(1)}`).join(", ");
}
