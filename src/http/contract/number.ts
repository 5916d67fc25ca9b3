/** Promo numbers on the wire. */
import { z } from "zod";
import { toIso } from "../../kernel/clock.js";
import type { CleanlinessStatement } from "../../pool/cleanliness.store.js";
import type { IdleNumber } from "../../pool/idle-numbers.store.js";
import type { InterceptSummary } from "../../pool/intercepts.store.js";
import type { NumberEvent, PromoNumber } from "../../pool/numbers.store.js";
import { NUMBER_ROLES, NUMBER_STATES } from "../../pool/promo-number.js";
import { DAY_MS, judgeQuarantine, type QuarantineRule } from "../../pool/quarantine.js";
import { IMPORTED_STATES } from "../import-numbers.js";
import { accountQuery, e164Out, idIn, idOut, instantOut, pageQuery, reasonIn } from "./scalars.js";

const NUMBER_TYPES = ["toll_free", "local"] as const;
export const numberType = z.enum(NUMBER_TYPES);
export const npaIn = z
  .string()
  .regex(/^[2-9]\d\d$/, "must be an area code of three digits, e.g. 415")
  .meta({ examples: ["415"] });

/** A page of inventory files is this long; larger ones are sent in parts. */
export const NUMBERS_PER_REQUEST_MAX = 10_000;

export const carrierIn = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "must be lower-case letters, digits, - and _, e.g. twilio")
  .meta({ description: "Who hosts the number" });

/** The number itself stays a plain string: a wrong one is told in `invalid` and costs the others nothing. */
const numberEntry = z.union([
  z.string().max(64),
  z.strictObject({
    number: z.string().max(64),
    carrier: carrierIn.optional(),
    credential_id: idIn.optional(),
    state: z.enum(IMPORTED_STATES).optional().meta({
      description: "porting: on its way from another carrier; its calls are intercepted until it is activated",
    }),
  }),
]);

export const newNumbers = z.strictObject({ numbers: z.array(numberEntry).min(1).max(NUMBERS_PER_REQUEST_MAX) });

export const addedNumbers = z.object({
  added: z.int().meta({ description: "How many numbers are new in the inventory" }),
  duplicates: z.int().meta({ description: "How many valid entries were known before, or stood twice in the request" }),
  invalid: z
    .array(z.object({ number: z.string(), reason: z.string() }))
    .meta({ description: "Entries that were left out, and why" }),
});

export const numberQuery = z.strictObject({
  ...pageQuery,
  ...accountQuery,
  state: z.enum(NUMBER_STATES).optional(),
  pool_id: idIn.optional(),
  type: numberType.optional(),
  npa: npaIn.optional(),
  proposed: z
    .enum(["retire"])
    .optional()
    .meta({ description: "retire: not clean for longer than retire_after_s; an admin may retire them" }),
  idle: z.enum(["true"]).optional().meta({
    description: "true: those that their carrier takes back soon, as nobody calls them (settings/idle_reclaim)",
  }),
});

export const moveBody = z.strictObject({ reason: reasonIn });
export const releaseBody = z.strictObject({
  reason: reasonIn,
  force: z.boolean().default(false).meta({ description: "Release before it is clean; needs the scope admin" }),
});

const quarantineOut = z.object({
  entered_at: instantOut,
  hold_until: instantOut,
  intercepted_calls: z.int(),
  distinct_callers: z.int().meta({ description: "Those that count: no known spam callers, no repeated dials" }),
  last_intercepted_at: instantOut.nullable(),
  rate_upper_bound_per_day: z.number().nullable(),
  earliest_release_at: instantOut.meta({ description: "If nobody calls until then" }),
});

export const numberOut = z.object({
  number: e164Out,
  type: numberType,
  npa: z.string().nullable(),
  state: z.enum(NUMBER_STATES),
  role: z.enum(NUMBER_ROLES).nullable(),
  account_id: idOut.nullable(),
  pool_id: idOut.nullable(),
  state_since: instantOut,
  carrier: z.string().nullable(),
  credential_id: idOut.nullable(),
  quarantine: quarantineOut.nullable(),
  retirement_proposed_at: instantOut.nullable(),
  idle: z
    .object({
      last_call_at: instantOut.nullable(),
      since: instantOut.meta({ description: "Its last call, or when it was added" }),
      reclaim_at: instantOut.meta({ description: "When the carrier may take it back" }),
    })
    .optional()
    .meta({ description: "With idle=true" }),
});

export const numberWithHistoryOut = numberOut.extend({
  history: z
    .array(z.object({ state: z.enum(NUMBER_STATES), at: instantOut, reason: z.string(), actor: z.string() }))
    .meta({
      description:
        "Oldest first. Keys of an account read `another account` for reason and actor of what befell the number in and after another account's time",
    }),
});

