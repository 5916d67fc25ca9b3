import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/kernel/seeded-random.js";
import { callDelays, type DelayPart } from "../../src/pool/call-delays.js";
import { erlangB } from "../../src/pool/erlang-b.js";
import { createLruPool } from "../../src/pool/lru-pool.js";
import { misattribution } from "../../src/pool/misattribution.js";
import { poissonVisits } from "../../src/pool/poisson-visits.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { simulatePool, type Visit } from "../../src/pool/simulate-pool.js";
import { freshDatabase } from "../support/database.js";
import { allocationFor, ids, makeWorld } from "../support/world.js";

const TOLERANCE = 0.006;
const DAY_S = 86_400;
const RETENTION_S = 3 * DAY_S;
const prior = callDelays({ delaysS: [], horizonS: Infinity }).parts;

describe("the simulation agrees with the formulas", () => {
  const spanS = 200 * DAY_S;
  const visits = poissonVisits({ ratePerS: 1 / 60, spanS, random: seededRandom(4) });

  it.each([
    [40, 9],
    [40, 34],
    [60, 34],
    [120, 34],
    [480, 9],
  ])("60 visitors an hour for 200 days, %d numbers held for %d minutes", (numbers, minutes) => {
    const rules = { numbers, lockS: minutes * 60, retentionS: RETENTION_S };
    const played = simulatePool({ visits, periodS: spanS, rules, delays: prior, random: seededRandom(numbers) });
    const overflow = erlangB(minutes, numbers);
    const wrong = misattribution(prior, { ratePerS: 1 / 60, numbers, retentionS: RETENTION_S });
    expect(played.calls).toBeGreaterThan(100_000);
    expect(Math.abs((played.overflowShare ?? 1) - overflow)).toBeLessThan(TOLERANCE);
    expect(Math.abs((played.misattribution ?? 1) - wrong)).toBeLessThan(TOLERANCE);
  });

  it("and with measured delays, a short retention and another rate", () => {
    const delaysS = Array.from({ length: 300 }, (_, i) => i * 12);
    const { parts } = callDelays({ delaysS, horizonS: Infinity });
    const period = 20 * DAY_S;
    const busy = poissonVisits({ ratePerS: 0.1, spanS: period, random: seededRandom(9) });
    const rules = { numbers: 150, lockS: 600, retentionS: 3_000 };
    const played = simulatePool({ visits: busy, periodS: period, rules, delays: parts, random: seededRandom(1) });
    const wrong = misattribution(parts, { ratePerS: 0.1, numbers: 150, retentionS: 3_000 });
    expect(wrong).toBeGreaterThan(0.3);
    expect(Math.abs((played.misattribution ?? 1) - wrong)).toBeLessThan(TOLERANCE);
  });
});

describe("the simulation", () => {
  const rules = { numbers: 2, lockS: 100, retentionS: 1_000 };
  const always = (delayS: number): readonly DelayPart[] => [{ kind: "measured", share: 1, delaysS: [delayS] }];
  const play = (visits: readonly Visit[], delays = always(10)) =>
    simulatePool({ visits, periodS: 100_000, rules, delays, random: seededRandom(1) });

  it("plays a log that is short as one that goes on", () => {
    const three = [0, 1, 2].map((visitor) => ({ atS: visitor * 10, visitor }));
    expect(play(three)).toMatchObject({ allocations: 2, overflows: 1, renewals: 0, misattribution: 0 });
  });

  it("gives a visitor who returns their own number, and takes the call after the last visit only", () => {
    const returning = [
      { atS: 0, visitor: 0 },
      { atS: 10, visitor: 1 },
      { atS: 300, visitor: 0 },
      { atS: 310, visitor: 2 },
      { atS: 420, visitor: 3 },
    ];
    const played = play(returning, always(200));
    // 2 gets the number of 1, and 3 that of 0, who was back at 300 and calls at 500.
    expect(played).toMatchObject({ allocations: 4, renewals: 1, overflows: 0 });
    expect(played.misattribution).toBeCloseTo(1 / 5, 9);
  });

  it("takes no call after retention for a wrong match", () => {
    const visits = [0, 1, 2, 3, 4].map((visitor) => ({ atS: visitor * 150, visitor }));
    expect(play(visits, always(999)).misattribution).toBeGreaterThan(0);
    expect(play(visits, always(1_001)).misattribution).toBe(0);
  });

  it("is repeated by its seed", () => {
    const visits = poissonVisits({ ratePerS: 0.02, spanS: 100_000, random: seededRandom(3) });
    expect(play(visits, prior)).toEqual(play(visits, prior));
  });

  it("has nothing to say of no visits", () => {
    expect(play([])).toEqual({
      allocations: 0,
      renewals: 0,
      overflows: 0,
      calls: 0,
      overflowShare: null,
      misattribution: null,
    });
  });
});

const { db } = await freshDatabase();

describe("the simulated allocator", () => {
  it("decides a log of visits as the database does", async () => {
    const [lockS, retentionS, numbers] = [60, 300, 5];
    const world = await makeWorld(db, numbers, { sessionLifetimeS: lockS, retentionS });
    const visit = createLruPool({ numbers, lockS, retentionS });
    const random = seededRandom(11);
    const visitorIds = Array.from({ length: 40 }, () => ids.next("vis"));
    const startMs = Date.parse("2026-11-01T00:00:00Z");
    const kinds = new Set<string>();
    for (let i = 0, atS = 0; i < 400; i++) {
      // Rushes and lulls; now and then nobody for longer than retention, or exactly a lock's length.
      atS += random() < 0.03 ? 320 : random() < 0.1 ? lockS : 1 + Math.floor(random() * 19);
      const visitor = Math.floor(random() * visitorIds.length);
      const [given] = await presentBatch(db, [allocationFor(world, visitorIds[visitor])], startMs + atS * 1_000);
      const simulated = visit({ atS, visitor });
      const shown = simulated.kind === "overflow" ? null : world.numbers[simulated.number];
      const number = given !== undefined && "promoNumber" in given ? given.promoNumber : null;
      expect([i, given?.kind, number]).toEqual([
        i,
        simulated.kind === "overflow" ? "exhausted" : simulated.kind,
        shown,
      ]);
      kinds.add(simulated.kind);
    }
    expect([...kinds].sort()).toEqual(["overflow", "presented", "renewed"]);
  });
});
