/** One INVITE, from its facts to its end: read, route, then bridge, proxy, redirect, intercept or refuse. */
import type { Trunk } from "../account/trunks.store.js";
import type { Clock } from "../kernel/clock.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { type RouteCallDeps, type RoutedCall, routeCall } from "../routing/route-call.js";
import type { CallEvent } from "../telephony/call-event.js";
import { callBusiness, hangUp } from "./b-leg.js";
import { bridgeCall, refuse } from "./bridge.js";
import { callClock } from "./call-clock.js";
import { answerCallerLeg } from "./caller-leg.js";
import type { Dialog, SipRequest, SipResponse, Srf } from "./drachtio-types.js";
import type { ConcurrentCalls } from "./concurrent-calls.js";
import { type InviteFacts, readInvite } from "./invite-facts.js";
import { joinLegs } from "./join-legs.js";
import { claimsOurWord, legHeaders, proxyHeaders } from "./leg-headers.js";
import type { ProxiedCalls } from "./proxied-calls.js";
import { proxyCall } from "./proxy-call.js";
import { redirectCall } from "./redirect-call.js";
import { outboundOf } from "./target-uri.js";
import type { TrunkLimits } from "./trunk-limits.js";

export interface LiveCall {
  readonly link: object;
  readonly ending: AbortController;
  /** Resolves when the call is over and its last event is handed to the log. */
  readonly over: Promise<void>;
}

/** By ingress key. */
export type LiveCalls = Map<string, LiveCall>;

export interface InviteDeps {
  readonly srf: Srf;
  readonly link: object;
  readonly routing: RouteCallDeps;
  readonly clock: Clock;
  readonly log: Log;
  readonly node: string;
  readonly interceptUri: string | null;
  readonly live: LiveCalls;
  readonly limits: TrunkLimits;
  /** By the business's number: two accounts that track one number share its phones. */
  readonly concurrent: ConcurrentCalls;
  readonly proxied: ProxiedCalls;
}

export interface Invite {
  readonly request: SipRequest;
  readonly response: SipResponse;
  readonly trunk: Trunk;
  readonly isDraining: boolean;
}

export async function handleInvite(deps: InviteDeps, invite: Invite): Promise<void> {
  const { request, response, trunk } = invite;
  const ending = new AbortController();
  // First of all: a CANCEL may arrive before anything below has run (drachtio-srf#113).
  request.on("cancel", () => ending.abort("canceled"));
  if (invite.isDraining) return refuse(response, 503);
  const facts = readInvite(request, { trunk, node: deps.node });
  if (facts.kind === "malformed") return response.send(400, facts.why);
  if (facts.kind === "loop") return refuse(response, 482);
  const key = facts.call.ingressKey;
  const former = deps.live.get(key);
  // Its caller was told 487 and may try again, while the business's leg still settles: a further attempt once that is over.
  if (former?.ending.signal.aborted === true) {
    if (trunk.mode !== "proxy") takeUp(response, ending);
    await former.over;
  }
  // The same call through another branch (a forking proxy, RFC 3261 §8.2.2.2).
  if (deps.live.has(key)) return refuse(response, 482);
  const admission = deps.limits.admit(trunk);
  if (admission.kind === "refused") {
    deps.log.warn("sip.over_limit", { trunk: trunk.name, limit: admission.limit });
    return refuse(response, 503);
  }

  let done: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    done = resolve;
  });
  deps.live.set(key, { link: deps.link, ending, over });
  try {
    const routed = await routeCall(deps.routing, facts.call);
    await act(deps, { routed, ending, facts, ...invite });
  } finally {
    deps.live.delete(key);
    admission.release();
    done();
  }
}

interface Acting extends Invite {
  readonly routed: RoutedCall;
  readonly ending: AbortController;
  readonly facts: InviteFacts & { readonly kind: "call" };
}

async function act(deps: InviteDeps, acting: Acting): Promise<void> {
  const { routed, response } = acting;
  switch (routed.decision.kind) {
    case "route":
      return bridge(deps, acting);
    case "intercept":
      return intercept(deps, acting);
    case "unknown":
      return refuse(response, 404);
    case "unavailable":
      return refuse(response, 503);
  }
}

/**
 * The edge waits for a word within 5 s. The caller has its 100 from the edge already, so ours goes together with the INVITE to the business, at most the time
 * of a match later: on its own it woke both threads once more. Not to a proxied call's edge: a drachtio-server passes on only what its app has not
 * answered, even by 100.
 */
function takeUp(response: SipResponse, ending: AbortController): void {
  if (!ending.signal.aborted) response.send(100);
}

