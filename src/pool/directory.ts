/**
 * What presenting must know of an account at once: its tracked destinations, their pools, and its tag. Kept in memory, an account at a time, loaded on first
 * use; dropped when the database says something changed (the composition root connects it to LISTEN) or this process changed it itself.
 */
import { type Account, findAccountByTagKey } from "../account/accounts.store.js";
import type { DestinationStatus } from "../account/destinations.store.js";
import { findLiveTag, type LiveTag } from "../account/tags.store.js";
import { sql, type Queryable } from "../db/database.js";
import type { OverflowBehaviour } from "./ring-pool.js";

export interface DirectoryPool {
  readonly id: string;
  /** Null: automatic. */
  readonly campaign: string | null;
  readonly overflow: OverflowBehaviour;
  readonly sessionLifetimeS: number;
  /** How often it may grow by itself; null: it does not. */
  readonly scaleIntervalS: number | null;
}

export interface DirectoryDestination {
  readonly number: string;
  readonly status: DestinationStatus;
  readonly pools: readonly DirectoryPool[];
}

export interface DirectoryAccount {
  readonly account: Account;
  readonly tag: LiveTag;
  /** Oldest first. */
  readonly destinations: ReadonlyMap<string, DirectoryDestination>;
}

/** More accounts than a process serves at a time; the oldest-loaded one goes first. */
const ACCOUNTS_MAX = 10_000;

const SELECT_ACCOUNT = sql(
  "directory_select_account",
  `select d.number, d.status, p.id as "poolId", p.campaign, p.overflow, p.session_lifetime_s as "sessionLifetimeS",
     case when (p.autoscale ->> 'enabled')::boolean then (p.autoscale ->> 'intervalS')::int end as "scaleIntervalS"
   from destination d left join pool p on p.destination_id = d.id and p.deleted_at is null where d.account_id = $1
   order by d.id`,
);

interface Row {
  number: string;
  status: DestinationStatus;
  poolId: string | null;
  campaign: string | null;
  overflow: OverflowBehaviour;
  sessionLifetimeS: number;
  scaleIntervalS: number | null;
}

export class Directory {
  private readonly loaded = new Map<string, Promise<DirectoryAccount | null>>();
  private clearings = 0;

  constructor(private readonly db: Queryable) {}

  /** @returns null for an unknown tag key. @throws AppError("database_unavailable") when it is not in memory and cannot be read */
  async byTagKey(tagKey: string): Promise<DirectoryAccount | null> {
    const known = this.loaded.get(tagKey);
    if (known !== undefined) return known;
    if (this.loaded.size >= ACCOUNTS_MAX) this.loaded.delete(this.loaded.keys().next().value as string);
    const loading = this.load(tagKey);
    this.loaded.set(tagKey, loading);
    try {
      const found = await loading;
      // An unknown key is asked again next time: the account may be made in a moment.
      if (found === null) this.forget(tagKey, loading);
      return found;
    } catch (error) {
      this.forget(tagKey, loading);
      throw error;
    }
  }

  /** Something changed: the next look-up reads again. Look-ups under way finish with what they read. */
  clear(): void {
    this.clearings++;
    this.loaded.clear();
  }

  /** Raised by each change: what was made of an account's data under another one may be old. */
  get generation(): number {
    return this.clearings;
  }

  private forget(tagKey: string, loading: Promise<DirectoryAccount | null>): void {
    if (this.loaded.get(tagKey) === loading) this.loaded.delete(tagKey);
  }

  private async load(tagKey: string): Promise<DirectoryAccount | null> {
    const account = await findAccountByTagKey(this.db, tagKey);
    if (account === null) return null;
    const destinations = new Map<string, { number: string; status: DestinationStatus; pools: DirectoryPool[] }>();
    for (const row of await this.db.query<Row>(SELECT_ACCOUNT, [account.id])) {
      const destination = destinations.get(row.number) ?? { number: row.number, status: row.status, pools: [] };
      const { poolId: id, campaign, overflow, sessionLifetimeS, scaleIntervalS } = row;
      if (id !== null) destination.pools.push({ id, campaign, overflow, sessionLifetimeS, scaleIntervalS });
      destinations.set(row.number, destination);
    }
    return { account, destinations, tag: await findLiveTag(this.db, account.id) };
  }
}
