/**
 * What a stretch of time costs, by account and pool: numbers held and how long, presentations, calls, talk time. Summed in the database; numbers
 * exactly, across every move, from their history. Presentations and calls are counted a day at a time: a day is one partition of the log, and
 * one statement of a second or so even when millions were presented.
 */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import { untilNow } from "../../db/database-now.js";
import type { Instant } from "../../kernel/clock.js";

/** One account's, in one pool; pool null: static numbers. */
export interface Usage {
  readonly accountId: string;
  readonly poolId: string | null;
  /** One number held for one second is one. */
  readonly numberSeconds: number;
  /** The most numbers held at one moment. */
  readonly peakNumbers: number;
  /** Renewals are not counted. */
  readonly presentations: number;
  readonly calls: number;
  readonly talkMs: number;
  /** Minutes begun, call by call, as carriers bill. */
  readonly minutesStarted: number;
}

export interface UsageReport {
  readonly byPool: readonly Usage[];
  /** By account; `poolId` is null. The sum of its pools, but for the peak: pools may have had theirs at different times. */
  readonly byAccount: readonly Usage[];
}

const DAY_MS = 86_400_000;

/*
  A move holds until the number's next one. Its time is the transaction's start, so of two that waited for each other the later may bear the
  earlier time: the running maximum puts that right, and moves of no duration vanish. Held is what is assigned or draining.
  The peak is the highest sum of +1 where a hold begins and −1 where it ends; of one instant the ends count first, so a number that goes from
  one pool to another is never two of its account's.
*/
const SUM_OF_MOVES = `stay as (
     select m.state, m.account_id, m.pool_id, greatest(m.begins, $1::timestamptz) as begins,
       least(coalesce(lead(m.begins) over (partition by m.number_id order by m.id), 'infinity'), $2::timestamptz) as ends
     from move m
   ), hold as (
     select account_id, pool_id, begins, ends from stay
     where state in ('assigned', 'draining') and begins < ends and account_id = coalesce($3, account_id)
   ), step as (
     select account_id, pool_id, begins as at, 1 as change from hold
     union all select account_id, pool_id, ends, -1 from hold
   ), level as (
     select account_id, pool_id,
       sum(change) over (partition by account_id, pool_id order by at, change rows unbounded preceding) as in_pool,
       sum(change) over (partition by account_id order by at, change rows unbounded preceding) as in_account
     from step
   ), peak as (
     select account_id, pool_id, grouping(pool_id) = 1 as is_account,
       case when grouping(pool_id) = 1 then max(in_account) else max(in_pool) end as numbers
     from level group by grouping sets ((account_id, pool_id), (account_id))
   ), total as (
     select account_id, pool_id, grouping(pool_id) = 1 as is_account, sum(extract(epoch from ends - begins)) as seconds
     from hold group by grouping sets ((account_id, pool_id), (account_id))
   )
   select t.account_id as "accountId", t.pool_id as "poolId", t.is_account as "isAccount", t.seconds::float8 as "numberSeconds",
     p.numbers as "peakNumbers"
   from total t join peak p on p.account_id = t.account_id and p.pool_id is not distinct from t.pool_id and p.is_account = t.is_account`;
const MOVES = `select e.number_id, e.id, e.state, e.account_id, e.pool_id,
       max(e.at) over (partition by e.number_id order by e.id) as begins`;
const COUNT_PRESENTED = `select account_id as "accountId", pool_id as "poolId", count(*) as presentations from presentation
   where presented_at >= $1 and presented_at < $2 and kind = 'presented'`;
const COUNT_CALLED = `select account_id as "accountId", pool_id as "poolId", count(*) as calls,
     coalesce(sum(talk_ms), 0)::float8 as "talkMs", coalesce(sum(ceil(talk_ms / 60000.0)), 0)::float8 as "minutesStarted" from call
   where received_at >= $1 and received_at < $2 and disposition = 'routed'`;

