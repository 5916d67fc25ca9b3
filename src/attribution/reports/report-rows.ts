/** From the groups that were read to the rows that are shown: every interval of every group, in the order asked for, with totals over all. Pure. */
import type { Bucket } from "./report-calendar.js";
import { type Count, COUNTS, type Counts, type Dimension, type ReportGroup } from "./report.store.js";

/** Sums, and what follows from them. */
export interface Figures extends Counts {
  /** Of calls that were routed, those that no visitor is known for; null: none was routed. */
  readonly unattributedShare: number | null;
  /** Of calls matched to a visitor, those expected to be somebody else's: the mean of 1 − confidence. Null: none is judged yet. */
  readonly estimatedMisattribution: number | null;
  /** In `currency`; null when the calls' accounts use several, which cannot be added up. */
  readonly revenue: number | null;
  readonly currency: string | null;
}

export interface ReportRow {
  readonly bucket: Bucket;
  readonly dimensions: Readonly<Partial<Record<Dimension, string | null>>>;
  readonly figures: Figures;
}

export interface ReportOrder {
  readonly by: Count | "revenue";
  readonly descending: boolean;
}

export interface ReportTable {
  /** By time, then as asked, then by name. */
  readonly rows: readonly ReportRow[];
  readonly totals: Figures;
}

interface RowsInput {
  readonly groups: readonly ReportGroup[];
  readonly buckets: readonly Bucket[];
  readonly groupBy: readonly Dimension[];
  /** Shown though they had no call. */
  readonly always: readonly ReportRow["dimensions"][];
  readonly order: ReportOrder;
  /** Of an account's own report; null: each group's. */
  readonly currency: string | null;
}

/** @returns null when there would be more than `rowsMax` */
export function reportRows(
  { groups, buckets, groupBy, always, order, currency }: RowsInput,
  rowsMax: number,
): ReportTable | null {
  const keyOf = ({ dimensions }: Pick<ReportRow, "dimensions">): string =>
    JSON.stringify(groupBy.map((one) => dimensions[one] ?? null));
  const kinds = new Map(
    [...always.map((dimensions) => ({ dimensions })), ...groups].map((kind) => [
      keyOf(kind),
      dimensionsOf(kind, groupBy),
    ]),
  );
  // Without anything to tell apart there is a row even when nothing happened.
  if (groupBy.length === 0) kinds.set("[]", {});
  if (kinds.size * buckets.length > rowsMax) return null;
  const sums = new Map<string, Sum>();
  const total = newSum();
  for (const group of groups) {
    const key = `${group.bucket} ${keyOf(group)}`;
    const sum = sums.get(key) ?? newSum();
    sums.set(key, sum);
    for (const into of [sum, total]) add(into, group);
  }
  const inOrder = comparison(order);
  const rows = buckets.flatMap((bucket, place) =>
    [...kinds]
      .map(([key, dimensions]) => ({
        bucket,
        dimensions,
        key,
        figures: figuresOf(sums.get(`${place} ${key}`) ?? newSum(), currency),
      }))
      .sort(inOrder)
      .map(({ key: _key, ...row }) => row),
  );
  return { rows, totals: figuresOf(total, currency) };
}

function dimensionsOf(kind: Pick<ReportRow, "dimensions">, groupBy: readonly Dimension[]): ReportRow["dimensions"] {
  return Object.fromEntries(groupBy.map((one) => [one, kind.dimensions[one] ?? null]));
}

interface Sum {
  readonly counts: Record<Count, number>;
  /** In ten thousandths, by currency. */
  readonly revenue: Map<string, bigint>;
}

function newSum(): Sum {
  return { counts: Object.fromEntries(COUNTS.map((count) => [count, 0])) as Record<Count, number>, revenue: new Map() };
}

function add(sum: Sum, group: ReportGroup): void {
  for (const count of COUNTS) sum.counts[count] += group[count];
  const amount = tenThousandths(group.revenue);
  if (group.currency !== null && amount !== 0n)
    sum.revenue.set(group.currency, (sum.revenue.get(group.currency) ?? 0n) + amount);
}

const REVENUE_DIGITS = 4;
const REVENUE_UNIT = 10 ** REVENUE_DIGITS;
const MILLION = 1_000_000;

/** @param text a decimal number with four digits behind the point at the most */
function tenThousandths(text: string): bigint {
  const [whole = "0", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(REVENUE_DIGITS, "0"));
}

function figuresOf({ counts, revenue }: Sum, currency: string | null): Figures {
  const { routed, unattributed, judged, confidence_ppm } = counts;
  const [own, ...others] = [...revenue];
  const isOne = others.length === 0;
  return {
    ...counts,
    unattributedShare: routed === 0 ? null : unattributed / routed,
    estimatedMisattribution: judged === 0 ? null : (judged * MILLION - confidence_ppm) / (judged * MILLION),
    revenue: isOne ? Number(own?.[1] ?? 0n) / REVENUE_UNIT : null,
    currency: isOne ? (own?.[0] ?? currency) : null,
  };
}

type Comparable = { readonly key: string; readonly figures: Figures };

/** Groups of several currencies stand where their revenue cannot: last. */
function comparison({ by, descending }: ReportOrder): (a: Comparable, b: Comparable) => number {
  const valueOf = ({ figures }: Comparable): number => figures[by] ?? Number.NEGATIVE_INFINITY;
  return (a, b) => {
    const [first, second] = [valueOf(a), valueOf(b)];
    if (first !== second) return first < second === descending ? 1 : -1;
    return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
  };
}
