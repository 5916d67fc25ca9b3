/** Pools whose destination has no area code: every way numbers come into them brings those of its country, and no others. */
import { describe, expect, it } from "vitest";
import { lookAtPool } from "../../src/pool/autoscale-run.js";
import type { NumberOrder } from "../../src/pool/number-buyer.js";
import { listNumbers } from "../../src/pool/numbers.store.js";
import { addNumbers, createPool, removeFromPool } from "../../src/pool/pool-changes.js";
import { addExhaustions } from "../../src/pool/pool-scaling.store.js";
import { getPool, type NewPool } from "../../src/pool/pools.store.js";
import { listDecisions } from "../../src/pool/scale-decisions.store.js";
import { scalePool } from "../../src/pool/scale-pool.js";
import { createStatic } from "../../src/pool/static-numbers.js";
import { takeUpOrders } from "../../src/pool/take-up.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase } from "../support/database.js";
import { addInventory, ids, makeAccount, makeDestination, RecordingSchedule } from "../support/world.js";

const { db } = await freshDatabase();
const deps = { db, ids, schedule: new RecordingSchedule(), canBuy: true };
const autoscale = { enabled: true, growthPercent: 100, maxStep: 50, intervalS: 300, minSize: 1 };

// Before and behind the British ones in the order of digits, always there, and never taken.
const FOREIGN = ["+12065550119", "+33170189119", "+35312345678", "+4315550119", "+4530901820", "+18885550119"];
await addInventory(db, FOREIGN as E164[]);

let line = 0;
/** The next British numbers. */
const british = (count: number) => Array.from({ length: count }, () => `+44207946${String(1000 + line++)}` as E164);

async function poolAbroad(settings: Partial<NewPool> = {}) {
  const account = await makeAccount(db);
  const destination = await makeDestination(db, account, "+442079460018");
  const pool = await createPool(deps, {
    pool: {
      ...{ accountId: account.id, destinationId: destination.id, name: "London", kind: "automatic", campaign: null },
      ...{ numberType: "local", npa: null, npaFallback: [], sessionLifetimeS: 60, retentionS: 600, drainS: 600 },
      ...{ maxSize: 3, overflow: "original_number", autoscale: null, ...settings },
    },
    fillImmediately: true,
    actor: "test",
  });
  const held = async () => {
    const page = { accountId: null, state: null, type: null, npa: null, after: "", limit: 500 };
    return (await listNumbers(db, { ...page, poolId: pool.id })).map(({ e164 }) => e164);
  };
  return { account, destination, pool, held };
}

describe("a pool abroad", () => {
  it("is filled with its country's numbers, lowest first, as far as there are any; the decision says what is short", async () => {
    const numbers = british(2);
    const { pool, held } = await poolAbroad();
    await addInventory(db, numbers);
    expect(pool.size).toBe(0);
    const [decision] = await listDecisions(db, { poolId: pool.id, before: "", limit: 1 });
    expect(decision).toMatchObject({ code: "inventory_short", added: 0 });
    expect(decision?.reason).toBe("The first fill got 0 of 3 numbers: the inventory has no more local (+44) numbers.");
    const second = await poolAbroad();
    expect(second.pool.size).toBe(2);
    expect(await second.held()).toEqual(numbers);
    expect(await held()).toEqual([]);
  });

  it("has its overflow number too", async () => {
    const numbers = british(3);
    await addInventory(db, numbers);
    const { pool, held } = await poolAbroad({ overflow: "overflow_number" });
    expect(pool).toMatchObject({ size: 3, overflowNumber: numbers[2] });
    expect(await held()).toEqual(numbers);
  });

  it("takes them by count, by scaling and by name, back from draining as well; another country's by no name", async () => {
    const { pool, held } = await poolAbroad({ maxSize: 9 });
    const numbers = british(4);
    await addInventory(db, numbers);
    const more = { poolId: pool.id, actor: "test" };
    await addNumbers(deps, { ...more, count: 1 });
    await scalePool({ ...deps, canBuy: false }, { ...more, size: 3, buy: false });
    await addNumbers(deps, { ...more, numbers: numbers.slice(3) });
    expect(await held()).toEqual(numbers);
    await db.query({
      name: "",
      text: `update promo_number set last_presented_at = now(), retained_until = now() + interval '1 hour' where e164 = '${String(numbers[0])}'`,
    });
    const removed = { ...more, e164: numbers[0] as E164, skipDraining: false, reason: "test" };
    expect((await removeFromPool(deps, removed)).state).toBe("draining");
    expect((await addNumbers(deps, { ...more, numbers: numbers.slice(0, 1) })).size).toBe(4);
    for (const e164 of FOREIGN) {
      const adding = addNumbers(deps, { ...more, numbers: [e164] });
      await expect(adding).rejects.toMatchObject({ code: "conflict", message: `${e164} is not a local (+44) number.` });
    }
    await expect(addNumbers(deps, { ...more, count: 1 })).rejects.toMatchObject({
      code: "inventory_short",
      message: "The inventory has 0 of 1 matching local (+44) numbers; import or buy more.",
    });
  });

  it("autoscaled, takes what is there, and orders and takes up its country's numbers for the rest", async () => {
    const filled = british(4);
    await addInventory(db, filled);
    const { pool, held } = await poolAbroad({ maxSize: 20, autoscale });
    const there = british(2);
    await addInventory(db, there);
    await addExhaustions(db, [{ poolId: pool.id, count: 1, isUrgent: true }]);
    const decision = await lookAtPool(deps, { poolId: pool.id, by: "job", actor: "test" });
    expect(decision).toMatchObject({ wanted: 4, added: 2, ordered: 2, outcome: "on_order", inputs: { available: 2 } });
    const bought = [...british(1), "+33170189777" as E164];
    const asked: NumberOrder[] = [];
    const buyer = {
      buy: async (order: NumberOrder) => {
        asked.push(order);
        await addInventory(db, bought);
        return { bought, pending: 0, refused: null };
      },
    };
    await takeUpOrders({ ...deps, buyer }, pool.id);
    expect(asked).toMatchObject([{ numberType: "local", npas: null, callingCode: "+44", count: 2 }]);
    // What is not of the country stays in the inventory.
    expect(await held()).toEqual([...filled, ...there, ...bought.slice(0, 1)]);
    expect(await getPool(db, { id: pool.id, accountId: null })).toMatchObject({ size: 7 });
  });

  it("a static number of no area code is of its destination's country as well", async () => {
    const { destination } = await poolAbroad();
    const any = () =>
      createStatic(deps, {
        wanted: { kind: "any", type: "local", npa: null },
        destination,
        settings: { name: "print", touch: {}, drainS: 600 },
        mayTakePorted: false,
        actor: "test",
      });
    await expect(any()).rejects.toMatchObject({
      message: "The inventory has no local (+44) number; import or buy one.",
    });
    const numbers = british(1);
    await addInventory(db, numbers);
    expect((await any()).number).toBe(numbers[0]);
  });
});
