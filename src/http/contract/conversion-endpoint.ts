/**
 * Settings of endpoints that conversions are told to, one shape a network. Strict: what a network would drop without a word is refused here. Secrets come
 * in and never go out.
 */
import { createPrivateKey } from "node:crypto";
import { z } from "zod";
import {
  CONVERSION_KINDS,
  type ConversionKind,
  type ConversionSettings,
} from "../../account/outgoing/conversion-settings.js";
import { isGa4EventName } from "../../account/outgoing/ga4-names.js";
import { AppError } from "../../kernel/errors.js";
import { fieldErrorsOf } from "../validation.js";

/** A day of talk. */
const MIN_TALK_S_MAX = 86_400;
const SECRET_CHARS_MAX = 1_000;
/** An RSA key of 4096 bits in PEM has 3.3 kB. */
const KEY_CHARS_MAX = 8_000;
const FIELD_CHARS_MAX = 100;

/** Printable: the masked form that answers show is none, and cannot be sent back by mistake. */
const secretIn = z
  .string()
  .regex(/^[\x21-\x7e]+$/, "must be printable characters without spaces")
  .max(SECRET_CHARS_MAX)
  .meta({ description: "Stored sealed and shown masked", examples: ["kX3vLqT8SdyPbr5hNcWfZg"] });
const fieldIn = z.string().trim().min(1).max(FIELD_CHARS_MAX);
const minTalkIn = z.int().min(0).max(MIN_TALK_S_MAX).nullable().default(null).meta({
  description:
    "Calls of which nobody said whether they converted count when they were completed after this much talk; null: they do not",
});
const digitsIn = z.string().regex(/^\d{1,20}$/, "must be digits");
const customerIn = z.string().regex(/^\d{10}$/, "must be ten digits, without hyphens");

export const ga4In = z.strictObject({
  measurement_id: z.string().regex(/^G-[A-Z0-9]{4,20}$/, "must look like G-XXXXXXXXXX"),
  api_secret: secretIn,
  event_name: z
    .string()
    .refine(
      isGa4EventName,
      "must be a name that Google Analytics takes: letters, digits and _, 40 at most, not reserved",
    )
    .default("phone_call"),
  min_talk_s: minTalkIn,
  client_id_field: fieldIn.default("ga_client_id").meta({
    description: "The custom data that holds the browser's client id: x.y, or the cookie _ga",
  }),
  session_id_field: fieldIn.nullable().default(null).meta({
    description: "The custom data that holds the session id: digits, or the cookie _ga_<stream>",
  }),
});

const privateKeyIn = z
  .string()
  .max(KEY_CHARS_MAX)
  .refine(isRsaKey, "must be an RSA private key in PEM, as in the service account's file")
  .meta({ description: "Stored sealed and shown masked" });

const credentialsIn = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("service_account"), client_email: z.email(), private_key: privateKeyIn }),
  z.strictObject({
    type: z.literal("refresh_token"),
    client_id: z.string().min(1).max(SECRET_CHARS_MAX),
    client_secret: secretIn,
    refresh_token: secretIn,
  }),
]);

export const googleAdsIn = z.strictObject({
  operating_account_id: customerIn.meta({ description: "The account that owns the conversion action" }),
  login_account_id: customerIn.nullable().default(null).meta({
    description: "The manager account that the credentials belong to; null: the operating account",
  }),
  conversion_action_id: digitsIn.meta({ description: "Of a conversion action of the type UPLOAD_CLICKS" }),
  credentials: credentialsIn.meta({ description: "With the OAuth scope https://www.googleapis.com/auth/datamanager" }),
  min_talk_s: minTalkIn,
  validate_only: z.boolean().default(false).meta({ description: "Google judges what it is sent and counts nothing" }),
});

export const metaIn = z.strictObject({
  dataset_id: digitsIn.meta({ description: "Also called pixel id" }),
  access_token: secretIn,
  event_name: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_ -]{0,49}$/, "must be a standard or custom event, e.g. Lead")
    .default("Lead"),
  min_talk_s: minTalkIn,
  fbp_field: fieldIn.default("fbp").meta({ description: "The custom data that holds the cookie _fbp" }),
  test_event_code: z
    .string()
    .regex(/^\w{1,50}$/, "must be letters and digits")
    .nullable()
    .default(null)
    .meta({
      description: "Events show under Test Events only",
    }),
});

const SETTINGS = { ga4: ga4In, google_ads: googleAdsIn, meta: metaIn } as const;

export function isConversionKind(kind: string): kind is ConversionKind {
  return CONVERSION_KINDS.some((known) => known === kind);
}

/** Changes over what is there; null puts a field back to its default. @throws AppError("invalid_value") */
export function changedSettings(
  kind: ConversionKind,
  { known, changes }: { known: object; changes: Readonly<Record<string, unknown>> },
): ConversionSettings {
  const merged = Object.entries({ ...known, ...changes }).filter(([, value]) => value !== null);
  const result = SETTINGS[kind].safeParse(Object.fromEntries(merged));
  if (result.success) return result.data;
  const fields = fieldErrorsOf(result.error).map((field) => ({ ...field, path: `settings.${field.path}` }));
  throw new AppError("invalid_value", "The request is not acceptable; see errors.", { fields });
}

function isRsaKey(text: string): boolean {
  try {
    return createPrivateKey(text).asymmetricKeyType === "rsa";
  } catch (error) {
    // The reason says nothing that its owner could use, and may quote the key.
    void error;
    return false;
  }
}
