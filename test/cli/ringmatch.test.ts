import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runRingmatch } from "../support/ringmatch-command.js";
import { build, makeDataDirectory } from "../support/running-service.js";

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
});
