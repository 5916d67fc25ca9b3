/** The body of a ring pool's POST or PUT, read field by field; all that is wrong is told at once. Unknown fields are left alone, as old clients send them. */
import { RETENTION_S_MAX } from "../contract/pool.js";
import { InvocaError, invalidFields } from "./invoca-error.js";
import { chooseLocalNumbers, type LocalChoice, readWhitelist, wrongPreference } from "./local-center.js";
import { BLANK, FieldReader } from "./read-values.js";

const NAME_CHARS_MAX = 200;
const POOL_SIZE_MAX = 100_000;

export interface RingPoolFields {
  readonly idFromNetwork: string | undefined;
  readonly name: string | undefined;
  readonly lifetimeS: number | undefined;
  readonly maxPoolSize: number | undefined;
  readonly preferred: boolean | undefined;
  readonly fillImmediately: boolean | undefined;
  readonly allowOverflow: boolean | undefined;
  readonly destination: string | undefined;
  readonly localCenter: Readonly<Record<string, unknown>> | undefined;
  readonly localNumberPreferences: Readonly<Record<string, unknown>> | undefined;
  readonly local: Exclude<LocalChoice, { kind: "refused" }> | null;
}

/** @param purpose a new pool needs a name and, in a POST, the caller's id. @throws InvocaError */
export function readRingPoolFields(
  body: Readonly<Record<string, unknown>>,
  purpose: { needsName: boolean; needsId: boolean },
): RingPoolFields {
  const reader = new FieldReader(body);
  const id = reader.text("id_from_network", { max: NAME_CHARS_MAX, required: purpose.needsId });
  const whitelist = readWhitelist(body["tn_prefix_whitelist"]);
  if (whitelist === null) reader.refuse("tn_prefix_whitelist", "must be a list of area codes");
  const preferenceError = wrongPreference(body["local_number_preferences"]);
  if (preferenceError !== null) reader.refuse("local_number_preferences", preferenceError);
  const fields = {
    idFromNetwork: id,
    name: reader.text("name", { max: NAME_CHARS_MAX, required: purpose.needsName }),
    lifetimeS: reader.integer("lifetime_seconds", { min: 1, max: RETENTION_S_MAX }),
    maxPoolSize: reader.integer("max_pool_size", { min: 1, max: POOL_SIZE_MAX }),
    preferred: reader.flag("preferred"),
    fillImmediately: reader.flag("fill_immediately"),
    allowOverflow: reader.flag("allow_overflow"),
    destination: reader.text("destination_phone_number", { max: NAME_CHARS_MAX }),
    localCenter: reader.hash("local_center"),
    localNumberPreferences: reader.hash("local_number_preferences"),
  };
  // An empty name is no "leave it as it is".
  if (!purpose.needsName && body["name"] !== undefined && fields.name === undefined) reader.refuse("name", BLANK);
  if (Object.keys(reader.wrong).length > 0) throw invalidFields(reader.wrong);
  const local = chooseLocalNumbers({
    center: fields.localCenter,
    preferences: fields.localNumberPreferences,
    whitelist: whitelist ?? [],
  });
  if (local?.kind === "refused") throw new InvocaError("RecordInvalid", local.message);
  return { ...fields, local };
}
