/**
 * Pages of a report. It is made anew for each page, and its rows stand in an order of sums, which may have changed since: a page goes on after the row that
 * the page before ended with, wherever that stands now, or where it would stand. A report up to now stays up to when its first page was made: hours of the
 * day stand in the order in which the range has them, and the next hour would put another one first.
 */
import { createHash } from "node:crypto";
import type { ReportOrder, ReportRow } from "../attribution/reports/report-rows.js";
import { type Instant, INSTANT_MAX } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import { pageOf, positionOfCursor } from "./cursor.js";

/** Of the digest of what a row tells apart: names may be longer than a cursor. */
const DIGEST_CHARS = 16;

interface PageInput<T> {
  readonly list: string;
  readonly rows: readonly ReportRow[];
  readonly order: ReportOrder;
  /** Where the report's range ends. */
  readonly to: Instant;
  readonly limit: number;
  /** Null: the first page. */
  readonly after: ReportPosition | null;
  readonly show: (row: ReportRow) => T;
}

export function reportPage<T>({ list, rows, order, to, limit, after, show }: PageInput<T>) {
  const begin = after === null ? 0 : placeAfter(rows, order, after);
  const positionOf = (row: ReportRow) => [timeOf(row), valueOf(row, order), digestOf(row), to];
  return pageOf(list, { rows: rows.slice(begin, begin + limit + 1), limit, positionOf, show });
}

/** The row that a page ended with. */
export interface ReportPosition {
  readonly time: string;
  readonly value: number;
  readonly digest: string;
  /** Where the range of that page ended. */
  readonly to: Instant;
}

/** @throws AppError("invalid_value") */
export function reportPosition(list: string, cursor: string): ReportPosition {
  const [time, value, digest, to, ...rest] = positionOfCursor(list, cursor);
  const isRow = typeof time === "string" && typeof value === "number" && typeof digest === "string";
  const isTime = typeof to === "number" && Number.isInteger(to) && to >= 0 && to <= INSTANT_MAX;
  if (isRow && isTime && rest.length === 0) return { time, value, digest, to };
  const fields = [{ path: "cursor", message: "is not a next_cursor of this report" }];
  throw new AppError("invalid_value", "Send the next_cursor of this report's last page, unchanged, or none.", {
    fields,
  });
}

function placeAfter(rows: readonly ReportRow[], order: ReportOrder, { time, value, digest }: ReportPosition): number {
  const isOfTime = (row: ReportRow): boolean => timeOf(row) === time;
  const known = rows.findIndex((row) => isOfTime(row) && digestOf(row) === digest);
  if (known >= 0) return known + 1;
  const isPast = (row: ReportRow): boolean =>
    isOfTime(row) && (order.descending ? valueOf(row, order) >= value : valueOf(row, order) <= value);
  return rows.findLastIndex(isPast) + 1 || Math.max(0, rows.findIndex(isOfTime));
}

function timeOf({ bucket }: ReportRow): string {
  return `${bucket.interval} ${bucket.hourOfDay} ${bucket.dayOfWeek}`;
}

/** JSON knows no infinity. */
function valueOf({ figures }: ReportRow, order: ReportOrder): number {
  return figures[order.by] ?? -Number.MAX_VALUE;
}

function digestOf({ dimensions }: ReportRow): string {
  return createHash("sha256").update(JSON.stringify(dimensions)).digest("hex").slice(0, DIGEST_CHARS);
}
