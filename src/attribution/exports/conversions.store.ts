/** Matched calls with one of some click ids, as their newest records have them: what ad networks are told of. Page by page, newest first. */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { ConvertibleCall } from "./ad-conversions.js";

const SELECT_PAGE = sql(
  "conversion_select_page",
  `select c.call_id as "callId", c.received_at as "receivedAt", c.attribution as outcome, c.status, c.talk_ms as "talkMs", c.touch, c.conversion,
     c.revenue::float8 as revenue, a.currency
   from call_record c left join account a on a.id = c.account_id
   where ($1::text is null or c.account_id = $1)
     and c.received_at >= coalesce($2, '-infinity'::timestamptz) and c.received_at < coalesce($3, 'infinity'::timestamptz)
     and c.attribution = 'matched' and c.touch ?| $4::text[]
     and ($5::timestamptz is null or (c.received_at, c.call_id) < ($5, $6))
   order by c.received_at desc, c.call_id desc limit $7`,
);

const CALLS_A_PAGE = 1_000;

export interface ConversionWindow {
  readonly accountId: string | null;
  readonly from: Instant | null;
  /** Exclusive. */
  readonly to: Instant | null;
  readonly clickIds: readonly string[];
}

/** @param pageSize tests have fewer calls */
export async function* convertiblePages(
  db: Queryable,
  window: ConversionWindow,
  pageSize = CALLS_A_PAGE,
): AsyncGenerator<readonly ConvertibleCall[], void> {
  const { accountId, from, to, clickIds } = window;
  for (let before: ConvertibleCall | null = null; ; ) {
    const calls: ConvertibleCall[] = await db.query<ConvertibleCall>(SELECT_PAGE, [
      accountId,
      timestamp(from),
      timestamp(to),
      clickIds,
      timestamp(before?.receivedAt ?? null),
      before?.callId ?? "",
      pageSize,
    ]);
    if (calls.length > 0) yield calls;
    before = calls.at(-1) ?? null;
    if (calls.length < pageSize) return;
  }
}
