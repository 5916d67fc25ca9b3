/**
 * What counts after later knowledge about a call: what a correction said stands until another one takes it back; without one the signals say it. Used when a
 * record row is added. Pure.
 */

/** Later knowledge that was sent for a call: the newest of its name and partner's id. */
export interface CurrentSignal {
  readonly id: string;
  readonly name: string;
  readonly partnerUniqueId: string;
  /** null: it says nothing. */
  readonly value: boolean | null;
  readonly revenue: number | null;
  readonly occurredAt: number;
}

export interface Outcome {
  /** null: nobody said. */
  readonly givenConversion: boolean | null;
  readonly givenRevenue: number | null;
}

/** Left out: as it is. null: what was said is taken back. */
export interface OutcomeChange {
  readonly conversion?: boolean | null | undefined;
  readonly revenue?: number | null | undefined;
}

export interface CountedOutcome extends Outcome {
  readonly conversion: boolean | null;
  readonly revenue: number | null;
}

/** Amounts have four decimals; sums in whole ten-thousandths lose nothing. */
const PARTS = 10_000;

export function outcomeAfter(
  before: Outcome,
  change: OutcomeChange,
  signals: readonly Pick<CurrentSignal, "value" | "revenue">[],
): CountedOutcome {
  const givenConversion = change.conversion === undefined ? before.givenConversion : change.conversion;
  const givenRevenue = change.revenue === undefined ? before.givenRevenue : change.revenue;
  return {
    givenConversion,
    givenRevenue,
    conversion: givenConversion ?? conversionOf(signals),
    revenue: givenRevenue ?? revenueOf(signals),
  };
}

/** One that happened is enough; null when none says anything. */
function conversionOf(signals: readonly Pick<CurrentSignal, "value">[]): boolean | null {
  const said = signals.filter(({ value }) => value !== null);
  return said.length === 0 ? null : said.some(({ value }) => value === true);
}

/** Of what happened; null when none of it brought an amount. */
function revenueOf(signals: readonly Pick<CurrentSignal, "value" | "revenue">[]): number | null {
  const amounts = signals.flatMap(({ value, revenue }) => (value === true && revenue !== null ? [revenue] : []));
  if (amounts.length === 0) return null;
  return amounts.reduce((sum, amount) => sum + Math.round(amount * PARTS), 0) / PARTS;
}
