/** For commands that need the database: the configured one, or, in embedded mode, the service's own, which then must not be running. */
import { loadConfig, type Config } from "../config.js";
import { openDatabase, type Database } from "../db/database.js";
import { systemClock } from "../kernel/clock.js";
import { createLog } from "../kernel/log.js";
import { startInfrastructure } from "../service/infrastructure.js";

export async function withDatabase<T>(work: (db: Database, config: Config) => Promise<T>): Promise<T> {
  const config = loadConfig();
  const log = createLog("warn");
  if (config.databaseUrl !== null) {
    const db = openDatabase({ url: config.databaseUrl, log, connectionsMax: 2 });
    try {
      return await work(db, config);
    } finally {
      await db.close();
    }
  }
  const { db, stack } = await startInfrastructure({ config, clock: systemClock, log });
  try {
    return await work(db, config);
  } finally {
    await stack.unwind();
  }
}
