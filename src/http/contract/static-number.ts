/** Static numbers on the wire. */
import { z } from "zod";
import { TOUCH_PARAMETERS, TOUCH_VALUE_CHARS_MAX, type Touch } from "../../attribution/touch.js";
import { toIso } from "../../kernel/clock.js";
import { NUMBER_STATES } from "../../pool/promo-number.js";
import type { StaticNumber } from "../../pool/static-numbers.store.js";
import { npaIn, numberType } from "./number.js";
import { RETENTION_S_MAX } from "./pool.js";
import { accountQuery, e164In, e164Out, idIn, idOut, instantOut, nameIn, pageQuery } from "./scalars.js";

const touchValue = z.string().trim().min(1).max(TOUCH_VALUE_CHARS_MAX);
const campaign = Object.fromEntries(TOUCH_PARAMETERS.map((name) => [name, touchValue.optional()])) as Record<
  (typeof TOUCH_PARAMETERS)[number],
  z.ZodOptional<typeof touchValue>
>;

const sourceIn = z.strictObject({ name: nameIn, ...campaign }).meta({
  description: "What calls are credited to: its name (source_name in a record's touch) and utm_* as on a page",
  examples: [{ name: "Yellow Pages 2026", utm_source: "yellow-pages", utm_medium: "print" }],
});

const drainS = z
  .int()
  .min(0)
  .max(RETENTION_S_MAX)
  .meta({ description: "How long calls still come through once it is given up" });

export const newStatic = z
  .strictObject({
    account_id: idIn.optional(),
    number: e164In.optional().meta({ description: "This one: available, draining here, or (admin) ported in" }),
    number_type: numberType.optional().meta({ description: "Any available one of this type" }),
    npa: npaIn.optional(),
    destination_number: e164In.meta({ description: "A destination of the account" }),
    source: sourceIn,
    drain_s: drainS.default(RETENTION_S_MAX),
  })
  .superRefine((body, context) => {
    const refuse = (path: string, message: string): void => context.addIssue({ code: "custom", path: [path], message });
    if ((body.number === undefined) === (body.number_type === undefined)) {
      refuse("number", "give either number, or number_type");
    }
    if (body.number !== undefined && body.npa !== undefined) refuse("npa", "belongs to number_type only");
    if (body.number_type === "local" && body.npa === undefined) refuse("npa", "is required for local numbers");
    if (body.number_type === "toll_free" && body.npa !== undefined) refuse("npa", "belongs to local numbers only");
  });

export const staticChanges = z.strictObject({
  destination_number: e164In.optional(),
  source: sourceIn.optional().meta({ description: "Replaces the whole source" }),
  drain_s: drainS.optional(),
});

export const staticQuery = z.strictObject({ ...pageQuery, ...accountQuery });

export const endQuery = z.strictObject({
  now: z.enum(["true", "false"]).default("false").meta({ description: "Straight to quarantine, without draining" }),
});

export const staticOut = z.object({
  id: idOut,
  account_id: idOut,
  number: e164Out,
  type: numberType,
  npa: z.string().nullable(),
  state: z.enum(NUMBER_STATES).meta({ description: "Of the number, now" }),
  destination_number: e164Out,
  source: z.looseObject({ name: z.string() }),
  drain_s: z.int(),
  created_at: instantOut,
  updated_at: instantOut,
  ended_at: instantOut.nullable().meta({ description: "When it was given up" }),
});

/** @returns what records are credited to */
export function touchOfSource({ name, ...rest }: z.output<typeof sourceIn>): Touch {
  const given = Object.entries(rest).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return { source_name: name, ...Object.fromEntries(given) };
}

export function showStatic(number: StaticNumber): z.output<typeof staticOut> {
  const { source_name: _, ...touch } = number.touch;
  return {
    id: number.id,
    account_id: number.accountId,
    number: number.number,
    type: number.type,
    npa: number.npa,
    state: number.state,
    destination_number: number.destinationNumber,
    source: { name: number.name, ...touch },
    drain_s: number.drainS,
    created_at: toIso(number.createdAt),
    updated_at: toIso(number.updatedAt),
    ended_at: number.endedAt === null ? null : toIso(number.endedAt),
  };
}
