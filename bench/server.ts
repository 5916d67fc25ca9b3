/** A real PostgreSQL of the bench's own, durable as in production (fsync on), in a temporary directory; stopped and deleted afterwards. */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Database, openDatabase } from "../src/db/database.js";
import { migrate } from "../src/db/migrate.js";
import { openDataDir } from "../src/dev/data-dir.js";
import { startEmbeddedPostgres } from "../src/dev/embedded-postgres.js";
import { systemClock } from "../src/kernel/clock.js";
import { createLog, silentLog } from "../src/kernel/log.js";

export interface BenchServer {
  /** A new migrated database with today's partitions. */
  database(name: string, connectionsMax: number): Promise<Database>;
  /** For other processes. */
  url(name: string): string;
  stop(): Promise<void>;
}

/** Loading writes gigabytes: fewer checkpoints meanwhile. What is measured commits as in production. */
const SETTINGS = { max_wal_size: "8GB", checkpoint_timeout: "30min" };

export async function startBenchServer(): Promise<BenchServer> {
  const log = createLog("warn");
  // Not there yet: as root, PostgreSQL's data lies inside only of a directory that the start itself made.
  const path = join(tmpdir(), `ringmatch-bench-${randomBytes(8).toString("hex")}`);
  const dataDir = await openDataDir({ path, clock: systemClock, log });

  const searchPath = process.env["PATH"] ?? "";
  const postgres = await startEmbeddedPostgres({ dataDir, clock: systemClock, log, searchPath, settings: SETTINGS });
  const opened: Database[] = [];
  const urlOf = (name: string): string => {
    const url = new URL(postgres.url);
    url.pathname = `/${name}`;
    return url.href;
  };
  return {
    url: urlOf,
    database: async (name, connectionsMax) => {
      const server = openDatabase({ url: postgres.url, log: silentLog, connectionsMax: 1 });
      await server.query({ name: "", text: `create database ${name}` });
      await server.close();
      const database = openDatabase({ url: urlOf(name), log: silentLog, connectionsMax });
      opened.push(database);
      await migrate({ database, log: silentLog });
      await database.query({ name: "", text: "select ensure_partitions(now())" });
      return database;
    },
    stop: async () => {
      for (const database of opened) await database.close();
      await postgres.stop();
      await dataDir.close();
      rmSync(path, { recursive: true, force: true });
    },
  };
}
