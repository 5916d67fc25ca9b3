import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exportCommand } from "../../src/cli/export.js";
import { writeExportFile } from "../../src/cli/export-file.js";
import { createParquetFile } from "../../src/cli/parquet-file.js";
import { callColumns, type ShownCall } from "../../src/http/contract/call-columns.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase } from "../support/database.js";
import { parseCsv } from "../support/parse-csv.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets } from "../support/world.js";

const logged = vi.hoisted(() => [] as { event: string; fields: unknown }[]);
vi.mock("../../src/kernel/log.js", async (original) => {
  const write = (event: string, fields: unknown): void => void logged.push({ event, fields });
  return { ...(await original<object>()), createLog: () => ({ debug: write, info: write, warn: write, error: write }) };
});

const { db, url } = await freshDatabase();
const dir = mkdtempSync(join(tmpdir(), "ringmatch-export-"));
afterAll(() => rmSync(dir, { recursive: true }));
const CALLER = "+14155550123";
const world = await makeWorld(db, 1);
const [shown] = await presentBatch(db, [
  { ...allocationFor(world), touch: { utm_source: "=cmd" }, customData: { plan: "pro" } },
]);
if (shown?.kind !== "presented") throw new Error("no number was presented");
const { ref } = await openCall(
  { db, secrets, ids },
  { call: inboundCall(shown.promoNumber), callId: ids.next("call"), late: null },
);
const unknown = await openCall(
  { db, secrets, ids },
  { call: inboundCall("+14155550000"), callId: ids.next("call"), late: null },
);

