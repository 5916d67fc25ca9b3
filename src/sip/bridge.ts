/**
 * Connects a caller to a business (back-to-back user agent): hunts over the targets, answers the caller, joins the legs and sees that both end. Every
 * way out writes an `ended` event. After each await it asks again whether the caller is still there.
 */
import { messageOf } from "../kernel/errors.js";
import type { Target } from "../routing/decision.js";
import type { CallEvent, ReleasedBy, TerminalStatus } from "../telephony/call-event.js";
import { q850OfStatus, reasonHeader } from "../telephony/q850.js";
import { type AttemptFailure, failureOf, finalStatusFor, huntsOn } from "../telephony/sip-status.js";
import { callBusiness, hangUp, type LegAnswer } from "./b-leg.js";
import { answerCallerLeg } from "./caller-leg.js";
import type { Dialog, SipRequest, SipResponse, Srf } from "./drachtio-types.js";
import { joinLegs, type Release } from "./join-legs.js";
import { relayableStatus } from "./relayable-status.js";
import { targetUri } from "./target-uri.js";

export interface BridgeRequest {
  readonly srf: Srf;
  readonly invite: SipRequest;
  readonly response: SipResponse;
  readonly targets: readonly Target[];
  /** The destination has all the calls it may have at a time: its own target counts as busy, failover targets are tried. */
  readonly isFirstTargetFull: boolean;
  /** Attempts the record has from an earlier INVITE of the same call. */
  readonly attemptsBefore: number;
  readonly ringTimeoutMs: number;
  /** `sip:host[:port]` where calls to plain numbers leave; null when the trunk has none. */
  readonly outboundUri: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly now: () => number;
  /** Aborted when the caller cancels, with reason "canceled", or when the call must end for ours. */
  readonly ending: AbortController;
  readonly record: (...events: CallEvent[]) => void;
}

/** Resolves when the call is over. Never rejects. */
export async function bridgeCall(request: BridgeRequest): Promise<void> {
  const endedAt = watchEnd(request);
  const hunt = await huntTargets(request);
  if (hunt.kind === "answered") return answerCaller(request, hunt, endedAt);
  const at = endedAt();
  if (request.ending.signal.aborted) return endUnanswered(request, at);
  const status = finalStatusFor(hunt.failure);
  refuse(request.response, status);
  request.record(ended(failureOf(hunt.failure), { releasedBy: "callee", cause: hunt.cause, at }));
}

/** When the caller gave up, or the call had to end, and not when the last leg had taken note of it; before that: now. */
function watchEnd({ ending: { signal }, now }: BridgeRequest): () => number {
  let endedAt: number | null = null;
  const mark = (): void => {
    endedAt ??= now();
  };
  if (signal.aborted) mark();
  else signal.addEventListener("abort", mark, { once: true });
  return () => endedAt ?? now();
}

type Hunt =
  | { readonly kind: "answered"; readonly answer: LegAnswer; readonly index: number }
  | { readonly kind: "failed"; readonly failure: AttemptFailure; readonly cause: string };

async function huntTargets(request: BridgeRequest): Promise<Hunt> {
  const { targets, record, now, ending } = request;
  let last: Hunt & { kind: "failed" } = { kind: "failed", failure: { kind: "transport" }, cause: "no_target" };
  for (const [position, target] of targets.entries()) {
    if (ending.signal.aborted) return last;
    const index = request.attemptsBefore + position;
    const uri = targetUri(target, request.outboundUri);
    record({ kind: "attempt_started", index, target: target.kind === "sip" ? target.uri : target.number, at: now() });
    const isFull = position === 0 && request.isFirstTargetFull;
    const outcome = isFull ? full() : uri === null ? noOutbound() : await attempt(request, uri);
    if (outcome.kind === "answered") return { index, ...outcome };
    if (outcome.kind === "canceled") return last;
    const { failure, cause } = outcome;
    record({
      kind: "attempt_failed",
      index,
      sipStatus: failure.kind === "status" ? failure.status : null,
      cause,
      at: now(),
    });
    last = { kind: "failed", failure, cause };
    if (!huntsOn(failure)) return last;
  }
  return last;
}

