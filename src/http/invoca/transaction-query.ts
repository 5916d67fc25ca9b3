/** The query of the Transactions API. Pure. */
import { InvocaError } from "./invoca-error.js";
import { firstOf, isBlank } from "./read-values.js";
import { type TransactionKey, transactionKeyOf } from "./transaction-id.js";
import type { TransactionType } from "./transactions.store.js";
import { instantOf } from "./zoned-time.js";

const LIMIT_DEFAULT = 1_000;
const LIMIT_MAX = 4_000;
const DAY_MS = 86_400_000;
const SEPARATOR_CHARS_MAX = 4;
const COLUMNS_MAX = 1_000;

/** PostCallEvent and Sale are accepted and match nothing: we have signals alone. */
const TYPES: Readonly<Record<string, readonly TransactionType[]>> = {
  Call: ["Call"],
  Signal: ["Signal"],
  PostCallEvent: [],
  "Post Call Event": [],
  Sale: [],
  "Reported Conversion": [],
};

export interface CsvForm {
  readonly columnSeparator: string;
  readonly rowSeparator: string;
  readonly hasHeader: boolean;
  readonly quotesAll: boolean;
  /** Cells that a spreadsheet would run are defused unless the client asks for them as they are. */
  readonly isRaw: boolean;
}

export interface TransactionQuery {
  readonly range: { readonly from: number; readonly to: number } | null;
  readonly limit: number;
  /** "unknown": an id that is none of ours, which finds nothing. */
  readonly transaction: TransactionKey | "unknown" | null;
  readonly call: TransactionKey | "unknown" | null;
  readonly after: TransactionKey | "unknown" | null;
  readonly types: readonly TransactionType[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly csv: CsvForm;
}

/** @param timeZone the account's, in which days begin. @throws InvocaError("InvalidInput") */
export function readTransactionQuery(query: Readonly<Record<string, unknown>>, timeZone: string): TransactionQuery {
  return {
    range: readRange(query, timeZone),
    limit: readLimit(query["limit"]),
    transaction: readKey(query["transaction_id"]),
    call: readKey(query["call_record_id"]),
    after: readKey(query["start_after_transaction_id"]),
    types: readTypes(query),
    include: readNames(query["include_columns"]),
    exclude: readNames(query["exclude_columns"]),
    csv: {
      columnSeparator: readSeparator(query, "column_separator", ","),
      rowSeparator: readSeparator(query, "row_separator", "\n"),
      hasHeader: firstOf(query["include_header"]) !== "0",
      quotesAll: firstOf(query["force_quotes"]) === "1",
      isRaw: firstOf(query["ringmatch_raw"]) === "1",
    },
  };
}

/** Both or neither: one alone filters nothing, as in Invoca's API. */
function readRange(query: Readonly<Record<string, unknown>>, timeZone: string): TransactionQuery["range"] {
  if (isBlank(query["from"]) || isBlank(query["to"])) return null;
  const from = readDay(query, "from");
  const to = readDay(query, "to");
  return { from: instantOf(from, timeZone), to: instantOf(to + DAY_MS, timeZone) };
}

function readDay(query: Readonly<Record<string, unknown>>, name: string): number {
  const text = firstOf(query[name]) ?? "";
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  if (ms >= 0 && new Date(ms).toISOString().startsWith(text)) return ms;
  throw new InvocaError("InvalidInput", `${name} must be a date in the format YYYY-MM-DD`);
}

/** "Limited to at most 4000": more is cut, not refused. */
function readLimit(value: unknown): number {
  if (isBlank(value)) return LIMIT_DEFAULT;
  const text = firstOf(value) ?? "";
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0)
    throw new InvocaError("InvalidInput", "limit must be a positive integer");
  return Math.min(Number(text), LIMIT_MAX);
}

function readKey(value: unknown): TransactionKey | "unknown" | null {
  if (isBlank(value)) return null;
  return transactionKeyOf(firstOf(value) ?? "") ?? "unknown";
}

function readTypes(query: Readonly<Record<string, unknown>>): readonly TransactionType[] {
  const given = [query["transaction_type"], query["transaction_type[]"]].flat().filter((value) => !isBlank(value));
  if (given.length === 0) return ["Call", "Signal"];
  return given.flatMap((value) => {
    const name = String(value);
    if (Object.hasOwn(TYPES, name)) return TYPES[name] ?? [];
    throw new InvocaError("InvalidInput", "transaction_type must be Call, PostCallEvent, Sale or Signal");
  });
}

function readNames(value: unknown): readonly string[] {
  const names = (firstOf(value) ?? "").split(",").map((name) => name.trim());
  if (names.length > COLUMNS_MAX) throw new InvocaError("InvalidInput", `At most ${COLUMNS_MAX} columns can be named`);
  return names.filter((name) => name !== "");
}

function readSeparator(query: Readonly<Record<string, unknown>>, name: string, otherwise: string): string {
  const text = firstOf(query[name]);
  if (text === undefined || text === "") return otherwise;
  if (text.length > SEPARATOR_CHARS_MAX || text.includes('"')) {
    throw new InvocaError("InvalidInput", `${name} must be 1 to ${SEPARATOR_CHARS_MAX} characters, and no quote`);
  }
  return text;
}
