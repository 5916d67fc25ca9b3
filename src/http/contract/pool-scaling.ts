/** Scaling of pools on the wire: what is asked, and the decisions with their inputs. */
import { z } from "zod";
import { type Instant, toIso } from "../../kernel/clock.js";
import {
  type NewDecision,
  SCALE_OUTCOMES,
  SCALE_TRIGGERS,
  type ScaleDecision,
} from "../../pool/scale-decisions.store.js";
import { idOut, instantOut, pageQuery } from "./scalars.js";

export const autoscaleBody = z.strictObject({
  dry_run: z.boolean().default(false).meta({ description: "true: says what it would do, and writes nothing" }),
});

export const decisionQuery = z.strictObject(pageQuery);

export const decisionOut = z.object({
  id: idOut.nullable().meta({ description: "null: a dry run, which is not stored" }),
  pool_id: idOut,
  at: instantOut,
  trigger: z.enum(SCALE_TRIGGERS),
  wanted: z.int().meta({ description: "Numbers more that were wanted; below 0: fewer" }),
  added: z.int(),
  removed: z.int(),
  ordered: z.int().meta({ description: "Asked of the carrier" }),
  on_order: z.int().meta({ description: "Of the ordered ones, those not here yet" }),
  size_before: z.int(),
  size_after: z.int(),
  outcome: z.enum(SCALE_OUTCOMES).meta({
    description: "done: all that was wanted · partial · nothing · on_order: some are still to come",
  }),
  code: z.string().meta({
    description:
      "Why, for programs: need, idle, billing_boundary, asked, or what stood in the way: off, no_need, too_soon, on_order, max_size, number_limit, monthly_number_cap, inventory_short, account_limit, conflict",
  }),
  reason: z.string(),
  actor: z.string(),
  inputs: z.record(z.string(), z.unknown()).meta({ description: "What it was decided from" }),
});

export const autoscaleOut = z.object({ dry_run: z.boolean(), decision: decisionOut });

export function showDecision(decision: (NewDecision & { id: string | null; at: Instant }) | ScaleDecision) {
  return {
    id: decision.id,
    pool_id: decision.poolId,
    at: toIso(decision.at),
    trigger: decision.trigger,
    wanted: decision.wanted,
    added: decision.added,
    removed: decision.removed,
    ordered: decision.ordered,
    on_order: decision.onOrder,
    size_before: decision.sizeBefore,
    size_after: decision.sizeAfter,
    outcome: decision.outcome,
    code: decision.code,
    reason: decision.reason,
    actor: decision.actor,
    inputs: { ...decision.inputs },
  };
}
