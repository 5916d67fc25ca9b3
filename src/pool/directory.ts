/**
 * What presenting must know of an account at once: its tracked destinations, their pools, and its tag. Kept in memory, an account at a time, loaded on first
 * use; an account's is dropped when the database says that it changed (the composition root connects it to LISTEN) or this process changed it itself.
 */
import { type Account, findAccountByTagKey } from "../account/accounts.store.js";
import type { DestinationStatus } from "../account/destinations.store.js";
import { findLiveTag, type LiveTag } from "../account/tags.store.js";
import { sql, type Queryable } from "../db/database.js";
import { withDeadline } from "../kernel/deadline.js";
import { AppError } from "../kernel/errors.js";
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

/**
 * A page waits no longer for what is not in memory yet; it is read to its end nevertheless, for the next one. The tag gives up after 1.5 s in all, and may
 * have to wait for a batch as well.
 */
export const LOAD_MS_MAX = 500;
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
  private readonly loaded = new Map<string, DirectoryAccount | Promise<DirectoryAccount | null>>();
  private changes = 0;
  /** Of all accounts together; of the others, by id. */
  private allChangedAt = 0;
  private readonly changedAt = new Map<string, number>();

  constructor(private readonly db: Queryable) {}

  /**
   * @returns null for an unknown tag key
   * @throws AppError("database_unavailable") when it is not in memory and cannot be read, or not in time
   */
  async byTagKey(tagKey: string): Promise<DirectoryAccount | null> {
    const known = this.loaded.get(tagKey) ?? this.beginLoading(tagKey);
    return known instanceof Promise ? withDeadline(LOAD_MS_MAX, known, tooSlow) : known;
  }

  /**
   * The next look-up reads again. Look-ups under way finish with what they read.
   * @param accountId null: anything may have changed
   */
  changed(accountId: string | null): void {
    this.changes++;
    if (accountId === null || this.changedAt.size >= ACCOUNTS_MAX) {
      this.allChangedAt = this.changes;
      this.changedAt.clear();
      this.loaded.clear();
      return;
    }
    this.changedAt.set(accountId, this.changes);
    for (const [tagKey, known] of this.loaded) {
      // Whose the one is that is just being read is not known yet.
      if (known instanceof Promise || known.account.id === accountId) this.loaded.delete(tagKey);
    }
  }

  /** Raised by each change. */
  get generation(): number {
    return this.changes;
  }

  /** Whether what an account had under a generation is what it has now. */
  isCurrent(accountId: string, generation: number): boolean {
    return generation >= Math.max(this.allChangedAt, this.changedAt.get(accountId) ?? 0);
  }

  private beginLoading(tagKey: string): Promise<DirectoryAccount | null> {
    if (this.loaded.size >= ACCOUNTS_MAX) this.loaded.delete(this.loaded.keys().next().value as string);
    const loading = this.load(tagKey);
    this.loaded.set(tagKey, loading);
    const isCurrent = (): boolean => this.loaded.get(tagKey) === loading;
    loading.then(
      (found) => {
        if (!isCurrent()) return;
        // An unknown key is asked again next time: the account may be made in a moment.
        if (found === null) this.loaded.delete(tagKey);
        else this.loaded.set(tagKey, found);
      },
      () => void (isCurrent() && this.loaded.delete(tagKey)),
    );
    return loading;
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

function tooSlow(): AppError {
  return new AppError("database_unavailable", "The account could not be read in time.", { retryAfterS: 1 });
}
