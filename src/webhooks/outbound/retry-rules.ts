/**
 * What follows from an attempt to deliver: done, tried again when, given up; and what it says of the endpoint: healthy, left alone for a while (the
 * breaker), disabled. Pure; deliver.ts keeps what is decided.
 */
import type { Instant } from "../../kernel/clock.js";
import type { SendOutcome } from "./endpoint-kinds.js";

/** Something was sent. */
export type SentOutcome = Exclude<SendOutcome, { kind: "skipped" }>;

/** After each failure, until the next attempt. The last is made three days after the first. */
export const RETRY_AFTER_S = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] as const;
/** Added to each wait, up to this share of it: what failed together does not come back together. */
const JITTER_SHARE = 0.2;
/** What a receiver asks for (Retry-After) may lengthen a wait, up to this. */
export const RETRY_AFTER_S_MAX = 86_400;
/** So many failures in a row open the breaker. */
export const BREAKER_FAILURES = 5;
/** A quarter of the time it has been failing: a dead receiver costs an attempt a minute, and one that is back is noticed within one. */
const PAUSE_SHARE = 0.25;
export const PAUSE_S_MIN = 5;
export const PAUSE_S_MAX = 60;
/** Nothing but failures for so long, and so many of them, disable an endpoint: nobody looks after it. */
export const FAILING_S_MAX = 5 * 86_400;
export const FAILURES_TO_DISABLE = 10;

const GONE = 410;

export interface Health {
  readonly failingSince: Instant | null;
  readonly failures: number;
  readonly pausedUntil: Instant | null;
}

export type DeliveryFate =
  | { readonly state: "delivered" | "failed" }
  | { readonly state: "waiting"; readonly nextAttemptAt: Instant };

export interface Judgement {
  readonly delivery: DeliveryFate;
  readonly health: Health;
  readonly disable: "gone" | "failing" | null;
}

export function judgeAttempt(input: {
  outcome: SentOutcome;
  /** Attempts before this one, of this round. */
  tries: number;
  health: Health;
  /** The endpoint was changed or disabled since it was sent: a former place that is gone gives up nothing for the present one. */
  isChanged?: boolean;
  now: Instant;
  /** 0 to below 1. */
  chance: number;
}): Judgement {
  const { outcome, tries, health, isChanged = false, now, chance } = input;
  if (outcome.kind === "answered" && outcome.status >= 200 && outcome.status < 300) {
    const healthy = { failingSince: null, failures: 0, pausedUntil: null };
    return { delivery: { state: "delivered" }, health: healthy, disable: null };
  }
  const failures = health.failures + 1;
  const failingSince = health.failingSince ?? now;
  const failing = { failingSince, failures, pausedUntil: pauseAfter({ ...health, failingSince, failures }, now) };
  if (outcome.kind === "answered" && outcome.status === GONE && !isChanged) {
    return { delivery: { state: "failed" }, health: failing, disable: "gone" };
  }
  const isHopeless = now - failingSince >= FAILING_S_MAX * 1000 && failures >= FAILURES_TO_DISABLE;
  return { delivery: nextOf({ outcome, tries, now, chance }), health: failing, disable: isHopeless ? "failing" : null };
}

function nextOf(input: { outcome: SentOutcome; tries: number; now: Instant; chance: number }): DeliveryFate {
  const { outcome, tries, now, chance } = input;
  if (outcome.kind === "answered" && outcome.isFinal === true) return { state: "failed" };
  const waitS = RETRY_AFTER_S[tries];
  if (waitS === undefined) return { state: "failed" };
  const asked = outcome.kind === "answered" ? (outcome.retryAfterS ?? 0) : 0;
  const longerS = Math.max(waitS, Math.min(asked, RETRY_AFTER_S_MAX));
  return { state: "waiting", nextAttemptAt: Math.round(now + longerS * (1 + JITTER_SHARE * chance) * 1000) };
}

/** What was on its way when the pause began does not make it longer. */
function pauseAfter(health: Health & { readonly failingSince: Instant }, now: Instant): Instant | null {
  const { failures, failingSince, pausedUntil } = health;
  if (failures < BREAKER_FAILURES) return null;
  if (pausedUntil !== null && pausedUntil > now) return pausedUntil;
  const share = PAUSE_SHARE * (now - failingSince);
  return Math.round(now + Math.min(PAUSE_S_MAX * 1000, Math.max(PAUSE_S_MIN * 1000, share)));
}

/**
 * How many may be on their way at once, those that are included. While the endpoint is left alone: only first retries, which are promised within 30 s
 * and few, since nothing else is begun meanwhile. After it: one, and the rest when that one is taken.
 */
export function roomOf(input: { health: Health; maxConcurrency: number; now: Instant }): {
  readonly room: number;
  readonly onlyFirstRetries: boolean;
} {
  const { health, maxConcurrency, now } = input;
  if (health.failures < BREAKER_FAILURES) return { room: maxConcurrency, onlyFirstRetries: false };
  if (health.pausedUntil !== null && health.pausedUntil > now) return { room: maxConcurrency, onlyFirstRetries: true };
  return { room: 1, onlyFirstRetries: false };
}
