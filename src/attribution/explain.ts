/** Why a call was attributed as it was: every visitor considered, with gap and probability, the choice, its reason and the runner-up. Pure. */
import { probabilities } from "./confidence.js";
import type { DelayModel } from "./judging/delay-model.js";
import type { AttributionOutcome, PresentedTo } from "./match.js";

export interface Candidate extends PresentedTo {
  /** Presentation → call, ms; never negative. */
  readonly ageMs: number;
  readonly withinRetention: boolean;
  /** Null outside retention. */
  readonly probability: number | null;
  readonly chosen: boolean;
}

export interface Explanation {
  readonly reason: string;
  readonly candidates: readonly Candidate[];
  readonly runnerUp: Candidate | null;
  readonly confidence: number | null;
  /** What the probabilities were computed with. */
  readonly model: DelayModel;
}

const REASONS: Readonly<Record<AttributionOutcome, string>> = {
  matched: "The latest visitor presented this number at or before the call, within the retention of that presentation.",
  expired: "The number was presented, but the retention of its latest presentation was over when the call came.",
  never_presented: "Nobody was presented this number under its present owner before the call.",
  overflow: "The number is its pool's shared overflow number; it stands for no single visitor.",
  quarantined: "No business held the number when the call came; the call was intercepted.",
  unattributable:
    "What is stored does not allow a statement: the number is none of ours, or the record was made afterwards and presentations of that time are no longer in the log.",
};

const STATIC_REASON =
  "The number is static: it belongs to a source, whose touch the record has, and is presented to no visitor.";

const CORRECTED_REASON =
  "A correction says so: somebody knew better than the match, and gave the reason that the record's rows have.";

/**
 * @param isCorrected somebody said whom the call belongs to, which has no confidence
 * @param isStatic the record has a touch and no visitor: its number belonged to a source
 * @param presentations of this number, owner and pool with a sequence at or below the one the match saw, any order; renewals of one visitor
 *   count once, by their latest
 * @param model the record's own, where it has been judged
 */
export function explainMatch(input: {
  outcome: AttributionOutcome;
  isCorrected?: boolean;
  isStatic?: boolean;
  matchedPresentationId: string | null;
  presentations: readonly PresentedTo[];
  receivedAt: number;
  model: DelayModel;
}): Explanation {
  const { outcome, isCorrected = false, matchedPresentationId, presentations, receivedAt, model } = input;
  const latest = latestPerVisitor(presentations);
  const within = latest.filter((p) => receivedAt <= p.retainedUntil);
  const shares = probabilities(
    model,
    within.map((p) => Math.max(0, receivedAt - p.presentedAt)),
  );
  const share = new Map(within.map((p, i) => [p.seq, shares[i] ?? 0]));
  const candidates = latest.map((p) => ({
    ageMs: Math.max(0, receivedAt - p.presentedAt),
    withinRetention: share.has(p.seq),
    probability: share.get(p.seq) ?? null,
    chosen: p.presentationId === matchedPresentationId,
    ...p,
  }));
  const chosen = candidates.find((c) => c.chosen) ?? null;
  const runnerUp = candidates.find((c) => !c.chosen && c.withinRetention) ?? null;
  const reason = isCorrected ? CORRECTED_REASON : input.isStatic === true ? STATIC_REASON : REASONS[outcome];
  return { reason, candidates, runnerUp, confidence: isCorrected ? null : (chosen?.probability ?? null), model };
}

/** Newest first. */
function latestPerVisitor(presentations: readonly PresentedTo[]): PresentedTo[] {
  const byVisitor = new Map<string, PresentedTo>();
  for (const presentation of presentations) {
    const known = byVisitor.get(presentation.visitorId);
    if (known === undefined || presentation.seq > known.seq) byVisitor.set(presentation.visitorId, presentation);
  }
  return [...byVisitor.values()].sort((a, b) => b.seq - a.seq);
}
