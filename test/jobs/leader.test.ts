import type pg from "pg";
import { afterEach, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "../../src/db/database.js";
import { Leader, TAKEOVER_MS_MAX } from "../../src/jobs/leader.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { freshDatabase, rows } from "../support/database.js";
import { type SeverableLink, startLink } from "../support/severable-link.js";
import { until } from "../support/until.js";

const { db, url } = await freshDatabase();
const made: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of made.splice(0).reverse()) await one.stop();
});

function makeLeader(name: string, database: Database = db): Leader {
  const leader = new Leader({ database, clock: systemClock, log: silentLog, name });
  made.push(leader);
  return leader;
}

async function linked(): Promise<{ link: SeverableLink; database: Database }> {
  const link = await startLink(url);
  const database = openDatabase({ url: link.url, log: silentLog });
  made.push({ stop: () => database.close().then(() => link.close()) });
  return { link, database };
}

/** Ends the session that holds the lock, as an operator or a failover would. */
async function endLeadersSession(): Promise<void> {
  const ended = await rows(
    db,
    `select pg_terminate_backend(l.pid) from pg_locks l where l.locktype = 'advisory' and l.granted
       and l.database = (select oid from pg_database where datname = current_database())`,
  );
  expect(ended).toHaveLength(1);
}

describe("a leader", () => {
  it("is one among many, and only it runs the chores", async () => {
    const runs: number[] = [0, 0, 0];
    const leaders = runs.map(() => makeLeader("one"));
    for (const [i, leader] of leaders.entries()) {
      leader.runEvery({ name: "count", everyMs: 20, work: async () => void (runs[i] = (runs[i] ?? 0) + 1) });
    }
    await Promise.all(leaders.map((leader) => leader.start()));
    const leading = leaders.findIndex((leader) => leader.isLeading);
    expect(leaders.filter((leader) => leader.isLeading)).toHaveLength(1);
    await until("five runs", () => (runs[leading] ?? 0) >= 5);
    expect(runs.filter((count) => count > 0)).toHaveLength(1);
  });

  it("of another name is another leader", async () => {
    const leaders = [makeLeader("a"), makeLeader("b")];
    await Promise.all(leaders.map((leader) => leader.start()));
    expect(leaders.map((leader) => leader.isLeading)).toEqual([true, true]);
  });

  it("that stops is followed at once, its running chore finished before", async () => {
    const [first, second] = [makeLeader("stop"), makeLeader("stop")];
    let isDone = false;
    const begun = new Promise<void>((resolve) => {
      first.runEvery({
        name: "slow",
        everyMs: 60_000,
        work: async () => {
          resolve();
          await new Promise((wait) => setTimeout(wait, 300));
          isDone = true;
        },
      });
    });
    await first.start();
    await second.start();
    await begun;
    await first.stop();
    expect(isDone).toBe(true);
    expect(first.isLeading).toBe(false);
    await until("the second leads", () => second.isLeading);
  });

  it("whose session is ended stops at once, tells its chores, and another one takes over in time", async () => {
    const [first, second] = [makeLeader("ended"), makeLeader("ended")];
    const told = new Promise<void>((resolve) => {
      first.runEvery({
        name: "long",
        everyMs: 60_000,
        work: (signal) => new Promise<void>((end) => signal.addEventListener("abort", () => (resolve(), end()))),
      });
    });
    await first.start();
    await second.start();
    expect([first.isLeading, second.isLeading]).toEqual([true, false]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const since = performance.now();
    await endLeadersSession();
    await told;
    expect(first.isLeading).toBe(false);
    await until("somebody leads again", () => first.isLeading || second.isLeading);
    expect(performance.now() - since).toBeLessThan(TAKEOVER_MS_MAX);
    expect([first.isLeading, second.isLeading].filter(Boolean)).toHaveLength(1);
  });

  it("that cannot reach the database gives up before anybody else leads, and joins in again afterwards", async () => {
    const { link, database } = await linked();
    const [cut, other] = [makeLeader("cut", database), makeLeader("cut")];
    await cut.start();
    await other.start();
    expect(cut.isLeading).toBe(true);
    let wereTwo = false;
    const watch = setInterval(() => (wereTwo ||= cut.isLeading && other.isLeading), 5);
    link.cut();
    await until("the other leads", () => other.isLeading);
    expect(cut.isLeading).toBe(false);
    link.mend();
    await other.stop();
    await until("the first leads again", () => cut.isLeading);
    clearInterval(watch);
    expect(wereTwo).toBe(false);
  });

  it("whose session says nothing any more gives it up by itself", async () => {
    const { link, database } = await linked();
    const leader = makeLeader("silent", database);
    await leader.start();
    expect(leader.isLeading).toBe(true);
    link.silence();
    const since = performance.now();
    await until("it gave up", () => !leader.isLeading);
    expect(performance.now() - since).toBeLessThan(TAKEOVER_MS_MAX);
    link.cut();
  });

  it("that hangs, its connection open and answered by its kernel, is followed", async () => {
    const hung: pg.Client[] = [];
    const connect = async (): Promise<pg.Client> => {
      const client = await db.connect();
      const end: () => Promise<void> = client.end.bind(client);
      made.push({ stop: end });
      hung.push(client);
      return client;
    };
    const [first, second] = [makeLeader("hangs", { ...db, connect }), makeLeader("hangs")];
    await first.start();
    await second.start();
    expect([first.isLeading, second.isLeading]).toEqual([true, false]);
    // As in a process that was stopped: it neither asks nor leaves.
    for (const client of hung)
      Object.assign(client, { query: () => new Promise(() => {}), end: () => new Promise(() => {}) });
    await until("it gave up", () => !first.isLeading);
    await until("somebody leads again", () => first.isLeading || second.isLeading);
  }, 40_000);

  it("starts without the database and leads when it is there", async () => {
    const { link, database } = await linked();
    link.cut();
    const leader = makeLeader("late", database);
    await leader.start();
    expect(leader.isLeading).toBe(false);
    link.mend();
    await until("it leads", () => leader.isLeading);
  });
});

describe("a chore", () => {
  it("never runs twice at a time, and is tried again after it failed", async () => {
    const leader = makeLeader("chores");
    let running = 0;
    let most = 0;
    let runs = 0;
    leader.runEvery({
      name: "fails",
      everyMs: 1,
      work: async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 20));
        running--;
        if (++runs < 3) throw new Error("not yet");
      },
    });
    await leader.start();
    await until("it ran five times", () => runs >= 5);
    expect(most).toBe(1);
  });

  it("registered while leading begins at once", async () => {
    const leader = makeLeader("later");
    await leader.start();
    await new Promise<void>((resolve) =>
      leader.runEvery({ name: "late", everyMs: 60_000, work: async () => resolve() }),
    );
  });

  it("does not begin when this process slept so long that it may have lost the lead", async () => {
    let now = 0;
    const clock = { monotonicMs: () => now };
    const leader = new Leader({ database: db, clock, log: silentLog, name: "slept" });
    made.push(leader);
    await leader.start();
    let runs = 0;
    now += 60_000;
    leader.runEvery({ name: "count", everyMs: 1, work: async () => void runs++ });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(runs).toBe(0);
    // The next look at the session brings news, and the chore begins.
    await until("it runs", () => runs > 0);
  });
});
