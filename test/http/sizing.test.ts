import { describe, expect, it } from "vitest";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase } from "../support/database.js";
import { writeCalls, writeEvenLog } from "../support/pool-log.js";
import { allocationFor, makeWorld } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf } = makeHttpWorld(db);
const HOUR_S = 3_600;
const WEEK_S = 7 * 24 * HOUR_S;

const sizing = async (id: string, query = "") => (await request("GET", `/v1/pools/${id}/sizing${query}`)).json();

describe("GET /v1/pools/:id/sizing", () => {
  it("shows the example of the domain notes: 60 an hour, held 34 minutes, on 40 numbers", async () => {
    const world = await makeWorld(db, 40, { overflow: "overflow_number" });
    await writeEvenLog(db, world, { everyS: 60, visits: WEEK_S / 60, lockS: 34 * 60 });
    const shown = await sizing(world.pool.id);
    expect(shown).toMatchObject({ size: 41, usable: 40, window_s: WEEK_S, sampled_share: 1, page_time_s: null });
    expect(shown.observed_s).toBeCloseTo(WEEK_S, -3);
    expect(shown.lambda_per_s).toBeCloseTo(1 / 60, 5);
    expect(shown.hold_s).toBeCloseTo(34 * 60, 3);
    expect(shown.erlangs).toBeCloseTo(34, 1);
    expect(shown.overflow_share).toBeCloseTo(0.044, 2);
    expect(shown.horizon_s).toBeCloseTo(2_400, -1);
    expect(Math.abs(shown.misattribution - 0.175)).toBeLessThan(0.006);
    expect(shown.delays).toMatchObject({ source: "prior", calls: 0, weight: 0, assumed_share: 1 });
    expect(shown.protected_delay_s / HOUR_S).toBeCloseTo(11.67, 1);
    expect(shown.for_overflow).toBeGreaterThanOrEqual(46);
    expect(shown.for_overflow).toBeLessThanOrEqual(48);
    expect(shown.recommended_size).toBe(shown.for_retention + 1);
    const here = shown.curve.find(({ size }: { size: number }) => size === 41);
    expect(here).toMatchObject({
      usable: 40,
      overflow_share: shown.overflow_share,
      misattribution: shown.misattribution,
    });
    expect(shown.curve.map(({ size }: { size: number }) => size)).toContain(shown.recommended_size);
    expect(here.cost_per_point).toBeNull();
    const priced = await sizing(world.pool.id, "?number_price=2&target_overflow=0.2&protect=0.5");
    const option = priced.curve.find(({ size }: { size: number }) => size === 41);
    expect(option.cost_per_point).toBeCloseTo(2 * option.numbers_per_point, 9);
    expect(priced.recommended_size).toBeLessThan(41);
  });

  it("uses the pool's own call delays", async () => {
    const world = await makeWorld(db, 60);
    await writeEvenLog(db, world, { everyS: 60, visits: WEEK_S / 60, lockS: 600 });
    const [number = ""] = world.numbers;
    const quick = Array.from({ length: 300 }, (_, i) => ({ number, receivedAgoS: i * 60, delayS: 60 }));
    await writeCalls(db, world, quick);
    const { delays, misattribution } = await sizing(world.pool.id);
    expect(delays).toMatchObject({ source: "measured", calls: 300, weight: 1, p50_s: 60 });
    // What comes after an hour, its horizon, this pool cannot know: the prior's share of it stays, and is called assumed.
    expect(delays.assumed_share).toBeCloseTo(0.15 * Math.exp(-1 / 4) + 0.05 * (71 / 72), 2);
    expect(misattribution).toBeCloseTo(delays.assumed_share, 1);
  });

  it("is null where nothing was measured", async () => {
    const { pool } = await makeWorld(db, 2);
    const nothing = { lambda_per_s: null, erlangs: null, overflow_share: null, horizon_s: null, misattribution: null };
    expect(await sizing(pool.id)).toMatchObject({
      size: 2,
      usable: 2,
      ...nothing,
      peak: nothing,
      hold_s: 1_800,
      page_time_s: null,
      recommended_size: null,
      for_overflow: null,
      for_retention: null,
      protected_delay_s: null,
      observed_s: null,
      curve: [],
    });
  });

  it("counts over the window that is asked for", async () => {
    const world = await makeWorld(db, 30);
    await presentBatch(
      db,
      Array.from({ length: 30 }, () => allocationFor(world)),
    );
    const shown = await sizing(world.pool.id, "?window_s=3600");
    expect(shown).toMatchObject({ window_s: 3_600, observed_s: 3_600, hold_s: 1_800 });
    expect(shown.lambda_per_s).toBeCloseTo(30 / 3_600, 9);
    expect(shown.erlangs).toBeCloseTo(15, 9);
    expect(shown.peak).toEqual({
      lambda_per_s: shown.lambda_per_s,
      erlangs: shown.erlangs,
      overflow_share: shown.overflow_share,
      horizon_s: shown.horizon_s,
      misattribution: shown.misattribution,
    });
    for (const query of [
      "?window_s=0",
      "?window_s=2678401",
      "?window_s=x",
      "?protect=1",
      "?target_overflow=0",
      "?size=4",
    ]) {
      expect(problemIn(await request("GET", `/v1/pools/${world.pool.id}/sizing${query}`)).status).toBe(422);
    }
  });

  it("is the account's own", async () => {
    const [mine, other] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const key = await keyOf(mine.account.id, ["read"]);
    expect((await request("GET", `/v1/pools/${mine.pool.id}/sizing`, { key })).statusCode).toBe(200);
    expect(problemIn(await request("GET", `/v1/pools/${other.pool.id}/sizing`, { key })).status).toBe(404);
  });
});
