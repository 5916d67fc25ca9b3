/** Calls taken on numbers that no business holds, on the wire. */
import { z } from "zod";
import { toIso } from "../../kernel/clock.js";
import type { Intercept } from "../../pool/intercepts.store.js";
import { callerOut, type CallerOut } from "./call.js";
import { e164InQuery, idOut, instantOut, pageQuery } from "./scalars.js";

export const interceptQuery = z.strictObject({ ...pageQuery, number: e164InQuery.optional() });

export const interceptOut = z.object({
  id: idOut,
  call_id: idOut,
  number: z.string(),
  caller: callerOut,
  at: instantOut,
  ingress: z.string(),
  counted: z.boolean().meta({ description: "Whether it counts against the number's cleanliness" }),
  not_counted_reason: z.enum(["spam_caller", "repeat_caller"]).nullable(),
  former_account_id: idOut.nullable(),
});

export function showIntercept(intercept: Intercept, caller: CallerOut): z.output<typeof interceptOut> {
  return {
    id: intercept.id,
    call_id: intercept.callId,
    number: intercept.promoNumber,
    caller,
    at: toIso(intercept.at),
    ingress: intercept.ingress,
    counted: intercept.counted,
    not_counted_reason: intercept.notCountedReason,
    former_account_id: intercept.formerAccountId,
  };
}
