/** Accounts (tenants): who owns destinations, pools and records. */
import { sql, type Queryable } from "../db/database.js";
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
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

const COLUMNS = `id, name, tag_key as "tagKey", auto_create_pools as "autoCreatePools", created_at as "createdAt", updated_at as "updatedAt"`;

const INSERT = sql(
  "account_insert",
  `insert into account (id, name, tag_key, auto_create_pools) values ($1, $2, $3, $4) returning ${COLUMNS}`,
);
const SELECT_ONE = sql("account_select_one", `select ${COLUMNS} from account where id = $1`);
const SELECT_BY_TAG_KEY = sql("account_select_by_tag_key", `select ${COLUMNS} from account where tag_key = $1`);
const SELECT_PAGE = sql("account_select_page", `select ${COLUMNS} from account where id > $1 order by id limit $2`);
const UPDATE = sql(
  "account_update",
  `update account set name = coalesce($2, name), auto_create_pools = coalesce($3, auto_create_pools), updated_at = now()
   where id = $1 returning ${COLUMNS}`,
);

const TAG_KEY_BYTES = 16;

export async function createAccount(
  deps: { db: Queryable; ids: IdSource; random: Random },
  input: { name: string; autoCreatePools: boolean },
): Promise<Account> {
  const tagKey = `tag_${deps.random.bytes(TAG_KEY_BYTES).toString("hex")}`;
  const [account] = await deps.db.query<Account>(INSERT, [
    deps.ids.next("acc"),
    input.name,
    tagKey,
    input.autoCreatePools,
  ]);
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
  changes: { name?: string | undefined; autoCreatePools?: boolean | undefined },
): Promise<Account> {
  const [account] = await db.query<Account>(UPDATE, [id, changes.name ?? null, changes.autoCreatePools ?? null]);
  if (account === undefined) throw new AppError("not_found", "There is no such account.");
  return account;
}
