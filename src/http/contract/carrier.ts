/** Carrier credentials on the wire: each carrier's own secrets going in, the last four characters coming out. */
import { z } from "zod";
import { type Carrier, type CarrierCredential, CARRIERS } from "../../account/carrier-credentials.store.js";
import { AppError } from "../../kernel/errors.js";
import { fieldErrorsOf } from "../validation.js";
import { accountQuery, idIn, idOut, pageQuery } from "./scalars.js";

/** Public keys in PEM are the longest. */
const SECRET_CHARS_MAX = 2_000;
const SHOWN_CHARS = 4;
/** Of a short secret four characters would be too much. */
const SHOWN_FROM_CHARS = 8;

const secret = z.string().trim().min(1).max(SECRET_CHARS_MAX);
/** Two while a token is being rotated. */
const authTokens = { auth_tokens: z.array(secret).min(1).max(2) };

/** With it numbers can be bought, configured and given back; without it the credential only verifies webhooks. */
const accountSid = z
  .string()
  .regex(/^AC[0-9a-fA-F]{32}$/, "must be an account SID, AC and 32 hexadecimal digits")
  .optional();

const common = {
  account_id: idIn.optional().meta({ description: "Keys of the platform: none means the platform's own credential" }),
  intercept: z.enum(["reject", "announce"]).default("reject").meta({
    description: "What a caller of a number that no business holds gets",
  }),
};

/** Two sets while the first is being rotated: what signed until now still counts. */
const rotated = <Shape extends z.ZodRawShape>(shape: Shape) => ({
  ...shape,
  previous: z
    .strictObject(shape)
    .optional()
    .meta({ description: "Secrets that are being replaced and may still sign" }),
});

const bodies = {
  twilio: z.strictObject({ ...common, ...authTokens, account_sid: accountSid }),
  signalwire: z.strictObject({ ...common, ...authTokens }),
  plivo: z.strictObject({ ...common, ...authTokens }),
  telnyx: z.strictObject({ ...common, ...rotated({ public_key: secret }), api_key: secret.optional() }),
  vonage: z.strictObject({ ...common, ...rotated({ signature_secret: secret }) }),
  sinch: z.strictObject({ ...common, ...rotated({ key: secret, secret }) }),
  bandwidth: z.strictObject({ ...common, ...rotated({ username: secret, password: secret }) }),
} as const satisfies Record<Carrier, z.ZodType>;

export const carrierParams = z.strictObject({ carrier: z.enum(CARRIERS) });
export const carrierQuery = z.strictObject({ ...pageQuery, ...accountQuery });

/** For the documentation; which of them holds is the path's word, so the check itself is readCarrierBody's. */
export const carrierIn = z.record(z.string(), z.unknown()).meta({
  description:
    "By carrier: auth_tokens (twilio, signalwire, plivo), for twilio also account_sid, to buy numbers; public_key (telnyx), for Call Control also api_key; signature_secret (vonage); key and secret (sinch); username and password (bandwidth); previous: the same fields again while they are being replaced",
  anyOf: Object.values(bodies).map((schema) => {
    const { $schema: _, ...shape } = z.toJSONSchema(schema, { io: "input" });
    return shape;
  }),
});

export interface CarrierBody {
  readonly accountId: string | undefined;
  readonly intercept: "reject" | "announce";
  readonly secrets: Readonly<Record<string, unknown>>;
}

/** @throws AppError("invalid_value") */
export function readCarrierBody(carrier: Carrier, body: unknown): CarrierBody {
  const parsed = bodies[carrier].safeParse(body);
  if (!parsed.success) {
    const fields = fieldErrorsOf(parsed.error);
    throw new AppError("invalid_value", `These are no credentials of ${carrier}; see errors.`, { fields });
  }
  const { account_id: accountId, intercept, ...given } = parsed.data;
  const secrets = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { accountId, intercept, secrets };
}

const masked = z.string().meta({ description: "Masked to its last four characters", examples: ["…f3a9"] });

export const credentialOut = z
  .object({
    credential_id: idOut,
    carrier: z.enum(CARRIERS),
    account_id: idOut.nullable().meta({ description: "Null: the platform's own" }),
    intercept: z.enum(["reject", "announce"]),
  })
  .catchall(z.union([masked, z.array(masked), z.record(z.string(), masked), z.null()]))
  .meta({ description: "The carrier's own fields beside these, masked" });

export function showCredential(credential: CarrierCredential): z.output<typeof credentialOut> {
  const { id, carrier, accountId, intercept, secrets } = credential;
  const shown = Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, maskOf(value)]));
  return { ...shown, credential_id: id, carrier, account_id: accountId, intercept };
}

function maskOf(value: unknown): string | string[] | Record<string, string> {
  if (Array.isArray(value)) return value.map(maskSecret);
  if (typeof value !== "object" || value === null) return maskSecret(value);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, maskSecret(inner)]));
}

function maskSecret(value: unknown): string {
  const text = typeof value === "string" ? value : "";
  return text.length < SHOWN_FROM_CHARS ? "…" : `…${text.slice(-SHOWN_CHARS)}`;
}
