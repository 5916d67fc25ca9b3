import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { updateAccount } from "../../src/account/accounts.store.js";
import { lookAtPool } from "../../src/pool/autoscale-run.js";
import type { NumberBuyer } from "../../src/pool/number-buyer.js";
import { createPool, deletePool, editPool } from "../../src/pool/pool-changes.js";
import { addExhaustions, listDuePools } from "../../src/pool/pool-scaling.store.js";
import { getPool, type Pool } from "../../src/pool/pools.store.js";
import { listDecisions, listOnOrder, type ScaleDecision } from "../../src/pool/scale-decisions.store.js";
import { scalePool } from "../../src/pool/scale-pool.js";
import { takeUpOrders } from "../../src/pool/take-up.js";
import { atTime } from "../support/at-time.js";
import { freshDatabase, rows } from "../support/database.js";
import { nextMillisecond } from "../support/next-millisecond.js";
import { StandInCarrier } from "../support/stand-in-carrier.js";
import {
  addInventory,
  farBillingDay,
  ids,
  makeWorld,
  RecordingSchedule,
  tollFreeNumbers,
  type World,
} from "../support/world.js";

const { db } = await freshDatabase();
const rule = { enabled: true, growthPercent: 100, maxStep: 50, intervalS: 300, minSize: 1 };
const deps = { db, ids, schedule: new RecordingSchedule(), canBuy: true };

/** Five numbers, room for a hundred, and nothing left in the inventory. */
async function exhausted(settings = {}): Promise<{ world: World; carrier: StandInCarrier }> {
  const world = await makeWorld(db, 5, { maxSize: 100, autoscale: rule, ...settings });
  await rows(db, "update promo_number set state = 'retired' where state = 'available'");
  await addExhaustions(db, [{ poolId: world.pool.id, count: 1, isUrgent: true }]);
  return { world, carrier: new StandInCarrier(db) };
}

const look = (poolId: string, canBuy = true) => lookAtPool({ ...deps, canBuy }, { poolId, by: "job", actor: "test" });
const takeUp = (poolId: string, buyer: NumberBuyer | null, database = db) =>
  takeUpOrders({ ...deps, db: database, buyer }, poolId);
const poolOf = (id: string): Promise<Pool> => getPool(db, { id, accountId: null });

async function latest(poolId: string): Promise<ScaleDecision> {
  const [decision] = await listDecisions(db, { poolId, before: "", limit: 1 });
  return decision as ScaleDecision;
}

