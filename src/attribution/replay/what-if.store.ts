/** What a what-if is played from: a pool's visits with the locks they were given, and its calls, in order, as far as one process can hold them. */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { AttributionOutcome } from "../match.js";
import type { Lock, WhatIfCall, WhatIfVisit } from "./what-if.js";

// By number, as traffic.store.ts does: the log has no index by pool, so that presenting does not pay for one.
const SELECT_VISITS = sql(
  "what_if_visits",
  `select extract(epoch from v.presented_at)::float8 as "atS", v.visitor_id as "visitorId", m.id as "numberId",
     extract(epoch from v.locked_until)::float8 as "untilS", v.kind
   from (select id from promo_number where pool_id = $2 union select number_id from number_event where pool_id = $2) m
     cross join lateral (
       select p.presented_at, p.visitor_id, p.locked_until, p.kind, p.seq from presentation p
       where p.account_id = $1 and p.number_id = m.id and p.pool_id = $2 and p.presented_at >= $3 and p.presented_at < $4 offset 0) v
   order by v.presented_at, m.id, v.seq limit $5`,
);
const SELECT_CALLS = sql(
  "what_if_calls",
  `select extract(epoch from c.received_at)::float8 as "atS", c.visitor_id as "visitorId", c.attribution as outcome
   from call c where c.account_id = $1 and c.pool_id = $2 and c.received_at >= $3 and c.received_at < $4
   order by c.received_at, c.id limit $5`,
);

/** A visit in memory is some hundred bytes. */
const VISITS_MAX = 1_000_000;
const CALLS_MAX = 500_000;

export interface PoolPast {
  readonly visits: readonly WhatIfVisit[];
  /** As they were given, without what open pages added. */
  readonly locks: readonly Lock[];
  /** Of visits in the window: visitors who were given a number they had not. */
  readonly allocations: number;
  /** Calls whose caller is known: those matched to a visitor. */
  readonly calls: readonly WhatIfCall[];
  /** All calls of the window, by what became of them. */
  readonly outcomes: Readonly<Partial<Record<AttributionOutcome, number>>>;
  /** More than can be held; the window must be shorter. */
  readonly isTooLong: boolean;
}

interface VisitRow {
  atS: number;
  visitorId: string;
  numberId: number;
  untilS: number;
  kind: "presented" | "renewal";
}

/** @param warmUpFrom visits are read from here, so that the pool is as full as it was when the window begins */
export async function readPoolPast(
  db: Queryable,
  input: { pool: { id: string; accountId: string }; warmUpFrom: Instant; from: Instant; to: Instant },
): Promise<PoolPast> {
  const { pool, warmUpFrom, from, to } = input;
  const of = [pool.accountId, pool.id];
  const rows = await db.query<VisitRow>(SELECT_VISITS, [...of, timestamp(warmUpFrom), timestamp(to), VISITS_MAX + 1]);
  const called = await db.query<{ atS: number; visitorId: string | null; outcome: AttributionOutcome }>(SELECT_CALLS, [
    ...of,
    timestamp(from),
    timestamp(to),
    CALLS_MAX + 1,
  ]);
  const visitors = new Map<string, number>();
  const numberOf = (visitorId: string): number => {
    const known = visitors.get(visitorId) ?? visitors.size;
    visitors.set(visitorId, known);
    return known;
  };
  const outcomes: Partial<Record<AttributionOutcome, number>> = {};
  for (const { outcome } of called) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  return {
    visits: rows.map(({ atS, visitorId }) => ({ atS, visitor: numberOf(visitorId) })),
    locks: rows.map(({ atS, untilS, numberId }) => ({ number: numberId, fromS: atS, untilS })),
    allocations: rows.filter(({ atS, kind }) => kind === "presented" && atS * 1000 >= from).length,
    calls: called.flatMap(({ atS, visitorId }) => (visitorId === null ? [] : [{ atS, visitor: numberOf(visitorId) }])),
    outcomes,
    isTooLong: rows.length > VISITS_MAX || called.length > CALLS_MAX,
  };
}
