import { describe, expect, it } from "vitest";
import type { Database, NamedQuery, Queryable } from "../../src/db/database.js";
import { readOverflowShown, WRITTEN_AFTER_MS } from "../../src/pool/overflow-use.store.js";
import { advanceNumber, quarantineNumber } from "../../src/pool/number-moves.js";
import { findNumber, historyOf, lockNumber, type PromoNumber } from "../../src/pool/numbers.store.js";
import { createPool, deletePool, editPool, removeFromPool } from "../../src/pool/pool-changes.js";
import { addExhaustions } from "../../src/pool/pool-scaling.store.js";
import type { Pool, PoolSettings } from "../../src/pool/pools.store.js";
import { presentBatch, renewLocks } from "../../src/pool/presentations.store.js";
import { scalePool } from "../../src/pool/scale-pool.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";
import { addInventory, allocationFor, ids, makeWorld, type World } from "../support/world.js";

const { db } = await freshDatabase();
const DAY = 24 * 3_600_000;
const movesOf = (world: World) => ({ db, ids, schedule: world.schedule });
const why = { reason: "test", actor: "test" };
const numberOf = async (e164: string | null): Promise<PromoNumber> =>
  (await findNumber(db, e164 ?? "none")) as PromoNumber;

const edit = (world: World, changes: Partial<PoolSettings>): Promise<Pool> =>
  editPool(movesOf(world), { poolId: world.pool.id, changes, destination: null, actor: "test" });
const scale = async (world: World, size: number): Promise<Pool> =>
  (await scalePool({ ...movesOf(world), canBuy: false }, { poolId: world.pool.id, size, buy: false, actor: "test" }))
    .pool;

const makeDue = (e164: string) => rows(db, "update promo_number set next_check_at = now() where e164 = $1", [e164]);

/** A visitor who found every number taken was shown the shared one, `daysAgo`. */
async function shared(world: World, daysAgo = 0): Promise<void> {
  await addExhaustions(db, [{ poolId: world.pool.id, count: 1, isUrgent: false }]);
  await rows(db, `update pool_turned_away set quarter = quarter - make_interval(days => $2) where pool_id = $1`, [
    world.pool.id,
    daysAgo,
  ]);
  await rows(db, `update promo_number set state_since = state_since - interval '30 days' where pool_id = $1`, [
    world.pool.id,
  ]);
}

/** A bot was given the shared number instead of a visitor's, just now. */
async function withheldFromBot(world: World): Promise<void> {
  await rows(
    db,
    `insert into bot_hour (account_id, hour, reason, requests, withheld, withheld_lock_s)
     values ($1, date_trunc('hour', now()), 'address_limit', 1, 1, 1800)`,
    [world.account.id],
  );
}

describe("a pool that is made when the inventory is short", () => {
  it("has its overflow number all the same: one of what there was", async () => {
    const world = await makeWorld(db, 1);
    await addInventory(db, ["+19075550101", "+19075550102", "+19075550103"] as E164[]);
    const local = { numberType: "local", npa: "907", maxSize: 6, overflow: "overflow_number" } as const;
    const pool = await createPool(movesOf(world), {
      pool: { ...world.pool, ...local, kind: "campaign", campaign: "short" },
      fillImmediately: true,
      actor: "test",
    });
    expect(pool).toMatchObject({ size: 3, overflowNumber: "+19075550103" });
  });
});

describe("an overflow number that leaves its pool", () => {
  it("is quarantined at once when nobody was ever shown it, with the pool's others", async () => {
    const world = await makeWorld(db, 2, { overflow: "overflow_number" });
    await deletePool(movesOf(world), { poolId: world.pool.id, actor: "test" });
    const numbers = await Promise.all([...world.numbers, world.pool.overflowNumber].map(numberOf));
    expect(numbers.map(({ state }) => state)).toEqual(["quarantined", "quarantined", "quarantined"]);
  });

  it.each([
    ["a visitor who found the pool full", shared],
    ["a suspected bot, who may be a person", withheldFromBot],
  ])("drains as long as the retention of %s", async (_who, shown) => {
    const world = await makeWorld(db, 1, { overflow: "overflow_number" });
    await shown(world);
    const e164 = world.pool.overflowNumber as string;
    const number = await removeFromPool(movesOf(world), { poolId: world.pool.id, e164, skipDraining: false, ...why });
    expect(number).toMatchObject({ state: "draining", role: "overflow" });
    expect((number.nextCheckAt as number) - Date.now()).toBeGreaterThan(3 * DAY - 60_000);
  });

  it("is quarantined at once when it was shown longer ago than anybody is retained", async () => {
    const world = await makeWorld(db, 1, { overflow: "overflow_number" });
    await shared(world, 4);
    const e164 = world.pool.overflowNumber as string;
    const number = await removeFromPool(movesOf(world), { poolId: world.pool.id, e164, skipDraining: false, ...why });
    expect(number.state).toBe("quarantined");
  });

  it("drains when every number was taken a moment ago: whoever was turned away then is not written down yet", async () => {
    const world = await makeWorld(db, 1, { overflow: "overflow_number" });
    const [, turnedAway] = await presentBatch(
      db,
      [1, 2].map(() => allocationFor(world)),
    );
    expect(turnedAway).toMatchObject({ kind: "exhausted", overflowNumber: world.pool.overflowNumber });
    await deletePool(movesOf(world), { poolId: world.pool.id, actor: "test" });
    expect((await numberOf(world.pool.overflowNumber)).state).toBe("draining");
  });

  it("goes before the last visitor's number: a pool of one has no overflow number", async () => {
    const world = await makeWorld(db, 2, { overflow: "overflow_number" });
    for (const agoMs of [2_000, 1_000]) await presentBatch(db, [allocationFor(world)], Date.now() - agoMs);
    const pool = await scale(world, 1);
    expect(pool).toMatchObject({ size: 1, overflowNumber: null });
    const [oldest, latest] = await Promise.all(world.numbers.map(numberOf));
    expect([oldest?.state, latest?.state, latest?.role]).toEqual(["draining", "assigned", "pool"]);
    // Every number was taken a moment ago: whoever was turned away then may not be written down yet.
    expect((await numberOf(world.pool.overflowNumber)).state).toBe("draining");
    expect(await scale(world, 0)).toMatchObject({ size: 0 });
  });
});

