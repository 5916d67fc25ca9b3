import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, describe, expect, inject, it } from "vitest";
import { NumberJobs } from "../../src/jobs/number-jobs.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { removeFromPool } from "../../src/pool/pool-changes.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { defaultQuarantineSettings, writeQuarantineSettings } from "../../src/pool/quarantine-settings.js";
import { freshDatabase, rows } from "../support/database.js";
import { startLink } from "../support/severable-link.js";
import { startSweeping } from "../support/sweeping.js";
import { until } from "../support/until.js";
import { allocationFor, ids, makeWorld } from "../support/world.js";

const { db } = await freshDatabase();
const FAST = { ...defaultQuarantineSettings, holdS: 1, maxRatePerDay: 1e9 };

function startJobs(redisUrl: string) {
  const prefix = `{test-${randomBytes(6).toString("hex")}}`;
  const jobs = new NumberJobs({ redisUrl, db, clock: systemClock, log: silentLog, works: true, prefix });
  jobs.start();
  return jobs;
}

async function stateOf(e164: string): Promise<unknown> {
  const [row] = await rows(db, "select state from promo_number where e164 = $1", [e164]);
  return row?.["state"];
}

describe("the number jobs", () => {
  const jobs = startJobs(inject("redisUrl"));
  afterAll(() => jobs.stop());
  const why = { reason: "test", actor: "test" };

  it("release a quarantined number when the rule says so, not before", async () => {
    await writeQuarantineSettings(db, FAST);
    const { numbers } = await makeWorld(db, 1);
    const number = await quarantineNumber(
      { db, schedule: jobs },
      { e164: numbers[0] as string, accountId: null, ...why },
    );
    await until("released", async () => (await stateOf(number.e164)) === "available");
    const [event] = await rows<{ at: number }>(
      db,
      "select at from number_event where number_id = $1 order by id desc limit 1",
      [number.id],
    );
    expect((event as { at: number }).at - (number.quarantinedAt as number)).toBeGreaterThanOrEqual(1000);
  });

  it("end the draining of a number that somebody was presented, then release it", async () => {
    await writeQuarantineSettings(db, FAST);
    const world = await makeWorld(db, 1, { drainS: 1 });
    await presentBatch(db, [allocationFor(world)]);
    const e164 = world.numbers[0] as string;
    const removed = await removeFromPool(
      { db, ids, schedule: jobs },
      { poolId: world.pool.id, e164, skipDraining: false, ...why },
    );
    expect(removed.state).toBe("draining");
    await until("quarantined", async () => (await stateOf(e164)) === "quarantined");
    await until("released", async () => (await stateOf(e164)) === "available");
  });

  it("sweep up a number whose job was lost", async () => {
    await writeQuarantineSettings(db, FAST);
    const { numbers } = await makeWorld(db, 1);
    const e164 = numbers[0] as string;
    const lost = { checkLater: () => undefined };
    await quarantineNumber({ db, schedule: lost }, { e164, accountId: null, ...why });
    await until("swept", async () => {
      await jobs.sweepOnce();
      return (await stateOf(e164)) === "available";
    });
  });

  it("survive a Redis that goes away and comes back", async () => {
    const link = await startLink(inject("redisUrl"));
    const away = startJobs(link.url);
    const leader = await startSweeping(db, away, 200);
    await until("up", () => away.isUp());
    link.cut();
    await until("down", async () => !(await away.isUp()));
    await writeQuarantineSettings(db, FAST);
    const { numbers } = await makeWorld(db, 1);
    const e164 = numbers[0] as string;
    await quarantineNumber({ db, schedule: away }, { e164, accountId: null, ...why });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await stateOf(e164)).toBe("quarantined");
    link.mend();
    await until("released after the outage", async () => (await stateOf(e164)) === "available");
    await leader.stop();
    await away.stop();
    await link.close();
  });

  it("keep no caller and nothing but the number in Redis", async () => {
    const redis = new Redis(inject("redisUrl"));
    const keys = await redis.keys("*:numbers:check-*");
    for (const key of keys)
      expect(Object.keys(JSON.parse((await redis.hget(key, "data")) ?? "{}") as object).sort()).toEqual([
        "e164",
        "ownershipEpoch",
      ]);
    redis.disconnect();
  });
});
