/** What the service stands on: its data directory, PostgreSQL and Redis. Own servers are started where no address was given, and stopped last. */
import type { Config } from "../config.js";
import { openDatabase, type Database, type DatabaseOptions } from "../db/database.js";
import { migrate } from "../db/migrate.js";
import { PLANNED_BY_KEYS } from "../db/planner.js";
import { type DataDir, openDataDir } from "../dev/data-dir.js";
import { startEmbeddedPostgres } from "../dev/embedded-postgres.js";
import { startEmbeddedRedis } from "../dev/embedded-redis.js";
import type { EmbeddedServer } from "../dev/server-process.js";
import { ensurePartitions } from "../jobs/housekeeping.js";
import type { Clock } from "../kernel/clock.js";
import type { Log } from "../kernel/log.js";
import { IN_FLIGHT_MAX } from "../pool/allocation-batch.js";
import { RUNNING_MAX } from "../routing/opening-batch.js";
import { Stack } from "./stack.js";

export interface Infrastructure {
  readonly dataDir: DataDir;
  readonly db: Database;
  /**
   * Connections that present numbers and do nothing else. The first statements of a connection cost PostgreSQL 150 ms (compiled, then planned five times): on
   * any of sixteen, a process that has just started would pay that sixteen times over, and batches would wait behind look-ups.
   */
  readonly presentingDb: Database;
  /** Connections that match calls and record those that ring, and do nothing else: they wait for no report, and are planned as they should be. */
  readonly openingDb: Database;
  readonly redisUrl: string;
  /** Also of use when half of it started. */
  readonly stack: Stack;
}

/** @throws AppError with one sentence that says what to do; whatever had started is stopped again */
export async function startInfrastructure(input: { config: Config; clock: Clock; log: Log }): Promise<Infrastructure> {
  const { config, clock, log } = input;
  const stack = new Stack(log);
  try {
    const dataDir = await openDataDir({ path: config.dataDir, clock, log });
    stack.push("data directory", () => dataDir.close());
    const [databaseUrl, redisUrl] = await startServers({ config, dataDir, clock, log, stack });
    const connect = (part: string, options: Pick<DatabaseOptions, "connectionsMax" | "settings"> = {}): Database => {
      const database = openDatabase({ url: databaseUrl, log, ...options });
      stack.push(part, () => database.close());
      return database;
    };
    const db = connect("database connections");
    const presentingDb = connect("presenting connections", { connectionsMax: IN_FLIGHT_MAX });
    const openingDb = connect("opening connections", { connectionsMax: RUNNING_MAX, settings: PLANNED_BY_KEYS });
    await migrate({ database: db, log });
    await ensurePartitions(db);
    return { dataDir, db, presentingDb, openingDb, redisUrl, stack };
  } catch (error) {
    await stack.unwind();
    throw error;
  }
}

async function startServers(input: {
  config: Config;
  dataDir: DataDir;
  clock: Clock;
  log: Log;
  stack: Stack;
}): Promise<[string, string]> {
  const { config, dataDir, clock, log, stack } = input;
  const common = {
    dataDir,
    clock,
    log,
    searchPath: config.searchPath,
  };
  const starting = [
    config.databaseUrl === null ? startEmbeddedPostgres(common) : Promise.resolve(config.databaseUrl),
    config.redisUrl === null ? startEmbeddedRedis(common) : Promise.resolve(config.redisUrl),
  ];
  const settled = await Promise.allSettled(starting);
  for (const result of settled) {
    if (result.status === "fulfilled" && typeof result.value !== "string") {
      const server: EmbeddedServer = result.value;
      stack.push("embedded server", () => server.stop());
    }
  }
  const [postgres, redis] = settled.map((result) => {
    if (result.status === "rejected") throw result.reason as Error;
    return typeof result.value === "string" ? result.value : result.value.url;
  });
  return [postgres as string, redis as string];
}
