/**
 * The calendar of a report: which stretches of time belong to which hour, day, week or month of a time zone, hour of the day and day of the week,
 * clock changes included. Pure but for the zone rules that Node carries. PostgreSQL is never asked for a zone: its rules may be of another year.
 */
import type { Instant } from "../../kernel/clock.js";

export const INTERVALS = ["hour", "day", "week", "month"] as const;
export type Interval = (typeof INTERVALS)[number];
export const TIME_DIMENSIONS = ["hour_of_day", "day_of_week"] as const;
export type TimeDimension = (typeof TIME_DIMENSIONS)[number];

/** What a row of a report says of its time. Null: not asked for. */
export interface Bucket {
  /** Of the zone's calendar: 2026-11-28T13:00-05:00, 2026-11-28, the Monday of a week, 2026-11. */
  readonly interval: string | null;
  /** 0 to 23 on the zone's clocks. */
  readonly hourOfDay: number | null;
  /** 1 Monday to 7 Sunday (ISO 8601). */
  readonly dayOfWeek: number | null;
  /** The part of it that lies in the report's range. */
  readonly from: Instant;
  readonly to: Instant;
}

/** Time that belongs to one bucket, by its place in the list. */
export interface Stretch {
  readonly bucket: number;
  readonly from: Instant;
  readonly to: Instant;
}

export interface Calendar {
  /** In order of their first moment. */
  readonly buckets: readonly Bucket[];
  /** In order, without gap or overlap; neighbours are of different buckets. */
  readonly stretches: readonly Stretch[];
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export function reportCalendar(input: {
  from: Instant;
  to: Instant;
  timeZone: string;
  interval: Interval | null;
  by: readonly TimeDimension[];
}): Calendar {
  const { from, to, timeZone, interval, by } = input;
  const stepMs = interval === "hour" || by.includes("hour_of_day") ? HOUR_MS : DAY_MS;
  const places = new Map<string, number>();
  const buckets: Bucket[] = [];
  const stretches: Stretch[] = [];
  for (const step of stepsOf(from, to, timeZone, stepMs)) {
    const label = labelOf(step, interval, by);
    // The hour that a clock change repeats is another hour, and has another offset; the day it lengthens is one day.
    const key = `${label.interval} ${label.hourOfDay} ${label.dayOfWeek}`;
    const place = places.get(key) ?? buckets.length;
    places.set(key, place);
    buckets[place] = { ...label, from: buckets[place]?.from ?? step.from, to: step.to };
    const last = stretches.at(-1);
    if (last?.bucket === place) stretches[stretches.length - 1] = { ...last, to: step.to };
    else stretches.push({ bucket: place, from: step.from, to: step.to });
  }
  return { buckets, stretches };
}

/** At most an hour or a day of the zone's clocks, under one offset. */
interface Step {
  readonly from: Instant;
  readonly to: Instant;
  readonly offsetMs: number;
}

function* stepsOf(from: Instant, to: Instant, timeZone: string, stepMs: number): Generator<Step> {
  for (const span of offsetsOf(from, to, timeZone)) {
    for (let at = span.from; at < span.to; ) {
      const local = at + span.offsetMs;
      const next = Math.min(span.to, Math.floor(local / stepMs) * stepMs + stepMs - span.offsetMs);
      yield { from: at, to: next, offsetMs: span.offsetMs };
      at = next;
    }
  }
}

/** The zone's offsets from UTC in turn. Zones change theirs a few times a year, so a day holds one change at the most. */
function* offsetsOf(from: Instant, to: Instant, timeZone: string): Generator<Step> {
  const offsetAt = offsetReader(timeZone);
  let begins = from;
  let offsetMs = offsetAt(from);
  for (let day = from; day < to; day += DAY_MS) {
    const end = Math.min(day + DAY_MS, to);
    const after = offsetAt(end);
    if (after === offsetMs) continue;
    const change = firstWith(day, end, (at) => offsetAt(at) === after);
    yield { from: begins, to: change, offsetMs };
    begins = change;
    offsetMs = after;
  }
  if (begins < to) yield { from: begins, to, offsetMs };
}

/** @returns the first moment in (before, within] for which it holds; it holds at `within` and does not at `before` */
function firstWith(before: Instant, within: Instant, holds: (at: Instant) => boolean): Instant {
  let [low, high] = [before, within];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function offsetReader(timeZone: string): (at: Instant) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (at) => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const local = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
    return local - Math.floor(at / 1_000) * 1_000;
  };
}

function labelOf(step: Step, interval: Interval | null, by: readonly TimeDimension[]): Omit<Bucket, "from" | "to"> {
  const local = new Date(step.from + step.offsetMs);
  const dayOfWeek = ((local.getUTCDay() + 6) % 7) + 1;
  return {
    interval: interval === null ? null : intervalOf(local, interval, step.offsetMs, dayOfWeek),
    hourOfDay: by.includes("hour_of_day") ? local.getUTCHours() : null,
    dayOfWeek: by.includes("day_of_week") ? dayOfWeek : null,
  };
}

function intervalOf(local: Date, interval: Interval, offsetMs: number, dayOfWeek: number): string {
  const date = (at: number): string => new Date(at).toISOString().slice(0, 10);
  switch (interval) {
    case "hour":
      return `${local.toISOString().slice(0, 13)}:00${offsetText(offsetMs)}`;
    case "day":
      return date(local.getTime());
    case "week":
      return date(local.getTime() - (dayOfWeek - 1) * DAY_MS);
    case "month":
      return local.toISOString().slice(0, 7);
  }
}

/** ±hh:mm */
function offsetText(offsetMs: number): string {
  const minutes = Math.round(Math.abs(offsetMs) / MINUTE_MS);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${offsetMs < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
