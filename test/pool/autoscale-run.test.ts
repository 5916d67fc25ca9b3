import { describe, expect, it } from "vitest";
import type { Database } from "../../src/db/database.js";
import { updateAccount } from "../../src/account/accounts.store.js";
import { foreseeLook, lookAtPool } from "../../src/pool/autoscale-run.js";
import { assignNumber } from "../../src/pool/number-moves.js";
import { lockNumber } from "../../src/pool/numbers.store.js";
import { addExhaustions, listDuePools } from "../../src/pool/pool-scaling.store.js";
import { addNumbers, createPool, editPool, removeFromPool } from "../../src/pool/pool-changes.js";
import { getPool, type NewPool } from "../../src/pool/pools.store.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { listDecisions, type ScaleDecision } from "../../src/pool/scale-decisions.store.js";
import { openCall } from "../../src/routing/open-call.js";
import type { E164 } from "../../src/telephony/e164.js";
import { atTime } from "../support/at-time.js";
import { freshDatabase, rows } from "../support/database.js";
import {
  addInventory,
  allocationFor,
  farBillingDay,
  ids,
  inboundCall,
  makeWorld,
  RecordingSchedule,
  secrets,
  tollFreeNumbers,
  type World,
} from "../support/world.js";

const { db } = await freshDatabase();
const DAY = 86_400_000;
const rule = { enabled: true, growthPercent: 20, maxStep: 50, intervalS: 300, minSize: 1 };

function depsOf(database: Database = db, canBuy = false) {
  return { db: database, ids, schedule: new RecordingSchedule(), canBuy };
}

/** A pool of `size` numbers for visitors that may grow to a hundred. In no month's last hours, when numbers go that may stay otherwise. */
async function growing(size: number, settings: Partial<NewPool> = {}): Promise<World> {
  const world = await makeWorld(db, size, { maxSize: 100, autoscale: rule, ...settings });
  await updateAccount(db, world.account.id, { billingDay: farBillingDay() });
  return world;
}

function exhaust(world: World, count = 1): Promise<void> {
  return addExhaustions(db, [{ poolId: world.pool.id, count, isUrgent: true }]);
}

function look(world: World, by: "job" | "asked" = "job", database: Database = db): Promise<ScaleDecision | null> {
  return lookAtPool(depsOf(database), { poolId: world.pool.id, by, actor: "test" });
}

async function sizeOf(world: World): Promise<number> {
  return (await getPool(db, { id: world.pool.id, accountId: null })).size;
}

const decisionsOf = (world: World) => listDecisions(db, { poolId: world.pool.id, before: "", limit: 100 });

