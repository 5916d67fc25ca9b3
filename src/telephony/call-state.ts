/**
 * The state of one call, folded from its events in any order. Rules: it never moves backwards (ringing → in progress → ended), an event
 * that comes twice changes nothing, and what arrives late only fills what is still unknown. Only a repeated try reopens a call, and it must be
 * told before what came of it (the writers keep the order of one call).
 */
import type { Instant } from "../kernel/clock.js";
import { unreachable } from "../kernel/invariant.js";
import type { CallEvent, ReleasedBy, TerminalStatus } from "./call-event.js";

export interface Attempt {
  readonly target: string;
  readonly startedAt: Instant;
  readonly sipStatus: number | null;
  readonly cause: string | null;
}

export interface CallEnd {
  readonly status: TerminalStatus;
  readonly releasedBy: ReleasedBy | null;
  readonly cause: string | null;
  readonly authority: 1 | 2;
  readonly talkMs: number | null;
  readonly at: Instant;
}

export interface CallState {
  readonly attempts: readonly (Attempt | null)[];
  readonly ringingAt: Instant | null;
  readonly answeredAt: Instant | null;
  readonly end: CallEnd | null;
  /** The carrier tried the call again then: ends of earlier tries do not count any more, however late they are told. */
  readonly retriedAt: Instant | null;
}

const SIP_OK = 200;

export type CallStatus = "ringing" | "in_progress" | TerminalStatus;

export const newCall: CallState = { attempts: [], ringingAt: null, answeredAt: null, end: null, retriedAt: null };

export function applyCallEvent(state: CallState, event: CallEvent): CallState {
  switch (event.kind) {
    case "attempt_started":
      return withAttempt(state, event.index, (known) => ({
        target: event.target,
        startedAt: event.at,
        sipStatus: known?.sipStatus ?? null,
        cause: known?.cause ?? null,
      }));
    case "attempt_failed":
      return withAttempt(state, event.index, (known) => ({
        target: known?.target ?? "",
        startedAt: known?.startedAt ?? event.at,
        sipStatus: known?.sipStatus ?? event.sipStatus,
        cause: known?.cause ?? event.cause,
      }));
    case "ringing":
      return { ...state, ringingAt: earlier(state.ringingAt, event.at) };
    case "answered":
      return { ...withAnswer(state, event.index), answeredAt: earlier(state.answeredAt, event.at) };
    case "retried":
      return retried(state, event.at);
    case "ended":
      if (isOfEarlierTry(state, event.at)) return state;
      return { ...state, end: betterEnd(state.end, event) };
    default:
      return unreachable(event);
  }
}

export function statusOf(state: CallState): CallStatus {
  if (state.end !== null) return state.end.status;
  return state.answeredAt === null ? "ringing" : "in_progress";
}

/**
 * When the business answered. Where no report of it came but the carrier measured talk, that lies before the end, and the answer not before the first attempt;
 * a report that comes after all counts instead.
 */
export function answeredAtOf({ attempts, answeredAt, end }: CallState): Instant | null {
  if (answeredAt !== null || end === null || end.talkMs === null || end.talkMs === 0) return answeredAt;
  const firstAttemptAt = attempts[0]?.startedAt ?? 0;
  return Math.min(end.at, Math.max(firstAttemptAt, end.at - end.talkMs));
}

export interface CallTimings {
  /** Post-dial delay: first attempt sent → first ringing, progress or answer from any target. Hunting on does not restart it. RFC 6076 §4.3. */
  readonly pddMs: number | null;
  /** First ringing → answer, or → end when nobody answered. */
  readonly ringMs: number | null;
  /** Answer → end. Null until the call has ended, and for calls never answered. */
  readonly talkMs: number | null;
}

export function timingsOf(state: CallState): CallTimings {
  const firstAttemptAt = state.attempts[0]?.startedAt ?? null;
  const firstSignAt = state.ringingAt === null ? state.answeredAt : earlier(state.answeredAt, state.ringingAt);
  const ringEndAt = answeredAtOf(state) ?? state.end?.at ?? null;
  const measuredTalkMs = state.end?.talkMs ?? null;
  return {
    pddMs: between(firstAttemptAt, firstSignAt),
    ringMs: between(state.ringingAt, ringEndAt),
    talkMs: measuredTalkMs ?? (state.end === null ? null : between(state.answeredAt, state.end.at)),
  };
}

function withAttempt(state: CallState, index: number, change: (known: Attempt | null) => Attempt): CallState {
  const attempts = [...state.attempts];
  while (attempts.length <= index) attempts.push(null);
  attempts[index] = change(attempts[index] ?? null);
  return { ...state, attempts };
}

/** A target that was never told of gets no attempt. */
function withAnswer(state: CallState, index = -1): CallState {
  const known = state.attempts[index] ?? null;
  return known === null ? state : withAttempt(state, index, () => ({ ...known, sipStatus: known.sipStatus ?? SIP_OK }));
}

/** What the other report knew beside the status counts only when both speak of the same end: a busy call has no talk time, whoever was busy. */
function betterEnd(known: CallEnd | null, event: CallEnd): CallEnd {
  const { status, releasedBy, cause, authority, talkMs, at } = event;
  const end: CallEnd = { status, releasedBy, cause, authority, talkMs, at };
  if (known === null) return end;
  const [best, other] = known.authority >= authority ? [known, end] : [end, known];
  if (best.status !== other.status) return best;
  return {
    ...best,
    releasedBy: best.releasedBy ?? other.releasedBy,
    cause: best.cause ?? other.cause,
    talkMs: best.talkMs ?? other.talkMs,
  };
}

/** An answered call was no failure and is not tried again: such a report is a mistake. */
function retried(state: CallState, at: Instant): CallState {
  if (state.answeredAt !== null) return state;
  const known = { ...state, retriedAt: Math.max(state.retriedAt ?? at, at) };
  return known.end !== null && isOfEarlierTry(known, known.end.at) ? { ...known, end: null } : known;
}

function isOfEarlierTry(state: CallState, endedAt: Instant): boolean {
  return state.retriedAt !== null && endedAt < state.retriedAt;
}

function earlier(known: Instant | null, at: Instant): Instant {
  return known === null ? at : Math.min(known, at);
}

function between(from: Instant | null, to: Instant | null): number | null {
  return from === null || to === null ? null : Math.max(0, Math.round(to - from));
}
