/**
 * The service's own PostgreSQL, for when DATABASE_URL is unset: real server programs on a free loopback port, data kept from start to start.
 * Started by the composition root after the data directory is open, stopped last.
 *
 * The rules kept here: what a killed service left is ended before the data is opened; data counts as made only when initdb has finished;
 * every commit is durable (fsync and synchronous_commit stay on); nobody connects without the password of the data directory.
 */
import { chownSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { Clock } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { type Random, systemRandom } from "../kernel/random.js";
import type { DataDir } from "./data-dir.js";
import { flushDirectory, readIfThere } from "./durable-file.js";
import { keepServer } from "./kept-server.js";
import { POSTGRES_PASSWORD } from "./kept-secret.js";
import { findPostgresBinaries, type PostgresBinaries } from "./postgres-binaries.js";
import { dataOf, type PostgresPlace, placePostgres } from "./postgres-place.js";
import { commandOf, type EndStep, identityOf, type ProcessIdentity } from "./process-identity.js";
import { type EmbeddedServer, endLeftovers, type ServerPlace } from "./server-process.js";
import { bareEnvironment, isRoot, run } from "./server-user.js";
import { sharedBuffers } from "./shared-buffers.js";

export interface EmbeddedPostgresOptions {
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly log: Log;
  /** PATH, for the system's own programs. */
  readonly searchPath: string;
  readonly random?: Random;
  /** Further or other server settings; tests that lose nothing by a crash turn fsync off. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Root only: where data and programs go that PostgreSQL's user could not reach otherwise. */
  readonly systemDir?: string;
  readonly pickPort?: () => Promise<number>;
}

const SYSTEM_DIR = "/var/lib/ringmatch";
const ROLE = "ringmatch";
const DATABASE = "ringmatch";

/** For one service on a shared machine. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "100",
  shared_buffers: sharedBuffers(Math.min(totalmem(), process.constrainedMemory() || Infinity)),
  // A number's row is written anew with each presentation, and who looks for the pool's oldest number walks over what was there before: of a minute (the
  // default), in a pool that is asked for 3,000 times a second, that takes 40 % of the rate.
  autovacuum_naptime: "10s",
  fsync: "on",
  synchronous_commit: "on",
  timezone: "UTC",
  log_timezone: "UTC",
  // One process writes its log; errors without their details, which quote values.
  logging_collector: "off",
  log_destination: "stderr",
  log_min_messages: "warning",
  log_error_verbosity: "terse",
  log_line_prefix: "%m [%p] ",
};

/** Fast shutdown writes one checkpoint (shared_buffers at most); immediate shutdown leaves recovery to the next start. */
const STOP_STEPS: readonly EndStep[] = [
  { signal: "SIGINT", waitMs: 20_000 },
  { signal: "SIGQUIT", waitMs: 5_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
];
/** Recovery replays up to max_wal_size (1 GB) after a crash. */
const READY_MS_MAX = 120_000;
/** One attempt to connect; a server in recovery answers at once that it is not ready. */
const CONNECT_MS_MAX = 2_000;

/** @throws AppError embedded_failed with one sentence that says what to do */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedServer> {
  const { dataDir, clock, log, searchPath, random = systemRandom, systemDir = SYSTEM_DIR } = options;
  const place = await placePostgres({ dataDir, systemDir, searchPath, random, log });
  const serverPlace: ServerPlace = {
    server: "postgres",
    directory: place.home,
    processNames: ["postgres", "initdb"],
    recordFile: postgresRecordOf(dataDir.path),
    logFile: join(dataDir.path, "postgres.log"),
    stopSteps: STOP_STEPS,
    clock,
    log,
  };
  await endLeftovers(serverPlace, livePostmaster(place));
  const deadPostmaster = postmasterPid(place);
  const copiesIn = isRoot() ? systemDir : join(dataDir.path, "programs");
  const neededMajor = majorOf(place);
  const binaries = await findPostgresBinaries({
    user: place.user,
    searchPath,
    neededMajor,
    copiesIn,
    clock,
    random,
    log,
  });
  const password = dataDir.secret(...POSTGRES_PASSWORD);
  if (neededMajor === null) await initialise({ place, binaries, password, searchPath, random });
  const server = await keepServer({
    place: serverPlace,
    commandFor: (port) => ({
      file: join(binaries.directory, "postgres"),
      args: ["-D", dataOf(place), ...settingArguments({ ...SETTINGS, ...options.settings, port: String(port) })],
      env: { ...bareEnvironment(searchPath), ...passOver(deadPostmaster) },
      user: place.user,
    }),
    isReady: (port) => isReady(urlOf(port, password, "postgres"), dataDir),
    readyWithinMs: READY_MS_MAX,
    urlFor: (port) => urlOf(port, password),
    pickPort: options.pickPort,
  });
  return withDatabase(server);
}

function settingArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** In the data directory while the server runs. */
export const postgresRecordOf = (dataDir: string): string => join(dataDir, "postgres.pid.json");

/** Of the service's own database, unless told which. */
export const urlOf = (port: number, password: string, database = DATABASE): string =>
  `postgres://${ROLE}:${password}@127.0.0.1:${String(port)}/${database}`;

/** The version that made the data, null when initdb never finished. */
function majorOf(place: PostgresPlace): number | null {
  const text = readIfThere(join(dataOf(place), "PG_VERSION"));
  return text === null ? null : Number.parseInt(text, 10);
}

/** The pid in postmaster.pid, the lock file of the data itself; null when there is none. */
function postmasterPid(place: PostgresPlace): number | null {
  const pid = Number.parseInt(readIfThere(join(dataOf(place), "postmaster.pid")) ?? "", 10);
  return Number.isNaN(pid) ? null : pid;
}

/** postmaster.pid names the server of this data even when our record is lost; believed only when the process says so too. */
function livePostmaster(place: PostgresPlace): ProcessIdentity[] {
  if (process.platform === "linux") return []; // found by its working directory
  const identity = identityOf(postmasterPid(place) ?? 0);
  if (identity === null) return [];
  return commandOf(identity.pid)?.includes(`-D ${dataOf(place)} `) === true ? [identity] : [];
}

/**
 * PostgreSQL believes a postmaster.pid whose pid is merely taken: by a zombie that nobody collects (a container's first process often does not),
 * or by a stranger after a reboot. We know better by now, and this is how pg_ctl tells it to pass over one pid. Its other check, for children
 * that still use the old server's shared memory, stays.
 */
function passOver(deadPostmaster: number | null): Record<string, string> {
  return deadPostmaster === null ? {} : { PG_GRANDPARENT_PID: String(deadPostmaster) };
}

interface Initialisation {
  readonly place: PostgresPlace;
  readonly binaries: PostgresBinaries;
  readonly password: string;
  readonly searchPath: string;
  readonly random: Random;
}

/** Made aside and moved into place when complete: a service killed during initdb leaves no half database that looks whole. */
async function initialise({ place, binaries, password, searchPath, random }: Initialisation): Promise<void> {
  const { home, user } = place;
  for (const entry of readdirSync(home))
    if (entry.startsWith("new-")) rmSync(join(home, entry), { recursive: true, force: true });
  const name = `new-${random.bytes(6).toString("hex")}`;
  const passwordFile = join(home, `${name}.password`);
  try {
    writeFileSync(passwordFile, password, { mode: 0o600, flag: "wx" });
    if (user !== null) chownSync(passwordFile, user.uid, user.gid);
    const made = join(home, name);
    await run(
      join(binaries.directory, "initdb"),
      [...INITDB, ...localeOf(binaries), `--pwfile=${passwordFile}`, "-D", made],
      { searchPath, user, cwd: home },
    );
    renameSync(made, join(home, "data"));
    flushDirectory(home);
  } catch (cause) {
    throw new AppError(
      "embedded_failed",
      `The database could not be made in ${home} (${lastLine(cause)}); check the disk's free space and permissions.`,
      { cause },
    );
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

const INITDB = ["--username", ROLE, "--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"];

/** The same order and case rules everywhere: PostgreSQL's own C.UTF-8 since 17, before that the system's, which only Linux is sure to have. */
function localeOf({ major }: PostgresBinaries): string[] {
  if (major >= 17) return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
  return [process.platform === "linux" ? "--locale=C.UTF-8" : "--locale=C"];
}

function lastLine(error: unknown): string {
  return messageOf(error).trimEnd().split("\n").at(-1) ?? "";
}

/** SQLSTATE invalid_password: waiting does not mend it. */
const WRONG_PASSWORD = "28P01";

async function isReady(url: string, dataDir: DataDir): Promise<boolean> {
  try {
    await ask(url, "select 1");
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== WRONG_PASSWORD) return false;
    throw new AppError(
      "embedded_failed",
      `The password in ${join(dataDir.path, "secrets", "postgres-password")} is not the database's; restore that file from a backup.`,
      { cause: error },
    );
  }
}

async function ask(url: string, query: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS_MAX });
  client.on("error", () => {}); // the query's own rejection tells the same
  try {
    await client.connect();
    return await client.query(query);
  } finally {
    await client.end();
  }
}

async function withDatabase(server: EmbeddedServer): Promise<EmbeddedServer> {
  const maintenance = server.url.replace(/[^/]+$/, "postgres");
  try {
    const { rowCount } = await ask(maintenance, `select 1 from pg_database where datname = '${DATABASE}'`);
    if (rowCount === 0) await ask(maintenance, `create database ${DATABASE}`);
    return server;
  } catch (cause) {
    await server.stop();
    throw new AppError(
      "embedded_failed",
      `The database ${DATABASE} could not be made (${lastLine(cause)}); the server's log tells why.`,
      { cause },
    );
  }
}