describe("numbers that the inventory lacks", () => {
  it("are ordered under the decision's id, fitting the pool, and taken when they are here", async () => {
    const { world, carrier } = await exhausted();
    await addInventory(db, tollFreeNumbers(2));
    const decision = await look(world.pool.id);
    expect(decision).toMatchObject({ wanted: 5, added: 2, ordered: 3, onOrder: 3, outcome: "on_order", sizeAfter: 7 });
    await takeUp(world.pool.id, carrier);
    expect(carrier.asked).toEqual([
      {
        key: decision?.id,
        accountId: world.account.id,
        poolId: world.pool.id,
        numberType: "toll_free",
        npas: null,
        callingCode: null,
        count: 3,
        reason: decision?.reason,
        actor: "test",
      },
    ]);
    expect(await latest(world.pool.id)).toMatchObject({
      id: decision?.id,
      added: 5,
      onOrder: 0,
      outcome: "done",
      sizeAfter: 10,
    });
    expect((await poolOf(world.pool.id)).size).toBe(10);
    expect(await takeUp(world.pool.id, carrier)).toEqual([]);
    expect(carrier.asked).toHaveLength(1);
  });

  it("are bought once, however often the runner dies between buying and taking, and by however many runners", async () => {
    const { world, carrier } = await exhausted();
    await look(world.pool.id);
    carrier.breaks = true;
    for (let attempt = 0; attempt < 3; attempt++) await expect(takeUp(world.pool.id, carrier)).rejects.toThrow("broke");
    carrier.breaks = false;
    await Promise.all(Array.from({ length: 6 }, () => takeUp(world.pool.id, carrier)));
    expect(carrier.paid).toBe(5);
    expect((await poolOf(world.pool.id)).size).toBe(10);
    expect(await listDecisions(db, { poolId: world.pool.id, before: "", limit: 9 })).toHaveLength(1);
  });

  it("that come later are taken up by the next look, and hold back further orders meanwhile", async () => {
    const { world, carrier } = await exhausted();
    carrier.atOnce = 1;
    await look(world.pool.id);
    await takeUp(world.pool.id, carrier);
    expect(await latest(world.pool.id)).toMatchObject({ added: 1, onOrder: 4, outcome: "on_order" });
    await addExhaustions(db, [{ poolId: world.pool.id, count: 1, isUrgent: true }]);
    const later = atTime(db, Date.now() + 301_000);
    const again = await lookAtPool({ ...deps, db: later }, { poolId: world.pool.id, by: "job", actor: "test" });
    // The step of six is four on their way and two more.
    expect(again).toMatchObject({ wanted: 2, ordered: 2, inputs: { on_order: 4, size: 6 } });
    carrier.atOnce = Number.POSITIVE_INFINITY;
    await carrier.deliver();
    await takeUp(world.pool.id, carrier);
    expect((await poolOf(world.pool.id)).size).toBe(12);
    expect(await listOnOrder(db, world.pool.id)).toEqual([]);
    expect(carrier.paid).toBe(7);
  });

  it("that are refused or sold out end the decision with the reason", async () => {
    const { world, carrier } = await exhausted();
    carrier.stock = 2;
    await look(world.pool.id);
    await takeUp(world.pool.id, carrier);
    const decision = await latest(world.pool.id);
    expect(decision).toMatchObject({ added: 2, ordered: 5, onOrder: 0, outcome: "partial" });
    expect(decision.reason).toMatch(/3 could not be bought: sold out\.$/);

    const other = await exhausted();
    await look(other.world.pool.id);
    await takeUp(other.world.pool.id, null);
    expect(await latest(other.world.pool.id)).toMatchObject({ added: 0, outcome: "nothing" });
    expect((await latest(other.world.pool.id)).reason).toContain("no carrier");
  });

  it("that never come are given up after a week", async () => {
    const { world, carrier } = await exhausted();
    carrier.atOnce = 0;
    await look(world.pool.id);
    await takeUp(world.pool.id, carrier);
    expect(await takeUp(world.pool.id, carrier, atTime(db, Date.now() + 6 * 86_400_000))).toEqual([]);
    await takeUp(world.pool.id, carrier, atTime(db, Date.now() + 8 * 86_400_000));
    expect(await latest(world.pool.id)).toMatchObject({ onOrder: 0, outcome: "nothing" });
    expect((await latest(world.pool.id)).reason).toContain("5 were not delivered within 7 days");
  });

  it("stay in the inventory when the pool may not hold them any more", async () => {
    const { world, carrier } = await exhausted();
    await look(world.pool.id);
    await editPool(deps, { poolId: world.pool.id, changes: { maxSize: 6 }, destination: null, actor: "test" });
    await takeUp(world.pool.id, carrier);
    expect(await poolOf(world.pool.id)).toMatchObject({ size: 6 });
    expect((await latest(world.pool.id)).reason).toContain("4 stay in the inventory");
  });

  it("each say what became of them, while others are still to come", async () => {
    const { world, carrier } = await exhausted();
    carrier.atOnce = 4;
    await look(world.pool.id);
    await editPool(deps, { poolId: world.pool.id, changes: { maxSize: 7 }, destination: null, actor: "test" });
    await takeUp(world.pool.id, carrier);
    expect(await latest(world.pool.id)).toMatchObject({ added: 2, onOrder: 1, outcome: "on_order" });
    expect((await latest(world.pool.id)).reason).toMatch(/2 stay in the inventory\.$/);
    const other = await exhausted();
    await look(other.world.pool.id);
    other.carrier.quicker = 3;
    await takeUp(other.world.pool.id, other.carrier);
    expect((await latest(other.world.pool.id)).reason).toMatch(/3 went elsewhere from the inventory\.$/);
  });

  it("are not taken by a pool that was deleted or told not to scale itself", async () => {
    const gone = await exhausted();
    await look(gone.world.pool.id);
    await deletePool(deps, { poolId: gone.world.pool.id, actor: "test" });
    expect(await takeUp(gone.world.pool.id, gone.carrier)).toEqual([]);
    expect(gone.carrier.asked).toEqual([]);
    const off = await exhausted();
    await look(off.world.pool.id);
    await editPool(deps, { poolId: off.world.pool.id, changes: { autoscale: null }, destination: null, actor: "test" });
    expect(await takeUp(off.world.pool.id, off.carrier)).toEqual([]);
    expect((await latest(off.world.pool.id)).reason).toContain("switched off");
  });
});

