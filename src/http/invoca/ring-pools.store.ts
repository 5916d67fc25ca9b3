/** What Invoca's clients call our pools and said of them. Pools made by /v1 have no row and go by their own id. */
import { sql, sqlState, type Queryable } from "../../db/database.js";
import { getPool, type Pool } from "../../pool/pools.store.js";
import type { PoolKind } from "../../pool/ring-pool.js";

/** Kept as it was sent, to be given back. */
export interface RingPoolNames {
  readonly idFromNetwork: string;
  readonly campaignId: string;
  readonly preferred: boolean;
  readonly fillImmediately: boolean;
  readonly localCenter: Readonly<Record<string, unknown>> | null;
  readonly localNumberPreferences: Readonly<Record<string, unknown>> | null;
}

export interface RingPool {
  readonly pool: Pool;
  readonly names: RingPoolNames | null;
}

const COLUMNS = `i.id_from_network as "idFromNetwork", i.campaign_id as "campaignId", i.preferred, i.fill_immediately as "fillImmediately",
  i.local_center as "localCenter", i.local_number_preferences as "localNumberPreferences"`;
const FIND = sql(
  "invoca_ring_pool_find",
  `select p.id as "poolId", ${COLUMNS} from pool p left join invoca_ring_pool i on i.pool_id = p.id
   where p.account_id = $1 and p.deleted_at is null and coalesce(i.id_from_network, p.id) = $2`,
);
const LIST = sql(
  "invoca_ring_pool_list",
  `select p.id as "poolId", ${COLUMNS} from pool p left join invoca_ring_pool i on i.pool_id = p.id
   where p.account_id = $1 and p.deleted_at is null order by p.id limit $2`,
);
// The name of a pool that was deleted is free again.
const FREE_NAME = sql(
  "invoca_ring_pool_free_name",
  `delete from invoca_ring_pool i using pool p
   where p.id = i.pool_id and p.deleted_at is not null and i.account_id = $1 and i.id_from_network = $2`,
);
const UPSERT = sql(
  "invoca_ring_pool_upsert",
  `insert into invoca_ring_pool (pool_id, account_id, id_from_network, campaign_id, preferred, fill_immediately, local_center,
     local_number_preferences)
   values ($1, $2, $3, $4, $5, $6, $7, $8)
   on conflict (pool_id) do update set preferred = excluded.preferred, fill_immediately = excluded.fill_immediately,
     local_center = excluded.local_center, local_number_preferences = excluded.local_number_preferences`,
);

const FIND_OF_DESTINATION = sql(
  "invoca_pools_of_destination",
  `select id from pool where destination_id = $1 and ($2::text is null or kind = $2) and deleted_at is null limit 1`,
);

type Row = RingPoolNames & { readonly poolId: string; readonly campaignId: string | null };

export async function findRingPool(
  db: Queryable,
  { accountId, idFromNetwork }: { accountId: string; idFromNetwork: string },
): Promise<RingPool | null> {
  const [row] = await db.query<Row>(FIND, [accountId, idFromNetwork]);
  return row === undefined ? null : ringPoolOf(db, accountId, row);
}

/** Oldest first. */
export async function listRingPools(db: Queryable, input: { accountId: string; limit: number }): Promise<RingPool[]> {
  const { accountId, limit } = input;
  const rows = await db.query<Row>(LIST, [accountId, limit]);
  const found: RingPool[] = [];
  for (const row of rows) found.push(await ringPoolOf(db, accountId, row));
  return found;
}

/** @returns false when another pool of the account has that name */
export async function putRingPoolNames(
  tx: Queryable,
  { poolId, accountId, names }: { poolId: string; accountId: string; names: RingPoolNames },
): Promise<boolean> {
  await tx.query(FREE_NAME, [accountId, names.idFromNetwork]);
  try {
    await tx.query(UPSERT, [
      ...[poolId, accountId, names.idFromNetwork, names.campaignId, names.preferred, names.fillImmediately],
      ...[names.localCenter, names.localNumberPreferences],
    ]);
    return true;
  } catch (error) {
    if (sqlState(error) !== "23505") throw error;
    return false;
  }
}

/** @param kind null: any */
export async function hasPools(
  db: Queryable,
  { destinationId, kind }: { destinationId: string; kind: PoolKind | null },
): Promise<boolean> {
  return (await db.query(FIND_OF_DESTINATION, [destinationId, kind])).length > 0;
}

async function ringPoolOf(db: Queryable, accountId: string, { poolId: id, ...names }: Row): Promise<RingPool> {
  const pool = await getPool(db, { id, accountId });
  return { pool, names: names.campaignId === null ? null : names };
}
