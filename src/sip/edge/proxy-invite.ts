/**
 * An INVITE that the edge relays to one or more targets, one after another or all at once (RFC 3261 §16.5 to §16.8, §16.10). The first 2xx wins and the
 * others are cancelled; without one the caller hears the best failure. Started by outbound-proxy.ts; knows nothing of apps.
 */
import { type ForkFailure, redirectTargets } from "./best-response.js";
import type { Incoming } from "./call-state.js";
import { cdrAttempt, cdrStart, cdrStop } from "./cdr.js";
import { contactUri } from "./dialog.js";
import type { EdgeContext } from "./edge-context.js";
import { failureResponse } from "./failure-response.js";
import { refuse } from "./incoming.js";
import { MAX_FORKS } from "./limits.js";
import type { CheckedResponse } from "./message-check.js";
import { releaseAnswer } from "./outbound-invite.js";
import { ownRecordRoutes } from "./own-route.js";
import { admit, type ProxiedCall, rememberCallee } from "./proxied-calls.js";
import { reach } from "./reach.js";
import { type Relay, relayedHeaders, startRelay } from "./relay-request.js";
import { relayResponse } from "./relay-response.js";
import { type Header, header, type SipResponse } from "./sip-message.js";
import { writeMessage } from "./sip-writer.js";
import { parseSipUri } from "./sip-uri.js";
import type { Timer } from "./timers.js";
import type { Flow } from "./transport.js";

export interface ProxyPlan {
  readonly targets: readonly string[];
  readonly simultaneous: boolean;
  /** What follows in the call passes here too. */
  readonly recordRoute: boolean;
  readonly followRedirects: boolean;
  readonly provisionalMs: number | null;
  readonly finalMs: number | null;
  /** Added, in place of the caller's of the same name. */
  readonly headers: readonly Header[];
}

export interface ProxyWatch {
  /** A phone has begun to ring; only where the search rules show it. */
  onRinging(message: SipResponse, flow: Flow): void;
  /** A phone's final answer (or the 408 that stands for none); the winning 2xx is the last. */
  onFinal(message: SipResponse, flow: Flow): void;
  /** Once. */
  onDone(): void;
}

interface Fork {
  relay: Relay | null;
  isSettled: boolean;
  hasRung: boolean;
  readonly timers: Timer[];
}

interface Proxying {
  readonly incoming: Incoming;
  readonly plan: ProxyPlan;
  readonly watch: ProxyWatch;
  readonly call: ProxiedCall;
  /** Not tried yet. */
  waiting: string[];
  /** Every target there ever was: a redirect to one of them is no news. */
  readonly known: Set<string>;
  readonly forks: Set<Fork>;
  readonly failures: ForkFailure[];
  end: "none" | "canceled" | "declined" | "answered" | "failed";
}

/** The call is in `ctx.proxied` already. */
export function proxyInvite(
  ctx: EdgeContext,
  incoming: Incoming,
  plan: ProxyPlan,
  call: ProxiedCall,
  watch: ProxyWatch,
): void {
  const waiting = [...new Set(plan.targets)].slice(0, MAX_FORKS);
  const known = new Set(waiting);
  const state: Proxying = { incoming, plan, watch, call, waiting, known, forks: new Set(), failures: [], end: "none" };
  incoming.proxy = { cancel: () => stopForks(state, "canceled") };
  goOn(ctx, state);
}

/** Starts what may be tried now, or ends the search when nothing is left. */
function goOn(ctx: EdgeContext, state: Proxying): void {
  while (state.waiting.length > 0 && (state.plan.simultaneous || state.forks.size === 0)) {
    startFork(ctx, state, state.waiting.shift() ?? "");
  }
  if (state.forks.size === 0 && state.waiting.length === 0) finish(ctx, state);
}

function startFork(ctx: EdgeContext, state: Proxying, target: string): void {
  const fork: Fork = { relay: null, isSettled: false, hasRung: false, timers: [] };
  state.forks.add(fork);
  const uri = parseSipUri(target);
  if (uri === null || uri.hasHeaders) return settleFork(ctx, state, fork, { status: 503, response: null }, false);
  reach(ctx, uri, (reached) => {
    if (fork.isSettled) return;
    const relay = reached.kind === "flow" ? sendFork(ctx, state, fork, target, reached.flow) : null;
    // Without a second look at what is left to try: the caller of this may be goOn itself.
    if (relay === null) return settleFork(ctx, state, fork, { status: 503, response: null });
    fork.relay = relay;
    cdrAttempt(ctx, "application", () => relay.started.text);
    giveUpAfter(ctx, state, fork, state.plan.finalMs, () => true);
    giveUpAfter(ctx, state, fork, state.plan.provisionalMs, () => relay.started.machine.state === "calling");
  });
}

function sendFork(ctx: EdgeContext, state: Proxying, fork: Fork, target: string, flow: Flow): Relay | null {
  const { incoming, plan } = state;
  const added = plan.headers;
  const dropped = new Set(["route", ...added.map((one) => one.key)]);
  const routes = plan.recordRoute ? ownRecordRoutes(incoming.flow, flow) : [];
  const headers = [...relayedHeaders(incoming, routes, dropped), ...added];
  return startRelay(ctx, { ...incoming.request.message, uri: target, headers }, flow, {
    onResponse: (response) => onResponse(ctx, state, fork, response),
    onFailed: (status) => settleFork(ctx, state, fork, { status, response: null }),
  });
}

