/** What a benchmark says: figures as measured, ratios to the baseline of the same run, and which of these are held to a target. */

/** A ratio must be at least, or at most, this. */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** An absolute figure this machine or a better one should reach; printed, never part of `met`. */
export type Goal = { readonly measured: number } & ({ readonly below: number } | { readonly atLeast: number });

export interface BenchResult {
  readonly bench: string;
  readonly figures: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, number>>;
  readonly targets: Readonly<Record<string, Target>>;
  readonly goals: Readonly<Record<string, Goal>>;
}

/** Ratios against targets only: absolute figures are the machine's as much as ours. */
export function isMet({ ratios, targets }: BenchResult): boolean {
  return Object.entries(targets).every(([name, target]) => {
    const ratio = ratios[name];
    if (ratio === undefined) return false;
    return "atLeast" in target ? ratio >= target.atLeast : ratio <= target.atMost;
  });
}

export function jsonLine(result: BenchResult): string {
  return JSON.stringify({ ...result, met: isMet(result) });
}

/** Name, value and what it is held to, one line each. */
export function table(result: BenchResult): string {
  const lines: [string, string, string][] = [];
  for (const [name, value] of Object.entries(result.figures)) lines.push([name, round(value), ""]);
  for (const [name, value] of Object.entries(result.ratios)) {
    const target = result.targets[name];
    const held =
      target === undefined ? "" : "atLeast" in target ? `target ≥ ${target.atLeast}` : `target ≤ ${target.atMost}`;
    lines.push([name, round(value), held]);
  }
  for (const [name, goal] of Object.entries(result.goals))
    lines.push([name, round(goal.measured), `goal ${limitOf(goal)}: ${isReached(goal) ? "reached" : "missed"}`]);
  const width = Math.max(...lines.map(([name]) => name.length));
  const rows = lines.map(([name, value, held]) => `  ${name.padEnd(width)}  ${value.padStart(12)}  ${held}`.trimEnd());
  return [`${result.bench}: ${isMet(result) ? "met" : "MISSED"}`, ...rows].join("\n");
}

function limitOf(goal: Goal): string {
  return "atLeast" in goal ? `≥ ${goal.atLeast}` : `< ${goal.below}`;
}

function isReached(goal: Goal): boolean {
  return "atLeast" in goal ? goal.measured >= goal.atLeast : goal.measured < goal.below;
}

function round(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return value.toFixed(digits);
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** @param share in [0, 1]; 0.99 is the p99 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
