/** Call records as lines: of CSV, under a line of column names, and of NDJSON, each as `GET /v1/calls` shows it. */
import { type CsvCell, csvLine } from "../csv.js";
import type { CallColumn, ShownCall } from "./call-columns.js";

export function csvHead(columns: readonly CallColumn[]): string {
  return csvLine(columns.map(({ name }) => name));
}

export function csvCall(columns: readonly CallColumn[], shown: ShownCall): string {
  return csvLine(columns.map((column) => cellOf(column.valueOf(shown))));
}

function cellOf(value: unknown): CsvCell {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  return JSON.stringify(value);
}

export function ndjsonCall(shown: ShownCall): string {
  return `${JSON.stringify(shown)}\n`;
}
