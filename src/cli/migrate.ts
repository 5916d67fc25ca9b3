import { parseArgs } from "node:util";
import { migrate } from "../db/migrate.js";
import { createLog } from "../kernel/log.js";
import type { Command } from "./command.js";
import { withDatabase } from "./with-database.js";

export const migrateCommand: Command = {
  help: "Usage: ringmatch migrate\n\nRuns the migrations that are missing, under a lock; safe to run twice. `start` does the same.",
  run: async (words) => {
    parseArgs({ args: [...words] });
    const ran = await withDatabase((database) => migrate({ database, log: createLog("warn") }));
    console.log(ran.length === 0 ? "The database is up to date." : `Ran ${ran.join(", ")}.`);
  },
};
