/** Accounts and their API keys on the wire. */
import { z } from "zod";
import type { Account, AccountLimits, RecordSettings } from "../../account/accounts.store.js";
import { ALLOWED_ORIGINS_MAX, normalizeOrigin, ORIGIN_CHARS_MAX } from "../../account/allowed-origins.js";
import { SCOPES } from "../../account/api-keys.store.js";
import { CUSTOM_DATA_MODELS } from "../../attribution/judging/custom-data.js";
import { toIso } from "../../kernel/clock.js";
import { FIELD_NAME_CHARS_MAX } from "./presentation.js";
import { idIn, idOut, instantOut, nameIn } from "./scalars.js";

/** An account may hold no more than the platform's inventory could. */
const NUMBERS_MAX = 10_000_000;

/** Ten years, as the table allows. */
const REPEAT_CALLER_DAYS_MAX = 3_650;

/** Browsers keep no cookie longer (draft-ietf-httpbis-rfc6265bis, section 5.5; Chrome since 104). */
const VISITOR_LIFETIME_DAYS_MAX = 400;

const limitIn = z.int().min(0).max(NUMBERS_MAX).nullable().optional();

/** What the platform allows and how it bills: only its admin keys set these. */
const limits = {
  number_limit: limitIn.meta({ description: "Numbers held at once, draining ones included; null: no limit" }),
  monthly_number_cap: limitIn.meta({ description: "Numbers newly taken in a billing cycle; null: no limit" }),
  billing_day: z
    .int()
    .min(1)
    .max(28)
    .optional()
    .meta({ description: "The cycle begins at midnight of this day; default 1" }),
  time_zone: z
    .string()
    .max(64)
    .refine(isTimeZone, "must be a time zone such as America/New_York")
    .optional()
    .meta({ description: "Of the billing cycle; default UTC", examples: ["America/New_York"] }),
};

/** A name of the time zone database; offsets and the abbreviations that PostgreSQL would read with the sign turned round are none. */
function isTimeZone(text: string): boolean {
  if (!/^[A-Z][A-Za-z0-9_+-]*(\/[A-Z][A-Za-z0-9_+-]*){0,2}$/.test(text)) return false;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone !== "";
  } catch (error) {
    void error;
    return false;
  }
}

/** Renames what amounts are in; it converts none. */
const currencyIn = z
  .string()
  .regex(/^[A-Z]{3}$/, "must be an ISO 4217 code such as USD")
  .optional()
  .meta({ description: "Of the amounts of its calls, ISO 4217; default USD. A change converts nothing" });

/** As many fields as all pages of a site together may have. */
const MODELLED_FIELDS_MAX = 100;

const customDataModels = z.record(z.string().min(1).max(FIELD_NAME_CHARS_MAX), z.enum(CUSTOM_DATA_MODELS));

/** What an account decides of its records itself; records that are judged already stay as they are. */
const records = {
  repeat_caller_days: z.int().min(0).max(REPEAT_CALLER_DAYS_MAX).optional().meta({
    description: "Who called the account within so many days before is a repeat caller; default 30, 0: nobody is",
  }),
  custom_data_models: customDataModels
    .refine(
      (models) => Object.keys(models).length <= MODELLED_FIELDS_MAX,
      `must have at most ${MODELLED_FIELDS_MAX} fields`,
    )
    .optional()
    .meta({
      description:
        "By custom data field, which of a visitor's values a call record gets: the first, the last (default), or all different ones as an array. Replaces what was set before",
    }),
  currency: currencyIn,
  caller_retention_days: z
    .int()
    .min(1)
    .max(3650)
    .optional()
    .meta({ description: "Callers' numbers and names are removed after so many days; default 365" }),
  presentation_retention_days: z.int().min(4).max(3650).optional().meta({
    description:
      "The presentation log is removed after so many days, no call can be explained or replayed then; default 90",
  }),
};

const originIn = z
  .string()
  .max(ORIGIN_CHARS_MAX)
  .transform((text, context) => {
    const origin = normalizeOrigin(text);
    if (origin !== null) return origin;
    context.addIssue({
      code: "custom",
      message: "must be an origin such as https://www.example.com or https://*.example.com",
    });
    return z.NEVER;
  });

