/**
 * What is judged about a call when it is over: how sure its match is, where its visitor came from, what the account's fields say. From the log, the
 * account's settings and the pool's model alone, so that it can be judged again. Used by judge-calls.ts and by whoever proves a record. Pure.
 */
import { campaignOf, type Channel, channelOf, mediumOf, sourceOf } from "./channel.js";
import { type CustomData, type CustomDataModels, customDataOf } from "./custom-data.js";
import type { DelayModel } from "./delay-model.js";
import { explainMatch } from "../explain.js";
import type { AttributionOutcome, PresentedTo } from "../match.js";
import { consentOf, landingOf, type Visit } from "./visit.js";

export interface JudgeInput {
  readonly call: {
    readonly outcome: AttributionOutcome;
    readonly presentationId: string | null;
    /** As the match saw it: of the presentation, or of a static number's source. Null: neither. */
    readonly touch: Readonly<Record<string, unknown>> | null;
    readonly customData: CustomData | null;
    /** Ms. */
    readonly receivedAt: number;
  };
  /** What the match could see: presentations of the number at or below the sequence it saw, any order. */
  readonly candidates: readonly PresentedTo[];
  /** The visitor's presentations up to the matched one, oldest first (judge.store.ts says which); none unless matched. */
  readonly visits: readonly Visit[];
  readonly model: DelayModel;
  readonly customDataModels: CustomDataModels;
}

/** Null what does not apply: nobody was matched and the number is no source's, or the log has no more of the match. */
export interface Judgement {
  readonly confidence: number | null;
  /** The model of the confidence; null: the prior, or no confidence. */
  readonly delayModelId: number | null;
  readonly customData: CustomData | null;
  /** Of the visitor's first presentation that the log has; empty: the visitor came without campaign or click id. */
  readonly firstTouch: Readonly<Record<string, unknown>> | null;
  readonly landingPage: string | null;
  readonly referrer: string | null;
  readonly source: string | null;
  readonly medium: string | null;
  readonly campaign: string | null;
  readonly channel: Channel | null;
  readonly consent: Readonly<Record<string, unknown>> | null;
}

export function judge({ call, candidates, visits, model, customDataModels }: JudgeInput): Judgement {
  const { outcome, presentationId, touch, receivedAt } = call;
  const isMatched = outcome === "matched";
  const explained = isMatched
    ? explainMatch({ outcome, matchedPresentationId: presentationId, presentations: candidates, receivedAt, model })
    : null;
  const confidence = explained?.confidence ?? null;
  const { landingPage, referrer } = landingOf(visits);
  return {
    confidence,
    delayModelId: confidence === null ? null : model.id,
    // A log that was purged meanwhile takes nothing away from the record.
    customData:
      visits.length === 0
        ? call.customData
        : customDataOf(
            visits.map((visit) => visit.customData),
            customDataModels,
          ),
    firstTouch: visits[0]?.touch ?? null,
    landingPage,
    referrer,
    source: touch === null ? null : sourceOf(touch, referrer),
    medium: touch === null ? null : mediumOf(touch, referrer),
    campaign: touch === null ? null : campaignOf(touch),
    channel: touch === null ? null : channelOf(touch, referrer),
    consent: consentOf(visits),
  };
}
