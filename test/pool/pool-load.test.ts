import { expect, it } from "vitest";
import { readPoolLoad } from "../../src/pool/pool-load.js";
import { freshDatabase, rows } from "../support/database.js";
import { writeEvenLog } from "../support/pool-log.js";
import { makeWorld } from "../support/world.js";

const { db } = await freshDatabase();
const DAY_MS = 86_400_000;

it.each([
  ["whose log is read whole", 2_400],
  ["whose number alone has more visits than are read of a pool", 28_800],
])("a pool that turns away every second visitor, %s, says a half", async (_which, visits) => {
  const world = await makeWorld(db, 1);
  const { pool } = world;
  const to = Date.now();
  await writeEvenLog(db, world, { everyS: DAY_MS / 1_000 / visits, visits, lockS: 1 });
  await rows(
    db,
    `insert into pool_turned_away (pool_id, quarter, visitors)
     select $1, quarter_of(now() - make_interval(mins => 15 * i)), $2::int / 96 from generate_series(0, 95) i`,
    [pool.id, visits],
  );
  const old = { ...pool, createdAt: to - 30 * DAY_MS };
  const load = await readPoolLoad(db, { pool: old, from: to - DAY_MS, to, numbers: 1 });
  expect(load.lambdaPerS).toBeCloseTo(visits / 86_400, 2);
  expect(load.turnedAway / visits).toBeCloseTo(1, 1);
  expect(load.overflowShare).toBeCloseTo(0.5, 1);
});
