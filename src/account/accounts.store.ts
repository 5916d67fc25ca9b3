/** Accounts (tenants): who owns destinations, pools and records. */
import { sql, sqlState, type Queryable } from "../db/database.js";
import { AppError } from "../kernel/errors.js";
import type { AccountId, IdSource } from "../kernel/ids.js";
import type { Instant } from "../kernel/clock.js";
import type { Random } from "../kernel/random.js";

export interface Account {
  readonly id: AccountId;
  readonly name: string;
  /** Public: it stands in the page's source. */
  readonly tagKey: string;
  readonly autoCreatePools: boolean;
  /** Numbers it may hold at once, draining ones included; null: no limit. */
  readonly numberLimit: number | null;
  /** Numbers it may newly take in a billing cycle; null: no limit. */
  readonly monthlyNumberCap: number | null;
  /** 1 to 28: the cycle begins at midnight of this day, in the account's time zone. */
  readonly billingDay: number;
  readonly timeZone: string;
  /** ISO 4217, of every amount of its calls. */
  readonly currency: string;
  /** Days after which callers' numbers and names are removed from its records. */
  readonly callerRetentionDays: number;
  /** Days after which its presentation log is removed. */
  readonly presentationRetentionDays: number;
  /** A caller who called so many days ago or later is a repeat caller; 0: nobody is. */
  readonly repeatCallerDays: number;
  /** By field; what is not named is `last`. */
  readonly customDataModels: Readonly<Record<string, "first" | "last" | "unique">>;
  /** Whose pages may ask for numbers, as allowed-origins.ts reads them; empty: any. */
  readonly allowedOrigins: readonly string[];
  /** How a page without any consent signal counts: as consented, or not. */
  readonly consent: "assumed" | "required";
  /** How long a browser keeps the visitor id after the last visit. */
  readonly visitorLifetimeDays: number;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

const COLUMNS = `id, name, tag_key as "tagKey", auto_create_pools as "autoCreatePools", number_limit as "numberLimit",
  monthly_number_cap as "monthlyNumberCap", billing_day as "billingDay", time_zone as "timeZone", currency, caller_retention_days as "callerRetentionDays", presentation_retention_days as "presentationRetentionDays",
  repeat_caller_days as "repeatCallerDays", custom_data_models as "customDataModels", allowed_origins as "allowedOrigins", consent,
  visitor_lifetime_days as "visitorLifetimeDays", created_at as "createdAt", updated_at as "updatedAt"`;

const INSERT = sql(
  "account_insert",
  `insert into account (id, name, tag_key, auto_create_pools, number_limit, monthly_number_cap, billing_day, time_zone, currency, caller_retention_days,
     presentation_retention_days, repeat_caller_days, custom_data_models, allowed_origins, consent, visitor_lifetime_days)
   values ($1, $2, $3, $4, $5, $6, coalesce($7, 1), coalesce($8, 'UTC'), coalesce($9, 'USD'), coalesce($10, 365),
     coalesce($11, 90), coalesce($12, 30), coalesce($13, '{}'::jsonb), coalesce($14, '{}'::text[]), coalesce($15, 'assumed'), coalesce($16, 30)) returning ${COLUMNS}`,
);
const SELECT_ONE = sql("account_select_one", `select ${COLUMNS} from account where id = $1`);
const SELECT_BY_TAG_KEY = sql("account_select_by_tag_key", `select ${COLUMNS} from account where tag_key = $1`);
const SELECT_PAGE = sql("account_select_page", `select ${COLUMNS} from account where id > $1 order by id limit $2`);
const UPDATE = sql(
  "account_update",
  `update account set name = coalesce($2, name), auto_create_pools = coalesce($3, auto_create_pools),
     number_limit = case when $4 then $5 else number_limit end, monthly_number_cap = case when $6 then $7 else monthly_number_cap end,
     billing_day = coalesce($8, billing_day), time_zone = coalesce($9, time_zone), currency = coalesce($10, currency),
     caller_retention_days = coalesce($11, caller_retention_days),
     presentation_retention_days = coalesce($12, presentation_retention_days),
     repeat_caller_days = coalesce($13, repeat_caller_days), custom_data_models = coalesce($14, custom_data_models),
     allowed_origins = coalesce($15, allowed_origins), consent = coalesce($16, consent), visitor_lifetime_days = coalesce($17, visitor_lifetime_days),
     updated_at = now()
   where id = $1 returning ${COLUMNS}`,
);

const TAG_KEY_BYTES = 16;

/** Left out: as it is; null: no limit. */
export interface AccountLimits {
  readonly numberLimit?: number | null | undefined;
  readonly monthlyNumberCap?: number | null | undefined;
  readonly billingDay?: number | undefined;
  readonly timeZone?: string | undefined;
}

/** What the account decides of its records and pages itself. Left out: as it is. */
export interface RecordSettings {
  readonly currency?: string | undefined;
  readonly callerRetentionDays?: number | undefined;
  readonly presentationRetentionDays?: number | undefined;
  /** These two: how its calls are judged from now on. */
  readonly repeatCallerDays?: number | undefined;
  readonly customDataModels?: Account["customDataModels"] | undefined;
  /** These three: what its pages are told. */
  readonly allowedOrigins?: Account["allowedOrigins"] | undefined;
  readonly consent?: Account["consent"] | undefined;
  readonly visitorLifetimeDays?: number | undefined;
}

export async function createAccount(
  deps: { db: Queryable; ids: IdSource; random: Random },
  input: { name: string; autoCreatePools: boolean } & RecordSettings & AccountLimits,
): Promise<Account> {
  const tagKey = `tag_${deps.random.bytes(TAG_KEY_BYTES).toString("hex")}`;
  const [account] = await refusingZone(() =>
    deps.db.query<Account>(INSERT, [
      deps.ids.next("acc"),
      input.name,
      tagKey,
      input.autoCreatePools,
      input.numberLimit ?? null,
      input.monthlyNumberCap ?? null,
      input.billingDay ?? null,
      input.timeZone ?? null,
      input.currency ?? null,
      input.callerRetentionDays ?? null,
      input.presentationRetentionDays ?? null,
      input.repeatCallerDays ?? null,
      input.customDataModels ?? null,
      input.allowedOrigins ?? null,
      input.consent ?? null,
      input.visitorLifetimeDays ?? null,
    ]),
  );
  return account as Account;
}

/** @throws AppError("not_found") */
export async function getAccount(db: Queryable, id: string): Promise<Account> {
  const [account] = await db.query<Account>(SELECT_ONE, [id]);
  if (account === undefined) throw new AppError("not_found", "There is no such account.");
  return account;
}

export async function findAccountByTagKey(db: Queryable, tagKey: string): Promise<Account | null> {
  const [account] = await db.query<Account>(SELECT_BY_TAG_KEY, [tagKey]);
  return account ?? null;
}

/** Oldest first; `after` is the last id of the page before, or "". */
export async function listAccounts(db: Queryable, page: { after: string; limit: number }): Promise<Account[]> {
  return db.query<Account>(SELECT_PAGE, [page.after, page.limit]);
}

/** @throws AppError("not_found") */
export async function updateAccount(
  db: Queryable,
  id: string,
  changes: { name?: string | undefined; autoCreatePools?: boolean | undefined } & RecordSettings & AccountLimits,
): Promise<Account> {
  const [account] = await refusingZone(() =>
    db.query<Account>(UPDATE, [
      id,
      changes.name ?? null,
      changes.autoCreatePools ?? null,
      changes.numberLimit !== undefined,
      changes.numberLimit ?? null,
      changes.monthlyNumberCap !== undefined,
      changes.monthlyNumberCap ?? null,
      changes.billingDay ?? null,
      changes.timeZone ?? null,
      changes.currency ?? null,
      changes.callerRetentionDays ?? null,
      changes.presentationRetentionDays ?? null,
      changes.repeatCallerDays ?? null,
      changes.customDataModels ?? null,
      changes.allowedOrigins ?? null,
      changes.consent ?? null,
      changes.visitorLifetimeDays ?? null,
    ]),
  );
  if (account === undefined) throw new AppError("not_found", "There is no such account.");
  return account;
}

/** Node and PostgreSQL have each their own list of time zones; the account's must be on both. */
async function refusingZone<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (sqlState(error) !== "22023") throw error;
    const fields = [{ path: "time_zone", message: "is no time zone that PostgreSQL knows" }];
    throw new AppError("invalid_value", "Send a name of the time zone database.", { fields, cause: error });
  }
}