/** Of one account by its indexes, or of all in one pass: a query that serves both would do neither well. */
export const ONE_ACCOUNT = {
  held: sql(
    "usage_held_of_account",
    `with move as (
     ${MOVES} from (select distinct number_id from number_event where account_id = $3) m cross join lateral (
       select e.number_id, e.id, e.at, e.state, e.account_id, e.pool_id from number_event e where e.number_id = m.number_id offset 0) e
   ), ${SUM_OF_MOVES}`,
  ),
  presented: sql("usage_presented_of_account", `${COUNT_PRESENTED} and account_id = $3 group by account_id, pool_id`),
  called: sql("usage_called_of_account", `${COUNT_CALLED} and account_id = $3 group by account_id, pool_id`),
};
const ALL_ACCOUNTS = {
  held: sql("usage_held", `with move as (${MOVES} from number_event e), ${SUM_OF_MOVES}`),
  presented: sql("usage_presented", `${COUNT_PRESENTED} and ($3::text is null) group by account_id, pool_id`),
  called: sql(
    "usage_called",
    `${COUNT_CALLED} and account_id is not null and ($3::text is null) group by account_id, pool_id`,
  ),
};

interface HeldRow {
  accountId: string;
  poolId: string | null;
  isAccount: boolean;
  numberSeconds: number;
  peakNumbers: number;
}

/** One account's numbers alone, by pool: what `readUsage` says of them, without reading the log. */
export async function readNumbersHeld(
  db: Queryable,
  input: { accountId: string; from: Instant; to: Instant },
): Promise<Pick<Usage, "poolId" | "numberSeconds" | "peakNumbers">[]> {
  const values = [timestamp(input.from), timestamp(input.to), input.accountId];
  const rows = await db.query<HeldRow>(ONE_ACCOUNT.held, values);
  return rows.filter(({ isAccount }) => !isAccount);
}

type Counted = Pick<Usage, "accountId" | "poolId"> & Partial<Usage>;

/**
 * What is counted at the moment of asking; time that has not come yet holds nothing. Calls count in the month they came in; a call's talk time
 * is known when it has ended.
 * @param accountId null: every account
 * @returns the report, and where its time ends
 */
export async function readUsage(
  db: Queryable,
  input: { accountId: string | null; from: Instant; to: Instant },
): Promise<UsageReport & { to: Instant }> {
  const { accountId, from } = input;
  // Instants are whole milliseconds: the one after now, so that what was just written is in.
  const to = Math.max(from, await untilNow(db, input.to));
  const queries = accountId === null ? ALL_ACCOUNTS : ONE_ACCOUNT;
  const sheet = createSheet();
  for (const { isAccount, ...held } of await db.query<HeldRow>(queries.held, [
    timestamp(from),
    timestamp(to),
    accountId,
  ])) {
    sheet.add(isAccount ? "account" : "pool", held);
  }
  for (let day = from; day < to; day += DAY_MS) {
    const values = [timestamp(day), timestamp(Math.min(day + DAY_MS, to)), accountId];
    for (const query of [queries.presented, queries.called]) {
      for (const row of await db.query<Counted>(query, values)) {
        sheet.add("pool", row);
        sheet.add("account", { ...row, poolId: null });
      }
    }
  }
  return { ...sheet.report(), to };
}

const COUNTS = ["numberSeconds", "peakNumbers", "presentations", "calls", "talkMs", "minutesStarted"] as const;

/** One line for each account and pool, and one for each account: sums. */
function createSheet(): { add: (level: "pool" | "account", row: Counted) => void; report: () => UsageReport } {
  const lines = { pool: new Map<string, Usage>(), account: new Map<string, Usage>() };
  return {
    add: (level, row) => {
      const key = `${row.accountId} ${row.poolId ?? ""}`;
      const { accountId, poolId } = row;
      const line: Usage = lines[level].get(key) ?? { accountId, poolId, ...NOTHING };
      const sums = Object.fromEntries(COUNTS.map((count) => [count, line[count] + (row[count] ?? 0)]));
      lines[level].set(key, { ...line, ...sums });
    },
    report: () => ({ byPool: inOrder(lines.pool), byAccount: inOrder(lines.account) }),
  };
}

const NOTHING = { numberSeconds: 0, peakNumbers: 0, presentations: 0, calls: 0, talkMs: 0, minutesStarted: 0 };

/** By account, then pool; static numbers last. */
function inOrder(lines: ReadonlyMap<string, Usage>): Usage[] {
  const last = "\uffff";
  const keyOf = (usage: Usage): string => `${usage.accountId} ${usage.poolId ?? last}`;
  return [...lines.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
