/**
 * What happens to a call at each webhook, the same for every carrier: a record is opened or found, events are folded into it, and the carrier is
 * told what to do. Called by inbound-route.ts after the signature passed. One call has one record, whichever of its webhooks comes first.
 */
import { type CallRef, findCallByKey } from "../../attribution/calls.store.js";
import type { CarrierCredential } from "../../account/carrier-credentials.store.js";
import { readNumberFactsAt } from "../../attribution/match.store.js";
import type { Instant } from "../../kernel/clock.js";
import type { CallId } from "../../kernel/ids.js";
import { decide, type Decision, type Target } from "../../routing/decision.js";
import type { InboundCall } from "../../routing/inbound-call.js";
import { openCall, type OpenedCall } from "../../routing/open-call.js";
import { routeCall, type RouteCallDeps } from "../../routing/route-call.js";
import type { CallEvent } from "../../telephony/call-event.js";
import { callbackUrl } from "./callback-url.js";
import type {
  AttemptPlan,
  CallbackContext,
  CallReport,
  CarrierAdapter,
  CarrierAnswer,
  DialReport,
  DialResult,
  Refusal,
  StatusReport,
} from "./carrier-adapter.js";
import { hostedNumber } from "./hosting.js";
import { RECORD_LIMIT_MS, STEP_LIMIT_MS, within } from "./within.js";

export interface InboundWebhook {
  readonly adapter: CarrierAdapter;
  readonly isDatabaseUp: boolean;
  readonly credential: CarrierCredential;
  /** E.164, or what was dialled when it is no such number. */
  readonly called: string;
  /** What callback URLs start with. */
  readonly baseUrl: string;
}

export interface Acted {
  readonly answer: CarrierAnswer;
  readonly callId: string | null;
  /** Notes what is true only when this answer is given, and not the one of an earlier request of the same delivery. */
  readonly onGiven?: () => void;
}

type Route = Extract<Decision, { kind: "route" }>;

export async function answerVoice(deps: RouteCallDeps, webhook: InboundWebhook, report: CallReport): Promise<Acted> {
  const call = callOf(webhook, report);
  const { ref, decision, isRepeat } = await routeCall(deps, call);
  const { callId } = ref;
  if (decision.kind !== "route") {
    return {
      callId,
      answer: webhook.adapter.renderRefusal(refusalFor(decision, webhook.credential), {
        ...report,
        called: webhook.called,
      }),
    };
  }
  const target = targetsOf(decision)[0] as Target;
  // A record that was there before was made by the call's end, which came first.
  const at = isRepeat ? ref.receivedAt : deps.databaseClock.now();
  const started: CallEvent = { kind: "attempt_started", index: 0, target: textOf(target), at };
  // Not awaited: recording is not what rings the phone.
  const onGiven = (): void => void deps.callLog.record(ref, notBefore(ref, [started]), call.ingressKey);
  const announcement = decision.recordAnnouncement;
  const recording = announcement === null ? null : { announcement };
  return { callId, answer: attempt(webhook, { decision, target, index: 0, recording }, report), onGiven };
}

export async function answerDial(
  deps: RouteCallDeps,
  webhook: InboundWebhook,
  input: { report: DialReport; context: CallbackContext },
): Promise<Acted> {
  const { report, context } = input;
  const { result } = report;
  const elapsedMs = result.kind === "completed" ? (result.talkMs ?? 0) : 0;
  const next = await nextAttempt(deps, webhook, { result, context });
  const now = deps.databaseClock.now();
  const events = dialEvents({ result, context, next, endedAt: Math.min(report.at ?? now, now), now });
  const limitMs = next === null ? RECORD_LIMIT_MS : STEP_LIMIT_MS;
  const callId = await record(deps, webhook, { report, events, elapsedMs, limitMs });
  return { callId, answer: next === null ? webhook.adapter.renderHangup(report) : attempt(webhook, next, report) };
}

export async function takeStatus(deps: RouteCallDeps, webhook: InboundWebhook, report: StatusReport): Promise<Acted> {
  const { events, elapsedMs } = report;
  const callId = await record(deps, webhook, { report, events, elapsedMs, limitMs: RECORD_LIMIT_MS });
  return { callId, answer: report.answer ?? webhook.adapter.renderEmpty() };
}

