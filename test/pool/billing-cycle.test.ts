import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { freshDatabase, rows } from "../support/database.js";

const { db } = await freshDatabase();

interface Cycle {
  readonly starts_at: number;
  readonly ends_at: number;
}

async function cycleOf(day: number, zone: string, at: string): Promise<Cycle> {
  const [cycle] = await rows<Cycle>(db, "select starts_at, ends_at from billing_cycle($1, $2, $3)", [day, zone, at]);
  return cycle as Cycle;
}

const iso = (at: number): string => new Date(at).toISOString().slice(0, 16);

describe("the billing cycle", () => {
  it.each([
    [1, "UTC", "2026-11-25T08:00:00Z", "2026-11-01T00:00", "2026-12-01T00:00"],
    [1, "UTC", "2026-11-01T00:00:00Z", "2026-11-01T00:00", "2026-12-01T00:00"],
    [1, "UTC", "2026-10-31T23:59:59.999Z", "2026-10-01T00:00", "2026-11-01T00:00"],
    [15, "UTC", "2026-03-10T00:00:00Z", "2026-02-15T00:00", "2026-03-15T00:00"],
    [28, "UTC", "2026-02-27T12:00:00Z", "2026-01-28T00:00", "2026-02-28T00:00"],
    [28, "UTC", "2026-02-28T00:00:00Z", "2026-02-28T00:00", "2026-03-28T00:00"],
    [28, "UTC", "2024-02-29T12:00:00Z", "2024-02-28T00:00", "2024-03-28T00:00"],
    [15, "UTC", "2027-01-03T00:00:00Z", "2026-12-15T00:00", "2027-01-15T00:00"],
    // Midnight of the account: 04:00 UTC in summer, 05:00 in winter.
    [1, "America/New_York", "2026-11-01T03:59:59Z", "2026-10-01T04:00", "2026-11-01T04:00"],
    [1, "America/New_York", "2026-11-25T08:00:00Z", "2026-11-01T04:00", "2026-12-01T05:00"],
    [1, "Asia/Kolkata", "2026-11-30T18:30:00Z", "2026-11-30T18:30", "2026-12-31T18:30"],
    // A zone whose clocks go forward at midnight: the day begins at one.
    [6, "America/Asuncion", "2024-10-10T00:00:00Z", "2024-10-06T04:00", "2024-11-06T03:00"],
  ])("of day %d in %s at %s is %s to %s", async (day, zone, at, starts, ends) => {
    const cycle = await cycleOf(day, zone, at);
    expect([iso(cycle.starts_at), iso(cycle.ends_at)]).toEqual([starts, ends]);
  });

  it("holds every instant, follows the one before without a gap, and begins on its day at midnight", async () => {
    const zones = [
      "UTC",
      "America/New_York",
      "America/Los_Angeles",
      "Europe/Berlin",
      "Asia/Kolkata",
      "Australia/Lord_Howe",
      "Pacific/Kiritimati",
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 28 }),
        fc.constantFrom(...zones),
        fc.integer({ min: Date.parse("2020-01-01"), max: Date.parse("2040-01-01") }),
        async (day, zone, at) => {
          const cycle = await cycleOf(day, zone, new Date(at).toISOString());
          expect(cycle.starts_at).toBeLessThanOrEqual(at);
          expect(cycle.ends_at).toBeGreaterThan(at);
          const next = await cycleOf(day, zone, new Date(cycle.ends_at).toISOString());
          expect(next.starts_at).toBe(cycle.ends_at);
          const format = new Intl.DateTimeFormat("en-GB", {
            timeZone: zone,
            day: "numeric",
            hour: "2-digit",
            hourCycle: "h23",
          });
          const parts = Object.fromEntries(
            format.formatToParts(cycle.starts_at).map(({ type, value }) => [type, value]),
          );
          expect([Number(parts["day"]), Number(parts["hour"])]).toEqual([day, 0]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("an account's zone and day are what the database can say a cycle of", async () => {
    const insert = (zone: string, day: number) =>
      rows(
        db,
        "insert into account (id, name, tag_key, time_zone, billing_day) values ('acc_x', 'x', 'tag_x', $1, $2)",
        [zone, day],
      );
    await expect(insert("Mars/Olympus", 1)).rejects.toMatchObject({ code: "22023" });
    await expect(insert("UTC", 29)).rejects.toMatchObject({ code: "23514" });
  });
});
