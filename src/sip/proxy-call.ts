/**
 * Trunk mode `proxy`: the edge relays the call to the business by itself, with Record-Route, and the service only learns how it went. The caller's SDP and
 * Call-ID reach the business as they came, and the call outlives the service. Targets are the destination's stored ones, one after the other; a redirect by
 * one of them is not followed. What a proxy cannot do: the caller hears the best of the targets' own refusals (contract's mapping to 486, 480 and 503 is a
 * B2BUA's), every refusal but a 6xx leads to the next target, and ringing is not seen.
 */
import { CALL_MS_MAX } from "./join-legs.js";
import { messageOf } from "../kernel/errors.js";
import { type AttemptFailure, failureOf } from "../telephony/sip-status.js";
import { type BridgeRequest, callEnded, refuse } from "./bridge.js";
import type { ProxyResult } from "./drachtio-types.js";
import type { ProxiedCalls, ProxyEnd } from "./proxied-calls.js";
import { targetUri } from "./target-uri.js";

/** A first target that is full is left out; `headers` are added, in place of the caller's of the same names. */
export interface ProxyRequest extends BridgeRequest {
  readonly proxied: ProxiedCalls;
}

/** Resolves when the call is over, or nothing more can be learned of it. Never rejects. */
export async function proxyCall(request: ProxyRequest): Promise<void> {
  const { response, record, now, ending } = request;
  const open = request.targets.slice(request.isFirstTargetFull ? 1 : 0);
  const uris = open.map((target) => targetUri(target, request.outboundUri)).filter((uri) => uri !== null);
  if (ending.signal.aborted) return notProxied(request);
  const [first] = uris;
  if (first === undefined) {
    const isBusy = request.isFirstTargetFull;
    refuse(response, isBusy ? 486 : 503);
    const why = { releasedBy: "system", cause: isBusy ? "max_concurrent_calls" : "no_target", at: now() } as const;
    return record(callEnded(isBusy ? "busy" : "failed", why));
  }
  record({ kind: "attempt_started", index: request.attemptsBefore, target: first, at: now() });
  // Before the answer is known: the end of a call may be told in the same breath.
  const end = request.proxied.watch(request.invite);
  try {
    const result = await relay(request, uris);
    if (result === null) return notProxied(request);
    recordAttempts(request, uris, result);
    if (!result.connected) return refused(request, result);
    record({ kind: "answered", at: now() });
    record(callEnded("completed", { ...(await endOf(request, end.over)), at: now() }));
  } finally {
    end.forget();
  }
}

/** @returns null when it never was the edge's: the caller gave up before, the link broke, or the edge would not take it */
async function relay(request: ProxyRequest, uris: readonly string[]): Promise<ProxyResult | null> {
  const { srf, invite, ringTimeoutMs, headers, ending } = request;
  const finalTimeout = `${ringTimeoutMs}ms`;
  const options = { remainInDialog: true, followRedirects: false, forking: "sequential", finalTimeout, headers };
  const aborted = new Promise<null>((resolve) => {
    ending.signal.addEventListener("abort", () => resolve(null), { once: true });
  });
  try {
    return await Promise.race([srf.proxyRequest(invite, [...uris], { ...options }), aborted]);
  } catch (error) {
    const why = messageOf(error);
    // A pending INVITE that the edge does not know any more was cancelled; drachtio-srf does not pass the CANCEL on once it has been asked to relay.
    ending.abort(/unknown transaction/i.test(why) ? "canceled" : `not_proxied: ${why.slice(0, 200)}`);
    return null;
  }
}

/** Each final answer is one target's, in the order of the hunt. */
function recordAttempts(request: ProxyRequest, uris: readonly string[], result: ProxyResult): void {
  const { record, now, attemptsBefore } = request;
  const finals = result.responses.flatMap(({ msgs }) => msgs.map(({ status }) => status));
  for (const [position, status] of finals.slice(0, uris.length).entries()) {
    const index = attemptsBefore + position;
    const target = uris[position] ?? "";
    if (position > 0) record({ kind: "attempt_started", index, target, at: now() });
    if (status < 300) return;
    record({ kind: "attempt_failed", index, sipStatus: status, cause: `sip_${status}`, at: now() });
  }
}

function refused(request: ProxyRequest, { finalStatus, responses }: ProxyResult): void {
  const { record, now } = request;
  // The edge cancels the targets of a caller who gave up; nobody else makes a business say 487.
  if (finalStatus === 487) {
    return record(callEnded("canceled", { releasedBy: "caller", cause: "canceled", at: now() }));
  }
  const failure: AttemptFailure =
    finalStatus === undefined || responses.length === 0
      ? { kind: "transport" }
      : finalStatus === 408
        ? { kind: "ring_timeout" }
        : { kind: "status", status: finalStatus };
  const cause = finalStatus === undefined ? "transport" : `sip_${finalStatus}`;
  record(callEnded(failureOf(failure), { releasedBy: "callee", cause, at: now() }));
}

/** The call did not become the edge's, or what becomes of it will not be told. */
function notProxied({ response, ending, record, now }: ProxyRequest): void {
  const reason = String(ending.signal.reason);
  if (reason === "canceled") {
    return record(callEnded("canceled", { releasedBy: "caller", cause: reason, at: now() }));
  }
  refuse(response, 503);
  record(callEnded("failed", { releasedBy: "system", cause: reason, at: now() }));
}

async function endOf({ ending }: ProxyRequest, over: Promise<ProxyEnd>): Promise<ProxyEnd> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<ProxyEnd>((resolve) => {
    timer = setTimeout(() => resolve({ releasedBy: "system", cause: "max_call_duration" }), CALL_MS_MAX);
  });
  // The call itself goes on: a proxy has no leg to hang up. Its record must not stay open.
  const untold = new Promise<ProxyEnd>((resolve) => {
    const tell = (): void => resolve({ releasedBy: "system", cause: `untold: ${String(ending.signal.reason)}` });
    if (ending.signal.aborted) tell();
    ending.signal.addEventListener("abort", tell, { once: true });
  });
  try {
    return await Promise.race([over, untold, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
