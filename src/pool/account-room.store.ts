/** What an account holds and has taken, read under the account's lock by whoever is about to give it numbers. Locks go pool, its scaling, account, numbers. */
import { sql, type Queryable } from "../db/database.js";
import { AppError } from "../kernel/errors.js";
import { type AccountNumbers, roomOf } from "./account-room.js";

/** "no key": presenting refers to the account all the time and must not wait. */
const LOCK = sql("account_room_lock", `select id from account where id = $1 for no key update`);
const SELECT = sql(
  "account_room_select",
  `select number_limit as "numberLimit", held, monthly_number_cap as "monthlyNumberCap", taken, on_order as "onOrder",
     cycle_starts_at as "cycleStartsAt", cycle_ends_at as "cycleEndsAt"
   from account_numbers($1, ringmatch_now())`,
);

export async function readAccountNumbers(db: Queryable, accountId: string): Promise<AccountNumbers> {
  const [row] = await db.query<AccountNumbers>(SELECT, [accountId]);
  if (row === undefined) throw new AppError("not_found", "There is no such account.");
  return row;
}

/** Until the transaction ends nobody else gives the account numbers. */
export async function lockAccountNumbers(tx: Queryable, accountId: string): Promise<AccountNumbers> {
  await tx.query(LOCK, [accountId]);
  return readAccountNumbers(tx, accountId);
}

/** @throws AppError("account_limit") unless the account may take `count` more */
export function assertAccountRoom(account: AccountNumbers, count: number): void {
  const room = roomOf(account);
  if (count <= room.count) return;
  throw new AppError("account_limit", `The account may take ${room.count} more numbers, not ${count}: ${room.reason}.`);
}