async function attempt(request: BridgeRequest, uri: string) {
  const { srf, invite, response, headers, ringTimeoutMs, ending, record, now } = request;
  const offer = invite.body === "" || invite.body === undefined ? null : invite.body;
  // A multipart body (RFC 5621) has its boundary there.
  const type = offer === null ? undefined : invite.get("Content-Type");
  return callBusiness(srf, {
    uri,
    headers: type === undefined ? { ...headers } : { "Content-Type": type, ...headers },
    offer,
    ringTimeoutMs,
    signal: ending.signal,
    onProvisional: (provisional) => {
      // 199 says that one phone of a fork is given up (RFC 6228), which is not for the caller, who has one leg with us.
      if (provisional.status <= 100 || provisional.status === 199) return;
      record({ kind: "ringing", at: now() });
      if (response.finalResponseSent) return;
      const type = { "Content-Type": provisional.get("Content-Type") ?? "application/sdp" };
      const body = provisional.body ? { body: provisional.body, headers: type } : {};
      response.send(relayableStatus(provisional.status), body);
    },
  });
}

async function answerCaller(
  request: BridgeRequest,
  hunt: Hunt & { kind: "answered" },
  endedAt: () => number,
): Promise<void> {
  const { answer, index } = hunt;
  const { srf, invite, response, ending, record, now } = request;
  const business = answer.kind === "dialog" ? answer.dialog : answer.leg;
  if (ending.signal.aborted) {
    await hangUp(business);
    return endUnanswered(request, endedAt());
  }
  // What the business sends in the dialog waits until the caller's leg stands.
  if (answer.kind === "dialog") answer.dialog.queueRequests = true;
  let caller: Dialog;
  try {
    caller = await answerCallerLeg(srf, { invite, response, sdp: answer.sdp });
  } catch (error) {
    await hangUp(business);
    const canceled = ending.signal.aborted || isOvertaken(error);
    if (!canceled) refuse(response, 500);
    return record(
      ended(canceled ? "canceled" : "failed", {
        releasedBy: canceled ? "caller" : "system",
        cause: "caller_lost",
        at: endedAt(),
      }),
    );
  }
  const answeredAt = now();
  record({ kind: "answered", index, at: answeredAt });
  // At once: who hung up has been told that the call is over, and a process that is killed before the other leg is down would not know of it.
  const onOver = (release: Release): void => record(ended("completed", { at: now(), ...release }));
  await joinLegs({ caller, answer, ending: ending.signal, onOver });
}

/** A CANCEL was faster than our 200: drachtio-srf then says 487, or, having forgotten the INVITE already, that the 200 was an answer to nothing. */
function isOvertaken(error: unknown): boolean {
  return (error as { status?: unknown }).status === 487 || /unknown transaction/.test(messageOf(error));
}

/** The caller gave up, or we had to end the call before it was answered. */
export function endUnanswered(request: BridgeRequest, at: number): void {
  const byCaller = request.ending.signal.reason === "canceled";
  if (!byCaller) refuse(request.response, 503);
  const why = {
    releasedBy: byCaller ? ("caller" as const) : ("system" as const),
    cause: String(request.ending.signal.reason),
    at,
  };
  request.record(ended(byCaller ? "canceled" : "failed", why));
}

export function full() {
  return { kind: "failed" as const, failure: { kind: "status" as const, status: 486 }, cause: "max_concurrent_calls" };
}

export function noOutbound() {
  return {
    kind: "failed" as const,
    failure: { kind: "transport" as const },
    cause: "the trunk has no outbound_uri for numbers",
  };
}

/** Retry-After on 503 tells the carrier when to come back; a Q.850 reason tells it why (RFC 6432). */
export function refuse(response: SipResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  if (response.finalResponseSent) return;
  const retry = status === 503 ? { "Retry-After": "5" } : {};
  response.send(status, { headers: { Reason: reasonHeader(q850OfStatus(status)), ...retry, ...headers } });
}

export function ended(
  status: TerminalStatus,
  why: { releasedBy: ReleasedBy | null; cause: string; at: number },
): CallEvent & { readonly kind: "ended" } {
  return { kind: "ended", status, ...why, authority: 2, talkMs: null };
}
