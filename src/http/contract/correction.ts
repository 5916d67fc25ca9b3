/** Corrections of calls, and signals, on the wire. */
import { z } from "zod";
import type { Account } from "../../account/accounts.store.js";
import {
  type AttributionChange,
  type CallCorrection,
  REASON_CHARS_MAX,
  RECORD_FIELDS_MAX,
  type Signal,
  type SignalsResult,
} from "../../attribution/corrections/correct-call.js";
import { ATTRIBUTIONS } from "../../attribution/calls.store.js";
import { AppError } from "../../kernel/errors.js";
import { showSignal } from "./call.js";
import { customDataIn, touchIn } from "./presentation.js";
import { idIn, idOut, instantIn } from "./scalars.js";

/** A sale of a business; refunds are below zero. Four decimals. */
const AMOUNT_MAX = 1_000_000_000;
const AMOUNT_DIGITS = 4;
const SIGNAL_TEXT_CHARS_MAX = 200;
export const SIGNALS_MAX = 100;

const revenueIn = z
  .number()
  .min(-AMOUNT_MAX)
  .max(AMOUNT_MAX)
  // As it is stored: a signal sent again, 0.1 + 0.2 as its sum, would otherwise differ from what is known.
  .transform((amount) => Number(amount.toFixed(AMOUNT_DIGITS)))
  .nullable()
  .optional()
  .meta({ description: "In the account's currency, four decimals; null takes it back" });
const currencyIn = z
  .string()
  .regex(/^[A-Z]{3}$/, "must be an ISO 4217 code such as USD")
  .optional()
  .meta({ description: "Only a check: amounts are in the account's currency, and another one is refused" });

const matchIn = z
  .strictObject({
    outcome: z.enum(ATTRIBUTIONS).optional(),
    presentation_id: idIn.nullable().optional(),
    visitor_id: idIn.nullable().optional(),
  })
  .meta({
    description:
      "Whom the call belongs to: a presentation of the called number, or a visitor (their latest presentation at or before the call), or, with an outcome other than matched, nobody",
  });

export const correctionIn = z
  .strictObject({
    reason: z.string().trim().min(1).max(REASON_CHARS_MAX).optional(),
    corrects_id: idIn.optional().meta({ description: "The newest row as you know it; another one is a 409" }),
    conversion: z.boolean().nullable().optional().meta({ description: "null takes it back: signals count again" }),
    revenue: revenueIn,
    currency: currencyIn,
    attribution: matchIn.optional(),
    touch: touchIn.optional().meta({ description: "Instead of what there is" }),
    custom_data: customDataIn
      .optional()
      .meta({ description: `Fields that are added or changed; a record has at most ${RECORD_FIELDS_MAX}` }),
  })
  .refine(
    (body) => Object.keys(body).some((key) => key !== "corrects_id" && key !== "currency"),
    "must say what is known now: a reason, conversion, revenue, attribution, touch or custom_data",
  );

/** What a correction says when nobody gives a reason. */
const NO_REASON = "correction";

export function correctionOf(body: z.output<typeof correctionIn>): Omit<CallCorrection, "id" | "accountId" | "actor"> {
  return {
    reason: body.reason ?? NO_REASON,
    correctsId: body.corrects_id,
    conversion: body.conversion,
    revenue: body.revenue,
    touch: body.touch,
    customData: body.custom_data,
    match: body.attribution === undefined ? undefined : matchOf(body.attribution),
  };
}

function matchOf(match: z.output<typeof matchIn>): AttributionChange {
  const { outcome } = match;
  const presentationId = match.presentation_id ?? null;
  const visitorId = match.visitor_id ?? null;
  const isSomebody = presentationId !== null || visitorId !== null;
  if (outcome === undefined ? !isSomebody : isSomebody !== (outcome === "matched")) {
    const fields = [{ path: "attribution", message: "needs a presentation_id or visitor_id, or an outcome of nobody" }];
    throw new AppError("invalid_value", "Say whom the call belongs to, or why to nobody.", { fields });
  }
  if (presentationId !== null) return { kind: "presentation", presentationId };
  if (visitorId !== null) return { kind: "visitor", visitorId };
  return { kind: "nobody", outcome: outcome as Exclude<typeof outcome, "matched" | undefined> };
}

const signal = {
  name: z.string().trim().min(1).max(SIGNAL_TEXT_CHARS_MAX),
  partner_unique_id: z
    .string()
    .trim()
    .max(SIGNAL_TEXT_CHARS_MAX)
    .default("")
    .meta({ description: "Tells signals of one name apart: a changed one is found by both" }),
  value: z.boolean().nullable().default(true).meta({ description: "null takes back what it said" }),
  revenue: revenueIn,
  currency: currencyIn,
  occurred_at: instantIn.optional().meta({ description: "Now when not given" }),
};

/** One signal, or several of one call. */
export const signalsIn = z.union([
  z.strictObject({ call_id: idIn, ...signal }),
  z.strictObject({ call_id: idIn, signals: z.array(z.strictObject(signal)).min(1).max(SIGNALS_MAX) }),
]);

type SignalIn = Omit<z.output<(typeof signalsIn.options)[0]>, "call_id">;

export function signalsOf(body: z.output<typeof signalsIn>): readonly SignalIn[] {
  return "signals" in body ? body.signals : [body];
}

export function signalOf(given: SignalIn): Signal {
  const { name, partner_unique_id: partnerUniqueId, value, revenue = null, occurred_at: occurredAt = null } = given;
  return { name, partnerUniqueId, value, revenue, occurredAt };
}

const signalResultOut = z.object({
  ...{ id: idOut, name: z.string(), partner_unique_id: z.string(), value: z.boolean().nullable() },
  ...{ revenue: z.number().nullable(), occurred_at: z.iso.datetime() },
  corrects_id: idOut.nullable().meta({ description: "The signal that this one replaces" }),
  is_new: z.boolean().meta({ description: "false: it was known exactly so" }),
});

export const signalsOut = z.object({
  call_id: idOut,
  record_id: idOut.meta({ description: "The call's newest record row: GET /v1/calls/:id" }),
  revision: z.int(),
  signals: z.array(signalResultOut).meta({ description: "In the order they were sent" }),
});

export function showSignals({ results, record }: SignalsResult): z.output<typeof signalsOut> {
  return {
    call_id: record.callId,
    record_id: record.id,
    revision: record.revision,
    signals: results.map(({ signal: stored, isNew }) => ({
      ...showSignal(stored),
      corrects_id: stored.correctsId,
      is_new: isNew,
    })),
  };
}

/** Amounts of several currencies cannot be added up. @throws AppError("invalid_value") */
export function assertCurrency(account: Pick<Account, "currency">, given: readonly (string | undefined)[]): void {
  if (given.every((currency) => currency === undefined || currency === account.currency)) return;
  const fields = [{ path: "currency", message: `must be the account's, ${account.currency}` }];
  throw new AppError("invalid_value", "Send amounts in the account's currency, or change that first.", { fields });
}
