/**
 * A call as a server event of Meta's Conversions API (developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event and
 * .../customer-information-parameters). One event a request: one that is too old would take the others with it. Pure: hashing is passed in.
 *
 * From general knowledge: the form of `fbp` (fb.1.<ms>.<number>) and the 50 characters of an event's name.
 */
import { adConversionOf } from "../../../attribution/exports/ad-conversions.js";
import { customText, type MadeEvent, type TellableCall } from "./tellable-call.js";

/** 7 days before it is sent; a minute is left for the way. */
export const META_AGE_MS_MAX = 7 * 86_400_000 - 60_000;
/** fbc has room for 500 characters at Meta's own pixel; a longer fbclid was cut on its way to us (touch.ts). */
const FBCLID = /^[\w.-]{1,500}$/;
const FBP = /^fb\.\d\.\d{10,16}\.\d{1,20}$/;

/** What rendering knows of the settings: nothing secret. */
export interface MetaEventSettings {
  readonly event_name: string;
  readonly fbp_field: string;
  readonly test_event_code: string | null;
  readonly min_talk_s: number | null;
}

export interface MetaInput {
  readonly call: TellableCall;
  readonly settings: MetaEventSettings;
  /** E.164; null: this endpoint is not shown callers, or the caller is unknown. */
  readonly caller: string | null;
  /** Of UTF-8, in hex. */
  readonly sha256: (text: string) => string;
}

export function metaEvent({ call, settings, caller, sha256 }: MetaInput): MadeEvent {
  const conversion = adConversionOf(call, { network: "meta", minTalkS: settings.min_talk_s });
  const fbclid = conversion !== null && FBCLID.test(conversion.clickId) ? conversion.clickId : null;
  const fbpText = customText(call, settings.fbp_field);
  const fbp = fbpText !== null && FBP.test(fbpText) ? fbpText : null;
  if (fbclid === null && fbp === null) return { kind: "skipped", reason: "no_click_id" };
  const { callId, receivedAt, presentedAt, revenue, currency, visitorId } = call;
  const money = revenue === null || currency === null ? null : { value: revenue, currency };
  // Meta refuses a purchase that is worth nothing known.
  if (settings.event_name === "Purchase" && money === null) return { kind: "skipped", reason: "no_value" };
  const event = {
    event_name: settings.event_name,
    event_time: Math.floor(receivedAt / 1000),
    event_id: callId,
    action_source: "phone_call",
    user_data: {
      // The click's own time is not known; that of the page view that carried its id is as near as can be.
      ...(fbclid === null ? {} : { fbc: `fb.1.${presentedAt ?? receivedAt}.${fbclid}` }),
      ...(fbp === null ? {} : { fbp }),
      ...(caller === null ? {} : { ph: [sha256(caller.replace(/\D/g, ""))] }),
      ...(visitorId === null ? {} : { external_id: [sha256(visitorId)] }),
    },
    ...(money === null ? {} : { custom_data: money }),
  };
  const code = settings.test_event_code;
  const payload = { data: [event], ...(code === null ? {} : { test_event_code: code }) };
  return { kind: "event", who: `${fbclid ?? ""} ${fbp ?? ""}`, at: receivedAt, payload };
}