describe("a look at a pool", () => {
  it("that needs nothing leaves no decision behind, and the pool is not due before its interval is over", async () => {
    const world = await growing(5);
    expect(await listDuePools(db, { graceS: 0, limit: 1000 })).toContain(world.pool.id);
    expect(await look(world)).toBeNull();
    expect(await decisionsOf(world)).toEqual([]);
    expect(await listDuePools(db, { graceS: 0, limit: 1000 })).not.toContain(world.pool.id);
    const later = atTime(db, Date.now() + 300_000);
    expect(await listDuePools(later, { graceS: 0, limit: 1000 })).toContain(world.pool.id);
  });

  it("after an exhaustion takes the lowest numbers of the inventory, and says why, from which inputs", async () => {
    const world = await growing(10);
    const numbers = tollFreeNumbers(3);
    await addInventory(db, numbers);
    await exhaust(world, 3);
    const decision = await look(world);
    expect(decision).toMatchObject({
      poolId: world.pool.id,
      accountId: world.account.id,
      trigger: "exhausted",
      wanted: 2,
      added: 2,
      outcome: "done",
      code: "need",
      sizeBefore: 10,
      sizeAfter: 12,
      inputs: { exhaustions: 3, size: 10, usable: 10, locked: 0, max_size: 100, growth_percent: 20, can_buy: false },
    });
    expect(await sizeOf(world)).toBe(12);
    const taken = await rows(db, "select e164 from promo_number where e164 = any ($1) and pool_id = $2 order by 1", [
      numbers,
      world.pool.id,
    ]);
    expect(taken.map((row) => row["e164"])).toEqual(numbers.slice(0, 2));
    const [event] = await rows(
      db,
      "select reason, actor from number_event where pool_id = $1 order by id desc limit 1",
      [world.pool.id],
    );
    expect(event).toEqual({ reason: `autoscaled: ${(decision as ScaleDecision).reason}`, actor: "test" });
    expect(await decisionsOf(world)).toEqual([decision]);
  });

  it("grows one step an interval; exhaustions between two steps are the next one's reason", async () => {
    const world = await growing(10);
    await addInventory(db, tollFreeNumbers(10));
    await exhaust(world);
    await look(world);
    await exhaust(world, 7);
    expect(await look(world)).toBeNull();
    expect(await look(world, "asked")).toMatchObject({ trigger: "asked", outcome: "nothing", code: "too_soon" });
    expect(await sizeOf(world)).toBe(12);
    const later = await look(world, "job", atTime(db, Date.now() + 301_000));
    expect(later).toMatchObject({ added: 2, trigger: "exhausted", inputs: { exhaustions: 7 } });
    expect(await look(world, "job", atTime(db, Date.now() + 605_000))).toBeNull();
    expect(await sizeOf(world)).toBe(14);
  });

  it("by many runners at once is one step", async () => {
    const world = await growing(10);
    await addInventory(db, tollFreeNumbers(20));
    await exhaust(world);
    const decisions = await Promise.all(Array.from({ length: 12 }, () => look(world)));
    expect(decisions.filter((decision) => decision !== null)).toHaveLength(1);
    expect(await sizeOf(world)).toBe(12);
    expect(await decisionsOf(world)).toHaveLength(1);
  });

  it("of a pool that does not scale itself does nothing, whoever looks and however full it is", async () => {
    const world = await growing(2, { autoscale: { ...rule, enabled: false } });
    await addInventory(db, tollFreeNumbers(5));
    await presentBatch(db, [allocationFor(world), allocationFor(world)]);
    await exhaust(world, 100);
    expect(await listDuePools(db, { graceS: 0, limit: 1000 })).not.toContain(world.pool.id);
    expect(await look(world)).toBeNull();
    expect(await look(world, "asked")).toMatchObject({ outcome: "nothing", code: "off", trigger: "asked" });
    expect(await sizeOf(world)).toBe(2);
  });

  it("of a pool whose numbers are nearly all locked grows it before anybody is without one", async () => {
    const world = await growing(4);
    await addInventory(db, tollFreeNumbers(1));
    await presentBatch(db, [allocationFor(world), allocationFor(world), allocationFor(world)]);
    expect(await look(world)).toMatchObject({
      trigger: "schedule",
      added: 1,
      inputs: { locked: 3, usable: 4, exhaustions: 0 },
    });
  });

  it("brings a pool that its first fill left short up to its smallest size, the overflow number included", async () => {
    const world = await growing(1, { autoscale: { ...rule, minSize: 3 } });
    await editPool(depsOf(), {
      poolId: world.pool.id,
      changes: { overflow: "overflow_number" },
      destination: null,
      actor: "test",
    });
    await addInventory(db, tollFreeNumbers(2));
    expect(await look(world)).toMatchObject({ code: "need", added: 1 });
    const grown = await getPool(db, { id: world.pool.id, accountId: null });
    expect(grown).toMatchObject({ size: 2, overflowNumber: expect.stringMatching(/^\+1888/) });
    expect(await look(world, "job", atTime(db, Date.now() + 301_000))).toMatchObject({ added: 1, sizeAfter: 3 });
    expect(await look(world, "job", atTime(db, Date.now() + 602_000))).toBeNull();
  });

  it("that finds the inventory empty is told once an hour, not at each look", async () => {
    const world = await growing(3, { numberType: "local", npa: "907" });
    const at = (seconds: number) => atTime(db, Date.now() + seconds * 1000);
    expect(await look(world)).toMatchObject({ outcome: "nothing", code: "inventory_short", wanted: 1 });
    for (const seconds of [301, 602, 903]) expect(await look(world, "job", at(seconds))).toBeNull();
    expect(await look(world, "job", at(3_700))).toMatchObject({ code: "inventory_short" });
  });

  it("begins to count when autoscaling is switched on", async () => {
    const world = await growing(3, { autoscale: null });
    await addInventory(db, tollFreeNumbers(1));
    await exhaust(world, 9);
    await editPool(depsOf(), { poolId: world.pool.id, changes: { autoscale: rule }, destination: null, actor: "test" });
    expect(await look(world)).toBeNull();
    await exhaust(world);
    expect(await look(world)).toMatchObject({ inputs: { exhaustions: 1 } });
  });

  it("is foreseen without a trace", async () => {
    const world = await growing(10);
    await addInventory(db, tollFreeNumbers(2));
    await exhaust(world);
    const snapshot = () => rows(db, "select * from pool_scaling where pool_id = $1", [world.pool.id]);
    const before = await snapshot();
    const foreseen = await foreseeLook(depsOf(), world.pool.id);
    expect(foreseen).toMatchObject({
      wanted: 2,
      added: 2,
      sizeBefore: 10,
      sizeAfter: 12,
      outcome: "done",
      code: "need",
    });
    expect([await snapshot(), await decisionsOf(world), await sizeOf(world)]).toEqual([before, [], 10]);
    const { id: _, at: __, actor: ___, trigger: ____, ...done } = (await look(world)) as ScaleDecision;
    expect(foreseen).toMatchObject({ ...done, inputs: { ...done.inputs, horizon_s: foreseen.inputs["horizon_s"] } });
  });
});

