import { describe, expect, it } from "vitest";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase } from "../support/database.js";
import { allocationFor, makeWorld } from "../support/world.js";

const { db } = await freshDatabase();
const T0 = Date.parse("2026-11-23T12:00:00Z");

describe("presentBatch", () => {
  it("gives the number presented longest ago", async () => {
    const world = await makeWorld(db, 3, { sessionLifetimeS: 10 });
    const given: string[] = [];
    for (let i = 0; i < 6; i++) {
      const [outcome] = await presentBatch(db, [allocationFor(world)], T0 + i * 11_000);
      given.push(outcome?.kind === "presented" ? outcome.promoNumber : "none");
    }
    expect(given).toEqual([...world.numbers, ...world.numbers]);
  });
});