describe("an overflow number that somebody else moves while its pool is changed", () => {
  /** The same database; `meanwhile` happens once, right after a statement of that name. */
  const after = (name: string, meanwhile: () => Promise<unknown>): Database => {
    let isTime = true;
    const watched = (tx: Queryable): Queryable => ({
      query: async <R>(query: NamedQuery, values?: readonly unknown[]) => {
        const found = await tx.query<R>(query, values);
        if (isTime && query.name === name) {
          isTime = false;
          await meanwhile();
        }
        return found;
      },
    });
    return { ...db, transaction: (work) => db.transaction((tx) => work(watched(tx))) };
  };

  it("is gone already for who scales the pool down", async () => {
    const world = await makeWorld(db, 1, { overflow: "overflow_number" });
    const e164 = world.pool.overflowNumber as string;
    const quarantined = after("pool_select_one", () =>
      quarantineNumber(movesOf(world), { e164, accountId: null, ...why }),
    );
    const deps = { ...movesOf(world), db: quarantined, canBuy: false };
    const { pool } = await scalePool(deps, { poolId: world.pool.id, size: 1, buy: false, actor: "test" });
    expect(pool).toMatchObject({ size: 1, overflowNumber: null });
    expect((await numberOf(world.numbers[0] as string)).state).toBe("assigned");
  });

  it("is reserved again when the job was just giving it to visitors", async () => {
    const world = await makeWorld(db, 1, { overflow: "overflow_number" });
    const e164 = world.pool.overflowNumber as string;
    await edit(world, { overflow: "original_number" });
    await makeDue(e164);
    const { ownershipEpoch } = await numberOf(e164);
    const edits: Promise<Pool>[] = [];
    // The job has read what the pool says when somebody changes that; it waits for the number, or is done before the job.
    const job = after("pool_select_one", async () => {
      edits.push(edit(world, { overflow: "overflow_number" }));
      await Promise.race([...edits, until("waits", isAnyoneWaiting)]);
    });
    await advanceNumber({ ...movesOf(world), db: job }, { e164, ownershipEpoch, actor: "job" });
    expect(await Promise.all(edits)).toMatchObject([{ size: 2 }]);
    const [shared] = await rows(db, "select e164 from promo_number where pool_id = $1 and role = 'overflow'", [
      world.pool.id,
    ]);
    expect(shared).toBeDefined();
  });

  const isAnyoneWaiting = async (): Promise<boolean> =>
    (await rows(db, "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"))
      .length > 0;
});