/** The first `count` numbers were neither presented nor moved for so long. */
async function leaveUnused(world: World, ms: number, count = world.numbers.length): Promise<void> {
  await rows(db, "update promo_number set state_since = now() - make_interval(secs => $2) where e164 = any ($1)", [
    world.numbers.slice(0, count),
    ms / 1000,
  ]);
}

async function statesOf(world: World): Promise<unknown[]> {
  const found = await rows(db, "select state from promo_number where e164 = any ($1) order by e164", [world.numbers]);
  return found.map((row) => row["state"]);
}

describe("a pool with numbers that nobody uses", () => {
  it("gives them up step by step after a week, presented longest ago first, and keeps its smallest size", async () => {
    const world = await growing(10, { autoscale: { ...rule, minSize: 7 } });
    await leaveUnused(world, 8 * DAY);
    const decision = await look(world);
    expect(decision).toMatchObject({
      wanted: -2,
      removed: 2,
      outcome: "done",
      code: "idle",
      sizeBefore: 10,
      sizeAfter: 8,
    });
    expect(await statesOf(world)).toEqual([...Array(2).fill("quarantined"), ...Array(8).fill("assigned")]);
    expect(await look(world, "job", atTime(db, Date.now() + 301_000))).toMatchObject({ removed: 1, sizeAfter: 7 });
    expect(await look(world, "job", atTime(db, Date.now() + 602_000))).toBeNull();
    expect(await sizeOf(world)).toBe(7);
  });

  it("keeps what was presented, called, held open or added lately, and the overflow number for good", async () => {
    const world = await growing(6, { overflow: "overflow_number" });
    const [presented = "", called = "", open = "", added = "", unused = ""] = world.numbers;
    await leaveUnused(world, 40 * DAY);
    const ago = (sql: string, number: string) => rows(db, `update promo_number set ${sql} where e164 = $1`, [number]);
    await rows(db, "update promo_number set state_since = now() - interval '40 days' where pool_id = $1", [
      world.pool.id,
    ]);
    await ago("last_presented_at = now() - interval '6 days'", presented);
    await openCall({ db, ids, secrets }, { call: inboundCall(called), callId: ids.next("call"), late: null });
    await ago("locked_until = now() + interval '1 minute', last_presented_at = now() - interval '30 days'", open);
    await ago("state_since = now() - interval '6 days'", added);
    const decision = await look(world);
    expect(decision).toMatchObject({ removed: 1, code: "idle", inputs: { unused_for_week: 2 } });
    expect(
      await rows(db, "select e164 from promo_number where e164 = any ($1) and state <> 'assigned'", [world.numbers]),
    ).toEqual([{ e164: unused }]);
    // A call of a while ago is none any more.
    await rows(db, "update call set received_at = received_at - interval '20 days' where promo_number = $1", [called]);
    expect(await look(world, "job", atTime(db, Date.now() + 301_000))).toMatchObject({
      inputs: { unused_for_week: 2 },
    });
    expect((await getPool(db, { id: world.pool.id, accountId: null })).overflowNumber).not.toBeNull();
  });

  it("gives up all of them in the last hours of the billing cycle, and not before", async () => {
    const world = await growing(10);
    await updateAccount(db, world.account.id, { billingDay: 15, timeZone: "America/New_York" });
    await leaveUnused(world, 3 * DAY + 1000);
    // From the first 15th of a month that is a day away at least, New York time.
    const [cycle] = await rows<{ ends_at: number }>(
      db,
      "select ends_at from billing_cycle(15, 'America/New_York', now() + interval '2 days')",
    );
    const endsAt = (cycle as { ends_at: number }).ends_at;
    await rows(db, "update promo_number set state_since = $2 where e164 = any ($1)", [
      world.numbers,
      new Date(endsAt - 5 * DAY).toISOString(),
    ]);
    expect(await look(world, "job", atTime(db, endsAt - 6 * 3_600_000 - 1))).toBeNull();
    const decision = await look(world, "job", atTime(db, endsAt - 5 * 3_600_000));
    expect(decision).toMatchObject({
      code: "billing_boundary",
      wanted: -9,
      removed: 9,
      sizeAfter: 1,
      trigger: "schedule",
    });
    expect(decision?.inputs["cycle_ends_at"]).toBe(new Date(endsAt).toISOString());
  });

  it("drains, and does not cut off, whoever was presented one within an older and longer retention", async () => {
    const world = await growing(2, { retentionS: 259_200 });
    await presentBatch(db, [allocationFor(world)]);
    await editPool(depsOf(), {
      poolId: world.pool.id,
      changes: { sessionLifetimeS: 1, retentionS: 1 },
      destination: null,
      actor: "test",
    });
    await rows(db, "update promo_number set state_since = now() - interval '9 days' where pool_id = $1", [
      world.pool.id,
    ]);
    // Eight days later the lock is long over; the retention that was promised would be as well, so it is moved.
    const later = Date.now() + 8 * DAY;
    await rows(db, "update promo_number set retained_until = $2 where pool_id = $1 and visitor_id is not null", [
      world.pool.id,
      new Date(later + DAY).toISOString(),
    ]);
    expect(await look(world, "job", atTime(db, later))).toMatchObject({ removed: 1, inputs: { unused_for_week: 1 } });
    expect(await sizeOf(world)).toBe(1);
  });
});

