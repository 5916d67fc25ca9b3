/**
 * What an endpoint of a network needs to be reached and told. Kept as the API has it: sealed in whole, and once more with its secrets masked, which is all
 * that is ever shown and all that rendering needs. The shapes are judged at the edge (http/contract/conversion-endpoint.ts).
 */
import type { Secrets } from "../../kernel/secrets.js";
import type { OutgoingEvent } from "./outgoing-events.js";

export const CONVERSION_KINDS = ["ga4", "google_ads", "meta"] as const;
export type ConversionKind = (typeof CONVERSION_KINDS)[number];

/** Conversions are told when a call is over, and when somebody learns later that it converted. */
export const CONVERSION_EVENTS: readonly OutgoingEvent[] = ["call.completed", "call.updated"];

interface ConversionRule {
  /** Calls of which nobody said whether they converted count after this much talk; null: they never count. */
  readonly min_talk_s: number | null;
}

export interface Ga4Settings extends ConversionRule {
  readonly measurement_id: string;
  readonly api_secret: string;
  readonly event_name: string;
  /** Names of custom data. */
  readonly client_id_field: string;
  readonly session_id_field: string | null;
}

export type GoogleCredentials =
  | { readonly type: "service_account"; readonly client_email: string; readonly private_key: string }
  | {
      readonly type: "refresh_token";
      readonly client_id: string;
      readonly client_secret: string;
      readonly refresh_token: string;
    };

export interface GoogleAdsSettings extends ConversionRule {
  /** Ten digits, as all Google Ads customer ids. */
  readonly operating_account_id: string;
  /** The manager account; null: the operating account itself. */
  readonly login_account_id: string | null;
  readonly conversion_action_id: string;
  readonly credentials: GoogleCredentials;
  readonly validate_only: boolean;
}

export interface MetaSettings extends ConversionRule {
  readonly dataset_id: string;
  readonly access_token: string;
  readonly event_name: string;
  /** A name of custom data. */
  readonly fbp_field: string;
  readonly test_event_code: string | null;
}

export type ConversionSettings = Ga4Settings | GoogleAdsSettings | MetaSettings;
/** As it is shown: same fields, secrets masked. */
export type ShownSettings = Readonly<Record<string, unknown>>;

const SECRET_FIELDS = new Set(["api_secret", "private_key", "client_secret", "refresh_token", "access_token"]);
/** Its end tells which of two secrets it is; of a shorter one that would be too much. */
const HINTED_CHARS_MIN = 16;

export function maskSettings(settings: object): ShownSettings {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]: [string, unknown]) => {
      if (typeof value === "object" && value !== null) return [name, maskSettings(value)];
      return [name, SECRET_FIELDS.has(name) && typeof value === "string" ? maskSecret(value) : value];
    }),
  );
}

function maskSecret(secret: string): string {
  return secret.length >= HINTED_CHARS_MIN && /^[\x21-\x7e]+$/.test(secret) ? `…${secret.slice(-4)}` : "…";
}

export function sealSettings(secrets: Secrets, settings: ConversionSettings): Buffer {
  return secrets.seal(JSON.stringify(settings));
}

/** @throws AppError("secret_unreadable") */
export function openSettings<T extends ConversionSettings>(secrets: Secrets, sealed: Buffer): T {
  return JSON.parse(secrets.open(sealed)) as T;
}
