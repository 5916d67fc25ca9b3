import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { silentLog } from "../../src/kernel/log.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { scalePool } from "../../src/pool/scale-pool.js";
import { createPoolMetrics } from "../../src/service/pool-metrics.js";
import { freshDatabase } from "../support/database.js";
import { allocationFor, ids, makeWorld } from "../support/world.js";

const { db } = await freshDatabase();

it("/metrics sums numbers by use, pools by whether they have a free one, and counts decisions; read twice a minute at most", async () => {
  const world = await makeWorld(db, 3, { overflow: "overflow_number" });
  const full = await makeWorld(db, 1);
  await presentBatch(db, [allocationFor(world), allocationFor(full)]);
  const clock = { now: 0, monotonicMs: () => clock.now };
  const registry = new Registry();
  const metrics = createPoolMetrics({ registry, db, clock, log: silentLog });
  const deps = { db, ids, schedule: world.schedule, canBuy: false, onDecision: metrics.decided };
  const read = async (): Promise<string[]> => {
    const text = await registry.metrics();
    return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  };
  metrics.exhausted();
  await scalePool(deps, { poolId: full.pool.id, size: 1, buy: false, actor: "test" });
  expect((await read()).sort()).toEqual(
    [
      "ringmatch_pool_exhaustions_total 1",
      'ringmatch_scale_decisions_total{trigger="asked",outcome="nothing"} 1',
      'ringmatch_pools{state="open"} 1',
      'ringmatch_pools{state="full"} 1',
      'ringmatch_pool_numbers{use="free"} 2',
      'ringmatch_pool_numbers{use="locked"} 2',
      'ringmatch_pool_numbers{use="overflow"} 1',
    ].sort(),
  );
  await scalePool(deps, { poolId: world.pool.id, size: 2, buy: false, actor: "test" });
  expect(await read()).toContain('ringmatch_pool_numbers{use="free"} 2');
  expect(await read()).toContain('ringmatch_scaled_numbers_total{direction="down"} 2');
  clock.now = 30_000;
  // Those presented longest ago, and so never, went first.
  await read();
  expect(await read()).toContain('ringmatch_pool_numbers{use="free"} 0');
});
