/** Brings the database to the newest schema: forward-only SQL files in migrations/, under an advisory lock, checked for order. */
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { runner } from "node-pg-migrate";
import type pg from "pg";
import { AppError, messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { Database } from "./database.js";

const MIGRATIONS_DIR = fileURLToPath(new URL("../../migrations", import.meta.url));

/** Held while migrating. The tool's own lock refuses a second process instead of letting it wait; processes of one service start together. */
const LOCK_KEY = 7_466_437_624;

/** The migrations use `unique nulls not distinct`. */
const SERVER_VERSION_MIN = 15;

/** Several processes may call this at once: the others wait and find nothing to do. @returns the names of the migrations that ran */
export async function migrate({ database, log }: { database: Database; log: Log }): Promise<string[]> {
  const client = await database.connect();
  try {
    const { rows } = await client.query<{ server_version_num: string }>("show server_version_num");
    refuseOldServer(Number(rows[0]?.server_version_num));
    await client.query("select pg_advisory_lock($1)", [LOCK_KEY]);
    const ran = await runner({
      dbClient: client,
      dir: MIGRATIONS_DIR,
      migrationsTable: "schema_migration",
      direction: "up",
      checkOrder: true,
      noLock: true,
      singleTransaction: true,
      verbose: false,
      logger: { debug: () => {}, info: () => {}, warn: (text) => log.warn("db.migrate", { text }), error: () => {} },
    });
    await refuseNewerSchema(client);
    for (const { name } of ran) log.info("db.migrated", { name });
    return ran.map((migration) => migration.name);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("internal", `The database could not be migrated: ${messageOf(error)}`, { cause: error });
  } finally {
    await client.end();
  }
}

/** @param versionNum as PostgreSQL tells it, 150018 for 15.18. @throws AppError("config_invalid") for one that the schema cannot be made in */
export function refuseOldServer(versionNum: number): void {
  const version = Math.floor(versionNum / 10_000);
  if (version >= SERVER_VERSION_MIN) return;
  const sentence = `PostgreSQL ${version} is too old; set DATABASE_URL to a server of version ${SERVER_VERSION_MIN} or later.`;
  throw new AppError("config_invalid", sentence);
}

/**
 * A database that a later version has migrated: what this one writes may break rules it does not know.
 * @throws AppError("config_invalid")
 */
async function refuseNewerSchema(client: pg.Client): Promise<void> {
  const own = new Set(readdirSync(MIGRATIONS_DIR).map((file) => basename(file, ".sql")));
  const { rows } = await client.query<{ name: string }>("select name from schema_migration order by name");
  const foreign = rows.find(({ name }) => !own.has(name));
  if (foreign === undefined) return;
  const sentence = `The database was migrated by a later version (${foreign.name}); start that version or a later one, or restore the backup from before.`;
  throw new AppError("config_invalid", sentence);
}
