/** What a connection or a transaction tells PostgreSQL's planner where it cannot know better by itself. */
import { type Queryable, sql } from "./database.js";

/** The ways to find rows that read more of a table than these. */
const BY_READING_ALL = ["enable_seqscan", "enable_hashjoin", "enable_mergejoin"] as const;

/**
 * For connections that find rows by their keys and do nothing else: a statement is planned once, for however many keys. Left alone, PostgreSQL takes a list
 * of unknown length for ten, finds a plan made for the very list better whenever that is shorter, and plans anew for each call (0.86 ms instead of 0.45).
 * And no table is read from end to end, by a plan from when it was small.
 */
export const PLANNED_BY_KEYS: Readonly<Record<string, string>> = {
  plan_cache_mode: "force_generic_plan",
  ...Object.fromEntries(BY_READING_ALL.map((setting) => [setting, "off"])),
};

const BY_INDEX_ONLY = sql(
  "planner_by_index_only",
  `select set_config(setting, 'off', true) from unnest(array[${BY_READING_ALL.map((setting) => `'${setting}'`).join(", ")}]) as setting`,
);
const BY_ANY_JOIN = sql(
  "planner_by_any_join",
  `select set_config(setting, 'on', true) from unnest(array['enable_hashjoin', 'enable_mergejoin']) as setting`,
);
const IN_INDEX_ORDER = sql(
  "planner_in_index_order",
  `select set_config(setting, 'off', true) from unnest(array['enable_sort', 'enable_incremental_sort']) as setting`,
);

/**
 * From here on to the transaction's end, for statements that find little in much. A plan is kept from the time when a month's partition was still empty,
 * and then reading all of it was cheapest: it went on doing so until the statistics came, a minute or some ten thousand calls later (folding events:
 * 0.5 ms of PostgreSQL's work a call instead of 0.1).
 */
export async function byIndexOnly(tx: Queryable): Promise<void> {
  await tx.query(BY_INDEX_ONLY);
}

/** Undoes byIndexOnly for a statement that joins what it brings along, each to each: a nested loop would compare all with all. */
export async function byAnyJoin(tx: Queryable): Promise<void> {
  await tx.query(BY_ANY_JOIN);
}

/**
 * From here on to the transaction's end, for statements that ask for an order which only one index has: they are served by that one. By statistics that
 * are missing or old another one finds as few rows, which a sort puts in order, and was read from end to end (1.5 ms a call instead of 0.2). Not for
 * those that must sort: they would rather read a whole index.
 */
export async function inIndexOrder(tx: Queryable): Promise<void> {
  await tx.query(IN_INDEX_ORDER);
}
