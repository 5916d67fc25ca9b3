/** A database whose statements take `now` for the time (ringmatch_now): months pass without waiting. */
import type { Database, Queryable } from "../../src/db/database.js";

const SET = { name: "", text: "select set_config('ringmatch.now', $1, true)" };

export function atTime(db: Database, now: number): Database {
  const transaction = <T>(work: (tx: Queryable) => Promise<T>): Promise<T> =>
    db.transaction(async (tx) => {
      await tx.query(SET, [new Date(now).toISOString()]);
      return work(tx);
    });
  return { ...db, transaction, query: (query, values) => transaction((tx) => tx.query(query, values)) };
}
