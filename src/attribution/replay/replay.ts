/**
 * What a call's attribution must be by the presentation log and the number's history, held against what its record has. Called by replay-window.ts
 * for every call of a window. The same rule as the match itself (match.ts), from other sources: a match in time reads the number's row, replay never.
 * Pure.
 */
import type { Judgement } from "../judging/judge-call.js";
import { type AttributionOutcome, matchCall, type NumberStanding, type PresentedTo } from "../match.js";

/** All that a match decides. */
export interface Attributed {
  readonly outcome: AttributionOutcome;
  readonly presentationId: string | null;
  readonly visitorId: string | null;
  readonly presentedAt: number | null;
  readonly touch: Readonly<Record<string, unknown>> | null;
  readonly customData: Readonly<Record<string, unknown>> | null;
  /** The sequence that the match saw. */
  readonly matchedSeq: number | null;
}

/** The record as the call made it; corrections are rows of their own and change none of it. */
export interface ReplayedCall {
  readonly id: string;
  readonly receivedAt: number;
  readonly promoNumber: string;
  readonly accountId: string | null;
  readonly poolId: string | null;
  readonly numberId: number | null;
  readonly ownershipEpoch: number | null;
  readonly late: boolean;
  /** Corrections it has had since. */
  readonly revision: number;
  readonly stored: Attributed;
  /** What was judged when the call was over (replay-judgement.ts); null: not yet, or nothing was to judge. */
  readonly judged: StoredJudgement | null;
}

/** `customData` stands with the match: it is judged over the one that the match saw. */
export interface StoredJudgement extends Omit<Judgement, "customData"> {
  readonly at: number;
}

/** One line of a number's history. */
export interface NumberMove {
  readonly id: number;
  readonly numberId: number;
  readonly at: number;
  readonly state: string;
  readonly role: string | null;
  readonly accountId: string | null;
  readonly poolId: string | null;
  readonly ownershipEpoch: number;
}

/** A line of the presentation log. */
export interface LoggedPresentation extends PresentedTo {
  readonly touch: Readonly<Record<string, unknown>>;
  readonly customData: Readonly<Record<string, unknown>>;
}

/**
 * log_purged: the line that the match saw is not in the log any more, so what it said cannot be known.
 * source_changed: the static number's source was edited after the call; its former touch is kept nowhere else.
 */
export type Unverifiable = "log_purged" | "source_changed";

export interface FieldDifference {
  readonly field: string;
  readonly stored: unknown;
  readonly recomputed: unknown;
}

export type Verdict =
  | { readonly kind: "equal" }
  | { readonly kind: "different"; readonly fields: readonly FieldDifference[] }
  | { readonly kind: "unverifiable"; readonly reason: Unverifiable };

interface ComparedField {
  readonly name: string;
  readonly of: (attributed: Attributed) => unknown;
}

/** What must be equal. What is judged later is compared by replay-judgement.ts. */
const COMPARED: readonly ComparedField[] = [
  { name: "outcome", of: (a) => a.outcome },
  { name: "presentation_id", of: (a) => a.presentationId },
  { name: "visitor_id", of: (a) => a.visitorId },
  { name: "presented_at", of: (a) => a.presentedAt },
  { name: "touch", of: (a) => a.touch },
  { name: "custom_data", of: (a) => a.customData },
  { name: "matched_seq", of: (a) => a.matchedSeq },
];

/**
 * A move's time is its transaction's start, and others see it after the commit: a match may have read the number as it was before moves this fresh.
 * A transaction of ours ends within ten seconds (src/db/database.ts) or is broken off; twice that, for a commit that waits.
 */
const MOVE_COMMIT_MS_MAX = 20_000;

/**
 * The line of history that says how the match found the number: the newest at the call's arrival, or an earlier one that fits what the record
 * says of the number, when everything after it may not have been committed yet.
 * @param moves newest first, none after the call's arrival
 * @returns null: the number was none of ours
 */
export function moveSeen(call: ReplayedCall, moves: readonly NumberMove[]): NumberMove | null {
  for (const move of moves) {
    if (isSeenBy(call, move)) return move;
    if (call.receivedAt - move.at > MOVE_COMMIT_MS_MAX) return moves[0] ?? null;
  }
  return call.numberId === null ? null : (moves[0] ?? null);
}

function isSeenBy(call: ReplayedCall, move: NumberMove): boolean {
  const isSameOwner = move.accountId === call.accountId && move.ownershipEpoch === call.ownershipEpoch;
  return move.numberId === call.numberId && isSameOwner && move.poolId === call.poolId;
}

/** @param latest of the log, in the number's pool and under its owner then, at or below the sequence the match saw */
export function standingSeen(move: NumberMove | null, latest: PresentedTo | null): NumberStanding {
  if (move === null) return { kind: "unknown" };
  if (move.state !== "assigned" && move.state !== "draining") return { kind: "unrouted" };
  if (move.role === "overflow") return { kind: "overflow" };
  if (move.role === "static") return { kind: "static" };
  return { kind: "pooled", latest };
}

/**
 * @param told what the log or the static number's source says beside the match; null fields where there is nothing
 * @param seq the sequence a match then sees
 */
export function attributedBy(input: {
  standing: NumberStanding;
  receivedAt: number;
  seq: number | null;
  told: Pick<Attributed, "touch" | "customData">;
}): Attributed {
  const { standing, receivedAt, seq, told } = input;
  const match = matchCall({ standing, receivedAt });
  if (match.outcome !== "matched") {
    const touch = standing.kind === "static" ? told.touch : null;
    const nobody = { presentationId: null, visitorId: null, presentedAt: null, customData: null };
    return { outcome: match.outcome, ...nobody, touch, matchedSeq: seq };
  }
  const { presentationId, visitorId, presentedAt } = match.presentation;
  return {
    outcome: "matched",
    presentationId,
    visitorId,
    presentedAt,
    touch: told.touch ?? {},
    customData: told.customData ?? {},
    matchedSeq: seq,
  };
}

/** @param recomputed or why it cannot be */
export function verdictOf(stored: Attributed, recomputed: Attributed | Unverifiable): Verdict {
  if (typeof recomputed === "string") return { kind: "unverifiable", reason: recomputed };
  const fields = COMPARED.flatMap(({ name, of }) => {
    const [a, b] = [of(stored), of(recomputed)];
    return isSame(a, b) ? [] : [{ field: name, stored: a, recomputed: b }];
  });
  return fields.length === 0 ? { kind: "equal" } : { kind: "different", fields };
}

/** Whatever order keys are in: jsonb has one of its own, and what is judged anew has another. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object(a) !== a || Object(b) !== b || Array.isArray(a) !== Array.isArray(b)) return a === b;
  const [one, other] = [a, b].map((side) => new Map(Object.entries(side as object)));
  return (
    one?.size === other?.size &&
    [...(one ?? [])].every(([key, value]) => other?.has(key) && isSame(value, other.get(key)))
  );
}
