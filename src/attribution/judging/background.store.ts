/**
 * How often a pool's numbers ring although no presentation explains it, and for how long they could have: numbers count while no presentation of theirs
 * is within retention, because a call within retention is always somebody's. In a busy pool they hardly ever stand so, and then there is little to
 * measure. Of a large pool a sample of numbers is read, in an order that has nothing to do with how busy they are.
 */
import { sql, type Queryable } from "../../db/database.js";

/** Of one pool: two weeks of them are some ten thousand rows of the log, and two years of one number's time. */
const NUMBERS_MAX = 50;

export const READ_BACKGROUND = sql(
  "background_read",
  `with member as materialized (
     select n.id, n.account_id, n.e164, greatest(n.state_since, now() - make_interval(secs => $2)) as since
     from promo_number n where n.pool_id = $1 and n.role = 'pool' and n.state = 'assigned'
     order by hashint8(n.id), n.id limit $3
   ), covered as (
     select m.id, coalesce(sum(extract(epoch from greatest(v.ends - v.begins, interval '0'))), 0) as seconds
     from member m left join lateral (
       select greatest(p.presented_at, m.since) as begins,
         least(p.retained_until, lead(p.presented_at) over (order by p.seq), now()) as ends
       from presentation p
       where p.account_id = m.account_id and p.number_id = m.id and p.pool_id = $1
         and p.presented_at > m.since - interval '72 hours' and p.presented_at <= now() offset 0) v on true
     group by m.id
   )
   select coalesce(sum(greatest(extract(epoch from now() - m.since) - c.seconds, 0)), 0)::float8 as "numberS",
     (select count(*)::int from member m cross join lateral (
        select c.id from call c
        where c.promo_number = m.e164 and c.account_id = m.account_id and c.pool_id = $1 and c.attribution in ('expired', 'never_presented')
          and c.received_at > m.since and c.received_at <= now() offset 0) c) as calls
   from member m join covered c on c.id = m.id`,
);

export interface Background {
  readonly calls: number;
  /** One number for one second is one. */
  readonly numberS: number;
}

export async function readBackground(db: Queryable, input: { poolId: string; windowS: number }): Promise<Background> {
  const rows = await db.query<Background>(READ_BACKGROUND, [input.poolId, input.windowS, NUMBERS_MAX]);
  return rows[0] as Background;
}
