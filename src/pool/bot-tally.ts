/**
 * Counts what suspected bots were refused, an account, hour and reason, and writes it to the database some seconds' worth at a time: for the report of
 * what bots cost, or would have. Called by presenting. A count that a dying process had not written yet is lost; a page never waits for one.
 */
import { sql, timestamp, type Database, type Queryable } from "../db/database.js";
import type { Clock, Instant } from "../kernel/clock.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";

export const BOT_REASONS = ["user_agent", "invisible", "address_limit"] as const;
export type BotReason = (typeof BOT_REASONS)[number];

/** A report is this much behind, and a process that dies loses this much. */
export const FLUSH_EVERY_MS = 5_000;
/** Accounts times reasons times the hours of an outage; what comes beyond it is not counted. About 2 MB. */
export const ENTRIES_MAX = 10_000;
/** Rows of one statement. */
const WRITTEN_AT_ONCE_MAX = 1_000;
const HOUR_MS = 3_600_000;

export interface BotVisit {
  readonly accountId: string;
  readonly reason: BotReason;
  /** The pools that would have presented a number. */
  readonly withheld: readonly { readonly sessionLifetimeS: number }[];
}

interface Entry {
  readonly accountId: string;
  readonly hour: Instant;
  readonly reason: BotReason;
  requests: number;
  withheld: number;
  withheldLockS: number;
}

const ADD = sql(
  "bot_hour_add",
  `insert into bot_hour as b (account_id, hour, reason, requests, withheld, withheld_lock_s)
   select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) as i (account_id, hour, reason)
   -- In one order for everybody, so that two processes cannot lock each other out.
   order by i.account_id, i.hour, i.reason
   on conflict (account_id, hour, reason) do update set requests = b.requests + excluded.requests,
     withheld = b.withheld + excluded.withheld, withheld_lock_s = b.withheld_lock_s + excluded.withheld_lock_s`,
);
const SELECT = sql(
  "bot_hour_select",
  `select account_id as "accountId", reason, sum(requests)::bigint as requests, sum(withheld)::bigint as withheld,
     sum(withheld_lock_s)::bigint as "withheldLockS", max(withheld_lock_s) as "busiestHourLockS"
   from bot_hour
   where ($1::text is null or account_id = $1) and hour >= $2 and hour < $3 and account_id || ' ' || reason > $4
   group by account_id, reason order by account_id || ' ' || reason limit $5`,
);

export class BotTally {
  private entries = new Map<string, Entry>();
  private timer: NodeJS.Timeout | null = null;
  private flushing: Promise<void> = Promise.resolve();

  constructor(private readonly options: { db: Database; clock: Pick<Clock, "now">; log: Log }) {}

  add({ accountId, reason, withheld }: BotVisit): void {
    const hour = Math.floor(this.options.clock.now() / HOUR_MS) * HOUR_MS;
    const key = `${accountId} ${hour} ${reason}`;
    let entry = this.entries.get(key);
    if (entry === undefined) {
      if (this.entries.size >= ENTRIES_MAX) return;
      entry = { accountId, hour, reason, requests: 0, withheld: 0, withheldLockS: 0 };
      this.entries.set(key, entry);
    }
    entry.requests++;
    entry.withheld += withheld.length;
    for (const { sessionLifetimeS } of withheld) entry.withheldLockS += sessionLifetimeS;
    this.flushLater();
  }

  /** Resolves when everything counted so far is written, or the database refused it: then it is kept for the next time. */
  async flush(): Promise<void> {
    this.flushing = this.flushing.then(() => this.write());
    await this.flushing;
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await this.flush();
  }

  private flushLater(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      void this.flush();
    }, FLUSH_EVERY_MS).unref();
  }

  private async write(): Promise<void> {
    const taken = [...this.entries.values()];
    this.entries = new Map();
    for (let i = 0; i < taken.length; i += WRITTEN_AT_ONCE_MAX) {
      const some = taken.slice(i, i + WRITTEN_AT_ONCE_MAX);
      try {
        await addBotHours(this.options.db, some);
      } catch (error) {
        this.options.log.warn("bots.not_counted_yet", { entries: taken.length - i, error: messageOf(error) });
        return this.putBack(taken.slice(i));
      }
    }
  }

  private putBack(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const key = `${entry.accountId} ${entry.hour} ${entry.reason}`;
      const since = this.entries.get(key);
      if (since === undefined) this.entries.set(key, entry);
      else {
        since.requests += entry.requests;
        since.withheld += entry.withheld;
        since.withheldLockS += entry.withheldLockS;
      }
    }
    if (this.entries.size > 0) this.flushLater();
  }
}

async function addBotHours(db: Queryable, entries: readonly Entry[]): Promise<void> {
  await db.query(ADD, [
    entries.map(({ accountId }) => accountId),
    entries.map(({ hour }) => timestamp(hour)),
    entries.map(({ reason }) => reason),
    entries.map(({ requests }) => requests),
    entries.map(({ withheld }) => withheld),
    entries.map(({ withheldLockS }) => withheldLockS),
  ]);
}

export interface BotFigures {
  readonly accountId: string;
  readonly reason: BotReason;
  readonly requests: number;
  /** Presentations that were not made. */
  readonly withheld: number;
  /** Their locks together. */
  readonly withheldLockS: number;
  readonly busiestHourLockS: number;
}

/**
 * The hours that begin from `from` until before `to`, by account, then reason.
 * @param accountId null: every account
 * @param after account and reason of the last row of the page before, or ""
 */
export async function readBotFigures(
  db: Queryable,
  page: { accountId: string | null; from: Instant; to: Instant; after: string; limit: number },
): Promise<BotFigures[]> {
  const { accountId, from, to, after, limit } = page;
  return db.query<BotFigures>(SELECT, [accountId, timestamp(from), timestamp(to), after, limit]);
}

/**
 * How many numbers bots would have held on average: arrivals times the time each is held (Little's law), as a crawler keeps no cookie and takes a new
 * number with every page. An estimate from above: bots that come at once in a small pool would have met its end.
 */
export function numbersSaved(withheldLockS: number, windowS: number): number {
  return windowS > 0 ? withheldLockS / windowS : 0;
}
