/** One transaction as the Transactions API shows it: Invoca's fields from a row of a call's record. What we have nothing for is left out here. Pure. */
import type { CallRecord } from "../../attribution/call-record.js";
import { callResultOf, hangupCauseOf } from "./hangup-cause.js";
import { dashed, masked, nationalDigits } from "./national-number.js";
import { parameterColumns, sourceColumn } from "./transaction-columns.js";
import { transactionIdOf } from "./transaction-id.js";
import type { FeedRow, RecordFacts } from "./transactions.store.js";
import { localText, xmlText } from "./zoned-time.js";

export interface Transaction {
  readonly standard: Readonly<Record<string, unknown>>;
  /** By name, in the order shown. */
  readonly custom: readonly CustomField[];
}

export interface CustomField {
  readonly name: string;
  readonly data_type: "Signal" | "Short Text";
  readonly source: "DynamicAttribution" | "VirtualLine" | "Api";
  readonly value: string | boolean | null;
}

export interface TransactionView {
  readonly account: { readonly id: string; readonly name: string; readonly timeZone: string };
  /** The caller's number, for keys that may see it; null: masked, or nobody knows it. */
  caller(record: CallRecord): string | null;
}

export function showTransaction(row: FeedRow, facts: RecordFacts, view: TransactionView): Transaction {
  const { record } = facts;
  return {
    standard: {
      ...identityOf(row, view),
      ...timesOf(record, view.account.timeZone),
      ...partiesOf(facts, view),
      ...sourceOf(facts),
      ...accountOf(facts, view.account),
      ...poolOf(record),
      ...outcomeOf(row, record),
    },
    custom: customOf(row, facts),
  };
}

/** The cell of a column; null where there is nothing. */
export function cellOf(transaction: Transaction, column: string): unknown {
  if (Object.hasOwn(transaction.standard, column)) return transaction.standard[column];
  if (column === "custom_data") return transaction.custom;
  const field = transaction.custom.find(({ name }) => name === column);
  // Signals are 1 or 0 in a column of their own, as in Invoca's samples.
  if (field !== undefined) return typeof field.value === "boolean" ? Number(field.value) : field.value;
  return transaction.custom.find(({ name }) => sourceColumn(name) === column)?.source ?? null;
}

function identityOf(row: FeedRow, { account }: TransactionView): Record<string, unknown> {
  const isCorrection = row.correctsId !== null;
  return {
    transaction_id: transactionIdOf(row.id),
    transaction_type: row.type,
    complete_call_id: transactionIdOf(row.callId),
    corrects_transaction_id: row.correctsId === null ? null : transactionIdOf(row.correctsId),
    corrected_at: isCorrection ? localText(row.at, account.timeZone) : null,
  };
}

function timesOf(record: CallRecord, zone: string): Record<string, unknown> {
  const { receivedAt, endedAt, talkMs } = record;
  const local = localText(receivedAt, zone);
  const xml = xmlText(receivedAt, zone);
  return {
    start_time_local: local,
    start_time_utc: receivedAt,
    start_time_xml: xml,
    start_time_network_timezone: local,
    start_time_network_timezone_xml: xml,
    duration: endedAt === null ? null : Math.max(0, Math.round((endedAt - receivedAt) / 1000)),
    connect_duration: Math.round((talkMs ?? 0) / 1000),
    ivr_duration: 0,
  };
}

function partiesOf({ record, isRepeat }: RecordFacts, view: TransactionView): Record<string, unknown> {
  const caller = view.caller(record);
  const { last4 } = record.caller;
  return {
    calling_phone_number: caller === null ? (last4 === null ? "" : masked(last4)) : dashed(caller),
    destination_phone_number: record.destinationNumber === null ? "" : dashed(record.destinationNumber),
    mobile: "",
    repeat_calling_phone_number: isRepeat,
  };
}

function sourceOf({ record, poolName, isStatic }: RecordFacts): Record<string, unknown> {
  const touch = record.attribution.touch ?? {};
  const description = isStatic ? touch["source_name"] : poolName;
  return {
    call_source_description: description ?? null,
    media_type: isStatic ? (touch["media_type"] ?? null) : null,
    promo_line_description: description ?? null,
    virtual_line_id: nationalDigits(record.promoNumber),
    call_result_description_detail: callResultOf(record),
    hangup_cause: hangupCauseOf(record),
  };
}

/** Network, advertiser and account are one. */
function accountOf({ campaignId }: RecordFacts, account: TransactionView["account"]): Record<string, unknown> {
  return {
    advertiser_id: account.id,
    advertiser_id_from_network: account.id,
    advertiser_name: account.name,
    advertiser_campaign_id: campaignId,
    advertiser_campaign_id_from_network: campaignId,
    advertiser_campaign_name: campaignId,
  };
}

const PARAMETERS_MAX = 25;
const SEARCH_FIELDS: readonly (readonly [column: string, field: string])[] = [
  ["search_engine", "search_engine"],
  ["search_keywords", "search_keywords"],
  ["search_keywords_id", "search_keyword_id"],
];

function poolOf({ poolId, attribution }: CallRecord): Record<string, unknown> {
  if (poolId === null) return {};
  const data = attribution.customData ?? {};
  const shown: Record<string, unknown> = { dynamic_number_pool_id: poolId, dynamic_number_pool_pool_type: "Custom" };
  for (const [column, field] of SEARCH_FIELDS) {
    shown[`dynamic_number_pool_referrer_${column}`] = textOrNull(data[field]);
  }
  const parameters = Object.entries(data).filter(([name]) => !SEARCH_FIELDS.some(([, field]) => field === name));
  for (const [index, [name, value]] of parameters.slice(0, PARAMETERS_MAX).entries()) {
    const [nameColumn, valueColumn] = parameterColumns(index + 1);
    shown[nameColumn] = name;
    shown[valueColumn] = textOrNull(value);
  }
  return shown;
}

function outcomeOf({ signal }: FeedRow, record: CallRecord): Record<string, unknown> {
  if (signal === null) return { revenue: record.revenue };
  return {
    signal_name: signal.name,
    signal_partner_unique_id: signal.partnerUniqueId,
    signal_occurred_at: Math.floor(signal.occurredAt / 1000),
    signal_source: "Api",
    signal_value: signal.value,
    revenue: signal.revenue,
  };
}

/** A signal stands in its own row alone: readers merge the rows of a call, where nothing means "not said here". */
function customOf({ signal }: FeedRow, facts: RecordFacts): CustomField[] {
  const { record, isStatic } = facts;
  const { touch, customData } = record.attribution;
  const fields = Object.entries({ ...customData, ...touch })
    .filter(([name]) => !(isStatic && (name === "source_name" || name === "media_type")))
    .map(([name, value]): CustomField => {
      const source = isSetLater(name, facts) ? "Api" : isStatic ? "VirtualLine" : "DynamicAttribution";
      return { name, data_type: "Short Text", source, value: textOrNull(value) };
    });
  if (signal === null) return fields;
  return [...fields, { name: signal.name, data_type: "Signal", source: "Api", value: signal.value }];
}

/** By the Signal API or a correction. What says what the page had said already stays the page's. */
function isSetLater(name: string, { record, matchedData }: RecordFacts): boolean {
  const { touch, customData } = record.attribution;
  if (matchedData === null || Object.hasOwn(touch ?? {}, name)) return false;
  return !Object.hasOwn(matchedData, name) || textOrNull(matchedData[name]) !== textOrNull(customData?.[name]);
}

function textOrNull(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}
