import { migrate } from "../db/migrate.js";
import { createLog } from "../kernel/log.js";
import type { Command } from "./command.js";
import { withDatabase } from "./with-database.js";

export const migrateCommand: Command = {
  name: "migrate",
  summary: "bring the database to the newest schema",
  help: "Usage: ringmatch migrate\n\nRuns the migrations that are missing, under a lock; safe to run twice. `start` does the same.",
  run: async () => {
    const ran = await withDatabase((database) => migrate({ database, log: createLog("warn") }));
    console.log(ran.length === 0 ? "The database is up to date." : `Ran ${ran.join(", ")}.`);
  },
};
