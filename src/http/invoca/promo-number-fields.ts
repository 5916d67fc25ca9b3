/** The body of a promo number's POST or PUT. What Invoca keeps as custom data of the number becomes part of what its calls are credited to. Pure. */
import { TOUCH_VALUE_CHARS_MAX } from "../../attribution/touch.js";
import type { WantedNumber } from "../../pool/static-numbers.js";
import { CUSTOM_FIELDS_MAX } from "../../attribution/judging/custom-data.js";
import { InvocaError, invalidFields } from "./invoca-error.js";
import { chooseLocalNumbers, readWhitelist, wrongPreference } from "./local-center.js";
import { FieldReader } from "./read-values.js";

const TEXT_CHARS_MAX = 200;
const NAME_CHARS_MAX = 64;
/** Stand in a static number's touch beside the custom data. */
const RESERVED: ReadonlySet<string> = new Set(["source_name", "media_type"]);

/** Invoca's list. */
const MEDIA_TYPES: ReadonlySet<string> = new Set([
  "Online: Content / Review Site",
  "Online: Discount / Coupon Site",
  "Online: Display",
  "Online: Email",
  "Online: Rewards / Incentive",
  "Online: Lead Form / Co Reg",
  "Online: Search",
  "Online: Social Media",
  "Online: Software",
  "Online: Other",
  "Mobile: Apps",
  "Mobile: Display",
  "Mobile: Search",
  "Mobile: SMS",
  "Mobile: Other",
  "Offline: Business Publication",
  "Offline: Call Center",
  "Offline: Direct Mail",
  "Offline: Directory",
  "Offline: Newspaper",
  "Offline: In-Call Ad",
  "Offline: Magazine",
  "Offline: Outdoor",
  "Offline: Radio",
  "Offline: TV",
  "Offline: Other",
  "Google Call Extension",
]);

export interface PromoNumberFields {
  readonly idFromNetwork: string | undefined;
  readonly description: string | undefined;
  readonly mediaType: string | undefined;
  readonly customData: Readonly<Record<string, string>> | undefined;
  readonly destination: string | undefined;
  readonly wanted: WantedNumber;
}

/** @param isNew then a description and a media type are needed. @throws InvocaError */
export function readPromoNumberFields(
  body: Readonly<Record<string, unknown>>,
  { isNew }: { isNew: boolean },
): PromoNumberFields {
  const reader = new FieldReader(body);
  const fields = {
    idFromNetwork: reader.text("id_from_network", { max: TEXT_CHARS_MAX }),
    description: reader.text("description", { max: TEXT_CHARS_MAX, required: isNew }),
    mediaType: reader.text("media_type", { max: TEXT_CHARS_MAX, required: isNew }),
    destination: reader.text("destination_phone_number", { max: TEXT_CHARS_MAX }),
    customData: readCustomData(reader),
  };
  // Their documentation has a soft hyphen in "In-Call".
  const mediaType = fields.mediaType?.replaceAll("\u00ad", "-");
  if (mediaType !== undefined && !MEDIA_TYPES.has(mediaType)) {
    reader.refuse("media_type", "is not included in the list");
  }
  const whitelist = readWhitelist(body["tn_prefix_whitelist"]);
  if (whitelist === null) reader.refuse("tn_prefix_whitelist", "must be a list of area codes");
  const preferenceError = wrongPreference(body["local_number_preferences"]);
  if (preferenceError !== null) reader.refuse("local_number_preferences", preferenceError);
  const place = { center: reader.hash("local_center"), preferences: reader.hash("local_number_preferences") };
  if (Object.keys(reader.wrong).length > 0) throw invalidFields(reader.wrong);
  return { ...fields, mediaType, wanted: wantedOf({ ...place, whitelist: whitelist ?? [] }) };
}

function wantedOf(asked: Parameters<typeof chooseLocalNumbers>[0]): WantedNumber {
  const local = chooseLocalNumbers(asked);
  if (local?.kind === "refused") throw new InvocaError("RecordInvalid", local.message);
  if (local?.kind === "unknown_place") {
    throw invalidFields({ local_center: ["names a place that no area code is known for; give a tn_prefix"] });
  }
  if (local === null) return { kind: "any", type: "toll_free", npa: null };
  const { npa, npaFallback } = local.numbers;
  return { kind: "any", type: "local", npa, npaFallback };
}

function readCustomData(reader: FieldReader): Readonly<Record<string, string>> | undefined {
  const given = reader.hash("custom_data");
  if (given === undefined) return undefined;
  const entries = Object.entries(given).filter(([, value]) => value !== null && value !== "");
  const isFine = ([name, value]: [string, unknown]): boolean =>
    name.length >= 1 &&
    name.length <= NAME_CHARS_MAX &&
    !RESERVED.has(name) &&
    ["string", "number", "boolean"].includes(typeof value);
  if (entries.length > CUSTOM_FIELDS_MAX || !entries.every(isFine)) reader.refuse("custom_data", "is invalid");
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value).slice(0, TOUCH_VALUE_CHARS_MAX)]));
}
