/** Times in drachtio's frames: the server's time of day, UTC, without a date. Only differences of two of them mean anything. */

const DAY_MS = 86_400_000;

/** `HH:MM:SS.uuuuuu` both, the second at most a day later. 0 when one cannot be read. */
export function msBetween(earlier: string, later: string): number {
  const from = msOfDay(earlier);
  const to = msOfDay(later);
  return from === null || to === null ? 0 : (to - from + DAY_MS) % DAY_MS;
}

function msOfDay(time: string): number | null {
  const match = /^(\d\d):(\d\d):(\d\d(?:\.\d+)?)$/.exec(time);
  return match === null
    ? null
    : (Number(match[1]) * 60 + Number(match[2])) * 60_000 + Math.round(Number(match[3]) * 1_000);
}
