/** A pool's sizing on the wire. What was not measured is null. */
import { z } from "zod";
import { delayQuantile } from "../../pool/call-delays.js";
import { type PoolSizing, WINDOW_S_DEFAULT, WINDOW_S_MAX, WINDOW_S_MIN } from "../../pool/pool-sizing.js";
import type { Pool } from "../../pool/pools.store.js";
import { DEFAULT_TARGETS, type Figures, type SizeOption } from "../../pool/size-pool.js";

const share = z.coerce.number().gt(0).lt(1);

export const sizingQuery = z.strictObject({
  window_s: z.coerce
    .number()
    .int()
    .min(WINDOW_S_MIN)
    .max(WINDOW_S_MAX)
    .default(WINDOW_S_DEFAULT)
    .meta({ description: "How far back the pool's log is read" }),
  target_overflow: share
    .default(DEFAULT_TARGETS.overflowShare)
    .meta({ description: "At most this share of visitors may find no number, in the busiest hour" }),
  protect: share
    .default(DEFAULT_TARGETS.protectedShare)
    .meta({ description: "This share of calls shall come before their number goes to somebody else" }),
  number_price: z.coerce
    .number()
    .positive()
    .max(1_000_000)
    .optional()
    .meta({ description: "What one number costs, in any currency and time: prices a point of accuracy" }),
});

/** What the answer repeats of the question, so that it can be read by itself. */
export type SizingQuery = z.output<typeof sizingQuery>;
export type SizingOut = z.output<typeof sizingOut>;

const shareOut = z.number().min(0).max(1);

const figures = {
  lambda_per_s: z.number().nullable(),
  erlangs: z.number().nullable().meta({ description: "lambda_per_s · hold_s" }),
  overflow_share: shareOut.nullable().meta({ description: "Erlang B of erlangs and usable" }),
  horizon_s: z.number().nullable().meta({ description: "usable / lambda_per_s: when a number goes to somebody else" }),
  misattribution: shareOut
    .nullable()
    .meta({ description: "Estimated share of calls matched to the wrong visitor, over delays up to retention" }),
};

const sizeOption = z.object({
  size: z.int(),
  usable: z.int(),
  overflow_share: shareOut,
  misattribution: shareOut,
  numbers_per_point: z.number().nullable().meta({
    description: "More numbers that one point (0.01) less misattribution takes; null: hardly any number would",
  }),
  cost_per_point: z.number().nullable().meta({ description: "The same by number_price" }),
});

export const sizingOut = z.object({
  size: z.int(),
  usable: z.int().meta({ description: "Without the overflow number" }),
  ...figures,
  lambda_per_s: figures.lambda_per_s.meta({
    description: "New allocations per second, renewals not counted: the mean over what was observed of the window",
  }),
  hold_s: z.number().meta({
    description:
      "Mean time a number is locked for one allocation: session lifetime, page time and renewals as measured",
  }),
  page_time_s: z.number().nullable().meta({ description: "Mean time that open pages prolonged their locks" }),
  peak: z.object(figures).meta({ description: "The same in the busiest hour of the window" }),
  recommended_size: z
    .int()
    .nullable()
    .meta({ description: "The larger of for_overflow and for_retention, and the overflow number" }),
  for_overflow: z
    .int()
    .nullable()
    .meta({ description: "Usable numbers that keep target_overflow in the busiest hour (Erlang B)" }),
  for_retention: z.int().nullable().meta({
    description: "λq + 2√(λq) usable numbers, with q = protected_delay_s and the rate of the busiest time that long",
  }),
  protected_delay_s: z.number().nullable().meta({ description: "The delay within which `protect` of calls come" }),
  target_overflow: z.number(),
  protect: z.number(),
  delays: z
    .object({
      source: z.enum(["prior", "mixed", "measured"]),
      calls: z.int().meta({ description: "Matched calls of the pool in the window that were measured" }),
      weight: shareOut.meta({ description: "Of the measured delays against the prior: calls / 200, 1 at most" }),
      assumed_share: shareOut.meta({
        description:
          "Share of the distribution that is assumed: the prior, and what comes after horizon_s, which no pool can measure",
      }),
      p50_s: z.number(),
      p90_s: z.number(),
      p95_s: z.number(),
      p99_s: z.number(),
    })
    .meta({ description: "From presentation to call; the quantiles are of calls within retention at most" }),
  window_s: z.int(),
  observed_s: z.number().nullable().meta({ description: "Less than the window for a pool younger than it" }),
  sampled_share: z.number().meta({ description: "Below 1: the log is long, and this share of the numbers was read" }),
  curve: z.array(sizeOption),
});

/** Also for `ringmatch pool size`, where the pool may be one that is only planned. */
export function showSizing(input: {
  pool: Pick<Pool, "size" | "retentionS" | "sessionLifetimeS">;
  query: SizingQuery;
  sizing: PoolSizing;
}): SizingOut {
  const { pool, query, sizing } = input;
  const { plan, delays, traffic, usable } = sizing;
  const quantile = (part: number): number => delayQuantile(delays.parts, part, pool.retentionS);
  return {
    size: pool.size,
    usable,
    ...showFigures(plan?.mean ?? null),
    hold_s: traffic.profile?.holdS ?? pool.sessionLifetimeS,
    page_time_s: traffic.pageTimeS,
    peak: showFigures(plan?.peak ?? null),
    recommended_size: plan?.recommendedSize ?? null,
    for_overflow: plan?.forOverflow ?? null,
    for_retention: plan?.forRetention ?? null,
    protected_delay_s: plan?.protectedDelayS ?? null,
    target_overflow: query.target_overflow,
    protect: query.protect,
    delays: {
      source: delays.source,
      calls: delays.calls,
      weight: delays.weight,
      assumed_share: delays.assumedShare,
      p50_s: quantile(0.5),
      p90_s: quantile(0.9),
      p95_s: quantile(0.95),
      p99_s: quantile(0.99),
    },
    window_s: query.window_s,
    observed_s: traffic.profile?.observedS ?? null,
    sampled_share: traffic.sampledShare,
    curve: (plan?.curve ?? []).map((option) => showOption(option, query.number_price)),
  };
}

function showFigures(of: Figures | null) {
  return {
    lambda_per_s: of?.lambdaPerS ?? null,
    erlangs: of?.erlangs ?? null,
    overflow_share: of?.overflowShare ?? null,
    horizon_s: of?.horizonS ?? null,
    misattribution: of?.misattribution ?? null,
  };
}

function showOption(option: SizeOption, numberPrice: number | undefined): z.output<typeof sizeOption> {
  const { size, usable, overflowShare, misattribution, numbersPerPoint } = option;
  return {
    size,
    usable,
    overflow_share: overflowShare,
    misattribution,
    numbers_per_point: numbersPerPoint,
    cost_per_point: numberPrice === undefined || numbersPerPoint === null ? null : numberPrice * numbersPerPoint,
  };
}
