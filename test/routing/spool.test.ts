import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Spool } from "../../src/routing/spool.js";
import { ON_A_FULL_DISK, runCompiled } from "../support/run-compiled.js";
import { type Entry, freshSpoolDir } from "../support/spool-entries.js";

async function readAll(spool: Spool<Entry>): Promise<{ entries: Entry[]; broken: string[] }> {
  const entries: Entry[] = [];
  const broken: string[] = [];
  await spool.replay(
    (entry) => {
      entries.push(entry);
      return Promise.resolve();
    },
    (line) => broken.push(line),
  );
  return { entries, broken };
}

describe("Spool", () => {
  it("gives back what was appended, in order, once, and is empty then", async () => {
    const spool = new Spool<Entry>(freshSpoolDir());
    expect(spool.isEmpty).toBe(true);
    for (let n = 0; n < 1_000; n++) spool.append({ n, text: "x".repeat(n) });
    expect(spool.isEmpty).toBe(false);
    const { entries } = await readAll(spool);
    expect(entries.map((e) => e.n)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
    expect(spool.isEmpty).toBe(true);
    expect((await readAll(spool)).entries).toEqual([]);
    spool.close();
  });

  it("carries any text: newlines, quotes, emoji, line separators, half surrogates", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("\u2028", "\n", "\r\n", "☎️"))),
        async (texts) => {
          const spool = new Spool<Entry>(freshSpoolDir());
          texts.forEach((text, n) => spool.append({ n, text }));
          expect((await readAll(spool)).entries).toEqual(texts.map((text, n) => ({ n, text })));
          spool.close();
        },
      ),
      { numRuns: 50 },
    );
  });

  it("keeps files for the service alone", () => {
    const dir = freshSpoolDir();
    const spool = new Spool<Entry>(dir);
    spool.append({ n: 1 });
    spool.close();
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dir, "calls.ndjson")).mode & 0o777).toBe(0o600);
  });

  it("keeps everything when writing fails half-way, and replays from the start, with what came meanwhile after it", async () => {
    const spool = new Spool<Entry>(freshSpoolDir());
    for (let n = 0; n < 5; n++) spool.append({ n });
    const seen: number[] = [];
    const failing = spool.replay(
      ({ n }) => {
        if (n === 3) return Promise.reject(new Error("away"));
        seen.push(n);
        return Promise.resolve();
      },
      () => undefined,
    );
    await expect(failing).rejects.toThrow("away");
    expect(seen).toEqual([0, 1, 2]);
    expect(spool.isEmpty).toBe(false);
    spool.append({ n: 5 });
    expect((await readAll(spool)).entries.map((e) => e.n)).toEqual([0, 1, 2, 3, 4, 5]);
    spool.close();
  });

  it("does not lose what is appended while it replays", async () => {
    const spool = new Spool<Entry>(freshSpoolDir());
    spool.append({ n: 0 });
    await spool.replay(
      () => {
        spool.append({ n: 1 });
        return Promise.resolve();
      },
      () => undefined,
    );
    expect((await readAll(spool)).entries).toEqual([{ n: 1 }]);
    spool.close();
  });

  it("passes over a line that a crash cut short, tells of it, and loses neither what is before nor what comes after", async () => {
    const dir = freshSpoolDir();
    const first = new Spool<Entry>(dir);
    first.append({ n: 1 });
    first.close();
    appendFileSync(join(dir, "calls.ndjson"), '{"n":2,"te');
    const second = new Spool<Entry>(dir);
    second.append({ n: 3 });
    expect(await readAll(second)).toEqual({ entries: [{ n: 1 }, { n: 3 }], broken: ['{"n":2,"te'] });
    second.close();
  });

  it("finds what a former life left, also what it was replaying when it died", async () => {
    const dir = freshSpoolDir();
    const first = new Spool<Entry>(dir);
    first.append({ n: 2 });
    first.close();
    writeFileSync(join(dir, "calls.replaying.ndjson"), '{"n":1}\n');
    const second = new Spool<Entry>(dir);
    expect(second.isEmpty).toBe(false);
    expect((await readAll(second)).entries).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it("reads lines longer than what is read at a time", async () => {
    const spool = new Spool<Entry>(freshSpoolDir());
    const text = "ä".repeat(300_000);
    spool.append({ n: 1, text });
    spool.append({ n: 2 });
    expect((await readAll(spool)).entries).toEqual([{ n: 1, text }, { n: 2 }]);
  });

  it("sets refused entries aside in a file of their own", () => {
    const dir = freshSpoolDir();
    const spool = new Spool<Entry>(dir);
    spool.setAside({ n: 1 });
    spool.setAside({ n: 2 });
    expect(readFileSync(join(dir, "calls.refused.ndjson"), "utf8")).toBe('{"n":1}\n{"n":2}\n');
    expect(spool.isEmpty).toBe(true);
  });

  it("survives kill -9: everything whose append returned is there for the next life", async () => {
    const dir = freshSpoolDir();
    const confirmed = await appendUntilKilled(dir, 500);
    const { entries } = await readAll(new Spool<Entry>(dir));
    expect(confirmed).toBeGreaterThanOrEqual(500);
    expect(entries.length).toBeGreaterThanOrEqual(confirmed);
    expect(entries.map((e) => e.n)).toEqual(entries.map((_, n) => n));
    expect(existsSync(join(dir, "calls.ndjson"))).toBe(false);
  });

  it("on a full disk refuses each entry and keeps no file open for it; what was taken before is still there", async () => {
    const dir = freshSpoolDir();
    const { refused, openFiles } = await appendBeyondLimit(dir);
    expect(refused).toBe(100);
    expect(openFiles).toBeLessThanOrEqual(1);
    const { entries, broken } = await readAll(new Spool<Entry>(dir));
    expect(entries.length).toBeGreaterThan(10);
    expect(broken.length).toBeLessThanOrEqual(1);
  });
});

async function appendBeyondLimit(dir: string): Promise<{ readonly refused: number; readonly openFiles: number }> {
  const script = `
    import { readdirSync } from "node:fs";
    const { Spool } = await import(process.argv[1]);
    const spool = new Spool(process.argv[2]);
    const before = readdirSync("/dev/fd").length;
    let refused = 0;
    for (let n = 0; refused < 100; n++) try { spool.append({ n, text: "x".repeat(100) }); } catch { refused++; }
    console.log(JSON.stringify({ refused, openFiles: readdirSync("/dev/fd").length - before }));`;
  const { stdout } = await runCompiled({ module: "routing/spool", script, dir, command: ON_A_FULL_DISK });
  return JSON.parse(stdout) as { refused: number; openFiles: number };
}

/** A process that appends with our own code and says so after each; killed without warning. @returns how many it had confirmed */
async function appendUntilKilled(dir: string, atLeast: number): Promise<number> {
  const script = `
    import { writeSync } from "node:fs";
    const { Spool } = await import(process.argv[1]);
    const spool = new Spool(process.argv[2]);
    for (let n = 0; ; n++) { spool.append({ n }); writeSync(1, "."); }`;
  const run = await runCompiled({ module: "routing/spool", script, dir, killedAfter: atLeast });
  expect(run.signal).toBe("SIGKILL");
  return run.stdout.length;
}
