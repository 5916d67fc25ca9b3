/** Who was shown callers' numbers or names, and of which calls: written before the answer goes out. */
import { sql, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";

export interface PiiAccess {
  readonly keyId: string;
  /** The key's; null: the platform's. */
  readonly accountId: string | null;
  readonly requestId: string;
  readonly callIds: readonly string[];
}

export interface LoggedPiiAccess extends PiiAccess {
  readonly id: number;
  readonly at: Instant;
}

const INSERT = sql(
  "pii_access_insert",
  `insert into pii_access (key_id, account_id, request_id, call_ids) values ($1, $2, $3, $4)`,
);
const SELECT_PAGE = sql(
  "pii_access_select_page",
  `select id, at, key_id as "keyId", account_id as "accountId", request_id as "requestId", call_ids as "callIds"
   from pii_access where ($1::text is null or account_id = $1) and ($2::bigint is null or id < $2) order by id desc limit $3`,
);

export async function insertPiiAccess(db: Queryable, access: PiiAccess): Promise<void> {
  await db.query(INSERT, [access.keyId, access.accountId, access.requestId, access.callIds]);
}

/** Newest first. */
export async function listPiiAccess(
  db: Queryable,
  page: { accountId: string | null; before: number | null; limit: number },
): Promise<LoggedPiiAccess[]> {
  return db.query<LoggedPiiAccess>(SELECT_PAGE, [page.accountId, page.before, page.limit]);
}
