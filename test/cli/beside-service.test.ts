/** Operators' commands while the embedded service runs: they use its PostgreSQL, and nobody's phone notices. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDataDir } from "../../src/dev/data-dir.js";
import { common } from "../dev/support/scratch.js";
import { build, makeDataDirectory, type RunningService, startService } from "../support/running-service.js";
import { runRingmatch } from "../support/ringmatch-command.js";
import { until } from "../support/until.js";

const WINDOW = ["--from", "2020-01-01", "--to", "2100-01-01"];

const data = makeDataDirectory();
const fileOf = (name: string): string => join(dirname(data.path), name);
beforeAll(() => build());
afterAll(() => data.remove());

const ringmatch = (...words: string[]) => runRingmatch({ words, dataDir: data.path });

describe("beside a running service, a command", () => {
  let service: RunningService;
  let server = "";
  const recordOf = (): string => readFileSync(join(data.path, "postgres.pid.json"), "utf8");
  beforeAll(async () => {
    service = await startService({ dataDir: data.path });
    server = recordOf();
  });
  afterAll(async () => {
    service.child.kill("SIGTERM");
    expect(await service.exit).toBe(0);
  });

  it("makes a key that the service takes at once", async () => {
    const { code, stdout, stderr } = await ringmatch("keys", "create", "--name", "ops", "--scopes", "read");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const authorization = `Bearer ${stdout.trim().split("  ")[1]}`;
    expect((await service.api("GET", "/v1/pools", undefined, { authorization })).status).toBe(200);
  });

  it("imports numbers that the service routes as soon as they have a business", async () => {
    const account = await service.api("POST", "/v1/accounts", { name: "Imported" });
    const account_id = account.body["id"] as string;
    const destination_number = "+18005550199";
    await service.api("POST", "/v1/destinations", { account_id, number: destination_number });
    writeFileSync(fileOf("numbers.csv"), "+18335557101\n+18335557102\n");
    expect(await ringmatch("numbers", "import", fileOf("numbers.csv"))).toMatchObject({ code: 0 });
    const pool = { account_id, name: "p", kind: "automatic", destination_number, fill_immediately: true };
    expect(await service.api("POST", "/v1/pools", pool)).toMatchObject({ status: 201, body: { size: 2 } });
    const plan = await ringmatch("pool", "size", "--pool", String((await pools(account_id))[0]));
    expect(plan).toMatchObject({ code: 0, stderr: "" });
    await until("the number is routed", async () => {
      const url = "/v1/numbers/+18335557101/fallback?carrier=twilio";
      return (await fetch(service.ready.http + url)).text().then((text) => text.includes(destination_number) || null);
    });
  });

  it.each([
    [["migrate"], "The database is up to date.\n"],
    [["replay", ...WINDOW], ""],
    [["fallback", "export", "--dir", fileOf("fallbacks")], ""],
  ])("works: %j", async (words, expected) => {
    expect(await ringmatch(...words)).toMatchObject({ code: 0, stdout: expect.stringContaining(expected), stderr: "" });
  });

  it("exports calls, callers too by the key of the data directory", async () => {
    const out = fileOf("calls.ndjson");
    const words = ["export", ...WINDOW, "--format", "ndjson", "--out", out];
    expect(await ringmatch(...words)).toMatchObject({ code: 0 });
    expect(callersIn(out)).toEqual([null]);
    expect(await ringmatch(...words, "--reveal-callers")).toMatchObject({ code: 0 });
    expect(callersIn(out)).toEqual([expect.stringMatching(/^\+1/)]);
  });

  it("starts and stops nothing", async () => {
    expect(recordOf()).toBe(server);
    expect((await service.api("GET", "/readyz")).status).toBe(200);
    expect(readdirSync(data.path)).toContain("service.lock");
  });

  async function pools(accountId: string): Promise<unknown[]> {
    const { body } = await service.api("GET", `/v1/pools?account_id=${accountId}`);
    return (body["data"] as Record<string, unknown>[]).map(({ id }) => id);
  }
});

it("says in one sentence what to do while that service has no PostgreSQL yet, or any more", async () => {
  mkdirSync(data.path, { recursive: true });
  const holder = await openDataDir({ path: data.path, ...common });
  const { code, stderr } = await ringmatch("keys", "create", "--name", "ops");
  await holder.close();
  expect(code).toBe(1);
  expect(stderr).toMatch(/^ringmatch: .*RINGMATCH_DATA_DIR .*run the command again when it is ready.*\.\n$/);
});

function callersIn(file: string): unknown[] {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return lines.map((line) => (JSON.parse(line) as { caller: { number: unknown } }).caller.number);
}
