/**
 * Removes rows that are old enough, in batches: all at once, 3 million (three days of a busy service without the jobs role) take longer than a statement
 * may, and then none would ever be removed, nor what stands behind them in the list. A chore of housekeeping.ts.
 */
import { sql, type Database } from "../db/database.js";

/** Rows of one statement. */
const PURGED_AT_ONCE = 20_000;
/** Statements a table and turn; the rest is the next turn's. */
const BATCHES_A_TURN = 100;

const PURGES = [
  /** A POST is repeated within minutes; a carrier gives up within hours; a call's key must outlive both by far. */
  sql("housekeeping_idempotency", batchOf("idempotency_key", "created_at < now() - interval '1 day'")),
  sql("housekeeping_deliveries", batchOf("webhook_delivery", "received_at < now() - interval '7 days'")),
  /** As long as the deliveries they came with. */
  sql("housekeeping_nonces", batchOf("webhook_nonce", "received_at < now() - interval '7 days'")),
  sql("housekeeping_call_keys", batchOf("call_key", "received_at < now() - interval '30 days'")),
  /** Two years: long enough for whoever asks who has seen their number. */
  sql("housekeeping_pii_access", batchOf("pii_access", "at < now() - interval '2 years'")),
  /** A year and a month: this month can be held against last year's. */
  sql("housekeeping_bot_hours", batchOf("bot_hour", "hour < now() - interval '13 months'")),
];

/** Its age twice: a key that is claimed anew in this very moment is young, and a place in the table alone would not say so. */
function batchOf(table: string, isOld: string): string {
  return `delete from ${table} where ${isOld} and ctid = any (array(select ctid from ${table} where ${isOld} limit $1)) returning 1 as done`;
}

/** @param options.atOnce tests have fewer */
export async function purge(
  db: Database,
  { signal, atOnce = PURGED_AT_ONCE }: { signal: AbortSignal; atOnce?: number },
): Promise<void> {
  for (const query of PURGES)
    for (let batch = 0; batch < BATCHES_A_TURN && !signal.aborted; batch++)
      if ((await db.query(query, [atOnce])).length < atOnce) break;
}
