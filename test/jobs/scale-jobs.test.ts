import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Redis } from "ioredis";
import { afterAll, describe, expect, inject, it, onTestFinished } from "vitest";
import { ScaleJobs, type ScaleJobsOptions } from "../../src/jobs/scale-jobs.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { addExhaustions } from "../../src/pool/pool-scaling.store.js";
import { getPool } from "../../src/pool/pools.store.js";
import { listDecisions, type ScaleDecision } from "../../src/pool/scale-decisions.store.js";
import { scalePool } from "../../src/pool/scale-pool.js";
import { freshDatabase, rows } from "../support/database.js";
import { startLink } from "../support/severable-link.js";
import { StandInCarrier } from "../support/stand-in-carrier.js";
import { startSweeping } from "../support/sweeping.js";
import { until } from "../support/until.js";
import { addInventory, ids, makeWorld, RecordingSchedule, tollFreeNumbers, type World } from "../support/world.js";

const { db } = await freshDatabase();
const rule = { enabled: true, growthPercent: 20, maxStep: 50, intervalS: 300, minSize: 1 };
const redisUrl = inject("redisUrl");
const running: { stop(): Promise<void> }[] = [];
afterAll(() => Promise.all(running.map((part) => part.stop())));

type Changes = Partial<ScaleJobsOptions> & { readonly sweepEveryMs?: number };

interface Started {
  readonly jobs: ScaleJobs;
  readonly prefix: string;
  readonly decisions: ScaleDecision[];
}

async function startJobs({ sweepEveryMs = 60_000, ...changes }: Changes = {}): Promise<Started> {
  const prefix = changes.prefix ?? `{test-${randomBytes(6).toString("hex")}}`;
  const decisions: ScaleDecision[] = [];
  const jobs = new ScaleJobs({
    redisUrl,
    db,
    ids,
    schedule: new RecordingSchedule(),
    buyer: null,
    clock: systemClock,
    log: silentLog,
    works: true,
    onDecision: (decision) => decisions.push(decision),
    roundEveryMs: 200,
    ...changes,
    prefix,
  });
  jobs.start();
  // Sweeping is for processes with the jobs role.
  if (changes.works !== false) running.push(await startSweeping(db, jobs, sweepEveryMs));
  running.push(jobs);
  return { jobs, prefix, decisions };
}

const SLOW = { roundEveryMs: 3_600_000 };

async function exhausted(settings = {}): Promise<World> {
  const world = await makeWorld(db, 5, { maxSize: 100, autoscale: rule, ...settings });
  await addInventory(db, tollFreeNumbers(5));
  await addExhaustions(db, [{ poolId: world.pool.id, count: 1, isUrgent: true }]);
  return world;
}

async function sizeOf(world: World): Promise<number> {
  return (await getPool(db, { id: world.pool.id, accountId: null })).size;
}

const decisionsOf = (world: World) => listDecisions(db, { poolId: world.pool.id, before: "", limit: 100 });

