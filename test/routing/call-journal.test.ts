import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type JournalFile, CallJournal } from "../../src/routing/call-journal.js";
import { Spool } from "../../src/routing/spool.js";
import { ON_A_FULL_DISK, runCompiled } from "../support/run-compiled.js";
import { type Entry, freshSpoolDir } from "../support/spool-entries.js";

/** As the service starts: the spool takes over what the journal of a former life left. */
function start(dir: string): { journal: CallJournal<Entry>; spool: Spool<Entry> } {
  const spool = new Spool<Entry>(dir);
  return { spool, journal: new CallJournal<Entry>(dir, (path) => spool.adopt(path)) };
}

async function numbersLeft(spool: Spool<Entry>): Promise<number[]> {
  const left: number[] = [];
  await spool.replay(
    ({ n }) => Promise.resolve(void left.push(n)),
    () => undefined,
  );
  return left;
}

const numbered = (from: number, count: number): Entry[] => Array.from({ length: count }, (_, i) => ({ n: from + i }));

describe("the journal of calls that ring", () => {
  it("is empty when all are written, and leaves nothing behind", () => {
    const dir = freshSpoolDir();
    const { journal } = start(dir);
    const file = journal.append(numbered(0, 3));
    journal.written(file, 1);
    expect(statSync(file.path).size).toBeGreaterThan(0);
    journal.written(file, 2);
    expect(statSync(file.path).size).toBe(0);
    journal.close();
    expect(readdirSync(dir)).toEqual([]);
  });

  it("is for the service alone", () => {
    const dir = freshSpoolDir();
    const file = start(dir).journal.append(numbered(0, 1));
    expect([statSync(dir).mode & 0o777, statSync(file.path).mode & 0o777]).toEqual([0o700, 0o600]);
  });

  it("leaves to the next life all that is not written, whatever was written before, and to that one alone", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ count: fc.integer({ min: 1, max: 4 }), isWritten: fc.boolean() }), { maxLength: 60 }),
        async (steps) => {
          const dir = freshSpoolDir();
          const { journal } = start(dir);
          const unwritten: number[] = [];
          const later: { file: JournalFile; count: number }[] = [];
          let next = 0;
          for (const { count, isWritten } of steps) {
            // Long lines, so that both files take their turn.
            const file = journal.append(numbered(next, count).map(({ n }) => ({ n, text: "x".repeat(20_000) })));
            if (isWritten) later.push({ file, count });
            else unwritten.push(...numbered(next, count).map(({ n }) => n));
            next += count;
            const done = later.length > 3 ? later.shift() : undefined;
            if (done !== undefined) journal.written(done.file, done.count);
          }
          for (const { file, count } of later) journal.written(file, count);
          const second = start(dir);
          const left = await numbersLeft(second.spool);
          expect(left).toEqual(expect.arrayContaining(unwritten));
          if (unwritten.length === 0) expect(left).toEqual([]);
          expect(await numbersLeft(start(dir).spool)).toEqual([]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("does not grow while calls come without a pause and are written a moment later", () => {
    const dir = freshSpoolDir();
    const { journal } = start(dir);
    const under: JournalFile[] = [];
    let largest = 0;
    for (let n = 0; n < 20_000; n++) {
      under.push(journal.append([{ n, text: "x".repeat(300) }]));
      const file = under.length > 100 ? under.shift() : undefined;
      if (file !== undefined) journal.written(file, 1);
      largest = Math.max(
        largest,
        ...(n % 500 === 0 ? readdirSync(dir).map((name) => statSync(join(dir, name)).size) : []),
      );
    }
    expect(largest).toBeLessThan(2 * 256 * 1024);
  });

  it("is adopted whole, beside what was adopted before and could not be written yet", async () => {
    const dir = freshSpoolDir();
    start(dir).journal.append(numbered(0, 2));
    const second = start(dir);
    expect(second.spool.isEmpty).toBe(false);
    second.journal.append(numbered(2, 2));
    second.spool.append({ n: 4 });
    const third = start(dir);
    await expect(
      third.spool.replay(
        () => Promise.reject(new Error("away")),
        () => undefined,
      ),
    ).rejects.toThrow("away");
    expect(await numbersLeft(start(dir).spool)).toEqual([0, 1, 2, 3, 4]);
    expect(await numbersLeft(start(dir).spool)).toEqual([]);
  });

  it("of what goes on from the spool is replayed after it, in every life", async () => {
    const dir = freshSpoolDir();
    const startBoth = () => {
      const { spool } = start(dir);
      return { spool, events: new CallJournal<Entry>(dir, (path) => spool.adoptLast(path), "events") };
    };
    const first = startBoth();
    first.events.append(numbered(1, 2));
    first.spool.append({ n: 0 });
    const second = startBoth();
    expect(second.spool.isEmpty).toBe(false);
    second.events.append(numbered(4, 1));
    second.spool.append({ n: 3 });
    expect(await numbersLeft(startBoth().spool)).toEqual([0, 1, 2, 3, 4]);
    expect(readdirSync(dir)).toEqual([]);
  });

  it("is not emptied while it is written to behind the back of others, and is when that is written as well", async () => {
    const dir = freshSpoolDir();
    const { journal } = start(dir);
    const first = journal.append(numbered(0, 1));
    const behind = journal.appendBehind(numbered(1, 2));
    journal.written(first, 1);
    const file = await behind;
    expect(readFileSync(file.path, "utf8").trimEnd().split("\n")).toHaveLength(3);
    journal.written(file, 2);
    expect(statSync(file.path).size).toBe(0);
    journal.append(numbered(3, 1));
    expect(await numbersLeft(start(dir).spool)).toEqual([3]);
  });

  it("takes all of them or none when the disk is full, and goes on when it is not", async () => {
    const { refused, kept } = await appendBeyondLimit(freshSpoolDir());
    expect(refused).toBe(3);
    expect(kept.length).toBeGreaterThan(10);
    expect(kept.every(({ text }) => text === "x".repeat(100))).toBe(true);
  });

  it("survives kill -9: every call whose append returned is there for the next life", async () => {
    const dir = freshSpoolDir();
    const confirmed = await appendUntilKilled(dir, 500);
    const left = await numbersLeft(start(dir).spool);
    expect(confirmed).toBeGreaterThanOrEqual(500);
    expect(left).toEqual(expect.arrayContaining(numbered(0, confirmed).map(({ n }) => n)));
    expect(existsSync(join(dir, "calls.ndjson"))).toBe(false);
  });
});

