/** Destinations as Invoca's list shows them: searched, sorted, counted, with the pool that serves each. */
import { sql, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { DestinationStatus } from "../../account/destinations.store.js";

export interface ListedDestination {
  readonly id: string;
  readonly number: string;
  readonly name: string | null;
  readonly status: DestinationStatus;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  /** The automatic pool, else the oldest; null: none. */
  readonly poolId: string | null;
  readonly poolName: string | null;
  readonly idFromNetwork: string | null;
  readonly campaignId: string | null;
  readonly preferred: boolean | null;
  readonly lifetimeS: number | null;
  readonly maxPoolSize: number | null;
}

// Invoca calls tracked what has a pool, and discovered what has none and is not ignored.
const FROM = `destination d left join lateral (
    select p.id, p.name, p.session_lifetime_s, p.max_size, i.id_from_network, i.campaign_id, i.preferred
    from pool p left join invoca_ring_pool i on i.pool_id = p.id
    where p.destination_id = d.id and p.deleted_at is null order by p.kind, p.id limit 1) s on true
  where d.account_id = $1 and ($2::text is null or d.id = $2) and ($3::text is null or strpos(d.number, $3) > 0)
    and ($4::text is null or $4 = case when d.status = 'ignored' then 'ignored' when s.id is null then 'discovered' else 'tracked' end)`;
const LIST = sql(
  "invoca_destination_list",
  `select d.id, d.number, d.name, d.status, d.created_at as "createdAt", d.updated_at as "updatedAt", s.id as "poolId", s.name as "poolName",
     coalesce(s.id_from_network, s.id) as "idFromNetwork", s.campaign_id as "campaignId", coalesce(s.preferred, false) as preferred,
     s.session_lifetime_s as "lifetimeS", s.max_size as "maxPoolSize"
   from ${FROM}
   order by case when $5 = 'phone_number' and $6 = 'asc' then d.number end, case when $5 = 'phone_number' then d.number end desc,
     case when $5 = 'created_at' and $6 = 'asc' then d.created_at end, case when $5 = 'created_at' then d.created_at end desc,
     case when $5 = 'updated_at' and $6 = 'asc' then d.updated_at end, case when $5 = 'updated_at' then d.updated_at end desc,
     case when $6 = 'asc' then d.id end, d.id desc
   offset $7 limit $8`,
);
const COUNT = sql("invoca_destination_count", `select count(*) as total from ${FROM}`);

export const DESTINATION_SORTS = ["id", "phone_number", "created_at", "updated_at"] as const;

export interface DestinationSearch {
  readonly accountId: string;
  readonly id: string | null;
  /** Digits anywhere in the number. */
  readonly query: string | null;
  readonly status: DestinationStatus | null;
}

export async function searchDestinations(
  db: Queryable,
  search: DestinationSearch,
  page: { sortBy: (typeof DESTINATION_SORTS)[number]; isAscending: boolean; start: number; limit: number },
): Promise<ListedDestination[]> {
  const direction = page.isAscending ? "asc" : "desc";
  return db.query<ListedDestination>(LIST, [...filters(search), page.sortBy, direction, page.start, page.limit]);
}

export async function countDestinations(db: Queryable, search: DestinationSearch): Promise<number> {
  const [row] = await db.query<{ total: number }>(COUNT, filters(search));
  return row?.total ?? 0;
}

function filters({ accountId, id, query, status }: DestinationSearch): unknown[] {
  return [accountId, id, query, status];
}
