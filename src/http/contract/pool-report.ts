/** What the pool report says of a pool beside its calls, on the wire. What was not measured is null. */
import { z } from "zod";
import type { PoolLoad } from "../../pool/pool-load.js";
import { callReportOut, callReportRowOut, rounded } from "./call-report.js";
import { instantOut } from "./scalars.js";

const measured = z.number().nullable();

export const poolLoadOut = z.object({
  name: z.string(),
  measured_from: instantOut.meta({
    description: "The pool's log is read for the last 31 days of the report's range at the most",
  }),
  measured_to: instantOut,
  numbers: z.number().meta({ description: "Held on average, the overflow number included" }),
  usable: z.int().meta({ description: "Of those, that visitors could get for themselves" }),
  lambda_per_s: measured.meta({ description: "Visitors who were given a number" }),
  hold_s: measured,
  erlangs: measured,
  utilisation: measured.meta({ description: "Share of the usable numbers' time for which they were locked" }),
  visitors_turned_away: z.int().meta({ description: "Found no free number, to the quarter hour" }),
  overflow_share: measured.meta({ description: "They, of all visitors who needed a number" }),
  horizon_s: measured.meta({
    description: "N/λ: how long after its presentation a number is presented to somebody else",
  }),
  misattribution: measured.meta({ description: "Expected from traffic, size and call delays" }),
});

export const poolReportOut = callReportOut.extend({
  data: z.array(
    callReportRowOut.extend({
      pool: poolLoadOut.nullable().optional().meta({
        description: "With group_by=pool_id and no interval. null: calls in no pool, or the pool was deleted",
      }),
    }),
  ),
});

export function showPoolLoad(name: string, load: PoolLoad): z.output<typeof poolLoadOut> {
  return {
    name,
    measured_from: new Date(load.from).toISOString(),
    measured_to: new Date(load.to).toISOString(),
    numbers: Math.round(load.numbers * 1_000) / 1_000,
    usable: load.usable,
    lambda_per_s: rounded(load.lambdaPerS, 9),
    hold_s: rounded(load.holdS, 3),
    erlangs: rounded(load.erlangs),
    utilisation: rounded(load.utilisation),
    visitors_turned_away: load.turnedAway,
    overflow_share: rounded(load.overflowShare),
    horizon_s: rounded(load.horizonS, 3),
    misattribution: rounded(load.misattribution),
  };
}