/** Everything of one prefix, as FLUSHALL would: other tests share the server. */
async function flush(prefix: string): Promise<void> {
  const redis = new Redis(redisUrl);
  const keys = await redis.keys(`${prefix.replace(/[[\]{}]/g, "?")}:*`);
  if (keys.length > 0) await redis.del(...keys);
  redis.disconnect();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A server of this test's own that keeps nothing on disk. */
async function startRedis(port: number): Promise<{ stop(): Promise<void> }> {
  const child = spawn("redis-server", [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
  ]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const client = new Redis({ host: "127.0.0.1", port, retryStrategy: () => 20 });
  client.on("error", () => undefined);
  await until("the server answers", async () => (await client.ping()) === "PONG");
  client.disconnect();
  return {
    stop: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** BullMQ's worker looks again 15 s after it failed to reach Redis, perhaps twice. */
const BACK_MS_MAX = 60_000;

describe("the scaling jobs", () => {
  it("look at every due pool in their rounds, one schedule for all processes, and each pool is scaled once", async () => {
    const worlds = [await exhausted(), await exhausted(), await exhausted()];
    const first = await startJobs();
    const others = await Promise.all([1, 2].map(() => startJobs({ prefix: first.prefix })));
    await until("grown", async () => (await Promise.all(worlds.map(sizeOf))).every((size) => size === 6));
    const redis = new Redis(redisUrl);
    expect(await redis.zcard(`${first.prefix}:pool-scaling:repeat`)).toBe(1);
    redis.disconnect();
    // Two more rounds find nothing to do.
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const world of worlds) expect(await decisionsOf(world)).toHaveLength(1);
    expect([first, ...others].flatMap(({ decisions }) => decisions)).toHaveLength(3);
    await Promise.all([first, ...others].map(({ jobs }) => jobs.stop()));
  });

  it("look at an exhausted pool at once, doubled jobs doing no harm, and sent by a process that does not work itself", async () => {
    const world = await exhausted();
    const worker = await startJobs(SLOW);
    const sender = await startJobs({ ...SLOW, prefix: worker.prefix, works: false });
    for (let i = 0; i < 5; i++) {
      sender.jobs.soon([world.pool.id]);
      worker.jobs.soon([world.pool.id]);
    }
    await until("grown", async () => (await sizeOf(world)) === 6);
    await worker.jobs.stop();
    expect(await decisionsOf(world)).toMatchObject([{ trigger: "exhausted", actor: "job:scaling", added: 1 }]);
  });

  it("go on after Redis lost everything: the sweeper puts the schedule back and sends what is overdue", async () => {
    const { jobs, prefix } = await startJobs({ roundEveryMs: 300 });
    await until("scheduled", async () => (await jobs.sweepOnce()) >= 0);
    await flush(prefix);
    const world = await exhausted();
    await jobs.sweepOnce();
    await until("grown", async () => (await sizeOf(world)) === 6);

    const overdue = await exhausted();
    await rows(db, "update pool_scaling set next_scale_at = now() - interval '1 minute' where pool_id = $1", [
      overdue.pool.id,
    ]);
    await until("swept", async () => {
      await jobs.sweepOnce();
      return (await sizeOf(overdue)) === 6;
    });
    await jobs.stop();
  });

  it("come late, and once, when Redis was away", async () => {
    const link = await startLink(redisUrl);
    const { jobs } = await startJobs({ redisUrl: link.url, roundEveryMs: 300, sweepEveryMs: 200 });
    await until("scheduled", async () => (await jobs.sweepOnce().catch(() => -1)) >= 0);
    link.cut();
    const world = await exhausted();
    // Nobody waits for it, and nothing fails.
    jobs.soon([world.pool.id]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await sizeOf(world)).toBe(5);
    link.mend();
    await until("grown after the outage", async () => (await sizeOf(world)) === 6, BACK_MS_MAX);
    expect(await decisionsOf(world)).toHaveLength(1);
    await jobs.stop();
    await link.close();
  }, 90_000);

  it("go on by themselves when Redis itself is restarted and has lost everything", async () => {
    const port = await freePort();
    const first = await startRedis(port);
    const { jobs } = await startJobs({ redisUrl: `redis://127.0.0.1:${port}`, roundEveryMs: 300, sweepEveryMs: 200 });
    const before = await exhausted();
    await until("grown", async () => (await sizeOf(before)) === 6);
    await first.stop();
    const world = await exhausted();
    const second = await startRedis(port);
    await until("grown after the restart", async () => (await sizeOf(world)) === 6, BACK_MS_MAX);
    expect([await decisionsOf(before), await decisionsOf(world)].map((decisions) => decisions.length)).toEqual([1, 1]);
    await jobs.stop();
    await second.stop();
  }, 90_000);

  it("buy what the inventory lacks, and ask again for what is still to come", async () => {
    const carrier = new StandInCarrier(db);
    carrier.atOnce = 1;
    const world = await makeWorld(db, 2, { maxSize: 10 });
    await rows(db, "update promo_number set state = 'retired' where state = 'available'");
    const { jobs, decisions } = await startJobs({ ...SLOW, buyer: carrier });
    const deps = { db, ids, schedule: new RecordingSchedule(), canBuy: jobs.canBuy };
    await scalePool(deps, { poolId: world.pool.id, size: 5, buy: true, actor: "key:1" });
    jobs.soon([world.pool.id]);
    await until("the first is here", async () => (await sizeOf(world)) === 3);
    await carrier.deliver();
    await rows(db, "update pool_scaling set next_scale_at = now() where pool_id = $1", [world.pool.id]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    jobs.soon([world.pool.id]);
    await until("all are here", async () => (await sizeOf(world)) === 5);
    await jobs.stop();
    expect(carrier.paid).toBe(3);
    expect(new Set(carrier.asked.map(({ key }) => key)).size).toBe(1);
    expect(decisions.at(-1)).toMatchObject({ outcome: "done", added: 3, actor: "key:1" });
  });

  it("pass over a pool that was deleted meanwhile", async () => {
    const events: string[] = [];
    const log = {
      ...silentLog,
      info: (event: string) => void events.push(event),
      warn: (event: string) => void events.push(event),
    };
    const { jobs } = await startJobs({ ...SLOW, log });
    jobs.soon(["pool_gone"]);
    await until("looked at", () => events.length > 0);
    expect(events).toEqual(["scaling.pool_gone"]);
    await jobs.stop();
  });
});
