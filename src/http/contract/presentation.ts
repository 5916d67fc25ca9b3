/**
 * `POST /v1/presentations` and renew on the wire, and the presentation log. The tag is older or newer than the service and runs on pages nobody
 * controls: fields it does not know are ignored and counted, optional ones may be null, and long texts are cut instead of refused.
 */
import { z } from "zod";
import { CUSTOM_FIELDS_MAX } from "../../attribution/judging/custom-data.js";
import { TOUCH_VALUE_CHARS_MAX } from "../../attribution/touch.js";
import { consentOf } from "../../attribution/judging/visit.js";
import { toIso } from "../../kernel/clock.js";
import type { PageAnswer } from "../../pool/present.js";
import type { LoggedPresentation, Renewal } from "../../pool/presentations.store.js";
import { safeTextOf } from "../safe-text.js";
import { accountQuery, e164InQuery, e164Out, idIn, idOut, instantIn, instantOut, pageQuery } from "./scalars.js";

export const PRESENTATION_BODY_BYTES_MAX = 16_384;
export const NUMBERS_PER_PAGE_MAX = 20;
/** Of all pages that a single-page application went through. */
const RENEWED_MAX = 100;
export const FIELD_NAME_CHARS_MAX = 64;
const CUSTOM_TEXT_CHARS_MAX = 512;
const CONSENT_FIELDS_MAX = 20;
export const URL_CHARS_MAX = 2_048;
/** As found on the page, in any notation; what is longer is no number. */
const NUMBER_TEXT_CHARS_MAX = 100;
const TAG_KEY_CHARS_MAX = 100;

function fewFields(max: number) {
  return (value: object): boolean => Object.keys(value).length <= max;
}

const fieldName = z.string().min(1).max(FIELD_NAME_CHARS_MAX);

/** Cutting may split a surrogate pair; what is left of it goes too. */
const touchValue = z.string().transform((text) => safeTextOf(text.slice(0, TOUCH_VALUE_CHARS_MAX)));

export const touchIn = z
  .record(fieldName, touchValue)
  .refine(fewFields(CUSTOM_FIELDS_MAX), `must have at most ${CUSTOM_FIELDS_MAX} fields`);

export const customDataIn = z
  .record(fieldName, z.union([z.string().max(CUSTOM_TEXT_CHARS_MAX), z.number(), z.boolean()]))
  .refine(fewFields(CUSTOM_FIELDS_MAX), `must have at most ${CUSTOM_FIELDS_MAX} fields`);

const consentIn = z
  .record(fieldName, z.union([z.string().max(FIELD_NAME_CHARS_MAX), z.number(), z.boolean(), z.null()]))
  .refine(fewFields(CONSENT_FIELDS_MAX), `must have at most ${CONSENT_FIELDS_MAX} fields`);

const address = {
  url: z.string().meta({ description: `Kept without its fragment, ${URL_CHARS_MAX} characters at most` }),
  referrer: z.string().nullish(),
};

const page = {
  ...address,
  landing: z.looseObject(address).nullish().meta({
    description:
      "Where the visit began that led here, when that was another page: the latest with a campaign, a click id or another site's referrer",
  }),
  visible: z.boolean().nullish(),
};

const body = {
  tag_key: z.string().min(1).max(TAG_KEY_CHARS_MAX),
  visitor_id: z
    .string()
    .nullish()
    .meta({ description: "Of an earlier answer, or vis_ and 20 to 36 letters or digits" }),
  numbers: z
    .array(z.string().max(NUMBER_TEXT_CHARS_MAX))
    .min(1)
    .max(NUMBERS_PER_PAGE_MAX)
    .meta({ description: "As found on the page", examples: [["+18005550100", "(800) 555-0100"]] }),
  page: z.looseObject(page),
  touch: touchIn.nullish().meta({
    description:
      "Wins over the utm_* and click ids of page.url; those of page.landing count where neither says anything",
  }),
  custom_data: customDataIn.nullish(),
  consent: consentIn.nullish(),
};

export const presentationsIn = z.looseObject(body);
export type PresentationsBody = z.output<typeof presentationsIn>;

