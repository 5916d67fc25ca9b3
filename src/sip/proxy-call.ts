/**
 * Trunk mode `proxy`: the INVITE goes on to the business as it came (Call-ID, SDP, From), the edge or drachtio-server hunts and stays in the dialog by
 * Record-Route, and the call survives this process. We hear how it went: attempts and the end from cdr frames, the answer from drachtio-srf. Only
 * stored targets are called, redirects are never followed. Called by handle-invite.ts; every way out writes an `ended` event.
 */
import type { CallEvent } from "../telephony/call-event.js";
import { messageOf } from "../kernel/errors.js";
import { failureOf, finalStatusFor } from "../telephony/sip-status.js";
import { type BridgeRequest, ended, endUnanswered, refuse } from "./bridge.js";
import type { ProxyResult, SipMessage } from "./drachtio-types.js";
import { CALL_MS_MAX, type Release } from "./join-legs.js";
import { createProxyHunt, type ProxyHunt } from "./proxy-hunt.js";
import type { ProxiedCalls } from "./proxied-calls.js";

export interface ProxyRequest extends BridgeRequest {
  readonly calls: ProxiedCalls;
  /** The server answered the caller and tells nothing of the call: its cdr frames are off, or another process gets them. */
  readonly onUnreported: () => void;
}

/** A target that has not said even 100 by then is not there; on UDP four packets have gone out (RFC 3261 §17.1.1.2). */
const PROVISIONAL_MS_MAX = 5_000;
/** Between the frame that says how the caller was answered and the one that ends the proxying; both come over one connection. */
const RESULT_LAG_MS_MAX = 1_000;
/**
 * A target may ring this long where its ring timeout is not kept (drachtio-server knows timer C alone, 3 minutes), with as much to spare as a CANCEL or
 * an unanswered INVITE takes to settle (64*T1).
 */
const TARGET_MS_MAX = 185_000;
const TARGET_SETTLES_MS_MAX = 35_000;

/** Resolves when the call is over, as far as is heard of it. Never rejects. */
export async function proxyCall(request: ProxyRequest): Promise<void> {
  const { invite, response, ending, record, now, calls } = request;
  if (ending.signal.aborted) return endUnanswered(request, now());
  const hunt = createProxyHunt(request);
  if (hunt.uris.length === 0) {
    const { failure, cause } = hunt.conclude("failed", []);
    refuse(response, finalStatusFor(failure));
    return record(ended(failureOf(failure), { releasedBy: "callee", cause, at: now() }));
  }
  const watched = watchCall(hunt);
  const forget = calls.watch(invite, watched.onNews);
  if (forget === null) {
    refuse(response, 503);
    return record(ended("failed", { releasedBy: "system", cause: "max_proxied_calls", at: now() }));
  }
  try {
    await follow(request, hunt, watched);
  } finally {
    forget();
  }
}

type Outcome =
  | { readonly kind: "result"; readonly result: ProxyResult }
  | { readonly kind: "refused"; readonly status: number }
  | { readonly kind: "not_taken"; readonly why: string }
  | { readonly kind: "ending" }
  /** Nothing was ever said: drachtio-server forgets a call whose target has a name that does not resolve. */
  | { readonly kind: "silent" };

async function follow(request: ProxyRequest, hunt: ProxyHunt, watched: Watched): Promise<void> {
  const { ending, record, now, response } = request;
  const silence = silenceOf(request, hunt);
  const told = [proxied(request, hunt), watched.refused, whenEnding(ending.signal), silence.passed];
  const outcome = await Promise.race(told);
  silence.stop();
  const at = now();
  switch (outcome.kind) {
    case "ending":
      return record(unseenEnd("failed", ending.signal, at));
    case "silent":
      hunt.conclude("failed", []);
      return record({ ...ended("failed", { releasedBy: "system", cause: "end_not_reported", at }), authority: 1 });
    case "not_taken":
      // The transaction is gone: the CANCEL crossed our order.
      if (/unknown transaction/i.test(outcome.why)) return record(canceledEnd(at));
      refuse(response, 503);
      return record(ended("failed", { releasedBy: "system", cause: `transport: ${outcome.why.slice(0, 200)}`, at }));
    case "refused":
      return unanswered(request, hunt, { status: outcome.status, finals: [] });
    case "result": {
      const finals = finalsOf(outcome.result);
      const status = outcome.result.finalStatus ?? 503;
      if (status < 200 || status > 299) {
        return unanswered(request, hunt, { status: watched.refusedWith() ?? status, finals });
      }
      hunt.conclude("answered", finals);
      record({ kind: "answered", at });
      return record(await untilReleased(request, watched));
    }
  }
}

