import { chmodSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type DataDir, openDataDir } from "../../src/dev/data-dir.js";
import { type EmbeddedRedisOptions, startEmbeddedRedis } from "../../src/dev/embedded-redis.js";
import { identityOf, processesWorkingIn } from "../../src/dev/process-identity.js";
import type { EmbeddedServer } from "../../src/dev/server-process.js";
import { freeLoopbackPort } from "../../src/dev/server-start.js";
import { type Compiled, compileSource } from "../support/compiled.js";
import { recordingLog } from "../support/recording-log.js";
import { until } from "../support/until.js";
import { startHolder } from "./support/holder.js";
import { common, makeScratch, type Scratch } from "./support/scratch.js";
import { takePort } from "./support/thief.js";

const START_MS = 30_000;

let scratch: Scratch;
let path: string;

beforeEach(() => {
  scratch = makeScratch("private");
  path = join(scratch.path, 'data "of" ours'); // its configuration file quotes paths
  onTestFinished(scratch.remove);
});

async function open(): Promise<DataDir> {
  const dataDir = await openDataDir({ path, ...common });
  onTestFinished(() => dataDir.close());
  return dataDir;
}

async function start(dataDir: DataDir, more: Partial<EmbeddedRedisOptions> = {}): Promise<EmbeddedServer> {
  const server = await startEmbeddedRedis({ dataDir, ...common, ...more });
  onTestFinished(() => server.stop());
  return server;
}

