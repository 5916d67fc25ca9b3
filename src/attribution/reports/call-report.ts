/** A report from question to table: the calendar of its zone, one statement, rows in order. Called by the reports API and by the benchmark. */
import type { Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import { type Interval, reportCalendar, type TimeDimension } from "./report-calendar.js";
import { type ReportOrder, type ReportRow, reportRows, type ReportTable } from "./report-rows.js";
import { type Cube, type Dimension, readReport } from "./report.store.js";
import { spansOf } from "./report-stretches.js";

export interface CallReportInput {
  /** Null: all accounts, and calls that nobody owned. */
  readonly accountId: string | null;
  /** The account's; null for all. */
  readonly currency: string | null;
  readonly from: Instant;
  readonly to: Instant;
  readonly timeZone: string;
  readonly interval: Interval | null;
  readonly by: readonly TimeDimension[];
  readonly groupBy: readonly Dimension[];
  readonly where: Readonly<Partial<Record<Dimension, string | null>>>;
  readonly cube: Cube;
  /** Shown though they had no call. */
  readonly always: ReportRow["dimensions"][];
  readonly order: ReportOrder;
  readonly rowsMax: number;
}

/** @param tx a transaction. @returns null when it would have more rows than `rowsMax` */
export async function callReport(tx: Queryable, input: CallReportInput): Promise<ReportTable | null> {
  const { buckets, stretches } = reportCalendar(input);
  if (buckets.length > input.rowsMax) return null;
  const groups = await readReport(tx, { ...input, spans: spansOf(stretches), groupsMax: input.rowsMax });
  if (groups.length > input.rowsMax) return null;
  return reportRows({ ...input, groups, buckets }, input.rowsMax);
}
