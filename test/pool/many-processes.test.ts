/**
 * Four processes allocate for thousands of visitors from small pools of one PostgreSQL, while numbers leave and come back. Afterwards the log alone must
 * show that no number had two visitors inside a lifetime, that none was presented while it drained or was quarantined, and that no visitor had two
 * numbers for one destination.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { AppError } from "../../src/kernel/errors.js";
import { advanceNumber, releaseNumber } from "../../src/pool/number-moves.js";
import { findNumber } from "../../src/pool/numbers.store.js";
import { addNumbers, removeFromPool } from "../../src/pool/pool-changes.js";
import { compileSource } from "../support/compiled.js";
import { findBrokenSequences, findDoubleLeases, findSplitVisitors, type LockExtension } from "../support/audit.js";
import { freshDatabase, rows } from "../support/database.js";
import { ids, makeWorld, type World } from "../support/world.js";

const { db, url } = await freshDatabase();
const PROCESSES = 4;
const VISITORS = 4_000;
const RUN_MS = 8_000;
const compiled = compileSource(["kernel", "telephony", "db", "account", "pool"]);
afterAll(() => compiled.remove());

/** Many visitors at a time, each looking at a pool, looking again, or renewing what they have. */
const CHILD = `
import { readFileSync } from "node:fs";
import { openDatabase } from "./db/database.js";
import { systemClock } from "./kernel/clock.js";
import { createIdSource } from "./kernel/ids.js";
import { createLog } from "./kernel/log.js";
import { systemRandom } from "./kernel/random.js";
import { AllocationBatch } from "./pool/allocation-batch.js";
import { renewLocks } from "./pool/presentations.store.js";

const { url, pools, visitors, runMs } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const log = createLog("error");
const db = openDatabase({ url, log, connectionsMax: 4 });
const batch = new AllocationBatch({ db, clock: systemClock, log });
const ids = createIdSource(systemClock, systemRandom);
const any = (list) => list[Math.floor(Math.random() * list.length)];
const counts = { presented: 0, renewed: 0, exhausted: 0, gone: 0, refused: 0 };
const extensions = [];
const end = performance.now() + runMs;
async function browse() {
  while (performance.now() < end) {
    const { accountId, poolId } = any(pools);
    const visitorId = any(visitors);
    const request = { accountId, poolId, visitorId, freshVisitorId: ids.next("vis"), presentationId: ids.next("prs"), logId: ids.next("prl"), touch: {}, customData: {}, context: {} };
    const answer = await batch.allocate(request).catch((error) => { if (error.code !== "overloaded") throw error; return { kind: "refused" }; });
    counts[answer.kind]++;
    if (answer.presentationId === undefined || Math.random() > 0.1) continue;
    const asked = { accountId, visitorId: answer.visitorId, presentationIds: [answer.presentationId] };
    for (const { presentationId, outcome, lockedUntil } of await renewLocks(db, asked)) if (outcome === "renewed") extensions.push({ presentationId, lockedUntil });
  }
}
await Promise.all(Array.from({ length: 48 }, browse));
await db.close();
process.stdout.write(JSON.stringify({ counts, extensions }));
`;

interface Report {
  readonly counts: Readonly<Record<string, number>>;
  readonly extensions: readonly LockExtension[];
}

async function runChild(script: string, inputFile: string): Promise<Report> {
  const child = spawn(process.execPath, [script, inputFile], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, "close")) as [number];
  expect(code).toBe(0);
  return JSON.parse(text) as Report;
}

/** Takes numbers out and puts them back, through draining and, by force, through quarantine, while they are asked for. */
async function moveNumbers(world: World, until: number): Promise<number> {
  const deps = { db, ids, schedule: world.schedule };
  const why = { reason: "test", actor: "test" };
  let moves = 0;
  for (let i = 0; performance.now() < until; i++) {
    const e164 = world.numbers[i % world.numbers.length] as string;
    try {
      await removeFromPool(deps, { poolId: world.pool.id, e164, skipDraining: i % 2 === 0, ...why });
      moves++;
      await new Promise((resolve) => setTimeout(resolve, 40));
      const number = await findNumber(db, e164);
      if (number?.state === "draining") await advanceNumber(deps, { ...number, actor: "test" });
      if ((await findNumber(db, e164))?.state === "quarantined")
        await releaseNumber(deps, { e164, force: true, ...why });
      await addNumbers(deps, { poolId: world.pool.id, numbers: [e164], actor: "test" });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }
  return moves;
}

it("four processes never share a number, split a visitor or present what is leaving", async () => {
  const settings = { sessionLifetimeS: 1, retentionS: 2, drainS: 2 };
  const worlds = [
    await makeWorld(db, 3, settings),
    await makeWorld(db, 12, settings),
    await makeWorld(db, 40, settings),
  ];
  // A visitor belongs to one account; the same thousands ask every process.
  const inputs = worlds.map(({ account, pool }) => ({ accountId: account.id, poolId: pool.id }));
  const visitors = Array.from({ length: VISITORS }, () => ids.next("vis"));
  const [script, inputFile] = [join(compiled.directory, "allocator.js"), join(compiled.directory, "input.json")];
  writeFileSync(script, CHILD);
  writeFileSync(inputFile, JSON.stringify({ url, pools: inputs, visitors, runMs: RUN_MS }));
  const until = performance.now() + RUN_MS;
  const [reports, moves] = await Promise.all([
    Promise.all(Array.from({ length: PROCESSES }, () => runChild(script, inputFile))),
    Promise.all(worlds.map((world) => moveNumbers(world, until))),
  ]);

  const total = (kind: string) => reports.reduce((sum, { counts }) => sum + (counts[kind] ?? 0), 0);
  expect(total("presented")).toBeGreaterThan(100);
  expect(total("exhausted")).toBeGreaterThan(1_000);
  expect(Math.min(...moves)).toBeGreaterThan(5);
  const [logged] = await rows(db, "select count(*), count(distinct visitor_id) as visitors from presentation");
  expect(logged?.["count"]).toBe(total("presented") + total("renewed"));

  const extensions = reports.flatMap((report) => report.extensions);
  expect(extensions.length).toBeGreaterThan(10);
  expect(await findDoubleLeases(db, extensions)).toEqual([]);
  expect(await findSplitVisitors(db)).toEqual([]);
  expect(await findBrokenSequences(db)).toEqual([]);
  expect(await findPresentedWhileLeaving()).toEqual([]);
});

/**
 * Presentations of a number that was nobody's (the epoch of a presentation is one in which the number was assigned), or was draining: presented more
 * than a moment after it began to drain and before it was assigned again. Times are those of transactions' beginnings, hence the moment.
 */
async function findPresentedWhileLeaving(): Promise<unknown[]> {
  return rows(
    db,
    `select l.promo_number, l.seq, l.presented_at from presentation l
     where not exists (select 1 from number_event e
         where e.number_id = l.number_id and e.ownership_epoch = l.ownership_epoch and e.state = 'assigned')
       or exists (select 1 from number_event d
         where d.number_id = l.number_id and d.state = 'draining' and d.ownership_epoch = l.ownership_epoch
           and d.at + interval '500 milliseconds' < l.presented_at
           and not exists (select 1 from number_event a where a.number_id = d.number_id and a.id > d.id and a.state = 'assigned'
             and a.at <= l.presented_at + interval '500 milliseconds'))`,
  );
}
