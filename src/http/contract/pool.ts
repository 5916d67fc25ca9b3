/** Ring pools on the wire. */
import { z } from "zod";
import { toIso } from "../../kernel/clock.js";
import { NPA_FALLBACKS, type NpaFallback } from "../../pool/fitting-numbers.js";
import type { AutoscaleRule, Pool } from "../../pool/pools.store.js";
import { npaIn, numberType } from "./number.js";
import { accountQuery, e164In, e164Out, idIn, idOut, instantOut, nameIn, pageQuery } from "./scalars.js";

export const RETENTION_S_MAX = 259_200;
const POOL_SIZE_MAX = 100_000;
/** One request, one transaction: what it locks must stay within seconds. */
const NUMBERS_PER_CHANGE_MAX = 1_000;

const kind = z.enum(["automatic", "campaign"]);
const overflow = z.enum(["overflow_number", "original_number", "reuse_oldest"]);
const campaignIn = z.string().trim().min(1).max(512);
const seconds = z.int().min(1).max(RETENTION_S_MAX);

const autoscaleIn = z
  .strictObject({
    enabled: z.boolean(),
    growth_percent: z.number().positive().max(1000).default(20),
    max_step: z.int().min(1).max(POOL_SIZE_MAX).default(50),
    interval_s: z.int().min(1).max(86_400).default(300),
    min_size: z.int().min(1).max(POOL_SIZE_MAX).nullish(),
  })
  .meta({ description: "Off unless asked for" });

/** A word alone is a list of one. */
const npaFallbackIn = z
  .union([
    z.enum(NPA_FALLBACKS),
    z
      .array(z.enum(NPA_FALLBACKS))
      .min(1)
      .max(NPA_FALLBACKS.length)
      .refine((choices) => new Set(choices).size === choices.length, "must not name a choice twice")
      .refine((choices) => !choices.includes("wait") || choices.at(-1) === "wait", "wait ends the list"),
  ])
  .nullable()
  .meta({
    description:
      "Local pools: where numbers come from when the inventory has none of the pool's area code, in order. same_state: another area code of the same state or province; toll_free; wait: nowhere, the places stay empty. null (the default): its own area code only (outside the North American plan: its destination's country)",
    examples: [["same_state", "toll_free"], "wait"],
  });

const settings = {
  name: nameIn,
  session_lifetime_s: seconds.meta({ description: "The lock: how long no other visitor gets the number" }),
  retention_s: seconds.meta({ description: "How long after a presentation a call is still that visitor's" }),
  max_size: z.int().min(1).max(POOL_SIZE_MAX).meta({ description: "The overflow number counts" }),
  overflow,
  drain_s: z.int().min(0).max(RETENTION_S_MAX),
  autoscale: autoscaleIn.nullable(),
  npa_fallback: npaFallbackIn,
};

export const newPool = z
  .strictObject({
    account_id: idIn.optional(),
    name: settings.name,
    kind,
    campaign: campaignIn.nullish().meta({ description: "kind campaign: the utm_campaign it is for" }),
    destination_number: e164In.meta({ description: "A tracked destination of the account" }),
    number_type: numberType.nullish().meta({ description: "kind campaign; automatic takes it from the destination" }),
    npa: npaIn.nullish().meta({ description: "kind campaign, local; automatic takes it from the destination" }),
    session_lifetime_s: settings.session_lifetime_s.default(1800),
    retention_s: settings.retention_s.default(RETENTION_S_MAX),
    max_size: settings.max_size.default(2),
    fill_immediately: z
      .boolean()
      .default(false)
      .meta({ description: "false: 10 %, at least 1, beside the overflow number" }),
    overflow: settings.overflow.default("overflow_number"),
    drain_s: settings.drain_s.default(RETENTION_S_MAX),
    autoscale: settings.autoscale.default(null),
    npa_fallback: settings.npa_fallback.default(null),
  })
  .superRefine((pool, context) => {
    const refuse = (path: string, message: string): void => context.addIssue({ code: "custom", path: [path], message });
    if (pool.session_lifetime_s > pool.retention_s) refuse("session_lifetime_s", "must not be above retention_s");
    if ((pool.autoscale?.min_size ?? 0) > pool.max_size) refuse("autoscale.min_size", "must not be above max_size");
    if (pool.kind === "automatic") {
      if (isGiven(pool.campaign)) refuse("campaign", "belongs to kind campaign only");
      return;
    }
    if (!isGiven(pool.campaign)) refuse("campaign", "is required for kind campaign");
    if (!isGiven(pool.number_type)) refuse("number_type", "is required for kind campaign");
    if (pool.number_type === "local" && !isGiven(pool.npa)) refuse("npa", "is required for local numbers");
    if (pool.number_type === "toll_free" && isGiven(pool.npa)) refuse("npa", "belongs to local numbers only");
  });

/** Null and nothing say the same. */
export function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

export type NewPoolBody = z.output<typeof newPool>;

