/** Reports of calls on the wire: what may be asked, and a row. */
import { z } from "zod";
import {
  type Interval,
  INTERVALS,
  TIME_DIMENSIONS,
  type TimeDimension,
} from "../../attribution/reports/report-calendar.js";
import type { Figures, ReportOrder, ReportRow } from "../../attribution/reports/report-rows.js";
import {
  type Cube,
  COUNTS,
  cubeOf,
  CUBES,
  type Dimension,
  DIMENSIONS,
} from "../../attribution/reports/report.store.js";
import { isTimeZone } from "../../kernel/calendar-month.js";
import { type Instant, toIso } from "../../kernel/clock.js";
import { AppError } from "../../kernel/errors.js";
import { accountQuery, instantIn, instantOut, pageQuery, withPlus } from "./scalars.js";

/** What each report tells calls apart by, and does when nothing is asked for. */
export const REPORTS = {
  calls: { dimensions: ["account_id", "pool_id", "ingress"], groupBy: [] },
  sources: {
    dimensions: ["account_id", "channel", "source", "medium", "campaign", "landing_page", "pool_id"],
    groupBy: ["source"],
  },
  pools: { dimensions: ["account_id", "pool_id"], groupBy: ["pool_id"] },
  numbers: { dimensions: ["account_id", "promo_number", "pool_id", "ingress"], groupBy: ["promo_number"] },
} as const satisfies Readonly<Record<string, { dimensions: readonly Dimension[]; groupBy: readonly Dimension[] }>>;
export type ReportName = keyof typeof REPORTS;

const DAY_MS = 86_400_000;
export const RANGE_DAYS_DEFAULT = 30;
/** Thirteen months: this month can be held against last year's. */
export const RANGE_DAYS_MAX = 400;
/** Intervals times what is told apart, zeros included: some 20 MB as they are made. */
export const ROWS_MAX = 50_000;

const FILTERS = [
  "channel",
  "source",
  "medium",
  "campaign",
  "pool_id",
  "landing_page",
  "promo_number",
  "ingress",
] as const;
const FILTER_CHARS_MAX = 600;
const SORTS = [...COUNTS.filter((one) => one !== "confidence_ppm" && one !== "judged"), "revenue"] as const;

const filterIn = z
  .string()
  .max(FILTER_CHARS_MAX)
  .optional()
  .meta({ description: "Only calls with this; empty: only calls without any" });

/** Numbers that are none are filtered for as they were dialled. */
const promoNumberIn = z
  .string()
  .max(FILTER_CHARS_MAX)
  .transform(withPlus)
  .optional()
  .meta({ description: "Only calls to this number; the plus sign may be written as %2B" });

export const callReportQuery = z.strictObject({
  ...pageQuery,
  ...accountQuery,
  from: instantIn.optional().meta({
    description: `To the millisecond; ${RANGE_DAYS_DEFAULT} days before \`to\` when not given, at most ${RANGE_DAYS_MAX} days before it`,
  }),
  to: instantIn.optional().meta({ description: "Exclusive, to the millisecond; now when not given" }),
  time_zone: z
    .string()
    .max(100)
    .refine(isTimeZone, "must be a time zone of the IANA database, such as America/New_York")
    .optional()
    .meta({ description: "Whose clocks make intervals, hours and weekdays; the account's when not given" }),
  interval: z.enum(INTERVALS).optional().meta({
    description:
      "A row for each, also where nothing happened. Weeks begin on Monday; the hour that a clock change repeats is two",
  }),
  group_by: z
    .union([z.string().transform((text) => (text === "" ? [] : text.split(","))), z.array(z.string())])
    .optional()
    .meta({ description: "Names separated by commas" }),
  ...(Object.fromEntries(FILTERS.map((one) => [one, filterIn])) as Record<(typeof FILTERS)[number], typeof filterIn>),
  promo_number: promoNumberIn,
  sort: z
    .enum(SORTS.flatMap((one) => [one, `-${one}`] as const))
    .default("-calls")
    .meta({ description: "Within an interval; with a minus sign the largest first" }),
});
export type CallReportQuery = z.output<typeof callReportQuery>;

export interface CallReportQuestion {
  readonly from: Instant;
  readonly to: Instant;
  readonly interval: Interval | null;
  readonly by: readonly TimeDimension[];
  readonly groupBy: readonly Dimension[];
  readonly where: Readonly<Partial<Record<Dimension, string | null>>>;
  readonly cube: Cube;
  readonly order: ReportOrder;
}