/** What the destination says now; a business that has nothing to say any more is connected at once. */
export async function answerWhisper(deps: RouteCallDeps, webhook: InboundWebhook): Promise<Acted> {
  const { adapter } = webhook;
  const text = (await hostedNumber(deps, webhook))?.destination?.whisper ?? null;
  const answer = text === null || adapter.renderWhisper === null ? adapter.renderEmpty() : adapter.renderWhisper(text);
  return { callId: null, answer };
}

function callOf(webhook: InboundWebhook, report: CallReport): InboundCall {
  const { carrier } = webhook.adapter;
  return {
    ingress: carrier,
    ingressKey: `${carrier}:${webhook.credential.id}:${report.carrierCallId}`,
    ingressCallId: report.carrierCallId,
    promoNumber: webhook.called,
    caller: report.caller,
    callerName: report.callerName,
    diversion: report.diversion,
    verstat: report.verstat,
    node: null,
  };
}

function refusalFor(decision: Exclude<Decision, Route>, credential: CarrierCredential): Refusal {
  switch (decision.kind) {
    case "intercept":
      return credential.intercept;
    case "unknown":
      return "reject";
    case "unavailable":
      return "busy";
  }
}

/** A carrier reaches the business by its number, also where our own SIP side would use its `sip_uri` (which may be private); then failover. */
function targetsOf(decision: Route): readonly Target[] {
  return [{ kind: "number", number: decision.destinationNumber }, ...decision.targets.slice(1)];
}

function textOf(target: Target): string {
  return target.kind === "sip" ? target.uri : target.number;
}

interface Attempt {
  readonly decision: Route;
  readonly target: Target;
  readonly index: number;
  readonly recording: AttemptPlan["recording"];
}

function attempt(
  webhook: InboundWebhook,
  { decision, target, index, recording }: Attempt,
  { carrierCallId, handle }: CallReport,
): CarrierAnswer {
  const { adapter, baseUrl, called } = webhook;
  const destination = decision.destinationNumber;
  const context = { called, attempt: index, destination, isAnnounced: recording !== null };
  const urlOf = (kind: "dial" | "status" | "whisper"): string =>
    callbackUrl({ baseUrl, carrier: adapter.carrier, kind }, context);
  return adapter.renderAttempt({
    target,
    ringTimeoutS: decision.ringTimeoutS,
    promoNumber: called,
    carrierCallId,
    handle,
    dialUrl: urlOf("dial"),
    statusUrl: urlOf("status"),
    whisperUrl: decision.whisper === null || adapter.renderWhisper === null ? null : urlOf("whisper"),
    recording,
  });
}

/** Where the hunt goes on, by the destination as it is stored now. It ends when the number left that business during the call. */
async function nextAttempt(
  deps: RouteCallDeps,
  webhook: InboundWebhook,
  input: { result: DialResult; context: CallbackContext },
): Promise<Attempt | null> {
  const { result, context } = input;
  if (result.kind !== "failed" || !result.huntsOn) return null;
  const decision = decide(await hostedNumber(deps, webhook));
  if (decision.kind !== "route" || decision.destinationNumber !== context.destination) return null;
  const index = context.attempt + 1;
  const target = targetsOf(decision)[index];
  // Whoever was not told at the first attempt is not recorded, though the destination says so by now.
  const isRecorded = context.isAnnounced && decision.recordAnnouncement !== null;
  return target === undefined
    ? null
    : { decision, target, index, recording: isRecorded ? { announcement: null } : null };
}

/** Carriers measure in whole seconds: an answer time computed from a duration is this much too early at worst. */
const DURATION_STEP_MS = 1_000;

