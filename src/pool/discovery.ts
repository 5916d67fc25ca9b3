/**
 * Numbers that pages show and nobody entered. They are listed as discovered; where the account says so (auto_create_pools), they are tracked at once,
 * with an automatic pool of the usual settings. Called by presenting, for whoever is no suspected bot.
 *
 * Anybody can post any number, so what a page can cause is bounded: a list of limited length, few pools a day, and none for numbers that would cost
 * more than a national call or are promo numbers themselves (a page kept in a cache shows those; a pool for one would lead calls in a circle).
 */
import type { Account } from "../account/accounts.store.js";
import { discoverDestination, trackDiscovered } from "../account/destinations.store.js";
import { sql, type Database, type Queryable } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import type { IdSource } from "../kernel/ids.js";
import type { Log } from "../kernel/log.js";
import type { E164 } from "../telephony/e164.js";
import { isDomesticNumber } from "../telephony/npa-region.js";
import { createPoolIn } from "./pool-changes.js";
import { poolDefaults } from "./ring-pool.js";

/** Pools made by pages in 24 hours, an account: more than a site adds numbers, and 40 numbers of the inventory at the most. */
export const AUTO_POOLS_A_DAY_MAX = 20;
/** After a limit was met the account's pages are not looked at again for this long: each would cost a transaction only to be refused. */
export const PAUSE_MS = 60_000;
/** Accounts whose pause is remembered; with more, the oldest pause ends early. */
const PAUSES_MAX = 10_000;
/** Discoveries at a time in this process; beyond it a page shows its number again later, which discovers it then. */
const UNDER_WAY_MAX = 100;
const ACTOR = "page";

export interface DiscoveryDeps {
  readonly db: Database;
  readonly ids: IdSource;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  /** What the account has is different now. */
  readonly onChange: (accountId: string) => void;
}

/**
 * @param isListed the account has it as discovered already
 * @returns whether a pool stands in for it now: the page may be answered anew
 */
export type Discover = (input: { account: Account; number: E164; isListed: boolean }) => Promise<boolean>;

type Limit = "list" | "pools";

/** Everybody who sees a new number at the same moment waits for one discovery. */
export function createDiscovery(deps: DiscoveryDeps): Discover {
  const pauses = new Map<string, number>();
  const underWay = new Map<string, Promise<boolean>>();
  const isPaused = (limit: Limit, accountId: string): boolean =>
    (pauses.get(`${limit} ${accountId}`) ?? 0) > deps.clock.monotonicMs();
  const pause = (limit: Limit, accountId: string): void => {
    if (isPaused(limit, accountId)) return;
    if (pauses.size >= PAUSES_MAX) pauses.delete(pauses.keys().next().value as string);
    pauses.set(`${limit} ${accountId}`, deps.clock.monotonicMs() + PAUSE_MS);
    deps.log.warn("discovery.limit_met", { accountId, limit });
  };

  return ({ account, number, isListed }) => {
    const { id: accountId } = account;
    const wantsPool = account.autoCreatePools && isDomesticNumber(number) && !isPaused("pools", accountId);
    const wantsListing = !isListed && !isPaused("list", accountId);
    const key = `${accountId} ${number}`;
    const running = underWay.get(key);
    if (running !== undefined) return running;
    if ((!wantsPool && !wantsListing) || underWay.size >= UNDER_WAY_MAX) return Promise.resolve(false);
    const work = async (): Promise<boolean> => {
      if (wantsPool) {
        const tracked = await deps.db.transaction((tx) => trackWithPool(tx, deps, { accountId, number }));
        if (tracked === "limit") pause("pools", accountId);
        if (tracked === "done" || tracked === "done_before") {
          if (tracked === "done") deps.log.info("discovery.pool_created", { accountId, number });
          deps.onChange(accountId);
          return true;
        }
        if (tracked === "promo_number") return false;
      }
      if (!wantsListing) return false;
      const listed = await discoverDestination(deps, accountId, number);
      if (listed === "full") pause("list", accountId);
      if (listed === "new") deps.onChange(accountId);
      return false;
    };
    const discovery = work().finally(() => underWay.delete(key));
    underWay.set(key, discovery);
    return discovery;
  };
}

// One discovery of an account at a time, in all processes: so the day's count is right and a number gets one pool. Not "for update": visitors and
// destinations refer to the row meanwhile.
const LOCK_ACCOUNT = sql(
  "discovery_lock_account",
  `select a.auto_create_pools as "isWanted", exists (select 1 from promo_number n where n.e164 = $2) as "isPromoNumber",
     exists (select 1 from destination d where d.account_id = a.id and d.number = $2 and d.status = 'tracked') as "isTracked"
   from account a where a.id = $1 for no key update of a`,
);
const COUNT_TODAY = sql(
  "discovery_count_today",
  `select count(*) as pools from pool where account_id = $1 and auto_created and created_at > now() - interval '1 day'`,
);
const SELECT_AUTOMATIC = sql(
  "discovery_select_automatic",
  `select id from pool where destination_id = $1 and kind = 'automatic' and deleted_at is null`,
);

async function trackWithPool(
  tx: Queryable,
  { ids }: Pick<DiscoveryDeps, "ids">,
  { accountId, number }: { accountId: string; number: E164 },
): Promise<"done" | "done_before" | "limit" | "promo_number" | "unwanted"> {
  // Two statements: what another discovery did while this one waited for the lock is seen only by the second.
  await tx.query(LOCK_ACCOUNT, [accountId, number]);
  const [account] = await tx.query<{ isWanted: boolean; isPromoNumber: boolean; isTracked: boolean }>(LOCK_ACCOUNT, [
    accountId,
    number,
  ]);
  if (account?.isWanted !== true) return "unwanted";
  if (account.isPromoNumber) return "promo_number";
  if (account.isTracked) return "done_before";
  const [today] = await tx.query<{ pools: number }>(COUNT_TODAY, [accountId]);
  if ((today?.pools ?? 0) >= AUTO_POOLS_A_DAY_MAX) return "limit";
  const destination = await trackDiscovered({ db: tx, ids }, accountId, number);
  if (destination === null) return "unwanted";
  // A destination that was tracked before and taken back has its pool still.
  if ((await tx.query(SELECT_AUTOMATIC, [destination.id])).length > 0) return "done_before";
  const numbers = {
    numberType: destination.numberType,
    npa: destination.numberType === "local" ? destination.npa : null,
  };
  await createPoolIn(tx, ids, {
    pool: {
      ...poolDefaults,
      ...numbers,
      accountId,
      name: `Automatic ${number}`,
      kind: "automatic",
      campaign: null,
      destinationId: destination.id,
      autoCreated: true,
    },
    fillImmediately: false,
    actor: ACTOR,
  });
  return "done";
}
