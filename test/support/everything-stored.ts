/** All that a database holds, as text: for tests that something is nowhere in it. */
import type { Database } from "../../src/db/database.js";
import { rows } from "./database.js";

/** One line a row: `table: row`. Bytes as hex. */
export async function everythingStored(db: Database): Promise<string[]> {
  const tables = await rows<{ name: string }>(
    db,
    `select c.relname as name from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by 1`,
  );
  const lines: string[] = [];
  for (const { name } of tables) {
    for (const { text } of await rows<{ text: string }>(db, `select t::text as text from ${name} t`)) {
      lines.push(`${name}: ${text}`);
    }
  }
  return lines;
}
