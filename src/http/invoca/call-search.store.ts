/** The call that a signal is about, when its sender knows no id: by its start, and, better, by who called and how long it took. */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";

/** Clocks of two companies differ by minutes at most; a call farther away is another call. */
export const START_TOLERANCE_MS = 900_000;

// Nearest first: a second of length counts as a second of start.
const FIND_NEAREST = sql(
  "invoca_call_nearest",
  `select c.id from call c
   where c.account_id = $1 and c.received_at between $3 and $4 and ($5::bytea is null or c.caller_hash = $5)
   order by abs(extract(epoch from c.received_at - $2::timestamptz))
     + coalesce(abs($6::float8 - extract(epoch from coalesce(c.ended_at, now()) - c.received_at)), 0), c.id limit 1`,
);
const CALL_OF_SIGNAL = sql(
  "invoca_call_of_signal",
  `select s.call_id as id from call_signal s where s.id = $1 and ($2::text is null or s.account_id = $2)`,
);

export interface CallSearch {
  readonly accountId: string;
  readonly startedAt: Instant;
  /** Keyed by the account, as calls have it; null: whoever called. */
  readonly callerHash: Buffer | null;
  readonly durationS: number | null;
}

/** @returns the call's id, or null when none began near that time */
export async function findNearestCall(db: Queryable, search: CallSearch): Promise<string | null> {
  const { accountId, startedAt, callerHash, durationS } = search;
  const [row] = await db.query<{ id: string }>(FIND_NEAREST, [
    accountId,
    timestamp(startedAt),
    timestamp(startedAt - START_TOLERANCE_MS),
    timestamp(startedAt + START_TOLERANCE_MS),
    callerHash,
    durationS,
  ]);
  return row?.id ?? null;
}

export async function findCallOfSignal(
  db: Queryable,
  { id, accountId }: { id: string; accountId: string | null },
): Promise<string | null> {
  const [row] = await db.query<{ id: string }>(CALL_OF_SIGNAL, [id, accountId]);
  return row?.id ?? null;
}