describe("scaling to a size", () => {
  const scale = (poolId: string, size: number, buy: boolean, canBuy = true) =>
    scalePool({ ...deps, canBuy }, { poolId, size, buy, actor: "key:1" });

  it("buys nothing unless asked; the refusal is stored", async () => {
    const { world } = await exhausted();
    await expect(scale(world.pool.id, 8, false)).rejects.toMatchObject({ code: "inventory_short" });
    expect(await latest(world.pool.id)).toMatchObject({
      trigger: "asked",
      wanted: 3,
      outcome: "nothing",
      code: "inventory_short",
      actor: "key:1",
    });
    await expect(scale(world.pool.id, 8, true, false)).rejects.toMatchObject({ code: "inventory_short" });
    await nextMillisecond();
    await expect(scale(world.pool.id, 101, true)).rejects.toMatchObject({ code: "conflict" });
    expect(await latest(world.pool.id)).toMatchObject({ code: "conflict", inputs: { asked_size: 101, max_size: 100 } });
  });

  it("takes what is there and orders the rest when asked, also for a pool that does not scale itself", async () => {
    const { world, carrier } = await exhausted({ autoscale: null });
    await addInventory(db, tollFreeNumbers(1));
    const { pool, decision } = await scale(world.pool.id, 8, true);
    expect(pool.size).toBe(6);
    expect(decision).toMatchObject({ wanted: 3, added: 1, ordered: 2, onOrder: 2, outcome: "on_order" });
    expect(await listDuePools(db, { graceS: 0, limit: 1000 })).toContain(world.pool.id);
    // What is on its way is not ordered again.
    expect((await scale(world.pool.id, 8, true)).decision).toMatchObject({ ordered: 0, outcome: "nothing" });
    await takeUp(world.pool.id, carrier);
    expect(carrier.paid).toBe(2);
    expect((await poolOf(world.pool.id)).size).toBe(8);
  });

  it("within the account's limits, told before anything is bought", async () => {
    const { world } = await exhausted();
    await updateAccount(db, world.account.id, { numberLimit: 7 });
    await expect(scale(world.pool.id, 8, true)).rejects.toMatchObject({ code: "account_limit" });
    expect((await scale(world.pool.id, 7, true)).decision).toMatchObject({ ordered: 2 });
    // The two that are on order have taken the last places.
    await addInventory(db, tollFreeNumbers(1));
    await expect(scale(world.pool.id, 6, false)).rejects.toMatchObject({ code: "account_limit" });
  });

  it("gives up what is on order beyond that, the latest first: later orders of a person end earlier ones", async () => {
    const { world, carrier } = await exhausted({ autoscale: null });
    await scale(world.pool.id, 8, true);
    await nextMillisecond();
    await scale(world.pool.id, 10, true);
    await scale(world.pool.id, 7, true);
    const [last, second, first] = await listDecisions(db, { poolId: world.pool.id, before: "", limit: 9 });
    expect([first?.onOrder, second?.onOrder, last?.onOrder]).toEqual([2, 0, 0]);
    expect([first?.outcome, second?.outcome, last?.outcome]).toEqual(["on_order", "nothing", "nothing"]);
    expect(second?.reason).toContain("Given up: the pool was scaled to 7.");
    await takeUp(world.pool.id, carrier);
    // Nothing had been ordered of the carrier yet, so nothing too much is.
    expect([carrier.paid, (await poolOf(world.pool.id)).size]).toEqual([2, 7]);

    await scale(world.pool.id, 9, true);
    carrier.atOnce = 0;
    await takeUp(world.pool.id, carrier);
    await scale(world.pool.id, 3, false);
    await carrier.deliver();
    await takeUp(world.pool.id, carrier);
    expect((await poolOf(world.pool.id)).size).toBe(3);
    expect(await listOnOrder(db, world.pool.id)).toEqual([]);
  });

  it("down drains, up and nothing are stored", async () => {
    const { world } = await exhausted();
    expect((await scale(world.pool.id, 3, false)).decision).toMatchObject({
      wanted: -2,
      removed: 2,
      outcome: "done",
      sizeAfter: 3,
    });
    expect((await scale(world.pool.id, 3, false)).decision).toMatchObject({
      wanted: 0,
      outcome: "nothing",
      code: "asked",
    });
    await addInventory(db, tollFreeNumbers(1));
    expect((await scale(world.pool.id, 4, false)).decision).toMatchObject({ wanted: 1, added: 1, outcome: "done" });
  });
});

