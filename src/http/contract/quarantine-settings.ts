/** The platform's quarantine rule on the wire. */
import { z } from "zod";
import { defaultQuarantineRule } from "../../pool/quarantine.js";
import type { QuarantineSettings } from "../../pool/quarantine-settings.js";
import { e164In } from "./scalars.js";

/** 3,000 years: larger ones are typing errors, and no date can say them. */
const HOLD_S_MAX = 1e11;
const SPAM_CALLERS_MAX = 10_000;

/** A PUT replaces the whole rule: what is not given gets its default. */
export const quarantineSettingsIn = z.strictObject({
  hold_s: z.number().min(0).max(HOLD_S_MAX).default(defaultQuarantineRule.holdS).meta({
    description: "Below 45 days (3,888,000) is accepted, logged as a warning and marked in the numbers' history",
  }),
  max_rate_per_day: z.number().positive().default(defaultQuarantineRule.maxRatePerDay).meta({
    description: "Distinct human callers a day that the upper confidence bound must stay under",
  }),
  confidence: z.number().gt(0).lt(1).default(defaultQuarantineRule.confidence),
  spam_callers: z.array(e164In).max(SPAM_CALLERS_MAX).default([]),
  retire_after_s: z.number().positive().max(HOLD_S_MAX).nullish(),
});

export const quarantineSettingsOut = z.object({
  hold_s: z.number(),
  max_rate_per_day: z.number(),
  confidence: z.number(),
  spam_callers: z.array(z.string()),
  retire_after_s: z.number().nullable(),
});

export function readQuarantineBody(body: z.output<typeof quarantineSettingsIn>): QuarantineSettings {
  return {
    holdS: body.hold_s,
    maxRatePerDay: body.max_rate_per_day,
    confidence: body.confidence,
    spamCallers: [...new Set(body.spam_callers)],
    retireAfterS: body.retire_after_s ?? null,
  };
}

export function showQuarantineSettings(settings: QuarantineSettings): z.output<typeof quarantineSettingsOut> {
  return {
    hold_s: settings.holdS,
    max_rate_per_day: settings.maxRatePerDay,
    confidence: settings.confidence,
    spam_callers: [...settings.spamCallers],
    retire_after_s: settings.retireAfterS,
  };
}