async function bridge(deps: InviteDeps, acting: Acting): Promise<void> {
  const { request, response, routed, trunk, ending, facts } = acting;
  if (routed.decision.kind !== "route") return;
  const { promoNumber, ingressKey } = facts.call;
  const { callLog } = deps.routing;
  const now = callClock(deps.clock, routed.arrivedAt);
  const record = (...events: CallEvent[]): void => void callLog.record(routed.ref, events, ingressKey);
  // Whether a late one was there before nobody knows; of a call that was not, there is nothing that this would reopen.
  if (routed.isRepeat || routed.isLate) record({ kind: "retried", at: now() });
  const { destinationNumber, maxConcurrentCalls, callerId, passIds } = routed.decision;
  if (trunk.mode === "redirect") return redirect(deps, acting, { now, record });
  const leave = deps.concurrent.enter(destinationNumber, maxConcurrentCalls);
  const business = {
    callerId,
    passIds,
    promoNumber,
    callId: routed.ref.callId,
    presentationId: routed.presentationId,
  };
  const common = {
    srf: deps.srf,
    invite: request,
    response,
    targets: routed.decision.targets,
    isFirstTargetFull: leave === null,
    attemptsBefore: routed.attemptsBefore,
    ringTimeoutMs: routed.decision.ringTimeoutS * 1000,
    outboundUri: outboundOf(trunk),
    now,
    ending,
    record,
  };
  try {
    if (isProxied(acting)) {
      const onUnreported = (): void => deps.log.warn("sip.proxy_unreported", { callId: routed.ref.callId });
      const headers = proxyHeaders({ hops: facts.hops, business });
      await proxyCall({ headers, calls: deps.proxied, onUnreported, ...common });
    } else {
      takeUp(response, ending);
      await bridgeCall({ headers: legHeaders({ business, ...facts }), ...common });
    }
  } finally {
    // Whatever went wrong: a place that is not given back is the business's for good.
    leave?.();
  }
}

/**
 * A proxy may not change who calls (RFC 3261 §16.6): where a number is withheld, or the destination is to see the promo number, the call is bridged on
 * a proxy trunk too. So is one whose headers speak for us.
 */
function isProxied({ request, trunk, routed, facts }: Acting): boolean {
  const { decision } = routed;
  return (
    trunk.mode === "proxy" &&
    decision.kind === "route" &&
    decision.callerId !== "promo_number" &&
    facts.caller.kind !== "withheld" &&
    !claimsOurWord(request, trunk)
  );
}

/** Nothing is held while the call is elsewhere: the destination's limit is looked at, and its place given back at once. */
function redirect(
  deps: InviteDeps,
  acting: Acting,
  how: { readonly now: () => number; readonly record: (...events: CallEvent[]) => void },
): void {
  const { response, routed, trunk, ending } = acting;
  if (routed.decision.kind !== "route") return;
  const { destinationNumber, maxConcurrentCalls, targets } = routed.decision;
  const leave = deps.concurrent.enter(destinationNumber, maxConcurrentCalls);
  const { attemptsBefore } = routed;
  const outboundUri = outboundOf(trunk);
  redirectCall({ response, targets, isFirstTargetFull: leave === null, attemptsBefore, outboundUri, ending, ...how });
  leave?.();
}

/** The record is closed already; what happens on the announcement is nobody's call. */
async function intercept(deps: InviteDeps, acting: Acting): Promise<void> {
  const { request, response, ending, facts } = acting;
  if (deps.interceptUri === null) return refuse(response, 404);
  takeUp(response, ending);
  const outcome = await callBusiness(deps.srf, {
    uri: deps.interceptUri,
    headers: legHeaders({ ...facts, business: null }),
    offer: request.body || null,
    ringTimeoutMs: ANNOUNCEMENT_RING_MS_MAX,
    signal: ending.signal,
    onProvisional: () => undefined,
  });
  if (outcome.kind === "canceled") return;
  if (outcome.kind === "failed") return refuse(response, 404);
  const { answer } = outcome;
  let caller: Dialog;
  try {
    caller = await answerCallerLeg(deps.srf, { invite: request, response, sdp: answer.sdp });
  } catch (error) {
    // The caller gave up at that very moment, or cannot be answered: the announcement must not go on to nobody.
    deps.log.info("sip.announcement_unheard", { error: messageOf(error) });
    await hangUp(answer.kind === "dialog" ? answer.dialog : answer.leg);
    return refuse(response, 500);
  }
  await joinLegs({ caller, answer, ending: ending.signal });
}

/** An announcement answers at once or is broken. */
const ANNOUNCEMENT_RING_MS_MAX = 5_000;
