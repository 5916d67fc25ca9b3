/** Times in an account's own zone, as the Invoca API writes and reads them. Pure. */
import type { Instant } from "../../kernel/clock.js";

export interface ZonedTime {
  /** `2026-11-23` */
  readonly date: string;
  /** `17:42:00` */
  readonly time: string;
  /** `-07:00` */
  readonly offset: string;
}

const FORMATS = new Map<string, Intl.DateTimeFormat>();
/** The time zone database has some 600 names. */
const FORMATS_MAX = 1_000;

export function zonedTime(at: Instant, timeZone: string): ZonedTime {
  const wall = wallClock(at, timeZone);
  const [date = "", time = ""] = new Date(wall).toISOString().slice(0, 19).split("T");
  const minutes = Math.round((wall - Math.floor(at / 1000) * 1000) / 60_000);
  const hours = String(Math.floor(Math.abs(minutes) / 60)).padStart(2, "0");
  const rest = String(Math.abs(minutes) % 60).padStart(2, "0");
  return { date, time, offset: `${minutes < 0 ? "-" : "+"}${hours}:${rest}` };
}

/** `2019-01-24 06:43:15 -07:00` */
export function localText(at: Instant, timeZone: string): string {
  const { date, time, offset } = zonedTime(at, timeZone);
  return `${date} ${time} ${offset}`;
}

/** `2019-01-24T06:43:15-07:00` */
export function xmlText(at: Instant, timeZone: string): string {
  const { date, time, offset } = zonedTime(at, timeZone);
  return `${date}T${time}${offset}`;
}

/** `2023-10-19 03:49:21 -0700`, as objects carry it */
export function objectText(at: Instant, timeZone: string): string {
  return localText(at, timeZone).replace(/:(\d\d)$/, "$1");
}

/**
 * A wall clock's time in the zone as an instant. What the clock skips in spring is read as if it had not, what it shows twice in autumn is the first.
 * @param wall ms since the epoch, if the zone were UTC
 */
export function instantOf(wall: number, timeZone: string): Instant {
  const offsets = [wall - 86_400_000, wall + 86_400_000].map((near) => wallClock(near, timeZone) - near);
  const fitting = offsets.map((offset) => wall - offset).filter((at) => wallClock(at, timeZone) === wall);
  return fitting.length > 0 ? Math.min(...fitting) : wall - (offsets[0] ?? 0);
}

/** @returns what a clock in the zone shows, as ms since the epoch if the zone were UTC; whole seconds */
function wallClock(at: Instant, timeZone: string): number {
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(at)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = FORMATS.get(timeZone);
  if (known !== undefined) return known;
  if (FORMATS.size >= FORMATS_MAX) FORMATS.clear();
  const two = "2-digit" as const;
  const made = new Intl.DateTimeFormat("en-US", {
    ...{ timeZone, hourCycle: "h23" as const, year: "numeric" as const },
    ...{ month: two, day: two, hour: two, minute: two, second: two },
  });
  FORMATS.set(timeZone, made);
  return made;
}
