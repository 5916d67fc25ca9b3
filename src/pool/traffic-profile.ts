/** How busy a pool is over time: allocations an hour, and what they say about its busiest hour or day. Pure. */

export const HOUR_S = 3_600;

export interface TrafficProfile {
  /** How long was watched, seconds. */
  readonly observedS: number;
  /** Allocations by hour, the latest first; the last entry may be less than an hour. Gaps are zeros. */
  readonly hourly: readonly number[];
  /** Mean time a number is locked for one allocation: lock, page time and the visitor's renewals. */
  readonly holdS: number;
}

/** λ: allocations per second over all that was watched. */
export function meanRate({ hourly, observedS }: TrafficProfile): number {
  return hourly.reduce((sum, count) => sum + count, 0) / observedS;
}

/**
 * The mean rate over the busiest stretch of about `spanS`, in whole hours. All that was watched when the span is longer than that: then there is
 * no busier part to choose.
 */
export function busiestRate(profile: TrafficProfile, spanS: number): number {
  const { hourly, observedS } = profile;
  const hours = Math.max(1, Math.ceil(spanS / HOUR_S));
  if (hours * HOUR_S >= observedS) return meanRate(profile);
  let inside = 0;
  let most = 0;
  for (const [i, count] of hourly.entries()) {
    inside += count - (hourly[i - hours] ?? 0);
    most = Math.max(most, inside);
  }
  return Math.max(most / (hours * HOUR_S), meanRate(profile));
}

/** The same traffic all the time: for planning a pool that is not there yet. */
export function steadyTraffic(input: { perHour: number; holdS: number }): TrafficProfile {
  return { observedS: HOUR_S, hourly: [input.perHour], holdS: input.holdS };
}
