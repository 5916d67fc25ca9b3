import { describe, expect, it } from "vitest";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { allocationFor, makeWorld } from "../support/world.js";

const { db } = await freshDatabase();
const DAY = 86_400_000;
const NOW = Date.parse("2031-05-30T22:30:00Z");

const ensure = async (now: number, days = 7): Promise<number> => {
  const [row] = await rows<{ made: number }>(db, "select ensure_partitions($1, $2) as made", [
    new Date(now).toISOString(),
    days,
  ]);
  return row?.made ?? -1;
};

describe("ensure_partitions", () => {
  it("makes a day behind, today and the days ahead, and months likewise; a second time nothing", async () => {
    // 9 days, 4 months.
    expect(await ensure(NOW)).toBe(13);
    expect(await ensure(NOW)).toBe(0);
    expect(await ensure(NOW + DAY)).toBe(1);
    const names = await rows<{ name: string }>(
      db,
      "select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relkind = 'r' and c.relname ~ '_2031' order by 1",
    );
    expect(names.map(({ name }) => name)).toEqual([
      "call_203104",
      "call_203105",
      "call_203106",
      "call_203107",
      ...[29, 30, 31].map((d) => `presentation_203105${d}`),
      ...[1, 2, 3, 4, 5, 6, 7].map((d) => `presentation_2031060${d}`),
    ]);
  });

  it("days are UTC days whatever the session's time zone", async () => {
    await db.transaction(async (tx) => {
      await tx.query({ name: "", text: "set local time zone 'Pacific/Auckland'" });
      await tx.query({ name: "", text: "select ensure_partitions('2032-01-10T00:30:00Z', 0)" });
    });
    const [bound] = await rows<{ bound: string }>(
      db,
      "select pg_get_expr(relpartbound, oid) as bound from pg_class where relname = 'presentation_20320110'",
    );
    expect(bound?.bound).toContain("2032-01-10 00:00:00+00");
  });

  it("takes along what the default partition caught while a day was missing", async () => {
    const world = await makeWorld(db, 2);
    const at = Date.parse("2033-03-03T12:00:00Z");
    await presentBatch(db, [allocationFor(world)], at);
    await presentBatch(db, [allocationFor(world)], at + DAY);
    const where = () =>
      rows<{ place: string }>(
        db,
        "select tableoid::regclass::text as place from presentation where pool_id = $1 order by presented_at",
        [world.pool.id],
      );
    expect((await where()).map((r) => r.place)).toEqual(["presentation_default", "presentation_default"]);
    await ensure(at, 0);
    expect((await where()).map((r) => r.place)).toEqual(["presentation_20330303", "presentation_default"]);
    await ensure(at, 1);
    expect((await where()).map((r) => r.place)).toEqual(["presentation_20330303", "presentation_20330304"]);
  });

  it("gives each what its table says of statistics, and few new ones to a log that grows", async () => {
    await ensure(Date.parse("2034-01-15T00:00:00Z"), 0);
    const uncounted = (table: string) =>
      rows<{ name: string }>(
        db,
        "select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and attstattarget = 0 order by 1",
        [table],
      );
    for (const [table, partition, one] of [
      ["call", "call_203401", "progress"],
      ["presentation", "presentation_20340115", "context"],
    ] as const) {
      expect(await uncounted(partition)).toEqual(await uncounted(table));
      expect(await uncounted(partition)).toContainEqual({ name: one });
      expect(await uncounted(`${table}_default`)).toEqual(await uncounted(table));
    }
    const options = await rows<{ options: string[] }>(
      db,
      "select distinct c.reloptions as options from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent in ('call'::regclass, 'presentation'::regclass)",
    );
    expect(options).toEqual([{ options: ["autovacuum_analyze_scale_factor=0.5"] }]);
  });
});