describe("a pool that gets an overflow number by its settings", () => {
  it("shares the number that nobody is attributed to any more, and shows it to who finds the others taken", async () => {
    const world = await makeWorld(db, 3, { retentionS: 3_600 });
    for (const agoMs of [2 * DAY, 1_000]) await presentBatch(db, [allocationFor(world)], Date.now() - agoMs);
    const pool = await edit(world, { overflow: "overflow_number" });
    expect(pool.size).toBe(3);
    // Never presented at all: the least recent of the three.
    const free = world.numbers[2] as string;
    expect(pool.overflowNumber).toBe(free);
    expect(await historyOf(db, (await numberOf(free)).id)).toMatchObject([
      { state: "available" },
      { state: "assigned" },
      { state: "assigned", reason: "reserved as the overflow number" },
    ]);
    const outcomes = await presentBatch(
      db,
      [1, 2].map(() => allocationFor(world)),
    );
    expect(outcomes.map((one) => (one.kind === "exhausted" ? one.overflowNumber : one.kind)).sort()).toEqual(
      [free, "presented"].sort(),
    );
  });

  it("passes over one that an open page still shows, however long ago it was presented", async () => {
    const world = await makeWorld(db, 2, { sessionLifetimeS: 60, retentionS: 60 });
    const ago = (s: number) => Date.now() - s * 1_000;
    const open = allocationFor(world);
    const [shown] = await presentBatch(db, [open], ago(100));
    await presentBatch(db, [allocationFor(world)], ago(90));
    // The page renews its lock; retention stays as it is.
    const { accountId, visitorId, presentationId } = open;
    await renewLocks(db, { accountId, visitorId, presentationIds: [presentationId] }, ago(50));
    const pool = await edit(world, { overflow: "overflow_number" });
    expect(shown).toMatchObject({ kind: "presented", promoNumber: world.numbers[0] });
    expect(pool.overflowNumber).toBe(world.numbers[1]);
  });

  it("takes none from a visitor", async () => {
    const world = await makeWorld(db, 2);
    for (const agoMs of [2_000, 1_000]) await presentBatch(db, [allocationFor(world)], Date.now() - agoMs);
    expect((await edit(world, { overflow: "overflow_number" })).overflowNumber).toBeNull();
    expect((await edit(world, { overflow: "original_number" })).size).toBe(2);
  });
});

describe("a pool that shares no number any more", () => {
  it("gives to visitors the one that nobody was shown", async () => {
    const world = await makeWorld(db, 1, { overflow: "overflow_number" });
    const shared = world.pool.overflowNumber as string;
    expect(await edit(world, { overflow: "reuse_oldest" })).toMatchObject({ size: 2, overflowNumber: shared });
    const { ownershipEpoch, nextCheckAt } = await numberOf(shared);
    const job = { e164: shared, ownershipEpoch, actor: "job" };
    expect(world.schedule.checks.at(-1)).toMatchObject({ e164: shared, ownershipEpoch, delayMs: WRITTEN_AFTER_MS });
    // A job of an earlier change does nothing: what was shown until this one is not written down yet.
    expect((await advanceNumber(movesOf(world), job)).kind).toBe("nothing_to_do");
    expect(await numberOf(shared)).toMatchObject({ role: "overflow", nextCheckAt });
    await makeDue(shared);
    await advanceNumber(movesOf(world), job);
    const outcomes = await presentBatch(
      db,
      [1, 2].map(() => allocationFor(world)),
    );
    expect(outcomes.map(({ kind }) => kind)).toEqual(["presented", "presented"]);
  });

  it("keeps it back from visitors as long as somebody who was shown it may call, and the job hands it over then", async () => {
    const world = await makeWorld(db, 1, { overflow: "overflow_number" });
    const e164 = world.pool.overflowNumber as string;
    await shared(world);
    expect((await edit(world, { overflow: "original_number" })).overflowNumber).toBe(e164);
    const job = { e164, ownershipEpoch: (await numberOf(e164)).ownershipEpoch, actor: "job" };
    await makeDue(e164);
    expect((await advanceNumber(movesOf(world), job)).kind).toBe("not_yet");
    const number = await numberOf(e164);
    expect(number.role).toBe("overflow");
    expect((number.nextCheckAt as number) - Date.now()).toBeGreaterThan(3 * DAY - 60_000);
    await makeDue(e164);
    await rows(db, `update pool_turned_away set quarter = quarter - interval '4 days' where pool_id = $1`, [
      world.pool.id,
    ]);
    expect((await advanceNumber(movesOf(world), job)).kind).toBe("nothing_to_do");
    expect(await numberOf(e164)).toMatchObject({ role: "pool", state: "assigned", nextCheckAt: null });
  });

  it("and shares it again keeps it", async () => {
    const world = await makeWorld(db, 1, { overflow: "overflow_number" });
    const e164 = world.pool.overflowNumber as string;
    await shared(world);
    await edit(world, { overflow: "original_number" });
    expect((await edit(world, { overflow: "overflow_number" })).overflowNumber).toBe(e164);
    const { ownershipEpoch } = await numberOf(e164);
    const job = { e164, ownershipEpoch, actor: "job" };
    await makeDue(e164);
    expect((await advanceNumber(movesOf(world), job)).kind).toBe("nothing_to_do");
    expect(await numberOf(e164)).toMatchObject({ role: "overflow", nextCheckAt: null });
  });
});

it("what another pool's visitors were shown says nothing of a number", async () => {
  const world = await makeWorld(db, 1, { overflow: "overflow_number" });
  await shared(await makeWorld(db, 1, { overflow: "overflow_number" }));
  const shown = await db.transaction(async (tx) =>
    readOverflowShown(tx, await lockNumber(tx, world.pool.overflowNumber as string)),
  );
  expect(shown).toEqual({ at: null, isComplete: true });
});
