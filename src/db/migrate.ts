/** Brings the database to the newest schema: forward-only SQL files in migrations/, under an advisory lock, checked for order. */
import { fileURLToPath } from "node:url";
import { runner } from "node-pg-migrate";
import { AppError, messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { Database } from "./database.js";

const MIGRATIONS_DIR = fileURLToPath(new URL("../../migrations", import.meta.url));

/** @returns the names of the migrations that ran */
export async function migrate({ database, log }: { database: Database; log: Log }): Promise<string[]> {
  const client = await database.connect();
  try {
    const ran = await runner({
      dbClient: client,
      dir: MIGRATIONS_DIR,
      migrationsTable: "schema_migration",
      direction: "up",
      checkOrder: true,
      singleTransaction: true,
      verbose: false,
      logger: { debug: () => {}, info: () => {}, warn: (text) => log.warn("db.migrate", { text }), error: () => {} },
    });
    for (const { name } of ran) log.info("db.migrated", { name });
    return ran.map((migration) => migration.name);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("internal", `The database could not be migrated: ${messageOf(error)}`, { cause: error });
  } finally {
    await client.end();
  }
}
