/** When a month begins and ends in a time zone of the IANA database. Pure but for the zone rules that Node carries. */
import type { Instant } from "./clock.js";

/** Zones are at most 14 h ahead of UTC and 12 h behind. */
const ZONE_OFFSET_MS_MAX = 24 * 3_600_000;
const MONTH_PATTERN = /^(\d{4})-(0[1-9]|1[0-2])$/;

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch (error) {
    // A RangeError is how Intl says no.
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** @param month YYYY-MM @returns from (inclusive) to (exclusive); null for what is no month */
export function monthBounds(month: string, timeZone: string): { from: Instant; to: Instant } | null {
  const [, year, number] = MONTH_PATTERN.exec(month) ?? [];
  if (year === undefined || number === undefined) return null;
  const index = Number(year) * 12 + Number(number) - 1;
  const monthAt = monthReader(timeZone);
  return { from: startOf(index, monthAt), to: startOf(index + 1, monthAt) };
}

/** The month that `at` lies in. */
export function monthOf(at: Instant, timeZone: string): string {
  const index = monthReader(timeZone)(at);
  return `${String(Math.floor(index / 12)).padStart(4, "0")}-${String((index % 12) + 1).padStart(2, "0")}`;
}

/** The first instant that the zone's calendar counts to the month: found by halving, so that midnights which a clock change skips need no rule. */
function startOf(index: number, monthAt: (at: Instant) => number): Instant {
  const utc = utcStart(index);
  let before = utc - ZONE_OFFSET_MS_MAX;
  let within = utc + ZONE_OFFSET_MS_MAX;
  while (within - before > 1) {
    const middle = Math.floor((before + within) / 2);
    if (monthAt(middle) >= index) within = middle;
    else before = middle;
  }
  return within;
}

function utcStart(index: number): Instant {
  // Date.UTC takes years below 100 for those of the twentieth century.
  return new Date(0).setUTCFullYear(Math.floor(index / 12), index % 12, 1);
}

/** Months counted from year 0. */
function monthReader(timeZone: string): (at: Instant) => number {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, calendar: "gregory", year: "numeric", month: "numeric" });
  return (at) => {
    const parts = format.formatToParts(at);
    const value = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
    return value("year") * 12 + value("month") - 1;
  };
}