describe("the account's limits", () => {
  it("hold for creation: a partial fill, with the reason stored", async () => {
    const world = await growing(1);
    await updateAccount(db, world.account.id, { numberLimit: 3 });
    await addInventory(db, tollFreeNumbers(10));
    const deps = depsOf();
    const pool = await createPool(deps, {
      pool: { ...world.pool, kind: "campaign", campaign: "x", maxSize: 6, overflow: "overflow_number" },
      fillImmediately: true,
      actor: "test",
    });
    expect(pool).toMatchObject({ size: 2, overflowNumber: expect.any(String) });
    const [decision] = await listDecisions(db, { poolId: pool.id, before: "", limit: 10 });
    expect(decision).toMatchObject({
      trigger: "created",
      wanted: 6,
      added: 2,
      outcome: "partial",
      code: "number_limit",
    });
    expect(decision?.reason).toContain("holds 1 of at most 3 numbers");
  });

  it("hold for numbers by count and by name; draining ones coming back are the account's already", async () => {
    const world = await growing(2);
    await updateAccount(db, world.account.id, { monthlyNumberCap: 3, billingDay: farBillingDay() });
    const [a = "", b = ""] = tollFreeNumbers(2);
    await addInventory(db, [a, b] as never);
    const add = (input: { count: number } | { numbers: string[] }) =>
      addNumbers(depsOf(), { poolId: world.pool.id, ...input, actor: "test" });
    await expect(add({ count: 2 })).rejects.toMatchObject({ code: "account_limit" });
    await expect(add({ numbers: [a, b] })).rejects.toMatchObject({ code: "account_limit" });
    expect((await add({ numbers: [a] })).size).toBe(3);
    await expect(add({ count: 1 })).rejects.toMatchObject({
      code: "account_limit",
      message: expect.stringContaining("3 of 3"),
    });
    await presentBatch(db, [allocationFor(world), allocationFor(world), allocationFor(world)]);
    const why = { reason: "test", actor: "test" };
    await removeFromPool(depsOf(), { poolId: world.pool.id, e164: a, skipDraining: false, ...why });
    expect((await add({ numbers: [a] })).size).toBe(3);
  });

  it("hold for autoscaling, and a new cycle brings new room", async () => {
    const world = await growing(10);
    await updateAccount(db, world.account.id, { monthlyNumberCap: 11, billingDay: farBillingDay() });
    await addInventory(db, tollFreeNumbers(10));
    await exhaust(world);
    expect(await look(world)).toMatchObject({
      wanted: 1,
      added: 1,
      inputs: { monthly_number_cap: 11, numbers_taken: 10 },
    });
    await exhaust(world);
    const soon = await look(world, "job", atTime(db, Date.now() + 301_000));
    expect(soon).toMatchObject({ outcome: "nothing", code: "monthly_number_cap" });
    await exhaust(world);
    const next = await look(world, "job", atTime(db, Date.now() + 32 * DAY));
    expect(next).toMatchObject({ added: 2, inputs: { numbers_taken: 0 } });
  });

  it("hold for all pools of an account that are exhausted at the same moment", async () => {
    const world = await growing(1);
    const deps = depsOf();
    const pools = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        createPool(deps, {
          pool: {
            ...world.pool,
            kind: "campaign",
            campaign: `c${i}`,
            maxSize: 100,
            autoscale: { ...rule, minSize: 50, growthPercent: 1000 },
          },
          fillImmediately: false,
          actor: "test",
        }),
      ),
    );
    await addInventory(db, tollFreeNumbers(100));
    const held = await rows<{ count: number }>(db, "select count(*) from promo_number where account_id = $1", [
      world.account.id,
    ]);
    await updateAccount(db, world.account.id, { numberLimit: (held[0] as { count: number }).count + 5 });
    await addExhaustions(
      db,
      pools.map(({ id }) => ({ poolId: id, count: 1, isUrgent: true })),
    );
    await Promise.all(
      [1, 2, 3].flatMap(() => pools.map(({ id }) => lookAtPool(depsOf(), { poolId: id, by: "job", actor: "test" }))),
    );
    const after = await rows<{ count: number }>(db, "select count(*) from promo_number where account_id = $1", [
      world.account.id,
    ]);
    expect((after[0] as { count: number }).count).toBe((held[0] as { count: number }).count + 5);
  });

  it("are held by the database for whoever forgets them", async () => {
    const world = await growing(1);
    await updateAccount(db, world.account.id, { numberLimit: 1 });
    const [number] = tollFreeNumbers(1);
    await addInventory(db, [number] as never);
    const assign = rows(
      db,
      `update promo_number set state = 'assigned', role = 'pool', account_id = $2, pool_id = $3, ownership_epoch = ownership_epoch + 1 where e164 = $1`,
      [number, world.account.id, world.pool.id],
    );
    await expect(assign).rejects.toMatchObject({
      code: "RM001",
      message: expect.stringContaining("may not take number"),
    });
  });

  it("are an account_limit for whoever assigns a number without asking before", async () => {
    const world = await growing(1);
    await updateAccount(db, world.account.id, { numberLimit: 1 });
    const [number] = tollFreeNumbers(1) as [E164];
    await addInventory(db, [number]);
    const assign = db.transaction(async (tx) =>
      assignNumber(tx, await lockNumber(tx, number), {
        accountId: world.account.id,
        poolId: world.pool.id,
        role: "pool",
        reason: "test",
        actor: "test",
      }),
    );
    await expect(assign).rejects.toMatchObject({ code: "account_limit" });
  });

  it("a decision is final, and never deleted", async () => {
    const world = await growing(1);
    await look(world, "asked");
    const refused = { code: "23514" };
    await expect(
      rows(db, "update scale_decision set reason = 'x' where pool_id = $1", [world.pool.id]),
    ).rejects.toMatchObject(refused);
    await expect(rows(db, "delete from scale_decision where pool_id = $1", [world.pool.id])).rejects.toMatchObject(
      refused,
    );
  });
});
