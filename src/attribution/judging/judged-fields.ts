/** What judging adds to a record, as it is read. Used by whatever reads records (call-record.ts). */
import type { Instant } from "../../kernel/clock.js";
import type { Judgement } from "./judge-call.js";

/** All null until the call is over. */
export type JudgedAttribution = Omit<Judgement, "customData" | "confidence">;

export interface JudgedFields {
  readonly judgedAt: Instant | null;
  readonly previousCallId: string | null;
  /** Null: not judged, a withheld number, or an account that does not look for repeat callers. */
  readonly callsBefore: number | null;
}

export function judgedAttributionOf(row: JudgedAttribution): JudgedAttribution {
  const { delayModelId, firstTouch, landingPage, referrer, source, medium, campaign, channel, consent } = row;
  return { delayModelId, firstTouch, landingPage, referrer, source, medium, campaign, channel, consent };
}
