import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAlive, type ProcessIdentity } from "../../src/dev/process-identity.js";
import { freshDatabase } from "../support/database.js";
import { RINGMATCH, runRingmatch } from "../support/ringmatch-command.js";
import { build, makeDataDirectory } from "../support/running-service.js";
import { until } from "../support/until.js";

const database = await freshDatabase();
const COMMANDS = join(dirname(RINGMATCH), "../dist/cli/ringmatch.js");
const data = makeDataDirectory();
beforeAll(() => build());
afterAll(() => data.remove());

const ringmatch = (...words: string[]) => runRingmatch({ words, dataDir: data.path });

describe("ringmatch", () => {
  it("lists its commands, and explains each", async () => {
    const { stdout } = await ringmatch("--help");
    for (const name of [
      "start",
      "migrate",
      "keys create",
      "config check",
      "numbers import",
      "fallback export",
      "pool size",
      "replay",
      "export",
      "call",
      "demo",
    ]) {
      expect(stdout).toContain(name);
      expect((await ringmatch(...name.split(" "), "--help")).stdout).toMatch(new RegExp(`^Usage: ringmatch ${name}`));
    }
  });

  it("says what it does not know", async () => {
    expect(await ringmatch("fly")).toMatchObject({ code: 2, stderr: expect.stringContaining('no command "fly"') });
    expect(await ringmatch("migrate", "--faster")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--faster"),
    });
    expect(await ringmatch("keys", "create", "--colour", "red")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Usage: ringmatch keys create"),
    });
    expect(await ringmatch("numbers", "import", "a.csv", "b.csv")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/one file/),
    });
  });

  it("explains a command when asked as `help`, and a first word alone by the commands that begin with it", async () => {
    const list = (await ringmatch("--help")).stdout;
    expect(await ringmatch("help")).toEqual({ code: 0, stdout: list, stderr: "" });
    const explained = (await ringmatch("keys", "create", "--help")).stdout;
    expect(await ringmatch("help", "keys", "create")).toEqual({ code: 0, stdout: explained, stderr: "" });
    expect(await ringmatch("help", "fly")).toMatchObject({ code: 2, stderr: expect.stringContaining('"fly"') });
    expect(await ringmatch("keys", "--help")).toEqual({ code: 0, stdout: list, stderr: "" });
    expect(await ringmatch("keys")).toMatchObject({ code: 2, stderr: expect.stringContaining('no command "keys"') });
  });

  it("goes on when nobody reads what it says any more", async () => {
    // As the service says its addresses: past console.log, which takes no notice of a closed pipe.
    const program = `const { runCommand } = await import(${JSON.stringify(pathToFileURL(COMMANDS).href)});
      await runCommand(["fly"]);
      process.stdout.write("addresses", () => setTimeout(() => process.exit(7)));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    child.stdout?.destroy();
    expect(await once(child, "exit")).toEqual([7, null]);
  });

  it("checks the configuration without showing a secret", async () => {
    const { code, stdout } = await ringmatch("config", "check");
    expect(code).toBe(0);
    expect(stdout).toMatch(/mode\s+embedded/);
    const env = { DRACHTIO_URL: "drachtio://:s3cret@127.0.0.1:9022,drachtio://:cymru@127.0.0.1:9022" };
    const refused = await runRingmatch({ words: ["config", "check"], dataDir: data.path, env });
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/DRACHTIO_URL uses the secret of .* sample/),
    });
    expect(refused.stdout + refused.stderr).not.toContain("s3cret");
  });

  it("migrates, makes keys and imports numbers on the service's own database", async () => {
    expect(await ringmatch("migrate")).toMatchObject({ code: 0 });
    expect(await ringmatch("keys", "create", "--name", "ops", "--scopes", "read")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^key_\w+ {2}rm_/),
    });
    expect(await ringmatch("keys", "create")).toMatchObject({ code: 1, stderr: expect.stringMatching(/--name/) });
    expect(await ringmatch("keys", "create", "--name", "x", "--account", "acc_none")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no such account/),
    });
    const file = join(dirname(data.path), "numbers.csv");
    writeFileSync(file, "number,comment\n+18335557001,a\n(833) 555-7002,b\nnonsense,c\n+18335557001,again\n");
    const first = await ringmatch("numbers", "import", file);
    expect(first).toMatchObject({
      code: 1,
      stdout: "2 added, 0 known already, 1 not readable.\n",
      stderr: expect.stringContaining("line 4: nonsense"),
    });
    expect((await ringmatch("numbers", "import", file)).stdout).toBe("0 added, 2 known already, 1 not readable.\n");
    expect(await ringmatch("numbers", "import", "/nowhere")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/cannot be read/),
    });
  });

  it("interrupted, stops the servers that it started, and exits as interrupted", async () => {
    const records = ["postgres", "redis"].map((server) => join(data.path, `${server}.pid.json`));
    const child = start(["migrate"], {});
    const servers = await until("its servers run", () =>
      records.every((record) => existsSync(record))
        ? records.map((record) => JSON.parse(readFileSync(record, "utf8")) as ProcessIdentity)
        : null,
    );
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([130, null]);
    expect(servers.filter((server) => isAlive(server))).toEqual([]);
  });

  it("interrupted, leaves no part of an export", async () => {
    const { db, url } = database;
    const directory = dirname(data.path);
    const parts = () => readdirSync(directory).filter((name) => name.startsWith("calls."));
    const words = ["--from", "2020-01-01", "--to", "2100-01-01", "--format", "ndjson", "--out"];
    await db.transaction(async (tx) => {
      await tx.query({ name: "", text: "lock table call in access exclusive mode" });
      const child = start(["export", ...words, join(directory, "calls.ndjson")], {
        DATABASE_URL: url,
        SECRETS_KEY: "a secret for tests only",
      });
      await until("it writes", () => parts().length === 1);
      child.kill("SIGTERM");
      expect(await once(child, "exit")).toEqual([143, null]);
    });
    expect(parts()).toEqual([]);
  });
});

function start(words: readonly string[], more: Readonly<Record<string, string>>) {
  const env = { PATH: process.env["PATH"] ?? "", RINGMATCH_DATA_DIR: data.path, ...more };
  return spawn(process.execPath, [RINGMATCH, ...words], { env, stdio: "ignore" });
}
