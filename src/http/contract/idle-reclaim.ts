/** When carriers take numbers back that nobody calls, on the wire. */
import { z } from "zod";
import { defaultIdleReclaim, type IdleReclaimSettings } from "../../pool/idle-numbers.store.js";
import { carrierIn } from "./number.js";

const DAYS_MAX = 3_650;
const CARRIERS_MAX = 100;

/** A PUT replaces everything. */
export const idleReclaimIn = z.strictObject({
  idle_reclaim_days: z
    .record(carrierIn, z.number().positive().max(DAYS_MAX).nullable())
    .refine((carriers) => Object.keys(carriers).length <= CARRIERS_MAX, `must have at most ${CARRIERS_MAX} carriers`)
    .default({})
    .meta({
      description: "By carrier: days without a call after which it takes a number back; null or absent: it does not",
      examples: [{ twilio: 90 }],
    }),
  warn_before_days: z.number().min(0).max(DAYS_MAX).default(defaultIdleReclaim.warnBeforeDays),
});

export const idleReclaimOut = z.object({
  idle_reclaim_days: z.record(z.string(), z.number()),
  warn_before_days: z.number(),
});

export function readIdleReclaimBody(body: z.output<typeof idleReclaimIn>): IdleReclaimSettings {
  const carriers: Record<string, number> = {};
  for (const [carrier, days] of Object.entries(body.idle_reclaim_days)) if (days !== null) carriers[carrier] = days;
  return { carriers, warnBeforeDays: body.warn_before_days };
}

export function showIdleReclaim(settings: IdleReclaimSettings): z.output<typeof idleReclaimOut> {
  return { idle_reclaim_days: { ...settings.carriers }, warn_before_days: settings.warnBeforeDays };
}
