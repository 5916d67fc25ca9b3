/**
 * Times as the Signal API takes them: seconds or milliseconds since the epoch, YYYYMMDDHHMMSSsss (UTC), ISO 8601 with an offset, also with slashes, and a
 * spreadsheet's YYYY/MM/DD HH:MM:SS.sss AM/PM in the account's zone. Pure.
 */
import { INSTANT_MAX, type Instant } from "../../kernel/clock.js";
import { instantOf } from "./zoned-time.js";

const COMPRESSED = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d{3})$/;
const ISO = /^(\d{4})[/-](\d\d)[/-](\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?(Z|[+-]\d\d:?\d\d)$/i;
const SPREADSHEET = /^(\d{4})\/(\d\d?)\/(\d\d?) (\d\d?):(\d\d):(\d\d)(?:\.(\d{1,3}))? ?(AM|PM)?$/i;

/** @returns null for what is none of the formats, or no date that exists, or after 9999 in UTC */
export function readSignalTime(given: string | number, timeZone: string): Instant | null {
  const at = readTime(given, timeZone);
  return at !== null && at <= INSTANT_MAX ? at : null;
}

function readTime(given: string | number, timeZone: string): Instant | null {
  const text = String(given).trim();
  if (/^\d{10}$/.test(text)) return Number(text) * 1000;
  if (/^\d{13}$/.test(text)) return Number(text);
  const compressed = COMPRESSED.exec(text);
  if (compressed !== null) return wallOf(compressed.slice(1));
  const iso = ISO.exec(text);
  if (iso !== null) {
    const wall = wallOf(iso.slice(1, 8));
    return wall === null ? null : wall - offsetMs(iso[8] ?? "Z");
  }
  const sheet = SPREADSHEET.exec(text);
  if (sheet === null) return null;
  const fields = sheet.slice(1, 8);
  fields[3] = String(hourOf(Number(fields[3]), sheet[8]));
  const wall = wallOf(fields);
  return wall === null ? null : instantOf(wall - (wall % 1000), timeZone) + (wall % 1000);
}

/** Invoca's own examples say 13:00 PM: an hour above 12 is taken as it is. */
function hourOf(hour: number, half: string | undefined): number {
  if (half === undefined || hour > 12) return hour;
  return (hour % 12) + (half.toUpperCase() === "PM" ? 12 : 0);
}

function wallOf(fields: readonly (string | undefined)[]): number | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields.slice(0, 6).map(Number);
  const ms = Number((fields[6] ?? "").padEnd(3, "0"));
  const wall = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  const back = new Date(wall);
  // Date.UTC takes years below 100 for those of the twentieth century.
  const isDate = back.getUTCFullYear() === year && back.getUTCMonth() === month - 1 && back.getUTCDate() === day;
  return isDate && hour < 24 && minute < 60 && second < 60 ? wall : null;
}

function offsetMs(text: string): number {
  const parts = /^([+-])(\d\d):?(\d\d)$/.exec(text);
  if (parts === null) return 0;
  const minutes = Number(parts[2]) * 60 + Number(parts[3]);
  return (parts[1] === "-" ? -1 : 1) * minutes * 60_000;
}
