/** The networks that conversions are told to, as kinds of endpoints. */
import type { Config } from "../config.js";
import type { Clock } from "../kernel/clock.js";
import type { Secrets } from "../kernel/secrets.js";
import { conversionKind } from "../webhooks/outbound/conversions/conversion-kind.js";
import { ga4 } from "../webhooks/outbound/conversions/ga4.js";
import { type GoogleAds, googleAds } from "../webhooks/outbound/conversions/google-ads.js";
import { meta } from "../webhooks/outbound/conversions/meta.js";
import type { EndpointKinds } from "../webhooks/outbound/endpoint-kinds.js";
import type { GuardedAgent } from "../webhooks/outbound/guarded-agent.js";

export interface ConversionSide {
  readonly kinds: EndpointKinds;
  readonly statusOf: GoogleAds["statusOf"];
}

export interface ConversionDeps {
  readonly urls: Config["networkUrls"];
  readonly agent: GuardedAgent;
  readonly clock: Clock;
  readonly secrets: Secrets;
}

export function conversionSide({ urls, ...deps }: ConversionDeps): ConversionSide {
  const google = googleAds(deps, { api: urls.googleAds, oauth: urls.googleOauth });
  return {
    kinds: {
      ga4: conversionKind(deps, ga4(deps, urls.ga4)),
      google_ads: conversionKind(deps, google),
      meta: conversionKind(deps, meta(deps, urls.meta)),
    },
    statusOf: google.statusOf,
  };
}