/** @throws AppError("invalid_value") naming what is possible */
export function readQuestion(report: ReportName, query: CallReportQuery, now: Instant): CallReportQuestion {
  const to = query.to ?? now;
  const from = query.from ?? to - RANGE_DAYS_DEFAULT * DAY_MS;
  if (from >= to) throw refused("from", "must be before `to`");
  if (to - from > RANGE_DAYS_MAX * DAY_MS)
    throw refused("from", `must be at most ${RANGE_DAYS_MAX} days before \`to\``);
  const { dimensions, groupBy: usual } = REPORTS[report];
  const asked = [...new Set<string>(query.group_by ?? usual)];
  const possible: readonly string[] = [...dimensions, ...TIME_DIMENSIONS];
  const wrong = asked.filter((one) => !possible.includes(one));
  if (wrong.length > 0) throw refused("group_by", `${wrong.join(", ")} is none of: ${possible.join(", ")}`);
  const groupBy = DIMENSIONS.filter((one) => asked.includes(one));
  const where = Object.fromEntries(
    FILTERS.flatMap((one) => (query[one] === undefined ? [] : [[one, query[one] === "" ? null : query[one]]])),
  ) as CallReportQuestion["where"];
  return {
    from,
    to,
    interval: query.interval ?? null,
    by: TIME_DIMENSIONS.filter((one) => asked.includes(one)),
    groupBy,
    where,
    cube: cubeFor([...groupBy, ...(Object.keys(where) as Dimension[])]),
    order: orderOf(query.sort),
  };
}

function cubeFor(dimensions: readonly Dimension[]): Cube {
  const cube = cubeOf(dimensions);
  if (cube !== null) return cube;
  const sets = Object.values(CUBES).map((set) => set.filter((one) => one !== "account_id").join(", "));
  throw refused(
    "group_by",
    `${dimensions.join(", ")} are not counted together; what can be combined, in group_by and filters: ${sets.join(" · ")}`,
  );
}

function orderOf(sort: CallReportQuery["sort"]): ReportOrder {
  const descending = sort.startsWith("-");
  return { by: (descending ? sort.slice(1) : sort) as ReportOrder["by"], descending };
}

export function refused(path: string, message: string): AppError {
  return new AppError("invalid_value", "The report cannot be made; see errors.", { fields: [{ path, message }] });
}

const share = z.number().min(0).max(1).nullable();
export const figuresOut = z.object({
  ...(Object.fromEntries(COUNTS.filter((one) => one !== "confidence_ppm").map((one) => [one, z.int()])) as Record<
    Exclude<(typeof COUNTS)[number], "confidence_ppm">,
    z.ZodInt
  >),
  unattributed_share: share.meta({ description: "Of routed calls, those that no visitor is known for" }),
  estimated_misattribution: share.meta({
    description:
      "Of calls matched to a visitor and judged (`judged`), the share expected to be somebody else's: the mean of 1 − confidence",
  }),
  revenue: z.number().nullable().meta({ description: "null: in several currencies, which cannot be added up" }),
  currency: z.string().nullable(),
});

const timeOut = {
  interval: z.string().optional().meta({
    description: "On the zone's calendar: 2026-11-28T13:00-05:00, 2026-11-28, the Monday of a week, 2026-11",
  }),
  starts_at: instantOut.optional().meta({ description: "Of the interval, the part within the report" }),
  ends_at: instantOut.optional(),
  hour_of_day: z.int().min(0).max(23).optional(),
  day_of_week: z.int().min(1).max(7).optional().meta({ description: "1 is Monday" }),
};
const dimensionsOut = Object.fromEntries(DIMENSIONS.map((one) => [one, z.string().nullable().optional()])) as Record<
  Dimension,
  z.ZodOptional<z.ZodNullable<z.ZodString>>
>;

export const callReportRowOut = z.object({ ...timeOut, ...dimensionsOut, ...figuresOut.shape });
export const callReportOut = z.object({
  from: instantOut,
  to: instantOut,
  time_zone: z.string(),
  data: z.array(callReportRowOut),
  next_cursor: z.string().nullable(),
  totals: figuresOut.meta({ description: "Of all rows, not of this page alone" }),
});
export type CallReportRow = z.output<typeof callReportRowOut>;

export function showRow({ bucket, dimensions, figures }: ReportRow): CallReportRow {
  const { interval, hourOfDay, dayOfWeek } = bucket;
  return {
    ...(interval === null ? {} : { interval, starts_at: toIso(bucket.from), ends_at: toIso(bucket.to) }),
    ...(hourOfDay === null ? {} : { hour_of_day: hourOfDay }),
    ...(dayOfWeek === null ? {} : { day_of_week: dayOfWeek }),
    ...dimensions,
    ...showFigures(figures),
  };
}

export function showFigures(figures: Figures): z.output<typeof figuresOut> {
  const { unattributedShare, estimatedMisattribution, revenue, currency, confidence_ppm: _ppm, ...counts } = figures;
  return {
    ...counts,
    unattributed_share: rounded(unattributedShare),
    estimated_misattribution: rounded(estimatedMisattribution),
    revenue,
    currency,
  };
}

/** Confidence is kept in millionths. */
export function rounded(value: number | null, digits = 6): number | null {
  return value === null ? null : Math.round(value * 10 ** digits) / 10 ** digits;
}
