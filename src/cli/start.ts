import { loadConfig } from "../config.js";
import { runService } from "../service/run-service.js";
import type { Command } from "./command.js";

export const startCommand: Command = {
  name: "start",
  summary: "run the service",
  help: "Usage: ringmatch start\n\nRuns the service until SIGTERM or Ctrl-C. Configured by the environment: see `ringmatch config check`.",
  run: () => runService(loadConfig()),
};
