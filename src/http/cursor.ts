/**
 * Pages of lists. A cursor is the position of the last row shown, never an offset, so rows that arrive meanwhile neither shift nor repeat others.
 * Opaque to clients: base64url of the list's name and the position.
 */
import { AppError } from "../kernel/errors.js";
import { INSTANT_MAX, type Instant } from "../kernel/clock.js";
import { isSafeText } from "./safe-text.js";

export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

/** Longer ones are not ours. */
const CURSOR_CHARS_MAX = 400;
/** PostgreSQL's int. */
const NUMBER_MAX = 2_147_483_647;

/** @param rows up to limit + 1 of them: one more than shown says that there is a next page */
export function pageOf<R, T>(
  list: string,
  input: {
    rows: readonly R[];
    limit: number;
    positionOf: (row: R) => readonly (string | number)[];
    show: (row: R) => T;
  },
): Page<T> {
  const { rows, limit, positionOf, show } = input;
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return {
    data: shown.map((row) => show(row)),
    next_cursor: last === undefined ? null : encode([list, ...positionOf(last)]),
  };
}

/** For lists of few rows, which are read whole. @param input.rows in any order; the page's is that of their keys */
export function pageOfAll<R, T>(
  list: string,
  input: {
    rows: readonly R[];
    query: { limit: number; cursor?: string | undefined };
    keyOf: (row: R) => string;
    show: (row: R) => T;
  },
): Page<T> {
  const { keyOf, show } = input;
  const { limit, cursor } = input.query;
  const after = afterKey(list, cursor);
  const left = input.rows.filter((row) => keyOf(row) > after).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  return pageOf(list, { rows: left.slice(0, limit + 1), limit, positionOf: (row) => [keyOf(row)], show });
}

/** For lists in the order of a text key. @returns the key of the last row shown, "" for the first page */
export function afterKey(list: string, cursor: string | undefined): string {
  if (cursor === undefined) return "";
  const [key, ...rest] = positionIn(list, cursor);
  if (typeof key !== "string" || rest.length > 0) throw broken();
  return key;
}

/** For lists that count down. @returns the number of the last row shown; null for the first page */
export function beforeNumber(list: string, cursor: string | undefined): number | null {
  if (cursor === undefined) return null;
  const [number, ...rest] = positionIn(list, cursor);
  if (typeof number !== "number" || rest.length > 0) throw broken();
  if (!Number.isInteger(number) || number < 0 || number > NUMBER_MAX) throw broken();
  return number;
}

/** For lists in the order of time, then id. */
export function beforeInstant(list: string, cursor: string | undefined): { at: Instant; id: string } | null {
  if (cursor === undefined) return null;
  const [at, id, ...rest] = positionIn(list, cursor);
  if (typeof at !== "number" || typeof id !== "string" || rest.length > 0) throw broken();
  if (!Number.isInteger(at) || at < 0 || at > INSTANT_MAX) throw broken();
  return { at, id };
}

/** The same where milliseconds do not tell rows apart: the database's own text of the time. */
export function beforeExactTime(list: string, cursor: string | undefined): { at: string; id: string } | null {
  if (cursor === undefined) return null;
  const [at, id, ...rest] = positionIn(list, cursor);
  if (typeof at !== "string" || typeof id !== "string" || rest.length > 0) throw broken();
  if (!isExactTime(at)) throw broken();
  return { at, id };
}

/** For lists that read their positions themselves. @returns the parts, of any type */
export function positionOfCursor(list: string, cursor: string): readonly unknown[] {
  return positionIn(list, cursor);
}

/** Microseconds, and a date that exists: 30 February is one to JavaScript and an error to PostgreSQL. */
function isExactTime(text: string): boolean {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(text) ? Date.parse(text) : Number.NaN;
  return ms >= 0 && new Date(ms).toISOString().startsWith(text.slice(0, 19));
}

function encode(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

function positionIn(list: string, cursor: string): unknown[] {
  const bytes = Buffer.from(cursor.slice(0, CURSOR_CHARS_MAX), "base64url");
  // Node's decoder forgives what a cut or a typing error leaves behind.
  if (bytes.toString("base64url") !== cursor) throw broken();
  let position: unknown;
  try {
    position = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw broken(error);
  }
  if (!Array.isArray(position) || position[0] !== list) throw broken();
  const [, ...rest] = position as unknown[];
  if (rest.some((part) => typeof part === "string" && !isSafeText(part))) throw broken();
  return rest;
}

function broken(cause?: unknown): AppError {
  const fields = [{ path: "cursor", message: "is not a next_cursor of this list" }];
  return new AppError("invalid_value", "Send the next_cursor of this list's last page, unchanged, or none.", {
    fields,
    cause,
  });
}
