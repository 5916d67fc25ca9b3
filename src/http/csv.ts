/**
 * CSV (RFC 4180) that a spreadsheet may open: a text that it would run as a formula gets an apostrophe in front, which the spreadsheet takes as
 * "this is text" and does not show (OWASP, CSV injection). Numbers stay numbers, negative ones too.
 */

export type CsvCell = string | number | null;

/** What starts a formula, in any spreadsheet and after any separator. */
const RUNS = /^[=+\-@\t\r\n|%＝＋－＠]/;
const NEEDS_QUOTES = /[",\r\n]|^\s|\s$/;

/** @returns the line with its line end */
export function csvLine(cells: readonly CsvCell[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

function csvCell(cell: CsvCell): string {
  if (cell === null) return "";
  if (typeof cell === "number") return String(cell);
  const text = defused(cell);
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The text as a spreadsheet may have it: one that it would run gets an apostrophe in front. */
export function defused(text: string): string {
  return RUNS.test(text) ? `'${text}` : text;
}
