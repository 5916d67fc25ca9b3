/**
 * A call as an event of Google Analytics 4's Measurement Protocol (developers.google.com/analytics/devguides/collection/protocol/ga4/reference and
 * .../sending-events). It answers 2xx to everything and drops what it does not like, so its limits are kept here. Pure.
 *
 * From general knowledge: the forms of the cookies `_ga` (GA1.1.x.y) and `_ga_<stream>` (GS1.1.<session>…, GS2.1.s<session>$…).
 */
import { isGa4EventName, isGa4Name } from "../../../account/outgoing/ga4-names.js";
import { type ConsentAnswer, type ConsentPurpose, consentTo } from "../../../attribution/exports/ad-consent.js";
import { customText, type MadeEvent, type TellableCall } from "./tellable-call.js";

/** Events may be dated back by 72 hours. A minute is left for the way, and for clocks that differ. */
export const GA4_AGE_MS_MAX = 72 * 3_600_000 - 60_000;
const PARAMS_MAX = 25;
const VALUE_CHARS_MAX = 100;
export const GA4_BODY_CHARS_MAX = 130_000;
const CLIENT_ID_CHARS_MAX = 100;
/** A call that nobody timed still was a moment of engagement; 0 keeps an event out of the reports of active users. */
const ENGAGEMENT_MS_MIN = 1;

/** What rendering knows of the settings: nothing secret. */
export interface Ga4EventSettings {
  readonly event_name: string;
  readonly client_id_field: string;
  readonly session_id_field: string | null;
}

export interface Ga4Payload {
  readonly client_id: string;
  readonly timestamp_micros: number;
  readonly consent?: Readonly<Record<string, "GRANTED" | "DENIED">>;
  readonly events: readonly [{ readonly name: string; readonly params: Readonly<Record<string, string | number>> }];
}

export function ga4Event(call: TellableCall, settings: Ga4EventSettings): MadeEvent {
  const clientId = clientIdOf(customText(call, settings.client_id_field));
  if (clientId === null) return { kind: "skipped", reason: "no_client_id" };
  const sessionId =
    settings.session_id_field === null ? null : sessionIdOf(customText(call, settings.session_id_field));
  const { callId, receivedAt, talkMs, revenue, currency } = call;
  const consent = consentBlock(call.consent);
  const payload: Ga4Payload = {
    client_id: clientId,
    timestamp_micros: receivedAt * 1000,
    ...(consent === null ? {} : { consent }),
    events: [
      {
        name: settings.event_name,
        params: {
          ...(sessionId === null ? {} : { session_id: sessionId }),
          engagement_time_msec: Math.max(ENGAGEMENT_MS_MIN, Math.round(talkMs ?? 0)),
          call_id: callId,
          ...(talkMs === null ? {} : { talk_seconds: Math.round(talkMs / 1000) }),
          // A value without a currency is not counted as money.
          ...(revenue === null || currency === null ? {} : { value: revenue, currency }),
        },
      },
    ],
  };
  if (!isTaken(payload)) return { kind: "skipped", reason: "invalid_event" };
  return { kind: "event", who: clientId, at: receivedAt, payload };
}

/** `GA1.1.1234567.1700000000` → `1234567.1700000000`. Another id that a page made stays as it is. */
export function clientIdOf(text: string | null): string | null {
  if (text === null) return null;
  const reduced = /^GA\d+(?:\.[\d-]+)?\.(\d+\.\d+)$/.exec(text)?.[1] ?? text;
  return reduced.length <= CLIENT_ID_CHARS_MAX && /^[\x21-\x7e]+$/.test(reduced) ? reduced : null;
}

/** Digits; as they are, or from the cookie of a stream. */
export function sessionIdOf(text: string | null): string | null {
  if (text === null) return null;
  const session = /^GS1\.\d+\.(\d+)(?:\.|$)/.exec(text)?.[1] ?? /^GS2\.\d+\.s(\d+)(?:\$|$)/.exec(text)?.[1] ?? text;
  return /^\d{1,20}$/.test(session) ? session : null;
}

/** Everything the protocol limits, whatever the parameters are. */
export function isTaken({ client_id: clientId, events, ...rest }: Ga4Payload): boolean {
  const [{ name, params }] = events;
  const entries = Object.entries(params);
  const isParam = ([param, value]: [string, string | number]): boolean =>
    isGa4Name(param) && (typeof value === "string" ? value.length <= VALUE_CHARS_MAX : Number.isFinite(value));
  return (
    isGa4EventName(name) &&
    entries.length <= PARAMS_MAX &&
    entries.every(isParam) &&
    JSON.stringify({ clientId, events, ...rest }).length <= GA4_BODY_CHARS_MAX
  );
}

function consentBlock(consent: TellableCall["consent"]): Readonly<Record<string, "GRANTED" | "DENIED">> | null {
  const said = (["ad_user_data", "ad_personalization"] as const).flatMap(
    (purpose): [ConsentPurpose, "GRANTED" | "DENIED"][] => {
      const word = WORDS[consentTo(consent, purpose)];
      return word === null ? [] : [[purpose, word]];
    },
  );
  return said.length === 0 ? null : Object.fromEntries(said);
}

const WORDS: Readonly<Record<ConsentAnswer, "GRANTED" | "DENIED" | null>> = {
  granted: "GRANTED",
  denied: "DENIED",
  unknown: null,
};
