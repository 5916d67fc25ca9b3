import { expect, it } from "vitest";
import { readBackground } from "../../src/attribution/judging/background.store.js";
import { PRIOR_MODEL } from "../../src/attribution/judging/delay-model.js";
import { readNewestModels } from "../../src/attribution/judging/delay-model.store.js";
import { createModelRounds } from "../../src/attribution/judging/measure-models.js";
import { silentLog } from "../../src/kernel/log.js";
import { freshDatabase, rows } from "../support/database.js";
import { callTo, presentTo } from "../support/judged.js";
import { writeCalls, writeEvenLog } from "../support/pool-log.js";
import { ids, makeWorld, type World } from "../support/world.js";

const { db } = await freshDatabase();
const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;

const heldFor = (world: World, days: number) =>
  rows(db, "update promo_number set state_since = now() - make_interval(days => $2) where account_id = $1", [
    world.account.id,
    days,
  ]);

it("the background is counted where no presentation is within retention, by number and second", async () => {
  const world = await makeWorld(db, 2, { retentionS: HOUR_S });
  await heldFor(world, 10);
  const background = () => readBackground(db, { poolId: world.pool.id, windowS: 14 * DAY_S });
  expect((await background()).numberS / DAY_S).toBeCloseTo(20, 2);
  // Two hours long two visitors had one number one after the other, the second within the first one's retention.
  const now = Date.now();
  const visitor = ids.next("vis");
  await presentTo(db, world, visitor, { at: now - 5 * HOUR_S * 1_000 });
  await presentTo(db, world, visitor, { at: now - 4.5 * HOUR_S * 1_000 });
  expect(20 * DAY_S - (await background()).numberS).toBeCloseTo(1.5 * HOUR_S, -2);
  const number = world.numbers[1] as string;
  expect((await callTo(db, number)).attribution.outcome).toBe("never_presented");
  expect((await background()).calls).toBe(1);
  expect((await readBackground(db, { poolId: world.pool.id, windowS: DAY_S })).numberS / DAY_S).toBeLessThan(2);
});

it("a round measures every pool, stores what differs from the prior, and comes again after an hour", async () => {
  const [quiet, busy] = [await makeWorld(db, 1), await makeWorld(db, 20)];
  await writeEvenLog(db, busy, { everyS: 600, visits: 1_000, lockS: 300 });
  const number = busy.numbers[0] as string;
  const calls = Array.from({ length: 250 }, (_, i) => ({ number, receivedAgoS: 60 + i * 400, delayS: 900 + i }));
  await writeCalls(db, busy, calls);
  let monotonicMs = 0;
  const turn = createModelRounds({ db, clock: { monotonicMs: () => monotonicMs }, log: silentLog });
  const newest = async (world: World) => (await readNewestModels(db, [world.pool.id])).get(world.pool.id);
  await turn();
  const model = await newest(busy);
  expect(model).toMatchObject({ source: "measured", calls: 250 });
  expect(model?.callShare).toBeCloseTo(253 / 1_100, 2);
  expect(model?.backgroundPerS).toBeLessThanOrEqual(PRIOR_MODEL.backgroundPerS);
  expect(await newest(quiet)).toBeUndefined();
  await writeCalls(
    db,
    busy,
    calls.map((call) => ({ ...call, delayS: 5 })),
  );
  await turn();
  expect((await newest(busy))?.id).toBe(model?.id);
  monotonicMs = HOUR_S * 1_000;
  await turn();
  expect((await newest(busy))?.calls).toBe(500);
});
