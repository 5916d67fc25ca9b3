/** Redis emptied, and Redis killed and started anew, between a number's quarantine and its release: it is released late, never early, never lost. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DataDir, openDataDir } from "../../src/dev/data-dir.js";
import { startEmbeddedRedis } from "../../src/dev/embedded-redis.js";
import type { EmbeddedServer } from "../../src/dev/server-process.js";
import { freeLoopbackPort } from "../../src/dev/server-start.js";
import { Leader } from "../../src/jobs/leader.js";
import { NumberJobs, SWEEP_EVERY_MS } from "../../src/jobs/number-jobs.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { removeFromPool } from "../../src/pool/pool-changes.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { defaultQuarantineSettings, writeQuarantineSettings } from "../../src/pool/quarantine-settings.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";
import { allocationFor, ids, makeWorld } from "../support/world.js";

/** The contract's: with Redis away, released within this of its return. */
const LATE_MS_MAX = 60_000;
const HOLD_S = 2;

const { db } = await freshDatabase();
const directory = mkdtempSync(join(tmpdir(), "ringmatch-redis-lost-"));
const common = { clock: systemClock, log: silentLog, searchPath: process.env["PATH"] ?? "" };
const why = { reason: "test", actor: "test" };
let start: () => Promise<EmbeddedServer>;
let dataDir: DataDir;
let redis: EmbeddedServer;
let jobs: NumberJobs;
let leader: Leader;

beforeAll(async () => {
  dataDir = await openDataDir({ path: join(directory, "data"), ...common });
  const port = await freeLoopbackPort();
  // On the same port each time, as a restarted server is.
  start = () => startEmbeddedRedis({ dataDir, ...common, pickPort: () => Promise.resolve(port) });
  redis = await start();
  const prefix = `{test-${randomBytes(6).toString("hex")}}`;
  jobs = new NumberJobs({ redisUrl: redis.url, db, clock: systemClock, log: silentLog, works: true, prefix });
  leader = new Leader({ database: db, clock: systemClock, log: silentLog, name: "timers" });
  leader.runEvery({ name: "sweep numbers", everyMs: SWEEP_EVERY_MS, work: () => jobs.sweepOnce() });
  jobs.start();
  await leader.start();
  await until("redis answers", () => jobs.isUp());
  await writeQuarantineSettings(db, { ...defaultQuarantineSettings, holdS: HOLD_S, maxRatePerDay: 1e9 });
});

afterAll(async () => {
  await leader.stop();
  await jobs.stop();
  await redis.stop();
  await dataDir.close();
  rmSync(directory, { recursive: true, force: true });
});

async function stateOf(e164: string): Promise<unknown> {
  return (await rows(db, "select state from promo_number where e164 = $1", [e164]))[0]?.["state"];
}

/** When the number came into each state. */
async function historyOf(e164: string): Promise<{ state: string; at: number }[]> {
  return rows(
    db,
    "select e.state, e.at from number_event e join promo_number n on n.id = e.number_id where n.e164 = $1 order by e.id desc limit 2",
    [e164],
  );
}

async function quarantineOne(): Promise<string> {
  const e164 = (await makeWorld(db, 1)).numbers[0] as string;
  await quarantineNumber({ db, schedule: jobs }, { e164, accountId: null, ...why });
  return e164;
}

/** Looks longer than `until` does: the sweeper's interval is the service's own. */
async function released(e164: string): Promise<number> {
  const giveUpAt = performance.now() + LATE_MS_MAX;
  while ((await stateOf(e164)) !== "available") {
    if (performance.now() > giveUpAt) throw new Error("never released");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const [availableSince, quarantinedSince] = await historyOf(e164);
  return (availableSince?.at ?? 0) - (quarantinedSince?.at ?? 0);
}

/** For good: nobody starts it again until the test does. */
async function killRedis(): Promise<void> {
  process.kill(redis.pid, "SIGKILL");
  await redis.stop();
}

describe("a number in quarantine", { timeout: 2 * LATE_MS_MAX }, () => {
  it("is released late, not early, when Redis lost everything meanwhile", async () => {
    const e164 = await quarantineOne();
    const client = new Redis(redis.url);
    await until("the job is there", async () => (await client.dbsize()) > 0);
    await client.flushall();
    expect(await client.dbsize()).toBe(0);
    client.disconnect();
    const heldMs = await released(e164);
    expect(heldMs).toBeGreaterThanOrEqual(HOLD_S * 1_000);
    expect(heldMs).toBeLessThan(LATE_MS_MAX);
  });

  it("is released late, not early, when Redis was killed and came back after its hold was over", async () => {
    const e164 = await quarantineOne();
    await killRedis();
    await until("redis is gone", async () => !(await jobs.isUp()));
    await new Promise((resolve) => setTimeout(resolve, HOLD_S * 1_000 + 500));
    expect(await stateOf(e164)).toBe("quarantined");
    redis = await start();
    const backAt = performance.now();
    expect(await released(e164)).toBeGreaterThanOrEqual(HOLD_S * 1_000);
    expect(performance.now() - backAt).toBeLessThan(LATE_MS_MAX);
  });

  it("or draining, whose move was made while Redis was away, goes its way once it is back", async () => {
    await killRedis();
    await until("redis is gone", async () => !(await jobs.isUp()));
    const world = await makeWorld(db, 1, { drainS: 1 });
    const e164 = world.numbers[0] as string;
    await presentBatch(db, [allocationFor(world)]);
    const deps = { db, ids, schedule: jobs };
    const removed = await removeFromPool(deps, { poolId: world.pool.id, e164, skipDraining: false, ...why });
    expect(removed.state).toBe("draining");
    redis = await start();
    expect(await released(e164)).toBeGreaterThanOrEqual(HOLD_S * 1_000);
  });
});

it("a queue stops at once while Redis is away: a service has four, and an orchestrator little patience", async () => {
  const prefix = `{test-${randomBytes(6).toString("hex")}}`;
  const other = new NumberJobs({ redisUrl: redis.url, db, clock: systemClock, log: silentLog, works: true, prefix });
  other.start();
  await until("redis answers", () => other.isUp());
  await killRedis();
  await until("redis is gone", async () => !(await other.isUp()));
  const toldAt = performance.now();
  await other.stop();
  expect(performance.now() - toldAt).toBeLessThan(2_000);
  redis = await start();
});
