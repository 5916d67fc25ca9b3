/** What judging adds to a record, as it is read: columns of `call` and of `call_record` alike. Used by whatever reads records (calls.store.ts). */
import type { Instant } from "../kernel/clock.js";
import type { Judgement } from "./judge-call.js";

/** Of the table or view with the alias `c`; `custom_data` and `confidence` stand with the match. */
export const JUDGED_COLUMNS = `c.judged_at as "judgedAt", c.delay_model_id as "delayModelId", c.first_touch as "firstTouch",
  c.landing_page as "landingPage", c.referrer, c.source, c.medium, c.campaign, c.channel, c.consent,
  c.previous_call_id as "previousCallId", c.calls_before as "callsBefore"`;

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