function dialEvents(input: {
  result: DialResult;
  context: CallbackContext;
  next: Attempt | null;
  endedAt: Instant;
  now: Instant;
}): CallEvent[] {
  const { result, context, next, endedAt: at, now } = input;
  const index = context.attempt;
  const ended = { kind: "ended", authority: 2, at } as const;
  switch (result.kind) {
    case "completed": {
      const { talkMs, releasedBy } = result;
      const end: CallEvent = { ...ended, status: "completed", cause: null, releasedBy, talkMs };
      if (talkMs === null) return [end];
      // Fills in when the report of the answer was lost; never earlier than the answer, so that it replaces none that was seen.
      return [{ kind: "answered", at: Math.min(at, at - talkMs + DURATION_STEP_MS) }, end];
    }
    case "canceled":
      return [
        { kind: "attempt_failed", index, sipStatus: null, cause: "canceled", at },
        { ...ended, status: "canceled", cause: "canceled", releasedBy: "caller", talkMs: null },
      ];
    case "failed": {
      const { failure, sipStatus } = result;
      const failed: CallEvent = { kind: "attempt_failed", index, sipStatus, cause: failure, at };
      if (next === null) return [failed, { ...ended, status: failure, cause: failure, releasedBy: null, talkMs: null }];
      return [failed, { kind: "attempt_started", index: next.index, target: textOf(next.target), at: now }];
    }
  }
}

/** @returns the call's id; null when there is no record and the number is none of ours */
async function record(
  deps: RouteCallDeps,
  webhook: InboundWebhook,
  input: { report: CallReport; events: readonly CallEvent[]; elapsedMs: number; limitMs: number },
): Promise<string | null> {
  const { report, events, elapsedMs, limitMs } = input;
  const call = callOf(webhook, report);
  const ref = await recordOf(deps, webhook, { call, elapsedMs });
  if (ref === null) return null;
  if (events.length > 0) {
    const recording = deps.callLog.record(ref, notBefore(ref, events), call.ingressKey);
    await within(deps.log, { step: "record", ms: limitMs }, recording);
  }
  return ref.callId;
}

/** The call's record, opened when this report is the first we hear of it (its voice webhook is late, or went to the fallback URL). */
async function recordOf(
  deps: RouteCallDeps,
  webhook: InboundWebhook,
  input: { call: InboundCall; elapsedMs: number },
): Promise<CallRef | null> {
  const { call, elapsedMs } = input;
  const { isDatabaseUp } = webhook;
  const step = { step: "find_call", ms: STEP_LIMIT_MS };
  const found = isDatabaseUp ? await within(deps.log, step, findCallByKey(deps.db, call.ingressKey)) : null;
  if (found !== null && found.value !== null) return found.value;
  if ((await hostedNumber(deps, webhook)) === null) return null;

  const callId = deps.ids.next("call");
  const arrivedAt = deps.databaseClock.now() - elapsedMs;
  if (found !== null) {
    const opening = openAsOf(deps, { call, callId, arrivedAt: elapsedMs > 0 ? arrivedAt : null });
    const opened = await within(deps.log, { step: "open_call", ms: STEP_LIMIT_MS }, opening);
    if (opened !== null) return opened.value.ref;
  }
  // From the spool: replaying finds the record under the call's key, or opens it.
  deps.callLog.openLate({ call, callId, receivedAt: arrivedAt });
  return { callId, receivedAt: arrivedAt };
}

/** A call that began a while ago is matched as of then, when somebody had been presented the number by then; else as of now, like any other. */
async function openAsOf(
  deps: RouteCallDeps,
  input: { call: InboundCall; callId: CallId; arrivedAt: Instant | null },
): Promise<OpenedCall> {
  const { call, callId, arrivedAt } = input;
  if (arrivedAt === null) return openCall(deps, { call, callId, late: null });
  const facts = await readNumberFactsAt(deps.db, { e164: call.promoNumber, at: arrivedAt });
  const isPresented = facts?.standing.kind === "pooled" && facts.standing.latest !== null;
  return openCall(deps, { call, callId, late: isPresented ? arrivedAt : null });
}

/** A call's events cannot precede it, whatever durations and clocks say. */
function notBefore(ref: CallRef, events: readonly CallEvent[]): CallEvent[] {
  return events.map((event) => ({ ...event, at: Math.max(event.at, ref.receivedAt) }));
}
