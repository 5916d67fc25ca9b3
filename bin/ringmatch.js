#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const entry = new URL("../dist/cli/ringmatch.js", import.meta.url);
if (!existsSync(fileURLToPath(entry))) {
  console.error("ringmatch: it is not built yet; run `npm start` once, or `npm run build`.");
  process.exit(1);
}
const { runCommand } = await import(entry.href);
await runCommand(process.argv.slice(2));