/** The first four never change: they are read to say so (409) instead of calling them unknown. */
export const poolChanges = z.strictObject({
  kind: kind.optional(),
  campaign: campaignIn.nullish(),
  number_type: numberType.nullish(),
  npa: npaIn.nullish(),
  destination_number: e164In.optional(),
  name: settings.name.optional(),
  session_lifetime_s: settings.session_lifetime_s.optional(),
  retention_s: settings.retention_s.optional(),
  max_size: settings.max_size.optional(),
  overflow: settings.overflow.optional().meta({
    description:
      "overflow_number reserves one of the pool's numbers that no call can be matched to any more; is there none, the next one that is added. With another word the number that was shared goes to visitors after the retention of those it was shown to",
  }),
  drain_s: settings.drain_s.optional(),
  autoscale: settings.autoscale.optional(),
  npa_fallback: settings.npa_fallback.optional(),
});

export type PoolChangesBody = z.output<typeof poolChanges>;

export const poolQuery = z.strictObject({ ...pageQuery, ...accountQuery });

export const moreNumbers = z
  .strictObject({
    count: z.int().min(1).max(NUMBERS_PER_CHANGE_MAX).optional(),
    numbers: z.array(e164In).min(1).max(NUMBERS_PER_CHANGE_MAX).optional(),
  })
  .refine((body) => (body.count === undefined) !== (body.numbers === undefined), "send either count or numbers")
  .refine(
    (body) => body.numbers === undefined || new Set(body.numbers).size === body.numbers.length,
    "numbers must not name a number twice",
  );

export const scaleBody = z.strictObject({
  size: z.int().min(0).max(POOL_SIZE_MAX),
  buy: z
    .boolean()
    .default(false)
    .meta({ description: "true: order what the inventory lacks, within the account's limits" }),
});

export const poolNumberParams = z.strictObject({ id: idIn, number: e164In });
export const removeQuery = z.strictObject({
  now: z.enum(["true", "false"]).default("false").meta({ description: "true: quarantined at once, without draining" }),
});

export const poolOut = z.object({
  id: idOut,
  account_id: idOut,
  name: z.string(),
  kind,
  campaign: z.string().nullable(),
  destination_number: e164Out,
  number_type: numberType,
  npa: z.string().nullable(),
  session_lifetime_s: z.int(),
  retention_s: z.int(),
  max_size: z.int(),
  overflow,
  drain_s: z.int(),
  autoscale: z
    .object({
      enabled: z.boolean(),
      growth_percent: z.number(),
      max_step: z.int(),
      interval_s: z.int(),
      min_size: z.int().nullable(),
    })
    .nullable(),
  npa_fallback: z.union([z.enum(NPA_FALLBACKS), z.array(z.enum(NPA_FALLBACKS))]).nullable(),
  size: z
    .int()
    .meta({ description: "Numbers it holds, the overflow number included; draining ones are not its any more" }),
  locked: z.int().meta({ description: "Of these, locked for a visitor right now" }),
  overflow_number: e164Out.nullable(),
  created_at: instantOut,
  updated_at: instantOut,
});

export function readAutoscale(body: z.output<typeof autoscaleIn> | null): AutoscaleRule | null {
  if (body === null) return null;
  return {
    enabled: body.enabled,
    growthPercent: body.growth_percent,
    maxStep: body.max_step,
    intervalS: body.interval_s,
    minSize: body.min_size ?? null,
  };
}

export function showPool(pool: Pool): z.output<typeof poolOut> {
  return {
    id: pool.id,
    account_id: pool.accountId,
    name: pool.name,
    kind: pool.kind,
    campaign: pool.campaign,
    destination_number: pool.destinationNumber,
    number_type: pool.numberType,
    npa: pool.npa,
    session_lifetime_s: pool.sessionLifetimeS,
    retention_s: pool.retentionS,
    max_size: pool.maxSize,
    overflow: pool.overflow,
    drain_s: pool.drainS,
    autoscale: showAutoscale(pool.autoscale),
    npa_fallback: showNpaFallback(pool.npaFallback),
    size: pool.size,
    locked: pool.locked,
    overflow_number: pool.overflowNumber,
    created_at: toIso(pool.createdAt),
    updated_at: toIso(pool.updatedAt),
  };
}

export function readNpaFallback(body: z.output<typeof npaFallbackIn>): readonly NpaFallback[] {
  return typeof body === "string" ? [body] : (body ?? []);
}

/** The word alone where it was given alone: only "wait" means the same either way. */
function showNpaFallback(choices: readonly NpaFallback[]): z.output<typeof poolOut>["npa_fallback"] {
  if (choices.length === 0) return null;
  return choices.length === 1 && choices[0] === "wait" ? "wait" : [...choices];
}

function showAutoscale(rule: AutoscaleRule | null): z.output<typeof poolOut>["autoscale"] {
  if (rule === null) return null;
  return {
    enabled: rule.enabled,
    growth_percent: rule.growthPercent,
    max_step: rule.maxStep,
    interval_s: rule.intervalS,
    min_size: rule.minSize,
  };
}