/** What is known of a quarantined number's time in quarantine. */
export interface QuarantineFacts {
  readonly rule: QuarantineRule;
  readonly summary: InterceptSummary;
  readonly now: number;
}

/** @param facts null unless the number is quarantined */
export function showNumber(number: PromoNumber, facts: QuarantineFacts | null): z.output<typeof numberOut> {
  return {
    number: number.e164,
    type: number.type,
    npa: number.npa,
    state: number.state,
    role: number.role,
    account_id: number.accountId,
    pool_id: number.poolId,
    state_since: toIso(number.stateSince),
    carrier: number.carrier,
    credential_id: number.credentialId,
    quarantine: facts === null ? null : showQuarantine(number, facts),
    retirement_proposed_at: number.retirementProposedAt === null ? null : toIso(number.retirementProposedAt),
  };
}

export function showIdle(number: IdleNumber): Required<z.output<typeof numberOut>>["idle"] {
  const { lastCallAt, idleSince, reclaimAt } = number;
  return {
    last_call_at: lastCallAt === null ? null : toIso(lastCallAt),
    since: toIso(idleSince),
    reclaim_at: toIso(reclaimAt),
  };
}

const ANOTHER_ACCOUNT = "another account";

/**
 * A number goes from one account to the next and its history with it, but not what was said of it there, nor by which key.
 * @param reader the account that asks; null: the platform, which reads all
 */
export function showHistory(
  history: readonly NumberEvent[],
  reader: string | null,
): z.output<typeof numberWithHistoryOut>["history"] {
  let holder: string | null = null;
  return history.map(({ state, at, reason, actor, accountId }) => {
    // After it left an account, what is said of it speaks of that one until another takes it.
    holder = accountId ?? holder;
    const isOthers = reader !== null && holder !== null && holder !== reader;
    return isOthers
      ? { state, at: toIso(at), reason: ANOTHER_ACCOUNT, actor: ANOTHER_ACCOUNT }
      : { state, at: toIso(at), reason, actor };
  });
}

function showQuarantine(number: PromoNumber, facts: QuarantineFacts): z.output<typeof quarantineOut> {
  const { rule, summary, now } = facts;
  const enteredAt = number.quarantinedAt ?? number.stateSince;
  const { interceptedCalls, distinctCallers, lastInterceptedAt } = summary;
  const judged = judgeQuarantine({ rule, enteredAt, distinctCallers, now });
  return {
    entered_at: toIso(enteredAt),
    hold_until: toIso(judged.holdUntil),
    intercepted_calls: interceptedCalls,
    distinct_callers: distinctCallers,
    last_intercepted_at: lastInterceptedAt === null ? null : toIso(lastInterceptedAt),
    rate_upper_bound_per_day: judged.rateUpperBoundPerDay,
    earliest_release_at: toIso(judged.earliestReleaseAt),
  };
}

export const cleanlinessOut = z
  .object({
    number: e164Out,
    entered_at: instantOut,
    released_at: instantOut,
    days_watched: z.number(),
    intercepted_calls: z.int(),
    distinct_callers: z.int(),
    not_counted: z.object({
      spam_caller: z.int().meta({ description: "Calls of known spam callers" }),
      repeat_caller: z.int().meta({ description: "Further dials of callers who were counted" }),
    }),
    last_intercepted_at: instantOut.nullable(),
    rate_upper_bound_per_day: z.number().nullable().meta({
      description: "Distinct callers a day, upper confidence bound at the release",
    }),
    rule: z.object({ hold_s: z.number(), max_rate_per_day: z.number(), confidence: z.number() }),
    is_clean: z.boolean().meta({ description: "false: released by an admin before the rule called it clean" }),
    reason: z.string(),
    released_by: z.string(),
  })
  .meta({ description: "As it was at the release; later settings do not change it" });

export function showCleanliness(number: PromoNumber, one: CleanlinessStatement): z.output<typeof cleanlinessOut> {
  return {
    number: number.e164,
    entered_at: toIso(one.enteredAt),
    released_at: toIso(one.releasedAt),
    days_watched: (one.releasedAt - one.enteredAt) / DAY_MS,
    intercepted_calls: one.interceptedCalls,
    distinct_callers: one.distinctCallers,
    not_counted: { spam_caller: one.spamCalls, repeat_caller: one.repeatCalls },
    last_intercepted_at: one.lastInterceptedAt === null ? null : toIso(one.lastInterceptedAt),
    rate_upper_bound_per_day: one.rateUpperBoundPerDay,
    rule: { hold_s: one.holdS, max_rate_per_day: one.maxRatePerDay, confidence: one.confidence },
    is_clean: one.isClean,
    reason: one.reason,
    released_by: one.actor,
  };
}
