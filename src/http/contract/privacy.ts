/** Erasures, and who was shown callers, on the wire. */
import { z } from "zod";
import type { LoggedPiiAccess } from "../../account/pii-access.store.js";
import type { Subject } from "../../attribution/privacy/erase-person.js";
import type { Erasure } from "../../attribution/privacy/erasures.store.js";
import { toIso } from "../../kernel/clock.js";
import { accountQuery, e164In, idIn, idOut, instantOut, pageQuery } from "./scalars.js";

const REASON_CHARS_MAX = 1_000;

export const erasureIn = z
  .strictObject({
    account_id: idIn.optional(),
    caller: e164In.optional().meta({ description: "The number whose calls are emptied" }),
    visitor_id: idIn.optional(),
    reason: z
      .string()
      .trim()
      .min(1)
      .max(REASON_CHARS_MAX)
      .optional()
      .meta({ description: "Is kept: name nobody in it" }),
  })
  .refine(
    (body) => (body.caller === undefined) !== (body.visitor_id === undefined),
    "must name either a caller or a visitor_id",
  );

export function subjectOf(body: z.output<typeof erasureIn>): Subject {
  if (body.caller !== undefined) return { kind: "caller", number: body.caller };
  return { kind: "visitor", visitorId: body.visitor_id ?? "" };
}

export const erasureQuery = z.strictObject({ ...pageQuery, ...accountQuery });

export const erasureOut = z.object({
  id: idOut,
  account_id: idOut,
  kind: z.enum(["caller", "visitor"]),
  at: instantOut.meta({ description: "Everything before this time is erased, also what comes in later" }),
  actor: z.string(),
  reason: z.string().nullable(),
  completed_at: instantOut.nullable().meta({ description: "null: it still runs, or was cut off and is taken up" }),
  calls: z.int(),
  presentations: z.int(),
  intercepts: z.int(),
  deliveries: z.int(),
});

export function showErasure(erasure: Erasure): z.output<typeof erasureOut> {
  return {
    id: erasure.id,
    account_id: erasure.accountId,
    kind: erasure.kind,
    at: toIso(erasure.at),
    actor: erasure.actor,
    reason: erasure.reason,
    completed_at: erasure.completedAt === null ? null : toIso(erasure.completedAt),
    calls: erasure.calls,
    presentations: erasure.presentations,
    intercepts: erasure.intercepts,
    deliveries: erasure.deliveries,
  };
}

export const piiAccessOut = z.object({
  at: instantOut,
  key_id: idOut,
  account_id: idOut.nullable().meta({ description: "The key's; null: one of the platform's" }),
  request_id: z.string(),
  call_ids: z.array(idOut),
});

export function showPiiAccess(access: LoggedPiiAccess): z.output<typeof piiAccessOut> {
  return {
    at: toIso(access.at),
    key_id: access.keyId,
    account_id: access.accountId,
    request_id: access.requestId,
    call_ids: [...access.callIds],
  };
}
