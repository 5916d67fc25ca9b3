/** Where a text is stored in plain, of everything that a test's database holds. */
import type { Database } from "../../../src/db/database.js";
import { rows } from "../../support/database.js";

/** Every table that has the text in any row, as text or as bytes. */
export async function tablesHolding(db: Database, text: string): Promise<string[]> {
  const hex = Buffer.from(text).toString("hex");
  const tables = await rows<{ name: string }>(
    db,
    `select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`,
  );
  const holding: string[] = [];
  for (const { name } of tables) {
    const found = await rows(db, `select 1 from ${name} as t where t::text like $1 or t::text like $2 limit 1`, [
      `%${text}%`,
      `%${hex}%`,
    ]);
    if (found.length > 0) holding.push(name);
  }
  return holding;
}
