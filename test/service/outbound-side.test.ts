/** The whole of it, as the service composes it: the leader relays, BullMQ wakes, receivers hear; and what happens when Redis forgets or a process dies. */
import { Redis } from "ioredis";
import { Registry } from "prom-client";
import { afterAll, beforeEach, describe, expect, inject, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import { Leader } from "../../src/jobs/leader.js";
import { OutgoingJobs, OUTGOING_SWEEP_EVERY_MS } from "../../src/jobs/outgoing-jobs.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";
import { prepareOutbound } from "../../src/service/outbound-side.js";
import { Stack } from "../../src/service/stack.js";
import { purgeDeliveries } from "../../src/account/outgoing/deliveries.store.js";
import { deleteEndpoint } from "../../src/account/outgoing/webhook-endpoints.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { happened, makeEndpoint } from "../support/outgoing.js";
import { until } from "../support/until.js";
import { hang, type Received, startReceiver, status } from "../support/webhook-receiver.js";
import { ids, secrets } from "../support/world.js";

const { db } = await freshDatabase();
// A database of Redis of its own: the queue's keys are the service's.
const redisUrl = `${inject("redisUrl")}/7`;
const ambient = { clock: systemClock, random: systemRandom, log: silentLog };
const stack = new Stack(silentLog);
const registry = new Registry();
const config = loadConfig({ WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8" });
const infrastructure = { db, presentingDb: db, openingDb: db, redisUrl, stack, dataDir: null as never };
const { jobs } = prepareOutbound({ config, infrastructure, ambient, ids, secrets, registry });
const leader = new Leader({ database: db, clock: systemClock, log: silentLog, name: "timers" });
jobs.keepWith(leader);
jobs.start();
await leader.start();
const redis = new Redis(redisUrl);
afterAll(async () => {
  await leader.stop();
  await stack.unwind();
  redis.disconnect();
});
const receiver = await startReceiver();
const numberOf = ({ body }: Received): number => JSON.parse(body).data.n;

beforeEach(async () => {
  // Not removed: workers may be at it.
  await rows(
    db,
    "update webhook_endpoint set enabled = false, disabled_at = now(), disabled_reason = 'asked' where enabled",
  );
  receiver.received.length = 0;
  receiver.reply = status(200);
});

const deliveriesOf = (endpointId: string) =>
  rows(db, "select state from outgoing_delivery where endpoint_id = $1", [endpointId]);

/** Nothing is sent until it goes on, as while the breaker is open. */
async function pause(endpointId: string): Promise<void> {
  await rows(
    db,
    "update webhook_endpoint set failures = 5, failing_since = now(), paused_until = now() + interval '1 hour' where id = $1",
    [endpointId],
  );
}

async function goOn(endpointId: string): Promise<void> {
  await rows(db, "update webhook_endpoint set failures = 0, failing_since = null, paused_until = null where id = $1", [
    endpointId,
  ]);
}

describe("an event", () => {
  it("reaches its receivers within a moment, and a receiver that hangs holds up no other", async () => {
    const dead = await startReceiver();
    dead.reply = hang;
    await makeEndpoint(db, { url: dead.url });
    await makeEndpoint(db, { url: receiver.url });
    for (let n = 0; n < 10; n++) await happened(db, n);
    const startedAt = performance.now();
    await receiver.got(10);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect(receiver.received.map(numberOf).sort()).toEqual(Array.from({ length: 10 }, (_, n) => n));
    expect(dead.open.max).toBeGreaterThan(0);
  });

  it("that failed comes again by itself within 30 s", async () => {
    receiver.reply = (response) => {
      status(receiver.received.length === 1 ? 503 : 200)(response, receiver.received[0] as Received);
    };
    await makeEndpoint(db, { url: receiver.url });
    await happened(db, 1);
    const [first, again] = await receiver.got(2);
    const waitMs = (again?.atMs ?? 0) - (first?.atMs ?? 0);
    expect(waitMs).toBeGreaterThan(4_500);
    expect(waitMs).toBeLessThan(30_000);
    expect(again?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
  });

  it("whose job Redis forgot is swept up", async () => {
    const { endpoint } = await makeEndpoint(db, { url: receiver.url });
    await pause(endpoint.id);
    await happened(db, 1);
    await until("it waits", async () => (await deliveriesOf(endpoint.id)).length === 1);
    await redis.flushdb();
    const startedAt = performance.now();
    await goOn(endpoint.id);
    await receiver.got(1);
    expect(performance.now() - startedAt).toBeLessThan(OUTGOING_SWEEP_EVERY_MS + 2_000);
  });

  it("that a process took and died with is sent by another when its lease is over, not before", async () => {
    const { endpoint } = await makeEndpoint(db, { url: receiver.url });
    await pause(endpoint.id);
    await happened(db, 1);
    await until("it waits", async () => (await deliveriesOf(endpoint.id)).length === 1);
    await rows(
      db,
      "update outgoing_delivery set lease = 'of the dead', lease_until = now() + interval '1 second' where endpoint_id = $1",
      [endpoint.id],
    );
    const startedAt = performance.now();
    await goOn(endpoint.id);
    jobs.soon(endpoint.id);
    await receiver.got(1);
    expect(performance.now() - startedAt).toBeGreaterThan(950);
    await until("it is noted", async () => (await deliveriesOf(endpoint.id))[0]?.["state"] === "delivered");
    expect(receiver.received).toHaveLength(1);
  });
});

describe("jobs", () => {
  it("name an endpoint and nothing else", async () => {
    const idle = new OutgoingJobs({
      redisUrl,
      db,
      clock: systemClock,
      log: silentLog,
      works: false,
      prefix: "{test-outgoing-names}",
      deliver: () => Promise.resolve(null),
      relay: () => Promise.resolve({ isFull: false, endpointIds: new Set(["whk_1"]) }),
    });
    await until("redis answers", async () => {
      await idle.relayAll(new AbortController().signal);
      return (await redis.keys("{test-outgoing-names}:outgoing:deliver-*")).length > 0;
    });
    const [key = ""] = await redis.keys("{test-outgoing-names}:outgoing:deliver-*");
    expect(JSON.parse((await redis.hget(key, "data")) ?? "")).toEqual({ endpointId: "whk_1" });
    await idle.stop();
  });
});

it("metrics tell attempts, what waits and how old it is", async () => {
  receiver.reply = status(500);
  await makeEndpoint(db, { url: receiver.url });
  await rows(db, "insert into outbox (type, at, data) values ('pool.exhausted', now() - interval '1 hour', '{}')");
  await receiver.got(1);
  const text = await until("counted", async () => {
    const metrics = await registry.metrics();
    return metrics.includes('ringmatch_webhook_attempts_total{kind="webhook",outcome="retrying"}') && metrics;
  });
  expect(text).toMatch(/ringmatch_webhook_attempts_total\{kind="webhook",outcome="delivered"\} \d/);
  for (const name of ["ringmatch_outbox_events", "ringmatch_webhook_waiting", "ringmatch_webhook_oldest_seconds"])
    expect(text).toContain(`# TYPE ${name} gauge`);
});

it("deliveries are removed after 30 days, and those of a deleted endpoint with it", async () => {
  const deleted = await makeEndpoint(db, { url: receiver.url });
  const { endpoint: kept } = await makeEndpoint(db, { url: receiver.url });
  await happened(db, 1);
  await receiver.got(2);
  await deleteEndpoint(db, deleted.endpoint.id);
  const ofDeleted = "select 1 from webhook_endpoint where id = $1";
  await until("purged", async () => {
    await purgeDeliveries(db);
    return (await rows(db, ofDeleted, [deleted.endpoint.id])).length === 0;
  });
  const age = (text: string) =>
    rows(db, "update outgoing_delivery set created_at = now() - $2::interval where endpoint_id = $1", [kept.id, text]);
  await age("29 days 23 hours");
  await purgeDeliveries(db);
  expect(await deliveriesOf(kept.id)).toHaveLength(1);
  await age("30 days 1 second");
  await purgeDeliveries(db);
  expect(await deliveriesOf(kept.id)).toEqual([]);
});
