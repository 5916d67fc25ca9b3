import { describe, expect, it } from "vitest";
import { isTimeZone, monthBounds, monthOf } from "../../src/kernel/calendar-month.js";

const iso = (month: string, zone: string): string[] | null => {
  const bounds = monthBounds(month, zone);
  return bounds === null ? null : [bounds.from, bounds.to].map((at) => new Date(at).toISOString());
};

describe("a month", () => {
  it.each([
    ["2026-11", "UTC", "2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z"],
    ["2026-12", "UTC", "2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"],
    ["2024-02", "UTC", "2024-02-01T00:00:00.000Z", "2024-03-01T00:00:00.000Z"],
    // Clocks go back on 1 November 2026: the month has an hour more.
    ["2026-11", "America/New_York", "2026-11-01T04:00:00.000Z", "2026-12-01T05:00:00.000Z"],
    ["2026-03", "Europe/Berlin", "2026-02-28T23:00:00.000Z", "2026-03-31T22:00:00.000Z"],
    ["2026-07", "Asia/Kathmandu", "2026-06-30T18:15:00.000Z", "2026-07-31T18:15:00.000Z"],
    ["2026-07", "Pacific/Kiritimati", "2026-06-30T10:00:00.000Z", "2026-07-31T10:00:00.000Z"],
    ["2026-07", "Pacific/Pago_Pago", "2026-07-01T11:00:00.000Z", "2026-08-01T11:00:00.000Z"],
    // The clocks of Asunción skipped midnight of 1 October 2017.
    ["2017-10", "America/Asuncion", "2017-10-01T04:00:00.000Z", "2017-11-01T03:00:00.000Z"],
  ])("%s in %s", (month, zone, from, to) => expect(iso(month, zone)).toEqual([from, to]));

  it("follows the month before without a gap, and holds its own instants", () => {
    for (const zone of ["UTC", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca"]) {
      for (let index = 0; index < 24; index++) {
        const month = `${2025 + Math.floor(index / 12)}-${String((index % 12) + 1).padStart(2, "0")}`;
        const { from, to } = monthBounds(month, zone) ?? { from: 0, to: 0 };
        expect([monthOf(from, zone), monthOf(to - 1, zone)]).toEqual([month, month]);
        expect(monthBounds(monthOf(to, zone), zone)?.from).toBe(to);
      }
    }
  });

  it("is not everything that looks like one", () => {
    for (const text of ["2026-13", "2026-00", "2026-1", "26-01", "2026-01-01", "", "x"])
      expect(monthBounds(text, "UTC")).toBeNull();
    expect([isTimeZone("Europe/Berlin"), isTimeZone("Nowhere/Land"), isTimeZone("")]).toEqual([true, false, false]);
  });
});
