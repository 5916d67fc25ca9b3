/** The SQL side of presenting: one call allocates for a whole batch; another extends locks; a third reads the log. */
import { sql, timestamp, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import type { PresentationId, PresentationLogId, VisitorId } from "../kernel/ids.js";

/** One visitor waiting for a number of one pool. */
export interface AllocationRequest {
  readonly accountId: string;
  readonly poolId: string;
  /** Used if it is new or this account's already. */
  readonly visitorId: string;
  /** Used when `visitorId` turns out to be another account's. */
  readonly freshVisitorId: VisitorId;
  readonly presentationId: PresentationId;
  readonly logId: PresentationLogId;
  readonly touch: Readonly<Record<string, string>>;
  readonly customData: Readonly<Record<string, unknown>>;
  /** Page, referrer, consent: kept in the log only. */
  readonly context: Readonly<Record<string, unknown>>;
}

export type Allocation =
  | {
      readonly kind: "presented" | "renewed";
      readonly visitorId: string;
      readonly promoNumber: string;
      readonly presentationId: string;
      readonly lockedUntil: Instant;
      readonly sessionLifetimeS: number;
    }
  /** The pool has nothing left; `overflowNumber` is its shared number, if it has one. */
  | { readonly kind: "exhausted"; readonly visitorId: string; readonly overflowNumber: string | null }
  /** The pool was deleted since it was looked up. */
  | { readonly kind: "gone"; readonly visitorId: string };

/** `busy`: another transaction serves the same visitor, or moves their number, at this moment; ask again. */
export type BatchOutcome = Allocation | { readonly kind: "busy" };

interface Row {
  /** The database's own clock, before anything was done. */
  now: Instant;
  /** Null in the only row: the statement came too late, or nobody was served. */
  item: number | null;
  outcome: "presented" | "renewed" | "exhausted" | "gone";
  visitor_id: string;
  e164: string | null;
  presentation_id: string;
  locked_until: Instant;
  session_lifetime_s: number;
}

const ARRAY_TYPES = [...Array<string>(6).fill("text[]"), ...Array<string>(3).fill("jsonb[]")];
/** The arrays, or as many empty ones: then nobody is served. */
const IN_TIME = ARRAY_TYPES.map((type, i) => `case when c.is_in_time then $${i + 1}::${type} else '{}' end`).join(", ");
export const PRESENT_BATCH = sql(
  "present_batch",
  `select c.now, item, outcome, visitor_id, e164, presentation_id, locked_until, session_lifetime_s
   from (select clock_timestamp() as now, coalesce(clock_timestamp() < $11::timestamptz, true) as is_in_time offset 0) c
     left join lateral present_batch(${IN_TIME}, $10) on true`,
);
const RENEW = sql(
  "renew_locks",
  `select presentation_id as "presentationId", outcome, locked_until as "lockedUntil" from renew_locks($1, $2, $3, $4)`,
);
export const SELECT_HELD_POOL = sql(
  "presentation_select_held_pool",
  `select pool_id as "poolId" from promo_number
   where held_by = $1 and pool_id = any($2) and (retained_until >= now() or locked_until > now())
   order by last_presented_at desc limit 1`,
);
const SELECT_PAGE = sql(
  "presentation_select_page",
  `select id, presentation_id as "presentationId", visitor_id as "visitorId", promo_number as "promoNumber", seq, kind,
     presented_at as "presentedAt", locked_until as "lockedUntil", pool_id as "poolId", touch, custom_data as "customData", context,
     to_char(presented_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "presentedAtExact"
   from presentation
   where ($1::text is null or account_id = $1) and ($2::text is null or promo_number = $2) and ($3::text is null or visitor_id = $3)
     and presented_at >= coalesce($4, '-infinity'::timestamptz) and presented_at < coalesce($5, 'infinity'::timestamptz)
     and ($6::timestamptz is null or (presented_at, id) < ($6, $7))
   order by presented_at desc, id desc limit $8`,
);

export interface BatchAnswer {
  /** One for each request, in order. */
  readonly outcomes: readonly BatchOutcome[];
  /** When the database took it up, by its clock. */
  readonly databaseNow: Instant | null;
}

/**
 * @param times.now null: the database's clock (always, outside of tests)
 * @param times.until by the database's clock: taken up later than that, as by a server that was stopped for a while, it serves nobody; null: whenever
 */
export async function presentUntil(
  db: Queryable,
  requests: readonly AllocationRequest[],
  times: { now: Instant | null; until: Instant | null },
): Promise<BatchAnswer> {
  const { now, until } = times;
  const rows = await db.query<Row>(PRESENT_BATCH, [...columnsOf(requests), timestamp(now), timestamp(until)]);
  const outcomes: BatchOutcome[] = requests.map(() => ({ kind: "busy" }));
  for (const row of rows) if (row.item !== null) outcomes[row.item - 1] = outcomeOf(row);
  return { outcomes, databaseNow: rows[0]?.now ?? null };
}

/** Whenever it is taken up. @returns one outcome a request, in order */
export async function presentBatch(
  db: Queryable,
  requests: readonly AllocationRequest[],
  now: Instant | null = null,
): Promise<readonly BatchOutcome[]> {
  return (await presentUntil(db, requests, { now, until: null })).outcomes;
}

/** The arrays present_batch takes, without `now`. */
export function columnsOf(requests: readonly AllocationRequest[]): unknown[] {
  return [
    requests.map((r) => r.accountId),
    requests.map((r) => r.poolId),
    requests.map((r) => r.visitorId),
    requests.map((r) => r.freshVisitorId),
    requests.map((r) => r.presentationId),
    requests.map((r) => r.logId),
    requests.map((r) => r.touch),
    requests.map((r) => r.customData),
    requests.map((r) => r.context),
  ];
}

/** @returns of these pools the one whose number the visitor was presented last and still holds; null: none */
export async function heldPool(
  db: Queryable,
  input: { visitorId: string; poolIds: readonly string[] },
): Promise<string | null> {
  const [row] = await db.query<{ poolId: string }>(SELECT_HELD_POOL, [input.visitorId, input.poolIds]);
  return row?.poolId ?? null;
}

export type Renewal =
  | { readonly presentationId: string; readonly outcome: "renewed"; readonly lockedUntil: Instant }
  | { readonly presentationId: string; readonly outcome: "lost"; readonly lockedUntil: null };

/** One answer for each asked presentation, in order. */
export async function renewLocks(
  db: Queryable,
  input: { accountId: string; visitorId: string; presentationIds: readonly string[] },
  now: Instant | null = null,
): Promise<Renewal[]> {
  return db.query<Renewal>(RENEW, [input.accountId, input.visitorId, input.presentationIds, timestamp(now)]);
}

export interface LoggedPresentation {
  readonly id: string;
  readonly presentationId: string;
  readonly visitorId: string;
  readonly promoNumber: string;
  readonly seq: number;
  readonly kind: "presented" | "renewal";
  readonly presentedAt: Instant;
  /** To the microsecond, which is what orders the log: batches follow each other within a millisecond. */
  readonly presentedAtExact: string;
  readonly lockedUntil: Instant;
  readonly poolId: string;
  readonly touch: Readonly<Record<string, string>>;
  readonly customData: Readonly<Record<string, unknown>>;
  readonly context: Readonly<Record<string, unknown>>;
}

/** Newest first; `before` is the exact time and the id of the last row of the page before. */
export async function listPresentations(
  db: Queryable,
  page: {
    accountId: string | null;
    promoNumber: string | null;
    visitorId: string | null;
    from: Instant | null;
    to: Instant | null;
    before: { at: string; id: string } | null;
    limit: number;
  },
): Promise<LoggedPresentation[]> {
  return db.query<LoggedPresentation>(SELECT_PAGE, [
    page.accountId,
    page.promoNumber,
    page.visitorId,
    timestamp(page.from),
    timestamp(page.to),
    page.before?.at ?? null,
    page.before?.id ?? "",
    page.limit,
  ]);
}

function outcomeOf(row: Row): Allocation {
  switch (row.outcome) {
    case "presented":
    case "renewed":
      return {
        kind: row.outcome,
        visitorId: row.visitor_id,
        promoNumber: row.e164 as string,
        presentationId: row.presentation_id,
        lockedUntil: row.locked_until,
        sessionLifetimeS: row.session_lifetime_s,
      };
    case "exhausted":
      return { kind: "exhausted", visitorId: row.visitor_id, overflowNumber: row.e164 };
    case "gone":
      return { kind: "gone", visitorId: row.visitor_id };
  }
}
