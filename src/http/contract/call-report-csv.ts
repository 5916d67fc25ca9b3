/** A report as CSV: the columns that were asked for, then the sums. */
import { csvLine, type CsvCell } from "../csv.js";
import { type CallReportQuestion, type CallReportRow, figuresOut } from "./call-report.js";
import { poolLoadOut } from "./pool-report.js";
import type { z } from "zod";

type Load = z.output<typeof poolLoadOut>;

const FIGURES = Object.keys(figuresOut.shape) as (keyof z.output<typeof figuresOut>)[];
const LOAD = Object.keys(poolLoadOut.shape) as (keyof Load)[];

export function callReportCsv(input: {
  question: Pick<CallReportQuestion, "interval" | "by" | "groupBy">;
  lines: readonly { row: CallReportRow; pool: Load | null }[];
  hasLoads: boolean;
}): string {
  const { question, lines, hasLoads } = input;
  const time = question.interval === null ? [] : (["interval", "starts_at", "ends_at"] as const);
  const columns = [...time, ...question.by, ...question.groupBy, ...FIGURES] as const;
  const loads = hasLoads ? LOAD : [];
  const head = csvLine([...columns, ...loads.map((one) => `pool_${one}`)]);
  const cells = (row: CallReportRow, pool: Load | null): CsvCell[] => [
    ...columns.map((one) => row[one] ?? null),
    ...loads.map((one) => pool?.[one] ?? null),
  ];
  return head + lines.map(({ row, pool }) => csvLine(cells(row, pool))).join("");
}