describe("a traffic spike", () => {
  it("over many pools and runners, with a carrier that breaks now and then, never spends more than the month's budget", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 12 }),
        fc.array(fc.record({ pool: fc.nat(3), breaks: fc.boolean(), atOnce: fc.constantFrom(0, 1, 100) }), {
          minLength: 4,
          maxLength: 16,
        }),
        async (cap, runs) => {
          const { world, carrier } = await exhausted();
          const pools = [world.pool];
          for (const i of [1, 2, 3]) {
            const pool = {
              ...world.pool,
              kind: "campaign" as const,
              campaign: `c${i}`,
              maxSize: 100,
              autoscale: { ...rule, minSize: 90 },
            };
            pools.push(await createPool(deps, { pool, fillImmediately: false, actor: "test" }));
          }
          const [before] = await rows<{ count: number }>(
            db,
            "select count(*) from number_event where account_id = $1 and state = 'assigned'",
            [world.account.id],
          );
          const taken = (before as { count: number }).count;
          await updateAccount(db, world.account.id, { monthlyNumberCap: taken + cap, billingDay: farBillingDay() });
          let clock = Date.now();
          await Promise.all(
            runs.map(async ({ pool, breaks, atOnce }) => {
              const { id } = pools[pool] as Pool;
              clock += 301_000;
              await lookAtPool(
                { ...deps, db: atTime(db, Math.min(clock, Date.now() + 3_600_000)) },
                { poolId: id, by: "asked", actor: "test" },
              );
              carrier.atOnce = atOnce;
              carrier.breaks = breaks;
              await takeUp(id, carrier).catch((error: unknown) => expect(String(error)).toContain("broke"));
            }),
          );
          carrier.breaks = false;
          await carrier.deliver();
          for (const { id } of pools) await takeUp(id, carrier);
          expect(carrier.paid).toBeLessThanOrEqual(cap);
          const [after] = await rows<{ taken: number; on_order: number }>(
            db,
            "select taken, on_order from account_numbers($1, now())",
            [world.account.id],
          );
          expect(after?.taken).toBeLessThanOrEqual(taken + cap);
          expect(after?.on_order).toBe(0);
        },
      ),
      { numRuns: 15 },
    );
  });
});
