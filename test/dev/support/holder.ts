/** A service process for tests to kill: opens a data directory, starts what it is asked to, says so, and stays. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Compiled } from "../../support/compiled.js";

export interface HolderStart {
  readonly dataDir: string;
  readonly systemDir: string;
  readonly servers: readonly ("postgres" | "redis")[];
}

export interface Holder {
  readonly pid: number;
  /** Per started server its URL and pid. */
  readonly servers: Readonly<Record<string, { readonly url: string; readonly pid: number }>>;
  /** kill -9 of that process alone; resolves when it is gone. */
  kill(): Promise<void>;
}

const SCRIPT = `
import { openDataDir } from "./dev/data-dir.js";
import { startEmbeddedPostgres } from "./dev/embedded-postgres.js";
import { startEmbeddedRedis } from "./dev/embedded-redis.js";
import { systemClock } from "./kernel/clock.js";
import { silentLog } from "./kernel/log.js";

const { dataDir: path, systemDir, servers } = JSON.parse(process.argv[2]);
const common = { clock: systemClock, log: silentLog, searchPath: process.env.PATH };
const dataDir = await openDataDir({ path, ...common });
const start = { postgres: startEmbeddedPostgres, redis: startEmbeddedRedis };
const started = {};
for (const server of servers) {
  const { url, pid } = await start[server]({ dataDir, systemDir, ...common });
  started[server] = { url, pid };
}
process.stdout.write(JSON.stringify(started) + "\\n");
setInterval(() => {}, 1_000);
`;

/** Rejects with what the process wrote to its standard error when it ends instead. */
export async function startHolder(compiled: Compiled, start: HolderStart): Promise<Holder> {
  const script = join(compiled.directory, "holder.js");
  writeFileSync(script, SCRIPT);
  const child = spawn(process.execPath, [script, JSON.stringify(start)], { stdio: ["ignore", "pipe", "pipe"] });
  const servers = JSON.parse(await firstLine(child)) as Holder["servers"];
  return {
    pid: child.pid ?? -1,
    servers,
    kill: async () => {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null || child.stderr === null) throw new Error("its output is piped");
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error(`the holder ended: ${complaint}`);
}
