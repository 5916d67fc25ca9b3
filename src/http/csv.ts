/**
 * CSV (RFC 4180) that a spreadsheet may open: a text that it would run as a formula gets an apostrophe in front, which the spreadsheet takes as
 * "this is text" and does not show (OWASP, CSV injection). So does what would be a cell of its own where spreadsheets divide by semicolons (all of Europe)
 * or tabs: quotes that do not begin such a cell hold nothing together there, not even lines. Numbers stay numbers, negative ones too.
 */

export type CsvCell = string | number | null;

/** Where a cell starts with what starts a formula, in any spreadsheet; or, behind what other spreadsheets divide by, would. */
const RUNS = /^(?=[=+\-@\t\r\n|%＝＋－＠])|(?=[=+\-@＝＋－＠])(?<=[;\t\r\n]"*)/g;
const NEEDS_QUOTES = /[",;\t\r\n]|^\s|\s$/;

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
  return text.replace(RUNS, "'");
}
