/** The pools that allocation requests name, by id: whose they are, and what is known of them where pages present from them. */
import { sql, type Queryable } from "../../db/database.js";
import type { DirectoryPool } from "../../pool/directory.js";

export interface ServedPool extends DirectoryPool {
  readonly accountId: string;
  readonly destinationNumber: string;
}

const SELECT = sql(
  "invoca_served_pools",
  `select p.id, p.account_id as "accountId", d.number as "destinationNumber", p.campaign, p.overflow, p.session_lifetime_s as "sessionLifetimeS",
     case when (p.autoscale ->> 'enabled')::boolean then (p.autoscale ->> 'intervalS')::int end as "scaleIntervalS"
   from unnest($1::text[]) as asked (id) join pool p on p.id = asked.id and p.deleted_at is null join destination d on d.id = p.destination_id`,
);

export async function readServedPools(db: Queryable, ids: readonly string[]): Promise<Map<string, ServedPool>> {
  const rows = await db.query<ServedPool>(SELECT, [ids]);
  return new Map(rows.map((row) => [row.id, row]));
}
