/**
 * Which touch and custom data fields the calls of an export have: a table needs its columns before its first line. Read in pages, like the calls; the
 * names are gathered in the database, so that no record travels twice.
 */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { CallFilter } from "./call-pages.js";

// The filter of calls.store.ts. What it lets through beyond that only makes a column that stays empty.
const SELECT_NAMES = sql(
  "call_field_names",
  `with page as materialized (
     select c.call_id, c.received_at, c.touch, c.custom_data, c.first_touch from call_record c
     where ($1::text is null or c.account_id = $1)
       and c.received_at >= coalesce($2, '-infinity'::timestamptz) and c.received_at < coalesce($3, 'infinity'::timestamptz)
       and ($4::text is null or c.promo_number = $4) and ($5::text is null or c.pool_id = $5) and ($6::text is null or c.disposition = $6)
       and ($7::text is null or c.attribution = $7) and ($8::timestamptz is null or c.updated_at >= $8)
       and ($9::timestamptz is null or c.received_at < $9)
     order by c.received_at desc limit $10
   )
   select (select count(*) from page) as calls, (select min(received_at) from page) as "lastAt",
     array(select distinct k from page cross join lateral jsonb_object_keys(page.touch) k) as touch,
     array(select distinct k from page cross join lateral jsonb_object_keys(page.custom_data) k) as "customData",
     array(select distinct k from page cross join lateral jsonb_object_keys(page.first_touch) k) as "firstTouch"`,
);

/** Some tens of milliseconds of the database. */
const CALLS_A_PAGE = 10_000;
/** Beside the documented fields (15 of a touch, 25 of an account's custom data); anybody can post others. Names beyond it are not gathered. */
const NAMES_MAX = 1_000;

export interface FieldNames {
  readonly touch: readonly string[];
  readonly customData: readonly string[];
  readonly firstTouch: readonly string[];
}

interface NamesRow {
  calls: number;
  lastAt: Instant | null;
  touch: string[];
  customData: string[];
  firstTouch: string[];
}

/** In the order of the alphabet. @param pageSize tests have fewer calls */
export async function readFieldNames(db: Queryable, filter: CallFilter, pageSize = CALLS_A_PAGE): Promise<FieldNames> {
  const names = { touch: new Set<string>(), customData: new Set<string>(), firstTouch: new Set<string>() };
  const size = (): number => names.touch.size + names.customData.size + names.firstTouch.size;
  // Calls of one instant that a page's end cuts apart are asked for again by the next page, which begins one millisecond later than it must.
  for (let before: Instant | null = null; size() < NAMES_MAX; ) {
    const [row]: NamesRow[] = await db.query<NamesRow>(SELECT_NAMES, [
      filter.accountId,
      timestamp(filter.from),
      timestamp(filter.to),
      filter.promoNumber,
      filter.poolId,
      filter.disposition,
      filter.attribution,
      timestamp(filter.updatedSince),
      timestamp(before),
      pageSize,
    ]);
    if (row === undefined || row.lastAt === null) break;
    for (const kind of ["touch", "customData", "firstTouch"] as const)
      for (const name of row[kind]) names[kind].add(name);
    if (row.calls < pageSize) break;
    // So many calls in one millisecond that a page has no other: go on below it.
    const next: Instant = row.lastAt + 1;
    before = next === before ? row.lastAt : next;
  }
  const sorted = (set: ReadonlySet<string>): string[] => [...set].sort();
  return { touch: sorted(names.touch), customData: sorted(names.customData), firstTouch: sorted(names.firstTouch) };
}
