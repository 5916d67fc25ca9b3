/**
 * A call as an event of Google's Data Manager API, `events:ingest` (developers.google.com/data-manager/api/reference/rest/v1/events/ingest; shapes:
 * google/ads/datamanager/v1 in github.com/googleapis/googleapis). A call that a website's number led to is told by the click id of the visit, as an offline
 * conversion of a conversion action of the type UPLOAD_CLICKS; "call conversions" are calls from ads themselves, which we do not see. The transaction id is
 * the call's: the same one again adjusts the value instead of counting twice (…/devguides/events/google-ads/conversion-adjustments). Pure.
 */
import { adConversionOf } from "../../../attribution/exports/ad-conversions.js";
import { type ConsentAnswer, consentTo } from "../../../attribution/exports/ad-consent.js";
import type { MadeEvent, TellableCall } from "./tellable-call.js";

/** From general knowledge: the longest window in which a click can convert. Older ones are refused one by one, after they were accepted. */
export const GOOGLE_ADS_AGE_MS_MAX = 90 * 86_400_000;

/** What rendering knows of the settings: nothing secret. */
export interface GoogleAdsEventSettings {
  readonly operating_account_id: string;
  readonly login_account_id: string | null;
  readonly conversion_action_id: string;
  readonly validate_only: boolean;
  readonly min_talk_s: number | null;
}

export interface IngestEventsRequest {
  readonly destinations: readonly object[];
  readonly events: readonly [object];
  readonly validateOnly: boolean;
}

export function googleAdsEvent(call: TellableCall, settings: GoogleAdsEventSettings): MadeEvent {
  const conversion = adConversionOf(call, { network: "google_ads", minTalkS: settings.min_talk_s });
  if (conversion === null) return { kind: "skipped", reason: "no_click_id" };
  const { callId, clickId, clickIdKind, at, value, currency } = conversion;
  const consent = consentBlock(call.consent);
  const event = {
    transactionId: callId,
    eventTimestamp: new Date(at).toISOString(),
    eventSource: "PHONE",
    adIdentifiers: { [clickIdKind]: clickId },
    ...(value === null || currency === null ? {} : { conversionValue: value, currency }),
    ...(consent === null ? {} : { consent }),
  };
  return { kind: "event", who: `${clickIdKind}=${clickId}`, at, payload: ingestRequest(event, settings) };
}

function ingestRequest(event: object, settings: GoogleAdsEventSettings): IngestEventsRequest {
  const account = (accountId: string): object => ({ accountType: "GOOGLE_ADS", accountId });
  return {
    destinations: [
      {
        operatingAccount: account(settings.operating_account_id),
        loginAccount: account(settings.login_account_id ?? settings.operating_account_id),
        productDestinationId: settings.conversion_action_id,
      },
    ],
    events: [event],
    validateOnly: settings.validate_only,
  };
}

function consentBlock(consent: TellableCall["consent"]): object | null {
  const adUserData = WORDS[consentTo(consent, "ad_user_data")];
  const adPersonalization = WORDS[consentTo(consent, "ad_personalization")];
  if (adUserData === null && adPersonalization === null) return null;
  return {
    ...(adUserData === null ? {} : { adUserData }),
    ...(adPersonalization === null ? {} : { adPersonalization }),
  };
}

const WORDS: Readonly<Record<ConsentAnswer, string | null>> = {
  granted: "CONSENT_GRANTED",
  denied: "CONSENT_DENIED",
  unknown: null,
};