let out: string[] = [];
beforeEach(() => {
  out = [];
  vi.stubEnv("DATABASE_URL", url);
  vi.stubEnv("SECRETS_KEY", "a secret for tests only");
  vi.stubEnv("REDIS_URL", "redis://127.0.0.1:1");
  vi.spyOn(console, "log").mockImplementation((line: string) => void out.push(line));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const path = (name: string) => join(dir, name);
const run = (format: string, name: string, ...words: string[]) =>
  exportCommand.run(["--from", "2020-01-01", "--to", "2100-01-01", "--format", format, "--out", path(name), ...words]);

async function parquet(name: string): Promise<Record<string, unknown>[]> {
  const bytes = readFileSync(path(name));
  return parquetReadObjects({
    file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
  });
}

describe("ringmatch export", () => {
  it("writes NDJSON and CSV as the API does, callers hidden", async () => {
    await run("ndjson", "calls.ndjson");
    expect(out).toEqual([`2 calls written to ${path("calls.ndjson")}.`]);
    const calls = readFileSync(path("calls.ndjson"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(calls.map(({ id }) => id)).toEqual([unknown.ref.callId, ref.callId]);
    expect(calls[1]).toMatchObject({
      caller: { number: null, last4: "0123" },
      attribution: { touch: { utm_source: "=cmd" } },
    });
    await run("csv", "calls.csv", "--account", world.account.id);
    const [head = [], line = [], ...rest] = parseCsv(readFileSync(path("calls.csv"), "utf8"));
    expect(rest).toEqual([]);
    expect(line[head.indexOf("attribution.touch.utm_source")]).toBe("'=cmd");
    expect(line[head.indexOf("id")]).toBe(ref.callId);
    expect(statSync(path("calls.csv")).mode & 0o077).toBe(0);
  });

  it("writes Parquet with typed columns, whose text is as it was", async () => {
    await run("parquet", "calls.parquet");
    const [first, second] = await parquet("calls.parquet");
    expect(first).toMatchObject({ id: unknown.ref.callId, "attribution.outcome": "unattributable", matched_seq: null });
    expect(second).toMatchObject({
      id: ref.callId,
      received_at: new Date(ref.receivedAt),
      promo_number: shown.promoNumber,
      "attribution.touch.utm_source": "=cmd",
      "attribution.custom_data.plan": "pro",
      matched_seq: 1n,
      late: false,
      attempts: "[]",
      "caller.number": null,
      other: null,
    });
  });

  it.each(["csv", "ndjson", "parquet"] as const)("a %s is for its owner alone", async (format) => {
    await run(format, `own.${format}`, "--reveal-callers");
    expect(statSync(path(`own.${format}`)).mode & 0o077).toBe(0);
  });

  it("writes as many row groups as it needs, and every call once", async () => {
    await run("ndjson", "some.ndjson");
    const [call] = readFileSync(path("some.ndjson"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as ShownCall);
    const columns = callColumns({ touch: [], customData: [], firstTouch: [] });
    const file = createParquetFile(path("many.parquet"), columns, 10);
    for (let i = 0; i < 25; i++) file.add({ ...(call as ShownCall), id: `call_${i}` });
    file.finish();
    const bytes = readFileSync(path("many.parquet"));
    const { row_groups: groups } = parquetMetadata(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
    );
    expect(groups.map(({ num_rows }) => Number(num_rows))).toEqual([10, 10, 5]);
    expect((await parquet("many.parquet")).map(({ id }) => id)).toEqual(
      Array.from({ length: 25 }, (_, i) => `call_${i}`),
    );
  });

  it("shows callers when it is told to, which is logged, and never without a key", async () => {
    logged.length = 0;
    await run("ndjson", "hidden.ndjson");
    expect(logged).toEqual([]);
    await run("ndjson", "revealed.ndjson", "--reveal-callers");
    expect(readFileSync(path("revealed.ndjson"), "utf8")).toContain(CALLER);
    expect(logged).toMatchObject([{ event: "pii.revealed", fields: { command: "export", accountId: null } }]);
    expect(JSON.stringify(logged)).not.toContain(CALLER);
    vi.stubEnv("SECRETS_KEY", "");
    await expect(run("ndjson", "x.ndjson", "--reveal-callers")).rejects.toThrow("SECRETS_KEY");
  });

  it.each(["csv", "ndjson", "parquet"] as const)(
    "a %s that fails leaves what stands there, and no part of a file",
    async (format) => {
      await run(format, "kept");
      const before = readFileSync(path("kept"));
      const input = { path: path("kept"), format, columns: callColumns({ touch: [], customData: [], firstTouch: [] }) };
      const failing = writeExportFile(input, async (add) => {
        add([]);
        throw new Error("the database went away");
      });
      await expect(failing).rejects.toThrow("went away");
      expect(readFileSync(path("kept")).equals(before)).toBe(true);
      expect(readdirSync(dir).filter((name) => name.includes("partial"))).toEqual([]);
    },
  );

  it("writes where a link leads, and refuses what is there and is no file", async () => {
    writeFileSync(path("led-to.csv"), "old");
    symlinkSync(path("led-to.csv"), path("link.csv"));
    await run("csv", "link.csv");
    expect(lstatSync(path("link.csv")).isSymbolicLink()).toBe(true);
    expect(readFileSync(path("led-to.csv"), "utf8")).toMatch(/^id,/);
    symlinkSync("/dev/null", path("device"));
    await expect(run("csv", "device")).rejects.toThrow(/--out .* is no file/);
    await expect(run("csv", "")).rejects.toThrow(/--out .* is no file/);
    expect(lstatSync(path("device")).isSymbolicLink()).toBe(true);
  });

  it("says that there is no such account, instead of writing a file without calls", async () => {
    await expect(run("csv", "none.csv", "--account", "acc_none")).rejects.toThrow("no such account");
    await expect(run("csv", "none.csv", "--account", "")).rejects.toThrow("no such account");
    expect(existsSync(path("none.csv"))).toBe(false);
  });

  it("says what is missing or wrong", async () => {
    await expect(exportCommand.run(["--from", "2020-01-01", "--to", "2019-01-01"])).rejects.toThrow(
      "--to must be after",
    );
    await expect(exportCommand.run(["--to", "2019-01-01"])).rejects.toThrow("--from takes");
    await expect(run("xml", "x")).rejects.toThrow("csv, ndjson, parquet");
    await expect(run("csv", "no/such/dir")).rejects.toThrow("cannot be written");
  });
});