/** Settles after the caller has been told what the hunt came to; by then the frames that say so have come. */
async function proxied(request: ProxyRequest, hunt: ProxyHunt): Promise<Outcome> {
  const { srf, invite, headers, ringTimeoutMs } = request;
  try {
    const result = await srf.proxyRequest(invite, [...hunt.uris], {
      remainInDialog: true,
      followRedirects: false,
      forking: "sequential",
      provisionalTimeout: `${Math.min(PROVISIONAL_MS_MAX, ringTimeoutMs)}ms`,
      finalTimeout: `${ringTimeoutMs}ms`,
      headers: { ...headers },
    });
    return { kind: "result", result };
  } catch (error) {
    return { kind: "not_taken", why: typeof error === "string" ? error : messageOf(error) };
  }
}

function silenceOf(request: ProxyRequest, hunt: ProxyHunt): { readonly passed: Promise<Outcome>; stop(): void } {
  const eachMs = Math.max(request.ringTimeoutMs, TARGET_MS_MAX) + TARGET_SETTLES_MS_MAX;
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => resolve({ kind: "silent" }), hunt.uris.length * eachMs);
  });
  return { passed, stop: () => clearTimeout(timer) };
}

function unanswered(
  request: ProxyRequest,
  hunt: ProxyHunt,
  how: { readonly status: number; readonly finals: readonly SipMessage[] },
): void {
  const { record, now } = request;
  if (how.status === 487) {
    hunt.conclude("canceled", how.finals);
    return record(canceledEnd(now()));
  }
  const { failure, cause } = hunt.conclude("failed", how.finals);
  record(ended(failureOf(failure), { releasedBy: "callee", cause, at: now() }));
}

async function untilReleased(request: ProxyRequest, watched: Watched): Promise<CallEvent> {
  const { ending, now, onUnreported } = request;
  if (!watched.hasHeard()) {
    onUnreported();
    return { ...ended("completed", { releasedBy: null, cause: "end_not_reported", at: now() }), authority: 1 };
  }
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<"too_long">((resolve) => {
    timer = setTimeout(() => resolve("too_long"), CALL_MS_MAX);
  });
  const end = await Promise.race([watched.released, tooLong, whenEnding(ending.signal)]);
  clearTimeout(timer);
  const at = now();
  if (end === "too_long") {
    return { ...ended("completed", { releasedBy: "system", cause: "max_call_duration", at }), authority: 1 };
  }
  if ("kind" in end) return unseenEnd("completed", ending.signal, at);
  return ended("completed", { ...end, at });
}

interface Watched {
  readonly onNews: Parameters<ProxiedCalls["watch"]>[1];
  readonly refused: Promise<Outcome>;
  readonly released: Promise<Release>;
  refusedWith(): number | null;
  hasHeard(): boolean;
}

function watchCall(hunt: ProxyHunt): Watched {
  let refusedWith: number | null = null;
  let hasHeard = false;
  let refuseWith: (outcome: Outcome) => void = () => undefined;
  let release: (release: Release) => void = () => undefined;
  const refused = new Promise<Outcome>((resolve) => {
    refuseWith = resolve;
  });
  const released = new Promise<Release>((resolve) => {
    release = resolve;
  });
  return {
    refused,
    released,
    refusedWith: () => refusedWith,
    hasHeard: () => hasHeard,
    onNews(news) {
      hasHeard = true;
      if (news.kind === "attempt") return hunt.onAttempt(news.uri, news.branch);
      if (news.kind === "released") return release(news.release);
      const { status } = news;
      refusedWith ??= status;
      // drachtio-server says nothing more when the caller gave up on a silent target; else the result follows, and knows more.
      setTimeout(() => refuseWith({ kind: "refused", status }), RESULT_LAG_MS_MAX).unref();
    },
  };
}

function whenEnding(signal: AbortSignal): Promise<{ readonly kind: "ending" }> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve({ kind: "ending" });
    signal.addEventListener("abort", () => resolve({ kind: "ending" }), { once: true });
  });
}

/** We go, or the link does; the call may go on without us, and whoever saw its end knows better. */
function unseenEnd(status: "completed" | "failed", signal: AbortSignal, at: number): CallEvent {
  return { ...ended(status, { releasedBy: "system", cause: String(signal.reason), at }), authority: 1 };
}

function canceledEnd(at: number): CallEvent {
  return ended("canceled", { releasedBy: "caller", cause: "canceled", at });
}

function finalsOf(result: ProxyResult): SipMessage[] {
  return result.responses.flatMap((one) => one.msgs.map(({ msg }) => msg));
}
