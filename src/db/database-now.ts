/** The database's clock: what orders presentations and calls that no sequence orders. */
import type { Instant } from "../kernel/clock.js";
import { type Queryable, sql } from "./database.js";

const NOW = sql("database_now", "select now() as now");

export async function databaseNow(db: Queryable): Promise<Instant> {
  const [row] = await db.query<{ now: Instant }>(NOW);
  return (row as { now: Instant }).now;
}

/** The end of what ends at the request: a busy service would otherwise never come to an end of it. Whatever is of this very moment is in it. */
export async function untilNow(db: Queryable, to: Instant = Infinity): Promise<Instant> {
  return Math.min(to, (await databaseNow(db)) + 1);
}
