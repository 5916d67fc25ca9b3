/** Which call a Signal API request means: by transaction, by call record, or by when and who. */
import { type Account, getAccount } from "../../account/accounts.store.js";
import type { CallRecord } from "../../attribution/call-record.js";
import { getCall } from "../../attribution/calls.store.js";
import { AppError } from "../../kernel/errors.js";
import { normalizeNumber } from "../../telephony/e164.js";
import type { HttpDeps } from "../http-deps.js";
import { findCallOfSignal, findNearestCall } from "./call-search.store.js";
import { InvocaError } from "./invoca-error.js";
import { readSignalTime } from "./signal-time.js";
import { transactionKeyOf } from "./transaction-id.js";

/** Earlier and later than any clock of a call centre; PostgreSQL cannot add to times beyond. */
const START_MAX = 4_102_444_800_000;

/** @param account null: a key of the platform that named none. @throws InvocaError */
export async function findSignalledCall(
  deps: HttpDeps,
  search: Readonly<Record<string, string>>,
  account: Account | null,
): Promise<CallRecord> {
  const id = (await idByTransaction(deps, search, account)) ?? (await idByStart(deps, search, account));
  try {
    if (id !== null) return await getCall(deps.db, { id, accountId: account?.id ?? null });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "not_found") throw error;
  }
  throw new InvocaError("RecordNotFound", "No call found. Please refer to the documentation.");
}

/**
 * Network and advertiser are the account. @returns null for a key of the platform that names none
 * @throws InvocaError("UnauthorizedAdvertiser") for another account than the key's
 */
export async function accountOfSearch(
  deps: HttpDeps,
  search: unknown,
  accountId: string | null,
): Promise<Account | null> {
  const given = (name: string): string => {
    const value = (search as Record<string, unknown> | null | undefined)?.[name];
    return typeof value === "string" ? value : "";
  };
  const named = ["network_id", "advertiser_id_from_network"].map(given).filter((id) => id !== "");
  const own = accountId ?? named[0];
  if (named.some((id) => id !== own)) throw noAccess();
  if (own === undefined) return null;
  try {
    return await getAccount(deps.db, own);
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") throw noAccess();
    throw error;
  }
}

function noAccess(): InvocaError {
  return new InvocaError("UnauthorizedAdvertiser", "You do not have access to this advertiser");
}

/** @returns null when the request names none; of an id that is none of ours, what finds nothing */
async function idByTransaction(
  deps: HttpDeps,
  search: Readonly<Record<string, string>>,
  account: Account | null,
): Promise<string | null> {
  const text = search["transaction_id"] || search["call_record_id"] || "";
  if (text === "") return null;
  const key = transactionKeyOf(text);
  if (key?.kind !== "signal") return key?.id ?? "";
  return (await findCallOfSignal(deps.db, { id: key.id, accountId: account?.id ?? null })) ?? "";
}

async function idByStart(
  deps: HttpDeps,
  search: Readonly<Record<string, string>>,
  account: Account | null,
): Promise<string | null> {
  if (account === null) throw new InvocaError("InvalidInput", "network_id must not be empty with call_start_time");
  const startedAt = readSignalTime(search["call_start_time"] ?? "", account.timeZone);
  if (startedAt === null || startedAt < 0 || startedAt > START_MAX) {
    throw new InvocaError("InvalidInput", "call_start_time is not in a supported format");
  }
  const caller = search["calling_phone_number"] ?? "";
  const number = caller === "" ? null : normalizeNumber(caller);
  if (caller !== "" && number === null)
    throw new InvocaError("InvalidInput", "calling_phone_number is no phone number");
  const length = search["duration_in_seconds"] ?? "";
  if (length !== "" && !/^\d{1,6}(\.\d+)?$/.test(length)) {
    throw new InvocaError("InvalidInput", "duration_in_seconds must be a number");
  }
  return findNearestCall(deps.db, {
    accountId: account.id,
    startedAt,
    callerHash: number === null ? null : deps.secrets.hash(account.id, number),
    durationS: length === "" ? null : Number(length),
  });
}
