/** Numbers named for a pool: what they come back as, and that a pool without an overflow number gets one. */
import { describe, expect, it } from "vitest";
import { advanceNumber } from "../../src/pool/number-moves.js";
import { findNumber, type PromoNumber } from "../../src/pool/numbers.store.js";
import { addNumbers, editPool, removeFromPool } from "../../src/pool/pool-changes.js";
import { addExhaustions } from "../../src/pool/pool-scaling.store.js";
import type { Pool } from "../../src/pool/pools.store.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { createStatic, endStaticNumber } from "../../src/pool/static-numbers.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase, rows } from "../support/database.js";
import { addInventory, allocationFor, ids, makeWorld, tollFreeNumbers, type World } from "../support/world.js";

const { db } = await freshDatabase();
const movesOf = (world: World) => ({ db, ids, schedule: world.schedule });
const numberOf = async (e164: string): Promise<PromoNumber> => (await findNumber(db, e164)) as PromoNumber;
const add = (world: World, numbers: readonly string[]): Promise<Pool> =>
  addNumbers(movesOf(world), { poolId: world.pool.id, numbers, actor: "test" });

async function remove(world: World, e164: string): Promise<PromoNumber> {
  return removeFromPool(movesOf(world), {
    poolId: world.pool.id,
    e164,
    skipDraining: false,
    reason: "test",
    actor: "test",
  });
}

/** A pool whose overflow number somebody was shown a moment ago, and which is then taken out. */
async function withDrainingOverflow(): Promise<{ world: World; shared: string }> {
  const world = await makeWorld(db, 1, { overflow: "overflow_number" });
  await presentBatch(
    db,
    [1, 2].map(() => allocationFor(world)),
  );
  await addExhaustions(db, [{ poolId: world.pool.id, count: 1, isUrgent: false }]);
  const shared = world.pool.overflowNumber as string;
  expect(await remove(world, shared)).toMatchObject({ state: "draining", role: "overflow" });
  return { world, shared };
}

describe("a draining overflow number", () => {
  it("comes back as what it was: its callers belong to no visitor", async () => {
    const { world, shared } = await withDrainingOverflow();
    expect(await add(world, [shared])).toMatchObject({ size: 2, overflowNumber: shared });
    expect(await numberOf(shared)).toMatchObject({ state: "assigned", role: "overflow" });
  });

  it("taken back is remembered as shown before: it becomes a visitor's no sooner for it", async () => {
    const { world, shared } = await withDrainingOverflow();
    const { id, ownershipEpoch } = await numberOf(shared);
    await rows(db, "update number_event set at = at - interval '2 hours' where number_id = $1", [id]);
    await rows(db, "update pool_turned_away set quarter = quarter - interval '1 hour' where pool_id = $1", [
      world.pool.id,
    ]);
    await add(world, [shared]);
    const changes = { overflow: "original_number" } as const;
    await editPool(movesOf(world), { poolId: world.pool.id, changes, destination: null, actor: "test" });
    await rows(db, "update promo_number set next_check_at = now() where e164 = $1", [shared]);
    const job = { e164: shared, ownershipEpoch, actor: "job" };
    expect((await advanceNumber(movesOf(world), job)).kind).toBe("not_yet");
    expect(await numberOf(shared)).toMatchObject({ state: "assigned", role: "overflow" });
    expect((await remove(world, shared)).state).toBe("draining");
  });

  it("does not come back as a visitor's: not where the pool shares none, nor where it shares another, nor in another pool", async () => {
    const conflict = { code: "conflict" };
    const { world, shared } = await withDrainingOverflow();
    const [other] = tollFreeNumbers(1) as [E164];
    await addInventory(db, [other]);
    const { maxSize } = await editPool(movesOf(world), {
      poolId: world.pool.id,
      changes: { maxSize: 5 },
      destination: null,
      actor: "test",
    });
    expect(maxSize).toBe(5);
    expect((await add(world, [other])).overflowNumber).toBe(other);
    await expect(add(world, [shared])).rejects.toMatchObject(conflict);
    const changes = { overflow: "original_number" } as const;
    await editPool(movesOf(world), { poolId: world.pool.id, changes, destination: null, actor: "test" });
    await expect(add(world, [shared])).rejects.toMatchObject(conflict);
    expect(await numberOf(shared)).toMatchObject({ state: "draining", role: "overflow" });
  });
});

it("a draining static number does not become a visitor's: who saw it in print would be taken for them", async () => {
  const world = await makeWorld(db, 1, { maxSize: 5 });
  const [number] = tollFreeNumbers(1) as [E164];
  await addInventory(db, [number]);
  const deps = movesOf(world);
  const known = await createStatic(deps, {
    wanted: { kind: "named", number },
    destination: world.destination,
    settings: { name: "print", touch: {}, drainS: 3_600 },
    mayTakePorted: false,
    actor: "test",
  });
  await endStaticNumber(deps, { known, skipDraining: false, actor: "test" });
  await expect(add(world, [number])).rejects.toMatchObject({ code: "conflict" });
  expect(await numberOf(number)).toMatchObject({ state: "draining", role: "static" });
});

describe("a pool that should share a number and has none", () => {
  it("gets one of the numbers named for it, and its first number goes to visitors", async () => {
    const world = await makeWorld(db, 1, { overflow: "overflow_number", maxSize: 5 });
    for (const e164 of [world.pool.overflowNumber as string, ...world.numbers]) await remove(world, e164);
    const [first, second] = tollFreeNumbers(2) as [E164, E164];
    await addInventory(db, [first, second]);
    expect(await add(world, [first])).toMatchObject({ size: 1, overflowNumber: null });
    expect(await add(world, [second])).toMatchObject({ size: 2, overflowNumber: first });
  });

  it("takes none from a visitor", async () => {
    const world = await makeWorld(db, 1, { overflow: "overflow_number", maxSize: 5 });
    await remove(world, world.pool.overflowNumber as string);
    await presentBatch(db, [allocationFor(world)]);
    const [added] = tollFreeNumbers(1) as [E164];
    await addInventory(db, [added]);
    expect(await add(world, [added])).toMatchObject({ size: 2, overflowNumber: added });
    expect(await numberOf(world.numbers[0] as string)).toMatchObject({ role: "pool" });
  });
});
