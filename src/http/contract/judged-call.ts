/** The part of a call record that is judged when the call is over, on the wire: where its visitor came from, and whether the caller had called before. */
import { z } from "zod";
import type { CallRecord } from "../../attribution/call-record.js";
import { CHANNELS } from "../../attribution/judging/channel.js";
import { CALLS_BEFORE_MAX } from "../../attribution/judging/judge.store.js";
import { idOut } from "./scalars.js";

const WHEN_OVER = "Null until the call is over";

/** Of `attribution`. */
export const judgedOut = {
  first_touch: z
    .record(z.string(), z.unknown())
    .nullable()
    .meta({
      description: `Of the visitor's first presentation that the log has; empty: no campaign, no click id. ${WHEN_OVER}`,
    }),
  landing_page: z
    .string()
    .nullable()
    .meta({
      description: `First page of the touch that led to the call. ${WHEN_OVER}`,
    }),
  referrer: z.string().nullable().meta({ description: "The other site that the landing page was reached from" }),
  source: z.string().nullable().meta({ description: "utm_source, else by click id or referrer, else (direct)" }),
  medium: z.string().nullable().meta({ description: "utm_medium, else by click id or referrer, else (none)" }),
  campaign: z.string().nullable(),
  channel: z
    .enum(CHANNELS)
    .nullable()
    .meta({
      description: `Google Analytics 4's default channel group, and offline for static numbers. ${WHEN_OVER}`,
    }),
  consent: z
    .record(z.string(), z.unknown())
    .nullable()
    .meta({
      description: `As the page gave it with the presentation that was matched. ${WHEN_OVER}`,
    }),
};

export const repeatOut = z
  .object({
    is_repeat: z.boolean(),
    previous_call_id: idOut.nullable().meta({ description: "By arrival, of the same caller to the same account" }),
    calls_before: z.int().meta({ description: `Within the account's repeat_caller_days; ${CALLS_BEFORE_MAX} at most` }),
  })
  .nullable()
  .meta({ description: "Null: the call is not over, the number was withheld, or repeat_caller_days is 0" });

export function showJudged(a: CallRecord["attribution"]): z.output<z.ZodObject<typeof judgedOut>> {
  return {
    first_touch: a.firstTouch,
    landing_page: a.landingPage,
    referrer: a.referrer,
    source: a.source,
    medium: a.medium,
    campaign: a.campaign,
    channel: a.channel,
    consent: a.consent,
  };
}

export function showRepeat({ callsBefore, previousCallId }: CallRecord): z.output<typeof repeatOut> {
  if (callsBefore === null) return null;
  return { is_repeat: callsBefore > 0, previous_call_id: previousCallId, calls_before: callsBefore };
}
