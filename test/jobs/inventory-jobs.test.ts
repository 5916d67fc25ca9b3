import { randomBytes } from "node:crypto";
import { afterAll, describe, expect, inject, it } from "vitest";
import { InventoryJobs } from "../../src/jobs/inventory-jobs.js";
import { orderNumbers } from "../../src/pool/buy-numbers.js";
import { findOrder } from "../../src/pool/number-orders.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { startFakeTwilio } from "../support/fake-twilio.js";
import { startLink } from "../support/severable-link.js";
import { passTime, putTwilio, shopOf } from "../support/shop.js";
import { startSweeping } from "../support/sweeping.js";
import { until } from "../support/until.js";
import { ids } from "../support/world.js";

const { db } = await freshDatabase();
const credentialId = await putTwilio(db);
const fake = await startFakeTwilio();
afterAll(() => fake.stop());
const shop = shopOf(db, fake.url);

async function startJobs(redisUrl: string, sweepEveryMs: number) {
  const prefix = `{test-${randomBytes(6).toString("hex")}}`;
  const jobs = new InventoryJobs({ ...shop, redisUrl, works: true, prefix });
  jobs.start();
  const leader = await startSweeping(db, jobs, sweepEveryMs);
  return {
    stop: async () => {
      await leader.stop();
      await jobs.stop();
    },
  };
}

/** An order whose first purchase fails, so that somebody has to go on with it. */
async function leftInTheMiddle(): Promise<string> {
  const key = ids.next("req");
  fake.fail("POST", "IncomingPhoneNumbers", { kind: "status", status: 429 });
  const npas = ["415"];
  const order = await orderNumbers(shop, {
    ...{ key, carrier: null, accountId: null, poolId: null, numberType: "local", npas, callingCode: null, count: 2 },
    ...{ reason: "test", actor: "test", isOwnFirst: false },
  });
  expect(order?.state).toBe("ordering");
  return key;
}

describe("the inventory jobs", () => {
  it("go on with an order left in the middle, when its time has come", async () => {
    const jobs = await startJobs(inject("redisUrl"), 100);
    const key = await leftInTheMiddle();
    await until("done", async () => (await findOrder(db, key))?.state === "done");
    expect(fake.bought).toHaveLength(2);
    await jobs.stop();
  });

  it("compare every carrier account once, and then an hour later", async () => {
    await rows(db, "delete from carrier_reconcile");
    fake.add("+14152018000");
    const jobs = [await startJobs(inject("redisUrl"), 50), await startJobs(inject("redisUrl"), 50)];
    await until(
      "compared",
      async () => (await rows(db, "select 1 from carrier_reconcile where finished_at is not null")).length > 0,
    );
    const before = fake.seen.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(fake.seen.length).toBe(before);
    expect(await rows(db, "select kind from inventory_finding")).toEqual([{ kind: "unknown_here" }]);
    await rows(db, "update carrier_reconcile set next_run_at = now() where credential_id = $1", [credentialId]);
    await until("compared again", () => fake.seen.length > before);
    await Promise.all(jobs.map((one) => one.stop()));
  });

  it("come late when Redis is away, never twice", async () => {
    const link = await startLink(inject("redisUrl"));
    const jobs = await startJobs(link.url, 100);
    link.cut();
    const key = await leftInTheMiddle();
    await passTime(db);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await findOrder(db, key))?.state).toBe("ordering");
    link.mend();
    await until("done after the outage", async () => (await findOrder(db, key))?.state === "done");
    const known = await findOrder(db, key);
    expect(new Set(known?.items.map(({ number }) => number)).size).toBe(2);
    await jobs.stop();
    await link.close();
  });
});
