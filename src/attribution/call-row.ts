/** What a record says of how far a call has come, and of a call that is over: as JSON gives it to the statements that insert and change records. */
import { timestamp } from "../db/database.js";
import { answeredAtOf, type CallState, statusOf, timingsOf } from "../telephony/call-state.js";
import type { JudgedCall } from "./judging/judged-call.js";

export const PROGRESS_COLUMNS = `progress jsonb, status text, answered_at timestamptz, ended_at timestamptz, pdd_ms int, ring_ms int, talk_ms int,
  hangup_cause text, released_by text`;

/** All null, `judged` too, of a call that is not judged yet. */
export const JUDGED_COLUMNS = `judged boolean, confidence real, delay_model_id bigint, custom_data jsonb, first_touch jsonb, landing_page text,
  referrer text, source text, medium text, campaign text, channel text, consent jsonb, previous_call_id text, calls_before int`;

export function progressRow(progress: CallState): Record<string, unknown> {
  const { pddMs, ringMs, talkMs } = timingsOf(progress);
  return {
    progress,
    status: statusOf(progress),
    answered_at: timestamp(answeredAtOf(progress)),
    ended_at: timestamp(progress.end?.at ?? null),
    pdd_ms: pddMs,
    ring_ms: ringMs,
    talk_ms: talkMs,
    hangup_cause: progress.end?.cause ?? null,
    released_by: progress.end?.releasedBy ?? null,
  };
}

export function judgedRow(judged: JudgedCall): Record<string, unknown> {
  const { earlierCalls } = judged;
  return {
    judged: true,
    confidence: judged.confidence,
    delay_model_id: judged.delayModelId,
    custom_data: judged.customData,
    first_touch: judged.firstTouch,
    landing_page: judged.landingPage,
    referrer: judged.referrer,
    source: judged.source,
    medium: judged.medium,
    campaign: judged.campaign,
    channel: judged.channel,
    consent: judged.consent,
    previous_call_id: earlierCalls?.previousCallId ?? null,
    calls_before: earlierCalls?.callsBefore ?? null,
  };
}
