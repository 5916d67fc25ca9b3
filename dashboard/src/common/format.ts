/** Numbers, times and shares as people read them, in the reader's own language and clock. */

/** +18005550100 → (800) 555-0100; numbers of other countries as they are. */
export function phone(e164: string | null): string {
  if (e164 === null) return "–";
  const parts = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(e164);
  return parts === null ? e164 : `(${parts[1]}) ${parts[2]}-${parts[3]}`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY_AND_CLOCK = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
});

/** The clock for today, with the day for what is older. */
export function time(iso: string, now: number): string {
  const at = new Date(iso);
  return at.toDateString() === new Date(now).toDateString() ? CLOCK.format(at) : DAY_AND_CLOCK.format(at);
}

/** 65_000 → 1:05 */
export function talk(ms: number | null): string {
  if (ms === null) return "–";
  const s = Math.round(ms / 1_000);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}

/** 93_000 → 1 min 33 s; 200_000_000 → 2 d 7 h */
export function span(ms: number): string {
  const s = ms / 1_000;
  if (s < 1) return `${Math.round(ms)} ms`;
  if (s < 60) return `${s < 10 ? Math.round(s * 10) / 10 : Math.round(s)} s`;
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ] as const;
  const first = units.findIndex(([, size]) => s >= size);
  let rest = Math.round(s);
  const words: string[] = [];
  for (const [unit, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) words.push(`${count} ${unit}`);
  }
  return words.join(" ");
}

/** 0.1234 → 12.3 % */
export function share(value: number | null): string {
  if (value === null) return "–";
  const percent = value * 100;
  return `${percent === 0 || percent >= 99.95 ? Math.round(percent) : percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

/** never_presented → never presented */
export function words(code: string): string {
  return code.replaceAll("_", " ");
}