/** What names nothing of the visitor's is lost, and keeps nobody else from being renewed. */
const renewal = {
  tag_key: body.tag_key,
  visitor_id: z.string().nullish(),
  presentation_ids: z.array(z.string()).max(RENEWED_MAX),
};

export const renewIn = z.looseObject(renewal);

export interface IgnoredFields {
  readonly body: number;
  readonly page: number;
}

/** How many fields the service does not know. */
export function ignoredInPresentations(given: PresentationsBody): IgnoredFields {
  return { body: unknownKeys(given, body), page: unknownKeys(given.page, page) };
}

export function ignoredInRenew(given: object): IgnoredFields {
  return { body: unknownKeys(given, renewal), page: 0 };
}

function unknownKeys(given: object, known: object): number {
  let count = 0;
  for (const key of Object.keys(given)) if (!Object.hasOwn(known, key)) count++;
  return count;
}

export const presentationsOut = z.object({
  visitor_id: idOut,
  presentations: z
    .array(
      z.object({
        presentation_id: idOut.nullable(),
        destination_number: z.string(),
        promo_number: e164Out.nullable(),
        outcome: z.enum(["presented", "renewed", "overflow", "original"]),
        locked_until: instantOut.nullable(),
        renew_after_s: z.number().nullable(),
      }),
    )
    .meta({ description: "One entry for each asked number, in the same order" }),
});

export function showAnswer(answer: PageAnswer): z.output<typeof presentationsOut> {
  return {
    visitor_id: answer.visitorId,
    presentations: answer.presentations.map((one) => ({
      presentation_id: one.presentationId,
      destination_number: one.destinationNumber,
      promo_number: one.promoNumber,
      outcome: one.outcome,
      locked_until: one.lockedUntil === null ? null : toIso(one.lockedUntil),
      renew_after_s: one.renewAfterS,
    })),
  };
}

export const renewOut = z.object({
  presentations: z.array(
    z.object({
      presentation_id: idOut,
      outcome: z.enum(["renewed", "lost"]),
      locked_until: instantOut.nullable(),
    }),
  ),
});

export function showRenewal(renewed: Renewal): z.output<typeof renewOut>["presentations"][number] {
  const { presentationId, outcome, lockedUntil } = renewed;
  return { presentation_id: presentationId, outcome, locked_until: lockedUntil === null ? null : toIso(lockedUntil) };
}

export const presentationQuery = z.strictObject({
  ...pageQuery,
  ...accountQuery,
  number: e164InQuery.optional(),
  visitor_id: idIn.optional(),
  from: instantIn.optional(),
  to: instantIn.optional().meta({ description: "Exclusive" }),
});

export const loggedPresentationOut = z.object({
  id: idOut,
  presentation_id: idOut,
  visitor_id: idOut,
  promo_number: e164Out,
  seq: z.int().meta({ description: "Of the number, through every change of pool and owner" }),
  kind: z.enum(["presented", "renewal"]),
  presented_at: instantOut,
  locked_until: instantOut,
  pool_id: idOut,
  touch: z.record(z.string(), z.string()),
  custom_data: z.record(z.string(), z.unknown()),
  url: z.string().nullable().meta({ description: "Of the page, without its fragment" }),
  referrer: z.string().nullable(),
  consent: z
    .record(z.string(), z.unknown())
    .nullable()
    .meta({ description: "As the page gave it; null: it gave none" }),
});

export function showLogged(logged: LoggedPresentation): z.output<typeof loggedPresentationOut> {
  return {
    id: logged.id,
    presentation_id: logged.presentationId,
    visitor_id: logged.visitorId,
    promo_number: logged.promoNumber,
    seq: logged.seq,
    kind: logged.kind,
    presented_at: toIso(logged.presentedAt),
    locked_until: toIso(logged.lockedUntil),
    pool_id: logged.poolId,
    touch: logged.touch,
    custom_data: logged.customData,
    url: textIn(logged.context, "url"),
    referrer: textIn(logged.context, "referrer"),
    consent: consentOf([logged]),
  };
}

function textIn(context: LoggedPresentation["context"], name: string): string | null {
  const value = context[name];
  return typeof value === "string" ? value : null;
}
