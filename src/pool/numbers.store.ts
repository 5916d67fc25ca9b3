/** Promo numbers in the database: import, reading, and the row that a move (number-moves.ts) locks and writes. Several at once: number-picks.store.ts. */
import { sql, timestamp as iso, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { E164 } from "../telephony/e164.js";
import { classifyNumber, type NumberType } from "../telephony/npa.js";
import type { NumberRole, NumberState } from "./promo-number.js";

export interface PromoNumber {
  readonly id: number;
  readonly e164: E164;
  readonly type: NumberType;
  readonly npa: string | null;
  readonly carrier: string | null;
  readonly credentialId: string | null;
  readonly hostAccountId: string | null;
  readonly state: NumberState;
  readonly role: NumberRole | null;
  readonly accountId: string | null;
  readonly poolId: string | null;
  readonly formerAccountId: string | null;
  readonly ownershipEpoch: number;
  readonly stateSince: Instant;
  readonly nextCheckAt: Instant | null;
  readonly quarantinedAt: Instant | null;
  /** Under its owner, in whichever pool; -Infinity: to nobody. */
  readonly lastPresentedAt: Instant;
  readonly retainedUntil: Instant;
  /** Quarantined and not clean for so long that the rule proposes to retire it; an admin decides. */
  readonly retirementProposedAt: Instant | null;
}

export interface NumberEvent {
  readonly state: NumberState;
  readonly at: Instant;
  readonly reason: string;
  readonly actor: string;
  /** Whose it was from then on. */
  readonly accountId: string | null;
}

/** Of a promo_number called n. */
export const NUMBER_COLUMNS = `n.id, n.e164, n.number_type as type, n.npa, n.carrier, n.credential_id as "credentialId", n.host_account_id as "hostAccountId",
  n.state, n.role, n.account_id as "accountId", n.pool_id as "poolId", n.former_account_id as "formerAccountId",
  n.ownership_epoch as "ownershipEpoch", n.state_since as "stateSince", n.next_check_at as "nextCheckAt",
  n.quarantined_at as "quarantinedAt", n.last_presented_at as "lastPresentedAt", n.retained_until as "retainedUntil",
  n.retirement_proposed_at as "retirementProposedAt"`;

const INSERT_MANY = sql(
  "number_insert_many",
  `with added as (
     insert into promo_number (e164, number_type, npa, carrier, credential_id, state)
       select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
       on conflict (e164) do nothing returning id, e164, state, state_since
   ), logged as (
     insert into number_event (number_id, at, from_state, state, ownership_epoch, reason, actor)
       select id, state_since, null, state, 0, $7, $8 from added
   )
   select e164 from added`,
);
const ANALYZE = sql("number_analyze", `analyze promo_number`);
const SELECT_ONE = sql("number_select_one", `select ${NUMBER_COLUMNS} from promo_number n where n.e164 = $1`);
const LOCK_ONE = sql(
  "number_lock_one",
  `select ${NUMBER_COLUMNS}, ringmatch_now() as now from promo_number n where n.e164 = $1 for update`,
);
const PAGE = `where n.e164 > $1 and ($2::text is null or n.state = $2)
     and ($3::text is null or n.pool_id = $3) and ($4::text is null or n.number_type = $4) and ($5::text is null or n.npa = $5)
     and (not $7::boolean or n.retirement_proposed_at is not null)
   order by n.e164 limit $6`;
const SELECT_PAGE = sql("number_select_page", `select ${NUMBER_COLUMNS} from promo_number n ${PAGE}`);
export const SELECT_PAGE_OF_ACCOUNT = sql(
  "number_select_page_of_account",
  `select ${NUMBER_COLUMNS} from numbers_of_account($8) n ${PAGE}`,
);
const SELECT_VISIBLE = sql(
  "number_select_visible",
  `select e164 from promo_number where e164 = any ($1) and (account_id = $2 or state = 'available')`,
);
const SELECT_HISTORY = sql(
  "number_select_history",
  `select state, at, reason, actor, account_id as "accountId" from number_event where number_id = $1 order by id`,
);
const UPDATE_MOVED = sql(
  "number_update_moved",
  `with moved as (
     update promo_number n set state = $2, role = $3, account_id = $4, pool_id = $5, former_account_id = $6, host_account_id = $7,
       ownership_epoch = $8, quarantined_at = $9, retirement_proposed_at = null, next_check_at = $10, state_since = $11,
       -- Who comes back to a pool that lost their number gets another one, also when this one returns to it.
       held_by = null,
       -- A change of owner clears any lock. One of pool leaves the lock: a visitor may still look at the number.
       last_presented_at = case when n.ownership_epoch = $8 then n.last_presented_at else '-infinity' end,
       locked_until = case when n.ownership_epoch = $8 then n.locked_until else '-infinity' end,
       -- A call is attributed in the pool and under the owner the number has then.
       visitor_id = case when n.ownership_epoch = $8 and n.pool_id = $5 then n.visitor_id end,
       presentation_id = case when n.ownership_epoch = $8 and n.pool_id = $5 then n.presentation_id end,
       retained_until = case when n.ownership_epoch = $8 and n.pool_id = $5 then n.retained_until else '-infinity' end,
       touch = case when n.ownership_epoch = $8 and n.pool_id = $5 then n.touch end,
       custom_data = case when n.ownership_epoch = $8 and n.pool_id = $5 then n.custom_data end
     where n.id = $1 returning n.*
   ), logged as (
     insert into number_event (number_id, at, from_state, state, role, account_id, pool_id, ownership_epoch, reason, actor)
       select id, $11, $12, state, role, account_id, pool_id, ownership_epoch, $13, $14 from moved
   )
   select ${NUMBER_COLUMNS} from moved n`,
);
const UPDATE_NEXT_CHECK = sql("number_update_next_check", `update promo_number set next_check_at = $2 where id = $1`);
const UPDATE_PROPOSAL = sql(
  "number_update_proposal",
  `with proposed as (
     update promo_number set retirement_proposed_at = $2 where id = $1 returning id, state, ownership_epoch
   )
   insert into number_event (number_id, at, from_state, state, ownership_epoch, reason, actor)
     select id, $3, state, state, ownership_epoch, $4, $5 from proposed`,
);
const SELECT_DUE = sql(
  "number_select_due",
  `select e164, ownership_epoch as "ownershipEpoch" from promo_number where next_check_at <= now() - make_interval(secs => $1)
   order by next_check_at limit $2`,
);
export interface NewNumber {
  readonly number: E164;
  readonly carrier: string | null;
  readonly credentialId: string | null;
  /** Where its life begins; available when not given. */
  readonly state?: "available" | "porting" | "ordering";
}

/** From here on an import changes what the planner should know. */
const BULK = 100;

/** Adds numbers to the inventory, available unless they say otherwise. @returns those that were new */
export async function insertNumbers(
  db: Queryable,
  input: { numbers: readonly NewNumber[]; reason: string; actor: string },
): Promise<Set<string>> {
  const { numbers } = input;
  const classes = numbers.map((n) => classifyNumber(n.number));
  const rows = await db.query<{ e164: string }>(INSERT_MANY, [
    numbers.map((n) => n.number),
    classes.map((c) => c.type),
    classes.map((c) => c.npa),
    numbers.map((n) => n.carrier),
    numbers.map((n) => n.credentialId),
    numbers.map((n) => n.state ?? "available"),
    input.reason,
    input.actor,
  ]);
  // Sessions keep the plans they made while the table was small; autovacuum's statistics, which end those plans, come a minute too late.
  if (rows.length >= BULK) await db.query(ANALYZE);
  return new Set(rows.map((row) => row.e164));
}

/** @param accountId null: any owner (admin). @throws AppError("not_found") */
export async function getNumber(
  db: Queryable,
  input: { e164: string; accountId: string | null },
): Promise<PromoNumber> {
  const [row] = await db.query<PromoNumber>(SELECT_ONE, [input.e164]);
  if (row === undefined || (input.accountId !== null && row.accountId !== input.accountId)) {
    throw new AppError("not_found", "There is no such number.");
  }
  return row;
}

export async function findNumber(db: Queryable, e164: string): Promise<PromoNumber | null> {
  const [row] = await db.query<PromoNumber>(SELECT_ONE, [e164]);
  return row ?? null;
}

export interface NumberFilter {
  readonly accountId: string | null;
  readonly state: NumberState | null;
  readonly poolId: string | null;
  readonly type: NumberType | null;
  readonly npa: string | null;
  /** Only those that the quarantine rule proposes to retire. */
  readonly isRetirementProposed?: boolean;
  /** The last number of the page before, or "". */
  readonly after: string;
  readonly limit: number;
}

/** Ascending by number. */
export async function listNumbers(db: Queryable, page: NumberFilter): Promise<PromoNumber[]> {
  const { after, accountId, state, poolId, type, npa, limit, isRetirementProposed = false } = page;
  const values = [after, state, poolId, type, npa, limit, isRetirementProposed];
  return accountId === null
    ? db.query<PromoNumber>(SELECT_PAGE, values)
    : db.query<PromoNumber>(SELECT_PAGE_OF_ACCOUNT, [...values, accountId]);
}

/** Of the given numbers, those an account may know of when it fills a pool: its own, and the available inventory. */
export async function visibleNumbers(
  db: Queryable,
  input: { numbers: readonly string[]; accountId: string },
): Promise<Set<string>> {
  const rows = await db.query<{ e164: string }>(SELECT_VISIBLE, [input.numbers, input.accountId]);
  return new Set(rows.map((row) => row.e164));
}

export async function historyOf(db: Queryable, numberId: number): Promise<NumberEvent[]> {
  return db.query<NumberEvent>(SELECT_HISTORY, [numberId]);
}

/** A row under lock, with the time of the transaction: the database's (ringmatch_now, which tests may set). */
export type LockedNumber = PromoNumber & { readonly now: Instant };

/** @throws AppError("not_found") */
export async function lockNumber(tx: Queryable, e164: string): Promise<LockedNumber> {
  const [row] = await tx.query<LockedNumber>(LOCK_ONE, [e164]);
  if (row === undefined) throw new AppError("not_found", "There is no such number.");
  return row;
}

/**
 * Null, and not even locked, for one that the asker may not know of: they must neither learn that others have it, nor keep it from those others' visitors.
 */
export async function lockKnown(
  tx: Queryable,
  e164: string,
  mayKnow: (number: PromoNumber) => boolean,
): Promise<LockedNumber | null> {
  const seen = await findNumber(tx, e164);
  if (seen === null || !mayKnow(seen)) return null;
  const known = await lockNumber(tx, e164);
  return mayKnow(known) ? known : null;
}

/** What a move changes; the rest of the row stays. */
export interface NumberMove {
  readonly state: NumberState;
  readonly role: NumberRole | null;
  readonly accountId: string | null;
  readonly poolId: string | null;
  readonly nextCheckAt: Instant | null;
  readonly reason: string;
  readonly actor: string;
}

/** Writes a move and its audit row. The epoch rises, and the latest presentation is cleared, when the owner changes. */
export async function writeMove(tx: Queryable, known: LockedNumber, move: NumberMove): Promise<PromoNumber> {
  const changesOwner = known.accountId !== move.accountId;
  const epoch = known.ownershipEpoch + (changesOwner ? 1 : 0);
  const loses = changesOwner && known.accountId !== null;
  const former = loses ? known.accountId : move.accountId === null ? known.formerAccountId : null;
  const [row] = await tx.query<PromoNumber>(UPDATE_MOVED, [
    known.id,
    move.state,
    move.role,
    move.accountId,
    move.poolId,
    former,
    known.hostAccountId ?? (loses ? known.accountId : null),
    epoch,
    move.state === "quarantined" ? iso(known.now) : null,
    iso(move.nextCheckAt),
    iso(known.now),
    known.state,
    move.reason,
    move.actor,
  ]);
  return row as PromoNumber;
}

/** @param at null: nothing is due for it any more */
export async function writeNextCheck(tx: Queryable, numberId: number, at: Instant | null): Promise<void> {
  await tx.query(UPDATE_NEXT_CHECK, [numberId, iso(at)]);
}

/** Proposes a quarantined number for retirement, or withdraws that (`at` null), and writes it into the history. */
export async function writeRetirementProposal(
  tx: Queryable,
  known: LockedNumber,
  input: { at: Instant | null; reason: string; actor: string },
): Promise<void> {
  await tx.query(UPDATE_PROPOSAL, [known.id, iso(input.at), iso(known.now), input.reason, input.actor]);
}

/** Numbers whose check is overdue by `graceS`: their job was lost or is late. */
export async function listDueNumbers(
  db: Queryable,
  input: { graceS: number; limit: number },
): Promise<{ e164: string; ownershipEpoch: number }[]> {
  return db.query(SELECT_DUE, [input.graceS, input.limit]);
}