async function using<Answer>(url: string, work: (redis: Redis) => Promise<Answer>): Promise<Answer> {
  const redis = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
  redis.on("error", () => {}); // the command's own rejection tells the same
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

describe("an embedded Redis", { timeout: START_MS }, () => {
  it("never forgets jobs to free memory, and keeps them from start to start in its append-only file", async () => {
    const dataDir = await open();
    const first = await start(dataDir);
    await using(first.url, async (redis) => {
      for (const [name, value] of [
        ["appendonly", "yes"],
        ["appendfsync", "everysec"],
        ["maxmemory-policy", "noeviction"],
        ["save", ""],
        ["dir", join(dataDir.path, "redis")],
      ] as const) {
        expect(await redis.config("GET", name)).toEqual([name, value]);
      }
      await redis.set("kept", "42");
    });
    await first.stop();
    const second = await start(dataDir);
    expect(await using(second.url, (redis) => redis.get("kept"))).toBe("42");
  });

  it("listens on loopback for those with the password, which stands in a private file alone", async () => {
    const server = await start(await open());
    const { password, port } = new URL(server.url);
    await expect(using(`redis://127.0.0.1:${port}`, (redis) => redis.get("kept"))).rejects.toThrow("NOAUTH");
    expect(await using(server.url, (redis) => redis.config("GET", "bind"))).toEqual(["bind", "127.0.0.1"]);
    expect(statSync(join(path, "redis.conf")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(path, "redis.conf"), "utf8")).toContain(password);
    if (process.platform === "linux")
      expect(readFileSync(`/proc/${String(server.pid)}/cmdline`, "utf8")).not.toContain(password);
  });

  it("stops although clients are connected, once and for all", async () => {
    const { log, events } = recordingLog();
    const server = await start(await open(), { log });
    await using(server.url, async (redis) => {
      await redis.ping();
      await server.stop();
    });
    expect(identityOf(server.pid)).toBeNull();
    expect(events.filter((event) => /^(warn|error)/.test(event))).toEqual([]);
  });

  it("that was killed comes back where it was with what it had, again and again; then it stops", async () => {
    const { log, events } = recordingLog();
    const server = await start(await open(), { log });
    const { url } = server;
    await using(url, (redis) => redis.set("kept", "42"));
    for (const round of [1, 2]) {
      const { pid } = server;
      process.kill(pid, "SIGKILL");
      await until("it is back", () => events.filter((event) => event === "warn embedded.started_again")[round - 1]);
      expect([server.url, identityOf(pid)]).toEqual([url, null]);
      expect(await using(url, (redis) => redis.get("kept"))).toBe("42");
    }
    expect(events.filter((event) => event.startsWith("error"))).toEqual([
      "error embedded.ended_unexpectedly",
      "error embedded.ended_unexpectedly",
    ]);
    await server.stop();
    expect(identityOf(server.pid)).toBeNull();
  });

  it("is tried again when it cannot be started", async () => {
    const { log, events } = recordingLog();
    const bin = join(scratch.path, "bin");
    mkdirSync(bin);
    const program = (text: string): void =>
      writeFileSync(join(bin, "redis-server"), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    const works = `PATH="${common.searchPath}" exec redis-server "$@"`;
    program(works);
    const server = await start(await open(), { log, searchPath: `${bin}:${common.searchPath}` });
    program("exit 1");
    process.kill(server.pid, "SIGKILL");
    await until("a try fails", () => events.includes("error embedded.not_started_again"));
    program(works);
    await until("it is back", () => events.includes("warn embedded.started_again"));
    expect(await using(server.url, (redis) => redis.ping())).toBe("PONG");
  });

  it("is not left to itself when it could not be recorded, as on a full disk", async () => {
    const { log, events } = recordingLog();
    const dataDir = await open();
    const server = await start(dataDir, { log });
    const inTheWay = join(dataDir.path, `redis.pid.json.${String(process.pid)}.tmp`);
    mkdirSync(inTheWay);
    process.kill(server.pid, "SIGKILL");
    await until("a try fails", () => events.includes("error embedded.not_started_again"));
    rmdirSync(inTheWay);
    await until("it is back", () => events.includes("warn embedded.started_again"));
    const running = processesWorkingIn(join(dataDir.path, "redis"), ["redis-server"]).map(({ pid }) => pid);
    if (process.platform === "linux") expect(running).toEqual([server.pid]);
    expect(await using(server.url, (redis) => redis.ping())).toBe("PONG");
  });

  it("is not started again when it is stopped while it is away", async () => {
    const server = await start(await open());
    process.kill(server.pid, "SIGKILL");
    await server.stop();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(identityOf(server.pid)).toBeNull();
    await expect(using(server.url, (redis) => redis.ping())).rejects.toThrow();
  });

  it("tries another port when its own is taken in between", async () => {
    const taken = await freeLoopbackPort();
    await takePort(taken);
    const ports = [taken, await freeLoopbackPort()];
    const server = await start(await open(), { pickPort: () => Promise.resolve(ports.shift() ?? 0) });
    expect(await using(server.url, (redis) => redis.ping())).toBe("PONG");
  });

  it("that is not installed is asked for with the exact commands", async () => {
    const empty = join(scratch.path, "empty");
    mkdirSync(empty);
    const dataDir = await open();
    for (const searchPath of ["", empty]) {
      const failing = start(dataDir, { searchPath });
      await expect(failing).rejects.toMatchObject({ code: "embedded_failed" });
      await expect(failing).rejects.toThrow(
        /sudo apt-get install redis-server.*brew install redis.*sudo dnf install redis.*REDIS_URL/,
      );
    }
  });

  it("is Valkey where only that is installed", async () => {
    const bin = join(scratch.path, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "redis-server"), "not executable");
    writeFileSync(join(bin, "valkey-server"), `#!/bin/sh\nexec redis-server "$@"\n`);
    chmodSync(join(bin, "valkey-server"), 0o755);
    const searchPath = `${bin}:${common.searchPath}`;
    const server = await start(await open(), { searchPath });
    expect(await using(server.url, (redis) => redis.ping())).toBe("PONG");
  });

  it("gives the reason when it cannot start", async () => {
    const dataDir = await open();
    await (await start(dataDir)).stop();
    writeFileSync(join(dataDir.path, "redis", "appendonlydir", "appendonly.aof.manifest"), "damaged");
    await expect(start(dataDir)).rejects.toMatchObject({
      code: "embedded_failed",
      message: expect.stringContaining("redis.log") as string,
    });
  });
});

describe("after the service was killed", { timeout: START_MS }, () => {
  let compiled: Compiled;
  beforeAll(() => {
    compiled = compileSource();
  });
  afterAll(() => compiled.remove());

  it.each(["alone", "together with its Redis"])("%s, the next start finds every job", async (how) => {
    const holder = await startHolder(compiled, { dataDir: path, systemDir: path, servers: ["redis"] });
    const left = holder.servers["redis"];
    if (left === undefined) throw new Error("the holder started no redis");
    await using(left.url, (redis) => redis.set("kept", "42"));
    await holder.kill();
    expect(identityOf(left.pid)).not.toBeNull(); // it outlives the service: the test would prove nothing otherwise
    if (how !== "alone") process.kill(left.pid, "SIGKILL");
    const server = await start(await open());
    expect(identityOf(left.pid)).toBeNull();
    expect(await using(server.url, (redis) => redis.get("kept"))).toBe("42");
  });
});
