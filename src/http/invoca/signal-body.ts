/** The body of the Signal API, read as a whole: all that is wrong is told in one sentence, in Invoca's words. Pure. */
import { isJsonObject } from "../../kernel/json-object.js";
import type { Signal } from "../../attribution/corrections/correct-call.js";
import { CUSTOM_FIELDS_MAX } from "../../attribution/judging/custom-data.js";
import { InvocaError } from "./invoca-error.js";
import { isBlank, readFlag } from "./read-values.js";
import { readSignalTime } from "./signal-time.js";

/** Invoca's own hard limit. */
const SIGNALS_MAX = 100;
const TEXT_CHARS_MAX = 200;
const FIELD_NAME_CHARS_MAX = 64;
const FIELD_TEXT_CHARS_MAX = 512;
/** As /v1 takes them. */
const AMOUNT_MAX = 1_000_000_000;
const SIGNAL_PARAMS: ReadonlySet<string> = new Set([
  "name",
  "partner_unique_id",
  "occurred_at_time",
  "revenue",
  "value",
]);

export interface SignalBody {
  readonly search: Readonly<Record<string, string>>;
  readonly signals: readonly Signal[];
  readonly customData: Readonly<Record<string, string>>;
  readonly isInProgress: boolean;
}

type Hash = Readonly<Record<string, unknown>>;

/** @param timeZone of the account, for times of spreadsheets. @throws InvocaError("InvalidInput" | "RecordInvalid") */
export function readSignalBody(body: unknown, timeZone: string): SignalBody {
  const given = isJsonObject(body) ? body : {};
  const signals = listOf(given["signals"]);
  const customData = listOf(given["custom_data"]);
  const search = isJsonObject(given["search"]) ? textsOf(given["search"]) : {};
  const wrong: string[] = [];
  if (!["transaction_id", "call_record_id", "call_start_time"].some((name) => (search[name] ?? "") !== "")) {
    wrong.push("transaction_id, call_record_id, or call_start_time must not be empty");
  }
  if (signals === null) wrong.push("'signals' must be an array of objects");
  if (customData === null) wrong.push("'custom_data' must be an array of objects");
  const read = readSignals(signals ?? [], { given, timeZone, wrong });
  const fields = readCustomData(customData ?? [], wrong);
  if (wrong.length === 0 && read.length === 0 && Object.keys(fields).length === 0) {
    wrong.push("signals or custom_data must not be empty");
  }
  if (wrong.length > 0) throw new InvocaError("InvalidInput", wrong.join("; "));
  if (read.length > SIGNALS_MAX) {
    throw new InvocaError("RecordInvalid", `Validation failed: Signals are limited to ${SIGNALS_MAX}`);
  }
  if (given["revenue"] !== undefined) {
    const message = "Revenue must be specified on each Signal instead of at the top level header of the request";
    throw new InvocaError("RecordInvalid", message);
  }
  return { search, signals: read, customData: fields, isInProgress: readFlag(given["call_in_progress"]) ?? false };
}

interface Reading {
  /** partner_unique_id and occurred_at_time may stand at the top, for all signals. */
  readonly given: Hash;
  readonly timeZone: string;
  readonly wrong: string[];
}

function readSignals(signals: readonly Hash[], reading: Reading): Signal[] {
  const { wrong } = reading;
  const unknown = new Set(signals.flatMap((one) => Object.keys(one).filter((name) => !SIGNAL_PARAMS.has(name))));
  if (unknown.size > 0) {
    wrong.push(`The following params in 'signals' are not supported in this version: ${[...unknown].join(", ")}`);
  }
  const read = signals.map((one, index) => readSignal(one, `signals[${index}]`, reading));
  wrong.push(...sameNames(read));
  return read;
}

function readSignal(one: Hash, where: string, { given, timeZone, wrong }: Reading): Signal {
  const name = textOf(one["name"]);
  if (name === "") wrong.push(`${where} 'name' is required`);
  const partner = textOf(one["partner_unique_id"] ?? given["partner_unique_id"]);
  if (name.length > TEXT_CHARS_MAX || partner.length > TEXT_CHARS_MAX) {
    wrong.push(`${where} 'name' and 'partner_unique_id' are limited to ${TEXT_CHARS_MAX} characters`);
  }
  const time = textOf(one["occurred_at_time"] ?? given["occurred_at_time"]);
  const occurredAt = time === "" ? null : readSignalTime(time, timeZone);
  if (time !== "" && occurredAt === null) wrong.push(`${where} 'occurred_at_time' is not in a supported format`);
  const value = isBlank(one["value"]) ? true : readFlag(one["value"]);
  if (value === undefined) wrong.push(`${where} 'value' must be true or false`);
  const revenue = readRevenue(one["revenue"]);
  if (revenue === undefined) wrong.push(`${where} 'revenue' is not an amount`);
  return { name, partnerUniqueId: partner, value: value ?? true, revenue: revenue ?? null, occurredAt };
}

/** Invoca's samples have thousands separators as well. @returns undefined for what is no amount */
function readRevenue(value: unknown): number | null | undefined {
  if (isBlank(value)) return null;
  const text = textOf(value);
  if (!/^-?(\d+|\d{1,3}(,\d{3})+)(\.\d{1,4})?$/.test(text)) return undefined;
  const amount = Number(text.replaceAll(",", ""));
  return Math.abs(amount) <= AMOUNT_MAX ? amount : undefined;
}

/** A signal is one fact a name and partner's id; in one request two of them would contradict each other. */
function sameNames(signals: readonly Signal[]): string[] {
  const places = new Map<string, number[]>();
  for (const [index, { name, partnerUniqueId }] of signals.entries()) {
    if (name === "") continue;
    const key = JSON.stringify([name.toLowerCase(), partnerUniqueId]);
    places.set(key, [...(places.get(key) ?? []), index]);
  }
  return [...places.values()]
    .filter((indexes) => indexes.length > 1)
    .map((indexes) => `'name' for ${indexes.map((index) => `signals[${index}]`).join(" and ")} must be unique`);
}

function readCustomData(fields: readonly Hash[], wrong: string[]): Record<string, string> {
  const read = new Map<string, string>();
  for (const [index, one] of fields.entries()) {
    const name = textOf(one["name"]);
    const value = one["value"];
    if (name === "") wrong.push(`'name' for custom_data[${index}] is required`);
    if (value === undefined || value === null) wrong.push(`'value' for custom_data[${index}] is required`);
    const text = textOf(value);
    if (name.length > FIELD_NAME_CHARS_MAX || text.length > FIELD_TEXT_CHARS_MAX) {
      wrong.push(
        `custom_data[${index}] is limited to ${FIELD_NAME_CHARS_MAX} characters of name and ${FIELD_TEXT_CHARS_MAX} of value`,
      );
    }
    read.set(name, text);
  }
  if (read.size > CUSTOM_FIELDS_MAX) wrong.push(`custom_data is limited to ${CUSTOM_FIELDS_MAX} fields`);
  return Object.fromEntries(read);
}

function textsOf(hash: Hash): Record<string, string> {
  return Object.fromEntries(Object.entries(hash).map(([name, value]) => [name, textOf(value)]));
}

function textOf(value: unknown): string {
  return ["string", "number", "boolean"].includes(typeof value) ? String(value).trim() : "";
}

/** @returns null for what is no list of objects */
function listOf(value: unknown): readonly Hash[] | null {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) && value.every(isJsonObject) ? value : null;
}
