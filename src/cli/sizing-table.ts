/** A pool's sizing as a person reads it in a terminal. */
import type { SizingOut } from "../http/contract/sizing.js";
import type { Simulation } from "../pool/simulate-pool.js";

/** A size that was played, beside what the formulas say of it. */
export interface SimulatedSize extends Simulation {
  readonly size: number;
  readonly usable: number;
  readonly seed: number;
}

const NOTHING = "-";

export function sizingTable(sizing: SizingOut, simulated: readonly SimulatedSize[]): string {
  if (sizing.recommended_size === null) {
    return `Nobody was presented a number of this pool in the last ${duration(sizing.window_s)}: nothing to plan from.`;
  }
  return [
    traffic(sizing),
    delays(sizing),
    "",
    curve(sizing),
    "",
    recommendation(sizing),
    ...played(sizing, simulated),
  ].join("\n");
}

function traffic({ lambda_per_s: mean, peak, hold_s, erlangs, size, usable }: SizingOut): string {
  const hour = `${perHour(mean)} visitors an hour on average, ${perHour(peak.lambda_per_s)} in the busiest hour`;
  const pool = size === 0 ? "" : `Size      ${size}, ${usable} of them for visitors\n`;
  return `${pool}Traffic   ${hour}\nHold      ${duration(hold_s)}, ${decimal(erlangs)} erlangs (${decimal(peak.erlangs)} in the busiest hour)`;
}

function delays({ delays: of }: SizingOut): string {
  const from =
    of.calls === 0
      ? "assumed; no call was measured"
      : `${of.calls} calls measured, ${percent(of.assumed_share)} assumed`;
  return `Delays    half of the calls within ${duration(of.p50_s)}, 95 % within ${duration(of.p95_s)} (${from})`;
}

function curve({ curve: options, size, recommended_size: wanted }: SizingOut): string {
  const hasPrice = options.some(({ cost_per_point: cost }) => cost !== null);
  const header = ["size", "overflow", "misattributed", "numbers/point", ...(hasPrice ? ["cost/point"] : []), ""];
  const lines = options.map((option) => [
    String(option.size),
    percent(option.overflow_share),
    percent(option.misattribution),
    few(option.numbers_per_point),
    ...(hasPrice ? [few(option.cost_per_point)] : []),
    [option.size === size ? "now" : "", option.size === wanted ? "recommended" : ""].filter(Boolean).join(", "),
  ]);
  return aligned([header, ...lines]);
}

function recommendation(sizing: SizingOut): string {
  const {
    recommended_size: size,
    for_overflow,
    for_retention,
    protected_delay_s: delay,
    target_overflow,
    protect,
  } = sizing;
  const overflow = `${for_overflow} for at most ${percent(target_overflow)} overflow in the busiest hour`;
  const retention = `${for_retention} to keep ${percent(protect)} of the calls' numbers until they come (${duration(delay)})`;
  return `Recommended size ${size}: ${overflow}; ${retention}; the larger counts.`;
}

function played(sizing: SizingOut, simulated: readonly SimulatedSize[]): string[] {
  if (simulated.length === 0) return [];
  const header = ["simulated", "overflow", "by formula", "misattributed", "by formula", "calls"];
  const lines = simulated.map((one) => {
    const formula = sizing.curve.find(({ size }) => size === one.size);
    return [
      String(one.size),
      percent(one.overflowShare),
      percent(formula?.overflow_share ?? null),
      percent(one.misattribution),
      percent(formula?.misattribution ?? null),
      String(one.calls),
    ];
  });
  return ["", aligned([header, ...lines])];
}

/** Columns to the right; the last one, if it is words, follows. */
function aligned(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padStart(9) : `  ${cell.padStart(widths[column] ?? 0)}`))
        .join(""),
    )
    .map((line) => line.trimEnd())
    .join("\n");
}

function percent(share: number | null): string {
  return share === null ? NOTHING : `${(share * 100).toFixed(2)} %`;
}

function few(value: number | null): string {
  return value === null ? NOTHING : value.toFixed(value < 10 ? 1 : 0);
}

function decimal(value: number | null): string {
  return value === null ? NOTHING : value.toFixed(1);
}

function perHour(perS: number | null): string {
  return perS === null ? NOTHING : String(Number((perS * 3_600).toPrecision(3)));
}

const UNITS = [
  [86_400, "days"],
  [3_600, "h"],
  [60, "min"],
] as const;

function duration(seconds: number | null): string {
  if (seconds === null) return NOTHING;
  for (const [unit, name] of UNITS) if (seconds >= unit) return `${Number((seconds / unit).toPrecision(3))} ${name}`;
  return `${Number(seconds.toPrecision(3))} s`;
}
