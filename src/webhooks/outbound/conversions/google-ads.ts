/**
 * Google Ads over the Data Manager API. It accepts a request at once and judges it later: what became of it is asked for by the request's id
 * (requestStatus.retrieve), which the log of deliveries keeps.
 */
import { type GoogleAdsSettings, openSettings } from "../../../account/outgoing/conversion-settings.js";
import type { Secrets } from "../../../kernel/secrets.js";
import type { SentOutcome } from "../retry-rules.js";
import { type Answer, exchange, type SendDeps } from "../send.js";
import type { Network } from "./conversion-kind.js";
import { GOOGLE_ADS_AGE_MS_MAX, googleAdsEvent, type GoogleAdsEventSettings } from "./google-ads-event.js";
import { createTokenSource, type TokenSource } from "./google-token.js";
import { jsonIn, outcomeOf, refusedForEver, withoutSecrets } from "./network-answer.js";

export interface GoogleUrls {
  /** GOOGLE_ADS_URL */
  readonly api: string;
  /** GOOGLE_OAUTH_URL */
  readonly oauth: string;
}

export interface GoogleAds extends Network {
  /** Asks what became of a request. @param secretEnc the endpoint's sealed settings */
  statusOf(requestId: string, secretEnc: Buffer): Promise<RequestStatus>;
}

export type RequestStatus =
  /** `status`: REQUEST_STATUS_UNKNOWN, SUCCESS, PROCESSING, FAILED or PARTIAL_SUCCESS; `errors`: reasons, as Google names them. */
  | { readonly kind: "known"; readonly status: string; readonly errors: readonly string[] }
  | { readonly kind: "unknown"; readonly error: string };

type Deps = SendDeps & { readonly secrets: Secrets };

export function googleAds(deps: Deps, urls: GoogleUrls): GoogleAds {
  const tokens = createTokenSource(deps, urls.oauth);
  return {
    kind: "google_ads",
    needsConsentTo: ["ad_storage", "ad_user_data"],
    canRestate: true,
    ageMsMax: GOOGLE_ADS_AGE_MS_MAX,
    namesCaller: false,
    make: ({ call, settings }) => googleAdsEvent(call, settings as GoogleAdsEventSettings),
    send: async (body, { secretEnc }) => {
      const input = { url: `${urls.api}/v1/events:ingest`, body };
      const answer = await authorized(deps, { tokens, secretEnc, input });
      return answer.kind === "unanswered" ? answer : ingestOutcome(answer);
    },
    statusOf: async (requestId, secretEnc) => {
      const query = new URLSearchParams({ requestId }).toString();
      const input = { url: `${urls.api}/v1/requestStatus:retrieve?${query}`, method: "GET" as const };
      return statusIn(await authorized(deps, { tokens, secretEnc, input }));
    },
  };
}

async function authorized(
  deps: Deps,
  {
    tokens,
    secretEnc,
    input,
  }: { tokens: TokenSource; secretEnc: Buffer; input: { url: string; method?: "GET"; body?: string } },
): Promise<Answer> {
  const { credentials } = openSettings<GoogleAdsSettings>(deps.secrets, secretEnc);
  const got = await tokens.tokenFor(credentials);
  if (got.kind === "none") return { kind: "unanswered", error: got.error, ms: got.ms };
  const headers = { authorization: `Bearer ${got.token}`, "content-type": "application/json" };
  const answer = withoutSecrets(await exchange(deps, { ...input, headers }), [got.token]);
  if (answer.kind === "answered" && answer.status === 401) tokens.forget(credentials);
  return answer;
}

function ingestOutcome(answer: Extract<Answer, { kind: "answered" }>): SentOutcome {
  const requestId = jsonIn(answer.text)?.["requestId"];
  return outcomeOf(answer, {
    isFinal: refusedForEver(answer.status),
    requestId: typeof requestId === "string" ? requestId : null,
  });
}

function statusIn(answer: Answer): RequestStatus {
  if (answer.kind === "unanswered") return { kind: "unknown", error: answer.error };
  if (answer.status !== 200) return { kind: "unknown", error: `status_${answer.status}` };
  const perDestination = jsonIn(answer.text)?.["requestStatusPerDestination"];
  const [first] = Array.isArray(perDestination) ? (perDestination as DestinationStatus[]) : [];
  if (typeof first?.requestStatus !== "string") return { kind: "unknown", error: "no_status" };
  const counts = first.errorInfo?.errorCounts ?? [];
  return { kind: "known", status: first.requestStatus, errors: counts.flatMap(({ reason }) => reason ?? []) };
}

/** One destination a request, so one status. Field names: google/ads/datamanager/v1, request_status_per_destination.proto and processing_errors.proto. */
interface DestinationStatus {
  readonly requestStatus?: string;
  readonly errorInfo?: { readonly errorCounts?: readonly { readonly reason?: string }[] };
}
