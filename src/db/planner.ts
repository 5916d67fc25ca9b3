/** What a connection or a transaction tells PostgreSQL's planner where it cannot know better by itself. */
import { type Queryable, sql } from "./database.js";

type Settings = Readonly<Record<string, string>>;

const switched = (to: "on" | "off", ...names: readonly string[]): Settings =>
  Object.fromEntries(names.map((name) => [name, to]));

/** The ways to find rows that read more of a table than these are off. */
const BY_INDEX_ONLY = switched("off", "enable_seqscan", "enable_hashjoin", "enable_mergejoin");
const PLANNED_ONCE: Settings = { plan_cache_mode: "force_generic_plan" };

/**
 * For connections and transactions that find rows by their keys: a statement is planned once, for however many keys. Left alone, PostgreSQL takes a list
 * of unknown length for ten, finds a plan made for the very list better whenever that is shorter, and plans anew for each call (0.86 ms instead of 0.45);
 * and for each batch of events where a table has partitions (1 ms instead of 0.26 to lock the records, as much to write them). And no table is read from
 * end to end, by a plan from when it was small.
 */
export const PLANNED_BY_KEYS: Settings = { ...PLANNED_ONCE, ...BY_INDEX_ONLY };

const SET_BY_KEYS = sql("planner_by_keys", locally(PLANNED_BY_KEYS));
const SET_BY_INDEX_ONLY = sql("planner_by_index_only", locally(BY_INDEX_ONLY));
const SET_BY_ANY_JOIN = sql("planner_by_any_join", locally(switched("on", "enable_hashjoin", "enable_mergejoin")));
const SET_IN_INDEX_ORDER = sql(
  "planner_in_index_order",
  locally({ ...PLANNED_ONCE, ...switched("off", "enable_sort", "enable_incremental_sort") }),
);

/** From here on to the transaction's end: as PLANNED_BY_KEYS. */
export async function byKeys(tx: Queryable): Promise<void> {
  await tx.query(SET_BY_KEYS);
}

/**
 * From here on to the transaction's end, for statements that find little in much. A plan is kept from the time when a month's partition was still empty,
 * and then reading all of it was cheapest: it went on doing so until the statistics came, a minute or some ten thousand calls later (folding events:
 * 0.5 ms of PostgreSQL's work a call instead of 0.1).
 */
export async function byIndexOnly(tx: Queryable): Promise<void> {
  await tx.query(SET_BY_INDEX_ONLY);
}

/** Undoes that of byKeys for a statement that joins what it brings along, each to each: a nested loop would compare all with all. */
export async function byAnyJoin(tx: Queryable): Promise<void> {
  await tx.query(SET_BY_ANY_JOIN);
}

/**
 * From here on to the transaction's end, for statements that are planned once and ask for an order which only one index has: they are served by that one.
 * By statistics that are missing or old another one finds as few rows, which a sort puts in order, and was read from end to end (1.5 ms a call instead of
 * 0.2). Not for those that must sort: they would rather read a whole index.
 */
export async function inIndexOrder(tx: Queryable): Promise<void> {
  await tx.query(SET_IN_INDEX_ORDER);
}

/** A query that sets them until the transaction ends. */
function locally(settings: Settings): string {
  const values = Object.entries(settings).map(([name, value]) => `('${name}', '${value}')`);
  return `select set_config(name, value, true) from (values ${values.join(", ")}) as setting (name, value)`;
}