/** What an account says of its pages; its browser tag has it within ten minutes. */
const pages = {
  allowed_origins: z
    .array(originIn)
    .max(ALLOWED_ORIGINS_MAX)
    .transform((origins) => [...new Set(origins)])
    .optional()
    .meta({
      description:
        "Whose pages may ask for numbers: scheme, host and port, or *. for all hosts below one; empty (default): any. Replaces what was set before",
      examples: [["https://www.example.com", "https://*.example.org"]],
    }),
  consent: z.enum(["assumed", "required"]).optional().meta({
    description:
      "How a page without any consent signal counts. assumed (default): as consented. required: as not; it then shows a source's static number or its own",
  }),
  visitor_lifetime_days: z.int().min(1).max(VISITOR_LIFETIME_DAYS_MAX).optional().meta({
    description: "A browser keeps the visitor id for so many days after the last visit; default 30",
  }),
};

export const newAccount = z.strictObject({
  name: nameIn,
  auto_create_pools: z.boolean().default(false),
  ...records,
  ...pages,
  ...limits,
});

export const accountChanges = z.strictObject({
  name: nameIn.optional(),
  auto_create_pools: z.boolean().optional(),
  ...records,
  ...pages,
  ...limits,
});

export function recordSettingsIn(
  body: Pick<z.output<typeof accountChanges>, keyof typeof records | keyof typeof pages>,
): RecordSettings {
  return {
    currency: body.currency,
    callerRetentionDays: body.caller_retention_days,
    presentationRetentionDays: body.presentation_retention_days,
    repeatCallerDays: body.repeat_caller_days,
    customDataModels: body.custom_data_models,
    allowedOrigins: body.allowed_origins,
    consent: body.consent,
    visitorLifetimeDays: body.visitor_lifetime_days,
  };
}

export function limitsIn(body: Pick<z.output<typeof accountChanges>, keyof typeof limits>): AccountLimits {
  return {
    numberLimit: body.number_limit,
    monthlyNumberCap: body.monthly_number_cap,
    billingDay: body.billing_day,
    timeZone: body.time_zone,
  };
}

export const accountOut = z.object({
  id: idOut,
  name: z.string(),
  tag_key: z.string().meta({ description: "Public: it stands in the page's source" }),
  auto_create_pools: z.boolean(),
  number_limit: z.int().nullable(),
  monthly_number_cap: z.int().nullable(),
  billing_day: z.int(),
  time_zone: z.string(),
  currency: z.string(),
  caller_retention_days: z.int(),
  presentation_retention_days: z.int(),
  repeat_caller_days: z.int(),
  custom_data_models: customDataModels,
  allowed_origins: z.array(z.string()),
  consent: z.enum(["assumed", "required"]),
  visitor_lifetime_days: z.int(),
  created_at: instantOut,
  updated_at: instantOut,
});

export function showAccount(account: Account): z.output<typeof accountOut> {
  const { id, name, tagKey, autoCreatePools, numberLimit, monthlyNumberCap, billingDay, timeZone, currency } = account;
  const { callerRetentionDays, presentationRetentionDays } = account;
  return {
    id,
    name,
    tag_key: tagKey,
    auto_create_pools: autoCreatePools,
    number_limit: numberLimit,
    monthly_number_cap: monthlyNumberCap,
    billing_day: billingDay,
    time_zone: timeZone,
    currency,
    caller_retention_days: callerRetentionDays,
    presentation_retention_days: presentationRetentionDays,
    repeat_caller_days: account.repeatCallerDays,
    custom_data_models: account.customDataModels,
    allowed_origins: [...account.allowedOrigins],
    consent: account.consent,
    visitor_lifetime_days: account.visitorLifetimeDays,
    created_at: toIso(account.createdAt),
    updated_at: toIso(account.updatedAt),
  };
}

export const scopesIn = z
  .array(z.enum(SCOPES))
  .min(1)
  .max(SCOPES.length)
  .refine((scopes) => new Set(scopes).size === scopes.length, "must not name a scope twice")
  .meta({
    description:
      "read: GET. write: changes. admin: both, within the key's account. calls:pii: callers' numbers are shown. A key that should read and write needs both.",
  });

export const newKey = z.strictObject({ name: nameIn, scopes: scopesIn });

export const createdKey = z.object({
  id: idOut,
  key: z.string().meta({ description: "Shown this once; only its hash is stored" }),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
});

export const keyParams = z.strictObject({ id: idIn, key_id: idIn });
