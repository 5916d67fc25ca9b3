/** What a transaction tells PostgreSQL's planner where it cannot know better by itself. */
import { type Queryable, sql } from "./database.js";

const BY_INDEX_ONLY = sql(
  "planner_by_index_only",
  `select set_config(setting, 'off', true)
   from unnest(array['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_sort', 'enable_incremental_sort']) as setting`,
);

/**
 * From here on to the transaction's end, for statements that find little in much. A plan is kept from the time when a month's partition was still empty,
 * and then reading all of it was cheapest: it went on doing so until the statistics came, a minute or some ten thousand calls later (folding events:
 * 0.5 ms of PostgreSQL's work a call instead of 0.1). Without sorting, whoever asks for an order that only one index has is served by that index: another
 * one that seems to find as few rows was read from end to end (1.5 ms a call).
 */
export async function byIndexOnly(tx: Queryable): Promise<void> {
  await tx.query(BY_INDEX_ONLY);
}
