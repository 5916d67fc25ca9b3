/** Transactions as a JSON array, CSV or XML, in pieces: 4,000 rows of 150 columns are not made in one turn of the event loop. */
import { element, xmlDocument, type XmlElement } from "../../kernel/xml.js";
import { defused } from "../csv.js";
import { cellOf, type CustomField, type Transaction } from "./show-transaction.js";
import type { CsvForm } from "./transaction-query.js";

export interface TransactionsTable {
  readonly transactions: readonly Transaction[];
  readonly columns: readonly string[];
}

export function* jsonRows({ transactions, columns }: TransactionsTable): Generator<string> {
  yield "[";
  for (const [index, transaction] of transactions.entries()) {
    const row = Object.fromEntries(columns.map((column) => [column, cellOf(transaction, column)]));
    yield `${index === 0 ? "" : ","}${JSON.stringify(row)}`;
  }
  yield "]";
}

/** RFC 4180's quoting, whatever the separators are. `custom_data` is for JSON and XML alone. */
export function* csvRows({ transactions, columns }: TransactionsTable, form: CsvForm): Generator<string> {
  const shown = columns.filter((column) => column !== "custom_data");
  const line = (cells: readonly string[]): string =>
    `${cells.map((cell) => quoted(cell, form)).join(form.columnSeparator)}${form.rowSeparator}`;
  if (form.hasHeader) yield line(shown.map((name) => (form.isRaw ? name : defused(name))));
  for (const transaction of transactions) yield line(shown.map((column) => csvCell(cellOf(transaction, column), form)));
}

/** Invoca says "an array of Transaction elements"; the name of the root is ours. */
export function* xmlRows({ transactions, columns }: TransactionsTable): Generator<string> {
  const [head = "", tail = ""] = xmlDocument(element("Transactions", {}, [" "])).split(" </");
  yield head;
  for (const transaction of transactions) {
    const fields = columns.map((column) => xmlField(column, cellOf(transaction, column)));
    yield element("Transaction", {}, fields).xml;
  }
  yield `</${tail}`;
}

function csvCell(value: unknown, { isRaw }: CsvForm): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  return isRaw ? value : defused(value);
}

function quoted(cell: string, { columnSeparator, rowSeparator, quotesAll }: CsvForm): string {
  const needs =
    quotesAll || /["\r\n]|^\s|\s$/.test(cell) || cell.includes(columnSeparator) || cell.includes(rowSeparator);
  return needs ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function xmlField(column: string, value: unknown): XmlElement {
  const name = elementName(column);
  if (column === "custom_data") return element(name, {}, (value as readonly CustomField[]).map(xmlCustomField));
  return element(name, {}, value === null || value === undefined ? [] : [String(value)]);
}

function xmlCustomField({ name, data_type: type, source, value }: CustomField): XmlElement {
  const text = value === null ? [] : [String(value)];
  return element("custom_data", {}, [
    element("name", {}, [name]),
    element("data_type", {}, [type]),
    element("source", {}, [source]),
    element("value", {}, text),
  ]);
}

/** A custom field may be named in any way, an element may not (XML 1.0 §2.3). */
function elementName(column: string): string {
  const name = column.replace(/[^A-Za-z0-9_.-]/g, "_");
  return /^[A-Za-z_]/.test(name) ? name : `_${name}`;
}
