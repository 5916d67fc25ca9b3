/** What is billed, on the wire: as JSON and as CSV. */
import { z } from "zod";
import type { Usage, UsageReport } from "../../attribution/reports/usage.store.js";
import { isTimeZone, monthBounds } from "../../kernel/calendar-month.js";
import { type Instant, toIso } from "../../kernel/clock.js";
import { csvLine } from "../csv.js";
import { accountQuery, idOut, instantOut } from "./scalars.js";

export const usageQuery = z.strictObject({
  ...accountQuery,
  month: z
    .string()
    .refine((text) => monthBounds(text, "UTC") !== null, "must be a month such as 2026-11")
    // As instantIn: nothing of ours is older, and calendars do not agree on the year 0.
    .refine((text) => text >= "1970-01", "must not be before 1970")
    .optional()
    .meta({ description: "YYYY-MM; the running month when not given, which counts up to now" }),
  time_zone: z
    .string()
    .max(100)
    .refine(isTimeZone, "must be a time zone of the IANA database, such as America/New_York")
    .default("UTC")
    .meta({ description: "Where the month begins and ends" }),
});

const counts = {
  number_days: z.number().meta({ description: "Days that numbers were held (assigned or draining), to the second" }),
  number_seconds: z.number().meta({ description: "The same in seconds" }),
  peak_numbers: z.int().meta({ description: "The most numbers held at one moment" }),
  presentations: z.int().meta({ description: "Renewals are not counted" }),
  calls: z.int().meta({ description: "Calls that were routed, in the month they came in" }),
  minutes: z.number().meta({ description: "Talk time, exact" }),
  minutes_started: z.int().meta({ description: "Talk time, each call rounded up to whole minutes" }),
};

export const usageOut = z.object({
  month: z.string(),
  time_zone: z.string(),
  from: instantOut,
  to: instantOut.meta({ description: "Exclusive; now for a month that is running" }),
  data: z
    .array(z.object({ account_id: idOut, pool_id: idOut.nullable(), ...counts }))
    .meta({ description: "One for each pool that had any; pool_id is null for static numbers" }),
  totals: z
    .array(z.object({ account_id: idOut, ...counts }))
    .meta({ description: "One for each account: the sum of its pools; peak_numbers is of the account as a whole" }),
});

export interface UsageMonth {
  readonly month: string;
  readonly timeZone: string;
  readonly from: Instant;
  readonly to: Instant;
}

export function showUsage(month: UsageMonth, report: UsageReport): z.output<typeof usageOut> {
  return {
    month: month.month,
    time_zone: month.timeZone,
    from: toIso(month.from),
    to: toIso(month.to),
    data: report.byPool.map((usage) => ({ account_id: usage.accountId, pool_id: usage.poolId, ...countsOf(usage) })),
    totals: report.byAccount.map((usage) => ({ account_id: usage.accountId, ...countsOf(usage) })),
  };
}

const COLUMNS = [
  "number_days",
  "peak_numbers",
  "presentations",
  "calls",
  "minutes",
  "minutes_started",
  "number_seconds",
] as const;

/** One line a pool, as in `data`. */
export function usageCsv(report: UsageReport): string {
  const lines = report.byPool.map((usage) => {
    const shown = countsOf(usage);
    return csvLine([usage.accountId, usage.poolId, ...COLUMNS.map((column) => shown[column])]);
  });
  return csvLine(["account_id", "pool_id", ...COLUMNS]) + lines.join("");
}

const DAY_S = 86_400;
const MINUTE_MS = 60_000;

function countsOf(usage: Usage) {
  return {
    number_days: rounded(usage.numberSeconds / DAY_S, 8),
    number_seconds: rounded(usage.numberSeconds, 3),
    peak_numbers: usage.peakNumbers,
    presentations: usage.presentations,
    calls: usage.calls,
    minutes: rounded(usage.talkMs / MINUTE_MS, 6),
    minutes_started: usage.minutesStarted,
  };
}

/** A millisecond is 1e-8 days and 2e-5 minutes: more digits would be noise. */
function rounded(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
