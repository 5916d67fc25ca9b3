import { parseArgs } from "node:util";
import { loadConfig } from "../config.js";
import { runService } from "../service/run-service.js";
import type { Command } from "./command.js";

export const startCommand: Command = {
  help: "Usage: ringmatch start\n\nRuns the service until SIGTERM or Ctrl-C. Configured by the environment: see `ringmatch config check`.",
  run: (words) => {
    parseArgs({ args: [...words] });
    return runService(loadConfig());
  },
};