function giveUpAfter(ctx: EdgeContext, state: Proxying, fork: Fork, ms: number | null, isDue: () => boolean): void {
  if (ms === null) return;
  const timer = ctx.scheduler.after(ms, () => {
    if (!isDue()) return;
    fork.relay?.cancel();
    settleFork(ctx, state, fork, { status: 408, response: null });
  });
  fork.timers.push(timer);
}

function onResponse(ctx: EdgeContext, state: Proxying, fork: Fork, response: CheckedResponse): void {
  const { status } = response.message;
  if (status < 200) {
    if (fork.isSettled || state.end !== "none") return;
    rememberCallee(state.call, response.toTag);
    relayResponse(ctx, state.incoming, response);
    return tellRinging(ctx, state, fork, response);
  }
  if (status < 300) return onAnswer(ctx, state, fork, response);
  const failure = fork.relay?.hasTimedOut() === true ? { status: 408, response: null } : { status, response };
  settleFork(ctx, state, fork, failure);
}

function tellRinging(ctx: EdgeContext, state: Proxying, fork: Fork, response: CheckedResponse): void {
  if (fork.hasRung || fork.relay === null || !ctx.searchRules.showsRinging) return;
  fork.hasRung = true;
  state.watch.onRinging(response.message, fork.relay.flow);
}

/** Also of a phone that was given up: while the caller waits, an answer is an answer. */
function onAnswer(ctx: EdgeContext, state: Proxying, fork: Fork, response: CheckedResponse): void {
  const { incoming, call, watch, plan } = state;
  const flow = fork.relay?.flow ?? incoming.flow;
  if (state.end === "failed") return releaseAnswer(ctx, response, flow, null, null);
  rememberCallee(call, response.toTag);
  relayResponse(ctx, incoming, response);
  if (state.end === "answered") return;
  stopForks(state, "answered", fork);
  call.isAnswered = true;
  call.calleeFlow = flow;
  if (plan.recordRoute) {
    admit(ctx, call, incoming.flow);
    admit(ctx, call, flow);
  } else ctx.proxied.remove(call);
  cdrStart(ctx, "network", "proxy-uac", () => writeMessage(response.message));
  cdrStart(ctx, "application", "proxy-uas", () => writeMessage(response.message));
  watch.onFinal(response.message, flow);
  watch.onDone();
}

/** No further target is tried; everybody who may still ring is cancelled. */
function stopForks(state: Proxying, why: "canceled" | "declined" | "answered", but: Fork | null = null): void {
  if (state.end === "answered" || state.end === "failed") return;
  state.end = why;
  state.waiting = [];
  for (const fork of state.forks) {
    for (const timer of fork.timers.splice(0)) timer.cancel();
    if (fork !== but) fork.relay?.cancel();
  }
}

function settleFork(ctx: EdgeContext, state: Proxying, fork: Fork, failure: ForkFailure, andGoOn = true): void {
  if (fork.isSettled) return;
  fork.isSettled = true;
  state.forks.delete(fork);
  for (const timer of fork.timers.splice(0)) timer.cancel();
  if (state.end === "answered" || state.end === "failed") return;
  tellFailure(ctx, state, fork, failure);
  if (!redirected(state, failure)) state.failures.push(failure);
  // Where all ring at once, only a word for everybody ends it: one phone's own refusal says nothing about the others.
  const isLast = ctx.searchRules.endsWith(failure) && (failure.status >= 600 || !state.plan.simultaneous);
  if (isLast && state.end === "none") stopForks(state, "declined");
  if (andGoOn) goOn(ctx, state);
}

function tellFailure(ctx: EdgeContext, state: Proxying, fork: Fork, failure: ForkFailure): void {
  const { relay } = fork;
  if (relay === null) return;
  const status = failure.status === 503 ? 503 : 408;
  const message = failure.response?.message ?? failureResponse(relay.started.request, status);
  state.watch.onFinal(message, relay.flow);
  const reason = state.end === "canceled" ? "call-canceled" : "call-rejected";
  cdrStop(ctx, "network", reason, () => writeMessage(message));
}

/** True when a 3xx named somebody new to call: then it is no failure. */
function redirected(state: Proxying, failure: ForkFailure): boolean {
  const { response, status } = failure;
  if (!state.plan.followRedirects || response === null || status < 300 || status > 399 || state.end !== "none") {
    return false;
  }
  const toUri = (contact: string): string | null =>
    contactUri({ ...response.message, headers: [header("Contact", contact)] });
  const fresh = redirectTargets(response, toUri).filter((uri) => !state.known.has(uri));
  const taken = fresh.slice(0, Math.max(0, MAX_FORKS - state.known.size));
  for (const uri of taken) state.known.add(uri);
  // Before what was to come: the phone that redirects speaks for this step of the hunt.
  state.waiting.unshift(...taken);
  return taken.length > 0;
}

function finish(ctx: EdgeContext, state: Proxying): void {
  if (state.end === "answered" || state.end === "failed") return;
  const isCanceled = state.end === "canceled";
  state.end = "failed";
  const { incoming, failures, watch, call } = state;
  ctx.proxied.remove(call);
  const answer = ctx.searchRules.answerFor(failures);
  let sent = failureResponse(incoming.request.message, isCanceled ? 487 : 408);
  if (isCanceled) refuse(ctx, incoming, 487);
  else if (answer.kind === "own") {
    refuse(ctx, incoming, answer.status, answer.headers);
    sent = failureResponse(incoming.request.message, answer.status);
  } else {
    relayResponse(ctx, incoming, answer.response, answer.extra);
    sent = answer.response.message;
  }
  cdrStop(ctx, "application", isCanceled ? "call-canceled" : "call-rejected", () => writeMessage(sent));
  watch.onDone();
}
