/** The small shapes that all resources share: ids, numbers, times, pages. What comes in is parsed once, here, into our words. */
import { z } from "zod";
import { INSTANT_MAX } from "../../kernel/clock.js";
import { parseE164, type E164 } from "../../telephony/e164.js";

const E164_MESSAGE = "must be an E.164 number, e.g. +18005550100";

/** A number coming in. */
export const e164In = z
  .string()
  .refine((text) => parseE164(text) !== null, E164_MESSAGE)
  .meta({ description: "E.164", examples: ["+18005550100"] })
  .transform((text) => text as E164);

/** In a query an unescaped plus arrives as a space. */
export function withPlus(text: string): string {
  return text.replace(/^ (?=\d)/, "+");
}

/** A number in a query. */
export const e164InQuery = z
  .string()
  .transform(withPlus)
  .pipe(z.string().refine((text) => parseE164(text) !== null, E164_MESSAGE))
  .meta({ description: "E.164; the plus sign may be written as %2B", examples: ["+18885550100"] });

export const e164Out = z.string().meta({ description: "E.164", examples: ["+18885550100"] });

/** Ids are compared, never taken apart: anything short enough is looked for. */
const ID_CHARS_MAX = 100;
export const idIn = z.string().min(1).max(ID_CHARS_MAX);
export const idOut = z.string();

export const idParams = z.strictObject({ id: idIn });
export const numberParams = z.strictObject({ number: e164In });

export const nameIn = z.string().trim().min(1).max(200);

/** What leaves the service. */
export const instantOut = z.iso.datetime().meta({ description: "ISO 8601, UTC, with milliseconds" });

/** A time coming in: ISO 8601 with an offset, or a date, which starts at midnight UTC. Years before 1970 hold nothing of ours. */
export const instantIn = z
  .union(
    [z.iso.datetime({ offset: true }), z.iso.date()],
    "must be an ISO 8601 time such as 2026-11-23T17:42:00Z, or a date",
  )
  .transform((text) => Date.parse(text))
  .refine((at) => at >= 0, "must not be before 1970")
  // In UTC: an offset can lead out of the year that was written.
  .refine((at) => at <= INSTANT_MAX, "must not be after 9999");

export const LIMIT_MAX = 500;
export const LIMIT_DEFAULT = 100;

/** The query fields of every list. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(LIMIT_DEFAULT),
  cursor: z.string().optional().meta({ description: "next_cursor of the page before" }),
};

export const accountQuery = {
  account_id: idIn.optional().meta({ description: "Keys of the platform: only this account" }),
};

export function pageOut<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() });
}

/** An audited change says why. */
export const reasonIn = z.string().trim().min(1).max(500);
