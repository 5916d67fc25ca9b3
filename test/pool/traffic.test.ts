import { describe, expect, it } from "vitest";
import { presentBatch, renewLocks } from "../../src/pool/presentations.store.js";
import { removeFromPool } from "../../src/pool/pool-changes.js";
import { readArrivals, readCallDelays, readTraffic } from "../../src/pool/traffic.store.js";
import { meanRate } from "../../src/pool/traffic-profile.js";
import { freshDatabase, rows } from "../support/database.js";
import { writeCalls, writeEvenLog } from "../support/pool-log.js";
import { allocationFor, ids, makeWorld, type World } from "../support/world.js";

const { db } = await freshDatabase();
const DAY_S = 86_400;
const WEEK_S = 7 * DAY_S;
const NOTHING = { observedS: 1, hourly: [], holdS: 0 };
const [{ now }] = (await rows<{ now: number }>(db, "select now() as now")) as [{ now: number }];

const trafficOf = ({ pool }: World, windowS = WEEK_S) => readTraffic(db, { pool, windowS });
const presentAgo = async (world: World, agoS: number, visitorId?: string) => {
  const [outcome] = await presentBatch(db, [allocationFor(world, visitorId)], now - agoS * 1_000);
  if (outcome?.kind !== "presented" && outcome?.kind !== "renewed") throw new Error("no number was presented");
  return outcome;
};

describe("a pool's measured traffic", () => {
  it("is nothing for a pool that nobody saw", async () => {
    const traffic = await trafficOf(await makeWorld(db, 2));
    expect(traffic).toEqual({ profile: null, visitsPerS: 0, pageTimeS: null, sampledShare: 1 });
  });

  it("counts allocations, not renewals, by the hour", async () => {
    const world = await makeWorld(db, 3, { sessionLifetimeS: 60 });
    const visitor = ids.next("vis");
    await presentAgo(world, 3 * 3_600 + 500, visitor);
    await presentAgo(world, 3 * 3_600 + 400, visitor);
    await presentAgo(world, 3 * 3_600 + 300);
    await presentAgo(world, 100);
    const { profile, visitsPerS } = await trafficOf(world);
    expect(profile?.observedS).toBeCloseTo(3 * 3_600 + 500, -2);
    expect(profile?.hourly).toEqual([1, 0, 0, 2]);
    expect(visitsPerS / meanRate(profile ?? NOTHING)).toBeCloseTo(4 / 3, 9);
  });

  it("watches a young pool for an hour at least, and never longer than the window", async () => {
    const world = await makeWorld(db, 3);
    await presentAgo(world, 2_000);
    await presentAgo(world, 10);
    expect((await trafficOf(world)).profile).toMatchObject({ observedS: 3_600, hourly: [2] });
    expect((await trafficOf(world, 3_000)).profile).toMatchObject({ observedS: 3_000, hourly: [2] });
    expect((await trafficOf(world, 600)).profile).toMatchObject({ observedS: 600, hourly: [1] });
  });

  it("holds a number for its lock, the visitor's return and the open page", async () => {
    const world = await makeWorld(db, 3, { sessionLifetimeS: 600 });
    const visitor = ids.next("vis");
    await presentAgo(world, 5_000, visitor);
    await presentAgo(world, 4_800, visitor);
    await presentAgo(world, 4_000);
    // One visitor's lock: 200 s until the return, then 600 s. The other's: 600 s.
    expect((await trafficOf(world)).profile?.holdS).toBeCloseTo(700, 6);
    const { presentationId } = await presentAgo(world, 3_000, visitor);
    const renewal = { accountId: world.account.id, visitorId: visitor, presentationIds: [presentationId] };
    await renewLocks(db, renewal, now - 2_700_000);
    // The page stayed open for 300 s; the other number's did not.
    const { profile, pageTimeS } = await trafficOf(world);
    expect(pageTimeS).toBeCloseTo(150, 6);
    expect(profile?.holdS).toBeCloseTo((200 + 600 + 600 + 600) / 2 + 150, 6);
  });

  it("counts what a number that has left the pool was presented in it", async () => {
    const world = await makeWorld(db, 2);
    const { promoNumber: e164 } = await presentAgo(world, 7_200);
    const deps = { db, ids, schedule: world.schedule };
    await removeFromPool(deps, { poolId: world.pool.id, e164, skipDraining: true, reason: "test", actor: "test" });
    expect((await trafficOf(world)).profile?.hourly.reduce((a, b) => a + b, 0)).toBe(1);
  });

  it("is sampled by numbers when the log is long, and comes out the same", async () => {
    const world = await makeWorld(db, 100);
    await writeEvenLog(db, world, { everyS: 40, visits: 6_500, lockS: 300, endedAgoS: 2 });
    const { profile, sampledShare } = await readTraffic(db, { pool: world.pool, windowS: WEEK_S }, 5_000);
    expect(sampledShare).toBeGreaterThan(0.7);
    expect(sampledShare).toBeLessThan(0.8);
    expect(meanRate(profile ?? NOTHING) * 40).toBeCloseTo(1, 2);
    expect(profile?.holdS).toBeCloseTo(300, 6);
    // 90 an hour, each number nine times in ten hours.
    const tens = Array.from({ length: 7 }, (_, i) => profile?.hourly.slice(i * 10, i * 10 + 10) ?? []);
    for (const ten of tens) expect(Math.abs(ten.reduce((a, b) => a + b, 0) - 900)).toBeLessThan(45);
  });

  it("looks less far back where one number alone has more visits than are read", async () => {
    const world = await makeWorld(db, 1, { sessionLifetimeS: 1 });
    await writeEvenLog(db, world, { everyS: 200, visits: 2_100, lockS: 1, endedAgoS: 2 });
    const { profile } = await readTraffic(db, { pool: world.pool, windowS: WEEK_S }, 2_000);
    expect(profile?.observedS).toBeCloseTo(WEEK_S / 4, -3);
    expect(meanRate(profile ?? NOTHING) * 200).toBeCloseTo(1, 2);
  });
});

describe("a pool's measured calls and arrivals", () => {
  it("are its own, within the window", async () => {
    const world = await makeWorld(db, 2);
    const other = await makeWorld(db, 1);
    const [number = ""] = world.numbers;
    await writeCalls(db, world, [
      { number, receivedAgoS: 100, delayS: 30 },
      { number, receivedAgoS: 90, delayS: 4_000 },
      { number, receivedAgoS: 8 * DAY_S, delayS: 7 },
    ]);
    await writeCalls(db, other, [{ number: other.numbers[0] ?? "", receivedAgoS: 50, delayS: 9 }]);
    const delays = await readCallDelays(db, { pool: world.pool, windowS: WEEK_S });
    expect(delays.map(Math.round).sort((a, b) => a - b)).toEqual([30, 4_000]);

    const visitor = ids.next("vis");
    await presentAgo(world, 500, visitor);
    await presentAgo(world, 300, visitor);
    await presentAgo(other, 200);
    const arrivals = await readArrivals(db, { pool: world.pool, windowS: WEEK_S });
    expect(arrivals.map((arrival) => arrival.visitor)).toEqual([visitor, visitor]);
    expect((arrivals[1]?.atS ?? 0) - (arrivals[0]?.atS ?? 0)).toBeCloseTo(200, 3);
  });
});
