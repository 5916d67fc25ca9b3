/** The dashboard's smaller panels: pools, numbers by state, today's sources. Each fills its place from one answer. */
import type { Pool, PoolReportRow, PromoNumber, SourceReportRow } from "../common/api-shapes.js";
import { bar } from "../common/bar.js";
import { element } from "../common/element.js";
import { phone, share, time, words } from "../common/format.js";

const RELEASES_SHOWN_MAX = 5;

export interface PoolsBody {
  readonly pools: readonly Pool[];
  readonly loads: readonly PoolReportRow[];
  /** There are more. */
  readonly isCut: boolean;
}

/** @param more where it is told that there are more */
export function fillPools(place: HTMLElement, more: HTMLElement, { pools, loads, isCut }: PoolsBody): string | null {
  const byPool = new Map(loads.map((row) => [row.pool_id, row.pool ?? null]));
  place.replaceChildren(
    ...pools.map((pool) => {
      const load = byPool.get(pool.id) ?? null;
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, pool.name, element("span", { class: "under" }, phone(pool.destination_number))),
        element("td", {}, bar(pool.size === 0 ? 0 : pool.locked / pool.size), `${pool.locked} of ${pool.size}`),
        element("td", {}, bar(load?.utilisation ?? 0), share(load?.utilisation ?? null)),
        element("td", {}, bar(load?.overflow_share ?? 0, "bad"), share(load?.overflow_share ?? null)),
      );
    }),
  );
  more.textContent = isCut
    ? `The ${pools.length} pools with most calls in the last 24 hours; /v1/pools lists all.`
    : "";
  return pools.length === 0 ? "There is no pool yet: POST /v1/pools makes one." : null;
}

export interface NumbersBody {
  readonly numbers: readonly PromoNumber[];
  /** There are more than were read. */
  readonly isCut: boolean;
}

/** In the order of a number's life. */
const STATES = ["ordering", "porting", "available", "assigned", "draining", "quarantined", "retired"];

export function fillNumbers(place: HTMLElement, { numbers, isCut }: NumbersBody): string | null {
  const counts = new Map<string, number>();
  for (const { state } of numbers) counts.set(state, (counts.get(state) ?? 0) + 1);
  const known = [...new Set([...STATES, ...counts.keys()])].filter((state) => counts.has(state));
  const rows = known.map((state) => {
    const count = counts.get(state) ?? 0;
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, words(state)),
      element("td", {}, bar(count / numbers.length), String(count)),
    );
  });
  const table = element("table", {}, element("caption", {}, "By state"), element("tbody", {}, ...rows));
  place.replaceChildren(table, ...releases(numbers));
  if (isCut)
    place.append(
      element("p", { class: "small" }, `Only the first ${numbers.length} are counted here; /metrics counts all.`),
    );
  return numbers.length === 0 ? "There are no promo numbers yet: POST /v1/numbers adds some." : null;
}

function releases(numbers: readonly PromoNumber[]): HTMLElement[] {
  const soonest = numbers
    .flatMap(({ number, quarantine }) => (quarantine === null ? [] : [{ number, at: quarantine.earliest_release_at }]))
    .sort((a, b) => (a.at < b.at ? -1 : 1));
  if (soonest.length === 0) return [];
  const items = soonest
    .slice(0, RELEASES_SHOWN_MAX)
    .map(({ number, at }) => element("li", {}, `${phone(number)}: ${time(at, Date.now())}`));
  return [
    element("h3", {}, "Quarantine: earliest release, if nobody calls"),
    element("ul", { class: "plain" }, ...items),
  ];
}

export function fillSources(place: HTMLElement, rows: readonly SourceReportRow[]): string | null {
  const most = Math.max(1, ...rows.map(({ calls }) => calls));
  place.replaceChildren(
    ...rows.map(({ source, calls }) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, source ?? "unknown"),
        element("td", {}, bar(calls / most), String(calls)),
      ),
    ),
  );
  return rows.length === 0 ? "No calls today." : null;
}
