/**
 * The service's own Redis, for when REDIS_URL is unset: `redis-server` or `valkey-server` from PATH on a free loopback port, append-only, data
 * kept from start to start. Started by the composition root after the data directory is open, stopped last.
 *
 * The rules kept here: what a killed service left is ended before the data is opened; the password stands in a private file, never on a
 * command line; memory is never freed by forgetting jobs (noeviction).
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Redis } from "ioredis";
import type { Clock } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { DataDir } from "./data-dir.js";
import { writeDurably } from "./durable-file.js";
import { keepServer } from "./kept-server.js";
import type { EndStep } from "./process-identity.js";
import { type EmbeddedServer, endLeftovers, type ServerPlace } from "./server-process.js";
import { bareEnvironment } from "./server-user.js";

export interface EmbeddedRedisOptions {
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly log: Log;
  /** PATH, to find the server in. */
  readonly searchPath: string;
  readonly pickPort?: () => Promise<number>;
}

const PROGRAMS = ["redis-server", "valkey-server"];

/** SIGTERM writes out what the append-only file lacks, which is at most a second's worth. */
const STOP_STEPS: readonly EndStep[] = [
  { signal: "SIGTERM", waitMs: 10_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
];
/** Reading an append-only file of jobs back: far below this, unless the disk is failing. */
const READY_MS_MAX = 60_000;
const CONNECT_MS_MAX = 2_000;

/** @throws AppError embedded_failed with one sentence that says what to do */
export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedServer> {
  const { dataDir, clock, log, searchPath } = options;
  const program = findProgram(searchPath);
  const directory = join(dataDir.path, "redis");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const place: ServerPlace = {
    server: "redis",
    directory,
    processNames: PROGRAMS,
    recordFile: join(dataDir.path, "redis.pid.json"),
    logFile: join(dataDir.path, "redis.log"),
    stopSteps: STOP_STEPS,
    clock,
    log,
  };
  await endLeftovers(place);
  const password = dataDir.secret("redis-password", 24);
  const configFile = join(dataDir.path, "redis.conf");
  return keepServer({
    place,
    commandFor: (port) => {
      writeDurably(configFile, configuration({ port, directory, password }));
      return { file: program, args: [configFile], env: bareEnvironment(searchPath), user: null };
    },
    isReady: (port) => isReady(port, password),
    readyWithinMs: READY_MS_MAX,
    urlFor: (port) => `redis://:${password}@127.0.0.1:${String(port)}`,
    pickPort: options.pickPort,
  });
}

function findProgram(searchPath: string): string {
  for (const directory of searchPath.split(delimiter)) {
    for (const program of PROGRAMS) {
      if (directory !== "" && isProgram(join(directory, program))) return join(directory, program);
    }
  }
  throw new AppError(
    "embedded_failed",
    'No Redis server is on PATH: install one ("sudo apt-get install redis-server" on Debian or Ubuntu, "brew install redis" with Homebrew, "sudo dnf install redis" on Fedora), or set REDIS_URL.',
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

interface Configuration {
  readonly port: number;
  readonly directory: string;
  readonly password: string;
}

/** redis.conf of the server's own documentation; everything not named is its default. */
function configuration({ port, directory, password }: Configuration): string {
  return `${[
    "bind 127.0.0.1",
    `port ${String(port)}`,
    `requirepass ${password}`,
    `dir ${quoted(directory)}`,
    "daemonize no",
    "appendonly yes",
    "appendfsync everysec",
    'save ""',
    "maxmemory-policy noeviction",
    'logfile ""',
    "loglevel notice",
  ].join("\n")}\n`;
}

/** Its configuration reads double-quoted strings with backslash escapes. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

async function isReady(port: number, password: string): Promise<boolean> {
  const client = new Redis({
    host: "127.0.0.1",
    port,
    password,
    lazyConnect: true,
    connectTimeout: CONNECT_MS_MAX,
    commandTimeout: CONNECT_MS_MAX,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
    retryStrategy: () => null,
  });
  client.on("error", () => {}); // the command's own rejection tells the same
  try {
    await client.connect();
    return (await client.ping()) === "PONG"; // while it reads its file back it answers LOADING, which rejects
  } catch {
    return false; // not listening yet, or another server that took the port and knows no such password
  } finally {
    client.disconnect();
  }
}
