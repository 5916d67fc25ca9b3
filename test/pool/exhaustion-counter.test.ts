import { describe, expect, it } from "vitest";
import type { Database, NamedQuery } from "../../src/db/database.js";
import { AppError } from "../../src/kernel/errors.js";
import { silentLog } from "../../src/kernel/log.js";
import { ExhaustionCounter, POOLS_MAX } from "../../src/pool/exhaustion-counter.js";
import { addExhaustions, listDuePools, lockScaling } from "../../src/pool/pool-scaling.store.js";
import { lockPool } from "../../src/pool/pools.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";
import { makeWorld, type World } from "../support/world.js";

const { db } = await freshDatabase();
const rule = { enabled: true, growthPercent: 20, maxStep: 50, intervalS: 300, minSize: 1 };

function counterOn(database: Pick<Database, "query">, clock = { monotonicMs: () => 0 }) {
  const urgent: string[] = [];
  const statements: unknown[] = [];
  const watched: Database = {
    ...db,
    query: <R>(query: NamedQuery, values?: readonly unknown[]) => {
      statements.push(query);
      return database.query<R>(query, values);
    },
  };
  const counter = new ExhaustionCounter({ db: watched, clock, log: silentLog, onUrgent: (ids) => urgent.push(...ids) });
  return { counter, urgent, statements };
}

async function exhaustedOf(world: World): Promise<number> {
  const [row] = await rows<{ exhausted: number }>(db, "select exhausted from pool_scaling where pool_id = $1", [
    world.pool.id,
  ]);
  return row?.exhausted ?? 0;
}

describe("the exhaustion counter", () => {
  it("writes what many visitors met in one statement, adding to what was there", async () => {
    const [a, b] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const { counter, statements } = counterOn(db);
    for (let i = 0; i < 500; i++) counter.note({ id: i % 5 === 0 ? b.pool.id : a.pool.id, scaleIntervalS: null });
    expect(statements).toEqual([]);
    await until("written", async () => (await exhaustedOf(a)) === 400);
    counter.note({ id: a.pool.id, scaleIntervalS: null });
    await counter.stop();
    expect([await exhaustedOf(a), await exhaustedOf(b), statements.length]).toEqual([401, 100, 2]);
  });

  it("makes a pool that scales itself due at once, and says so once in its interval", async () => {
    const world = await makeWorld(db, 1, { autoscale: rule, maxSize: 9 });
    await rows(db, "update pool_scaling set next_scale_at = now() + interval '5 minutes' where pool_id = $1", [
      world.pool.id,
    ]);
    const due = () => listDuePools(db, { graceS: 0, limit: 100 });
    expect(await due()).toEqual([]);
    const clock = { now: 0, monotonicMs: () => clock.now };
    const { counter, urgent } = counterOn(db, clock);
    const pool = { id: world.pool.id, scaleIntervalS: 300 };
    counter.note(pool);
    counter.note(pool);
    await until("told", () => urgent.length === 1);
    expect(await due()).toEqual([world.pool.id]);
    clock.now = 299_999;
    counter.note(pool);
    await until("written", async () => (await exhaustedOf(world)) === 3);
    expect(urgent).toHaveLength(1);
    clock.now = 300_000;
    counter.note(pool);
    await until("told again", () => urgent.length === 2);
    await counter.stop();
  });

  it("keeps its counts while the database is away, and what made a pool urgent", async () => {
    const world = await makeWorld(db, 1, { autoscale: rule, maxSize: 9 });
    let isAway = true;
    const flaky: Pick<Database, "query"> = {
      query: <R>(query: NamedQuery, values?: readonly unknown[]) =>
        isAway ? Promise.reject(new AppError("database_unavailable", "away")) : db.query<R>(query, values),
    };
    const { counter, urgent, statements } = counterOn(flaky);
    counter.note({ id: world.pool.id, scaleIntervalS: 300 });
    await until("tried", () => statements.length === 1);
    counter.note({ id: world.pool.id, scaleIntervalS: 300 });
    expect(urgent).toEqual([]);
    isAway = false;
    await until("written", () => urgent.length === 1);
    expect(await exhaustedOf(world)).toBe(2);
    await counter.stop();
  });

  it("waits for nobody who changes a pool, and who looks at it next needs what it writes", async () => {
    const world = await makeWorld(db, 1);
    await db.transaction(async (tx) => {
      await lockPool(tx, world.pool.id);
      // The quarter's first: its row refers to the pool.
      await addExhaustions(db, [{ poolId: world.pool.id, count: 1, isUrgent: false }]);
      expect(await lockScaling(tx, world.pool.id)).toMatchObject({ exhausted: 1 });
    });
  });

  it("remembers no more pools than its limit, and a pool it does not know breaks nothing", async () => {
    const world = await makeWorld(db, 1);
    const { counter } = counterOn(db);
    counter.note({ id: world.pool.id, scaleIntervalS: null });
    for (let i = 0; i < POOLS_MAX + 10; i++) counter.note({ id: `pool_none${i}`, scaleIntervalS: 300 });
    await counter.stop();
    expect(await exhaustedOf(world)).toBe(1);
  });
});
