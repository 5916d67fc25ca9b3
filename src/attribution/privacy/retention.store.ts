/** What is removed when its time is over, in batches: callers from records, the presentation log, visitors whom nothing tells of any more. */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";

export interface AccountRetention {
  readonly accountId: string;
  /** What came before is to be removed. */
  readonly callersBefore: Instant;
  readonly presentationsBefore: Instant;
}

const SELECT_DUE = sql(
  "retention_select_due",
  `select a.id as "accountId", now() - make_interval(days => a.caller_retention_days) as "callersBefore",
     date_trunc('day', now() - make_interval(days => a.presentation_retention_days), 'UTC') as "presentationsBefore"
   from account a left join account_retention r on r.account_id = a.id
   where a.id > $1 and (r.account_id is null or r.callers_until < now() - make_interval(days => a.caller_retention_days, hours => 1)
     or r.presentations_until < date_trunc('day', now() - make_interval(days => a.presentation_retention_days), 'UTC'))
   order by a.id limit $2`,
);
/** Reports count calls, not callers: what is removed here is nothing to add up anew (migration 0019). */
const RETIRING = sql("retention_retiring", `select set_config('ringmatch.retiring', 'on', true)`);
// A call that was recorded late is at most a day older than the mark.
const REDACT_CALLERS = sql(
  "retention_redact_callers",
  `with mine as (
     select c.id, c.received_at from call c left join account_retention r on r.account_id = $1
     where c.account_id = $1 and c.received_at < $2 and c.received_at >= coalesce(r.callers_until - interval '1 day', '-infinity')
       and (c.caller_last4 is not null or c.diversion_last4 is not null)
     order by c.received_at limit $3
   )
   update call c set caller_enc = null, caller_hash = null, caller_last4 = null, caller_name_enc = null, diversion_enc = null, diversion_last4 = null
   from mine where c.id = mine.id and c.received_at = mine.received_at returning 1 as done`,
);
const REDACT_UNOWNED = sql(
  "retention_redact_unowned",
  `with mine as (
     select c.id, c.received_at from call c
     where c.account_id is null and c.received_at < $1 and (c.caller_last4 is not null or c.diversion_last4 is not null)
     order by c.received_at limit $2
   )
   update call c set caller_enc = null, caller_hash = null, caller_last4 = null, caller_name_enc = null, diversion_enc = null, diversion_last4 = null
   from mine where c.id = mine.id and c.received_at = mine.received_at returning 1 as done`,
);
const REDACT_INTERCEPTS = sql(
  "retention_redact_intercepts",
  `with mine as (select i.id from intercept i where i.at < $1 and i.caller_last4 is not null order by i.at limit $2)
   update intercept i set caller_enc = null, caller_hash = null, caller_last4 = null from mine where i.id = mine.id returning 1 as done`,
);
// Before anything is deleted: from then on a late call of that time is unattributable instead of matched from what is left. Whole days, because every
// change of an account makes all processes read their routing tables again.
const KEEP_FROM = sql(
  "retention_keep_from",
  `update account set presentations_kept_from = $2 where id = $1 and presentations_kept_from < $2`,
);
const DELETE_PRESENTATIONS = sql(
  "retention_delete_presentations",
  `with mine as (
     select p.account_id, p.number_id, p.seq, p.presented_at from presentation p
     where p.account_id = $1 and p.presented_at < $2 order by p.presented_at, p.id limit $3
   )
   delete from presentation p using mine m
   where p.account_id = m.account_id and p.number_id = m.number_id and p.seq = m.seq and p.presented_at = m.presented_at returning 1 as done`,
);
// A number that was presented to nobody since keeps its last visitor's.
const EMPTY_NUMBERS = sql(
  "retention_empty_numbers",
  `update promo_number n set touch = '{}', custom_data = '{}'
   where n.id in (select a.id from numbers_of_account($1) a) and n.account_id = $1 and n.last_presented_at < $2
     and (n.touch <> '{}' or n.custom_data <> '{}')`,
);
const MARK = sql(
  "retention_mark",
  `insert into account_retention (account_id, callers_until, presentations_until) values ($1, $2, $3)
   on conflict (account_id) do update set callers_until = excluded.callers_until, presentations_until = excluded.presentations_until`,
);
const DROP_PARTITION = sql(
  "retention_drop_partition",
  `select drop_old_presentations((select min(presentations_kept_from) from account)) as name`,
);
const DELETE_VISITORS = sql(
  "retention_delete_visitors",
  `delete from visitor v where v.id in (
     select o.id from visitor o join account a on a.id = o.account_id
     where o.first_seen_at < now() - make_interval(days => $1) and o.first_seen_at < now() - make_interval(days => a.presentation_retention_days)
       and not exists (select 1 from presentation p where p.account_id = o.account_id and p.visitor_id = o.id)
       and not exists (select 1 from promo_number n where n.held_by = o.id)
     limit $2)
   returning 1 as done`,
);

/** Accounts with something to remove, by id. */
export async function listDueRetention(
  db: Queryable,
  { after, limit }: { after: string; limit: number },
): Promise<AccountRetention[]> {
  return db.query<AccountRetention>(SELECT_DUE, [after, limit]);
}

/** @param accountId null: calls that nobody's number took. @returns how many; fewer than `limit`: that was all */
export async function redactCallers(
  tx: Queryable,
  { accountId, before, limit }: { accountId: string | null; before: Instant; limit: number },
): Promise<number> {
  await tx.query(RETIRING);
  const rows =
    accountId === null
      ? await tx.query(REDACT_UNOWNED, [timestamp(before), limit])
      : await tx.query(REDACT_CALLERS, [accountId, timestamp(before), limit]);
  return rows.length;
}

export async function redactIntercepts(db: Queryable, before: Instant, limit: number): Promise<number> {
  return (await db.query(REDACT_INTERCEPTS, [timestamp(before), limit])).length;
}

/** From now on the account's log begins at this time. */
export async function keepPresentationsFrom(db: Queryable, accountId: string, from: Instant): Promise<void> {
  await db.query(KEEP_FROM, [accountId, timestamp(from)]);
}

export async function deletePresentations(
  db: Queryable,
  { accountId, before, limit }: { accountId: string; before: Instant; limit: number },
): Promise<number> {
  return (await db.query(DELETE_PRESENTATIONS, [accountId, timestamp(before), limit])).length;
}

/** What the rows of its numbers still say of presentations before this time. */
export async function emptyNumbers(db: Queryable, accountId: string, before: Instant): Promise<void> {
  await db.query(EMPTY_NUMBERS, [accountId, timestamp(before)]);
}

/** Both were removed up to these times. */
export async function markRetention(db: Queryable, done: AccountRetention): Promise<void> {
  await db.query(MARK, [done.accountId, timestamp(done.callersBefore), timestamp(done.presentationsBefore)]);
}

/** A day of the log that no account keeps any more. @returns its partition's name; null when there is none */
export async function dropOldPartition(db: Queryable): Promise<string | null> {
  const [row] = await db.query<{ name: string | null }>(DROP_PARTITION);
  return row?.name ?? null;
}

/** @param minDays what no account's log is shorter than */
export async function deleteForgottenVisitors(db: Queryable, minDays: number, limit: number): Promise<number> {
  return (await db.query(DELETE_VISITORS, [minDays, limit])).length;
}
