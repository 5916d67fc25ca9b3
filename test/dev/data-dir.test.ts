import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type DataDir, openDataDir } from "../../src/dev/data-dir.js";
import { identityOf } from "../../src/dev/process-identity.js";
import { type Compiled, compileSource } from "../support/compiled.js";
import { startHolder } from "./support/holder.js";
import { common, makeScratch } from "./support/scratch.js";

let path: string;

beforeEach(() => {
  const scratch = makeScratch("private");
  onTestFinished(scratch.remove);
  path = join(scratch.path, "below", "data");
});

const open = (at = path): Promise<DataDir> => openDataDir({ path: at, ...common });
const modeOf = (file: string): number => statSync(file).mode & 0o777;

describe("the directory", () => {
  it("is made private, its parents as the system makes directories", async () => {
    const dataDir = await open();
    expect([dataDir.created, modeOf(path)]).toEqual([true, 0o700]);
    expect(modeOf(join(path, ".."))).toBe(0o777 & ~process.umask());
    await dataDir.close();
  });

  it("that is there already keeps its permissions", async () => {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o750);
    const dataDir = await open();
    expect([dataDir.created, modeOf(path)]).toEqual([false, 0o750]);
    await dataDir.close();
  });

  it("that is a file is refused by name", async () => {
    mkdirSync(join(path, ".."));
    writeFileSync(path, "");
    await expect(open()).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringContaining(path) as string,
    });
  });
});

describe("the lock", () => {
  let compiled: Compiled;
  beforeAll(() => {
    compiled = compileSource();
  });
  afterAll(() => compiled.remove());

  it("lets one service in at a time, also by another name of the directory", async () => {
    const first = await open();
    const alias = join(path, "..", "alias");
    symlinkSync(path, alias);
    for (const name of [path, alias]) {
      await expect(open(name)).rejects.toMatchObject({
        code: "data_dir_locked",
        message: `RINGMATCH_DATA_DIR: ${first.path} is used by a running service (pid ${String(process.pid)}); stop it, or set RINGMATCH_DATA_DIR to another directory.`,
      });
    }
    await first.close();
    await (await open(alias)).close();
  });

  it("of many starters at once lets exactly one in", async () => {
    const starts = await Promise.allSettled(Array.from({ length: 8 }, () => open()));
    const winners = starts.filter((start) => start.status === "fulfilled");
    expect(winners).toHaveLength(1);
    await winners[0]?.value.close();
  });

  it("held by another process names its pid, and ends with kill -9", async () => {
    const holder = await startHolder(compiled, { dataDir: path, systemDir: path, servers: [] });
    await expect(open()).rejects.toThrow(`pid ${String(holder.pid)}`);
    await holder.kill();
    const dataDir = await open();
    expect(JSON.parse(readFileSync(join(path, "service.lock"), "utf8"))).toEqual(identityOf(process.pid));
    await dataDir.close();
    expect(existsSync(join(path, "service.lock"))).toBe(false);
  });

  it("is not held by a stranger that was given the dead holder's pid, nor by a torn file", async () => {
    mkdirSync(path, { recursive: true });
    for (const text of [JSON.stringify({ pid: process.ppid, startedAt: "before" }), '{"pid":1', ""]) {
      writeFileSync(join(path, "service.lock"), text);
      await (await open()).close();
    }
  });

  it("is respected where only the file is seen", async () => {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "service.lock"), JSON.stringify(identityOf(process.ppid)));
    await expect(open()).rejects.toThrow(`pid ${String(process.ppid)}`);
    expect(existsSync(join(path, "service.lock"))).toBe(true);
  });
});

describe("a secret", () => {
  it("is made once, kept private, and is the same at the next start", async () => {
    const first = await open();
    const made = first.secret("secrets-key", 32);
    expect(made).toMatch(/^[0-9a-f]{64}$/);
    expect(first.secret("edge-secret", 16)).toMatch(/^[0-9a-f]{32}$/);
    expect(modeOf(join(path, "secrets", "secrets-key"))).toBe(0o600);
    await first.close();
    const second = await open();
    expect(second.secret("secrets-key", 32)).toBe(made);
    await second.close();
  });

  it("that lost its mode is tightened, and one that is damaged is refused instead of replaced", async () => {
    const dataDir = await open();
    dataDir.secret("secrets-key", 32);
    const file = join(path, "secrets", "secrets-key");
    chmodSync(file, 0o644);
    dataDir.secret("secrets-key", 32);
    expect(modeOf(file)).toBe(0o600);
    for (const damaged of ["", "abc", "z".repeat(64)]) {
      writeFileSync(file, damaged);
      expect(() => dataDir.secret("secrets-key", 32)).toThrow(
        expect.objectContaining({ code: "secret_unreadable" }) as Error,
      );
      expect(readFileSync(file, "utf8")).toBe(damaged);
    }
    await dataDir.close();
  });
});
