/**
 * For commands that need the database: the configured one, or, in embedded mode, the service's own: that of the service that is running, else started
 * for the command, and stopped with it. Nothing of a running service is started, stopped or waited for; it learns of changes as from anybody, by NOTIFY.
 */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { loadConfig, type Config } from "../config.js";
import { isUnavailable, openDatabase, type Database } from "../db/database.js";
import { readSecret, SECRETS_KEY } from "../dev/kept-secret.js";
import { findRunningPostgres } from "../dev/running-postgres.js";
import { systemClock } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import { createLog, type Log } from "../kernel/log.js";
import { endOnSignal } from "./end-on-signal.js";
import { type Infrastructure, startInfrastructure } from "../service/infrastructure.js";

/** `config` has the SECRETS_KEY of the data directory where none is set. */
type Work<T> = (db: Database, config: Config) => Promise<T>;

export async function withDatabase<T>(work: Work<T>): Promise<T> {
  const config = loadConfig();
  const log = createLog("warn");
  let own: Promise<Infrastructure | null> = Promise.resolve(null);
  // What is half started is finished first: stopping it in the middle would leave servers behind.
  const done = endOnSignal(() => own.then(stopOwn, () => undefined));
  try {
    if (config.databaseUrl !== null) return await connected(config.databaseUrl, log, (db) => work(db, config));
    own = startUnlessHeld(config, log);
    const infrastructure = await own;
    if (infrastructure === null) return await besideService({ config, log, work });
    return await work(infrastructure.db, withKeptKey(config, infrastructure.dataDir.path));
  } finally {
    await own.then(stopOwn, () => undefined);
    await done();
  }
}

async function stopOwn(infrastructure: Infrastructure | null): Promise<void> {
  await infrastructure?.stack.unwind();
}

async function connected<T>(url: string, log: Log, work: (db: Database) => Promise<T>): Promise<T> {
  const db = openDatabase({ url, log, connectionsMax: 2 });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

/** Null when a live service holds the data directory. */
async function startUnlessHeld(config: Config, log: Log): Promise<Infrastructure | null> {
  try {
    return await startInfrastructure({ config, clock: systemClock, log });
  } catch (error) {
    if (error instanceof AppError && error.code === "data_dir_locked") return null;
    throw error;
  }
}

/** @throws AppError database_unavailable when that service is only starting, or going down, or has its database elsewhere */
async function besideService<T>({ config, log, work }: { config: Config; log: Log; work: Work<T> }): Promise<T> {
  const dataDir = realpathSync(resolve(config.dataDir));
  const url = findRunningPostgres({ dataDir, log });
  if (url === null) throw unreachable(dataDir);
  try {
    return await connected(url, log, (db) => work(db, withKeptKey(config, dataDir)));
  } catch (error) {
    throw isUnavailable(error) ? unreachable(dataDir, error) : error;
  }
}

function unreachable(dataDir: string, cause?: unknown): AppError {
  return new AppError(
    "database_unavailable",
    `The service that uses RINGMATCH_DATA_DIR (${dataDir}) has no PostgreSQL that can be reached now: run the command again when it is ready, or has stopped; if it runs with a DATABASE_URL, set the same here.`,
    { cause },
  );
}

function withKeptKey(config: Config, dataDir: string): Config {
  return { ...config, secretsKey: config.secretsKey ?? readSecret(dataDir, ...SECRETS_KEY) };
}