async function appendBeyondLimit(dir: string): Promise<{ refused: number; kept: Entry[] }> {
  const script = `
    const { CallJournal } = await import(process.argv[1]);
    const journal = new CallJournal(process.argv[2], () => {});
    let refused = 0;
    for (let n = 0; refused < 3; n += 2)
      try { journal.append([n, n + 1].map((n) => ({ n, text: "x".repeat(100) }))); } catch { refused++; }
    process.stdout.write(String(refused));`;
  const { stdout } = await runCompiled({ module: "routing/call-journal", script, dir, command: ON_A_FULL_DISK });
  const [name = ""] = readdirSync(dir);
  const lines = readFileSync(join(dir, name), "utf8").trimEnd().split("\n");
  return { refused: Number(stdout), kept: lines.map((line) => JSON.parse(line) as Entry) };
}

/** A process that appends with our own code and says so after each; killed without warning. @returns how many it had confirmed */
async function appendUntilKilled(dir: string, atLeast: number): Promise<number> {
  const script = `
    import { writeSync } from "node:fs";
    const { CallJournal } = await import(process.argv[1]);
    const journal = new CallJournal(process.argv[2], () => {});
    for (let n = 0; ; n++) { journal.append([{ n }]); writeSync(1, "."); }`;
  const run = await runCompiled({ module: "routing/call-journal", script, dir, killedAfter: atLeast });
  expect(run.signal).toBe("SIGKILL");
  return run.stdout.length;
}
