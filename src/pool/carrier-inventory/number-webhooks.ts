/** Where a carrier sends a number's calls: the one place that builds these URLs, for buying, adopting and reconciling alike. */
import type { E164 } from "../../telephony/e164.js";

export interface NumberWebhooks {
  readonly voiceUrl: string;
  readonly statusUrl: string;
  /** Asked when the voice URL fails: the number's static answer, which needs neither database nor decision. */
  readonly fallbackUrl: string;
}

/** @param publicBaseUrl PUBLIC_BASE_URL; null: nobody outside can reach us, so nothing is set */
export function webhooksOf(input: {
  publicBaseUrl: string | null;
  carrier: string;
  number: E164;
}): NumberWebhooks | null {
  const { publicBaseUrl, carrier, number } = input;
  if (publicBaseUrl === null) return null;
  const base = publicBaseUrl.replace(/\/+$/, "");
  return {
    voiceUrl: `${base}/webhooks/${carrier}/voice`,
    statusUrl: `${base}/webhooks/${carrier}/status`,
    fallbackUrl: `${base}/v1/numbers/${encodeURIComponent(number)}/fallback?carrier=${carrier}`,
  };
}

export function isSameWebhooks(a: NumberWebhooks, b: NumberWebhooks): boolean {
  return a.voiceUrl === b.voiceUrl && a.statusUrl === b.statusUrl && a.fallbackUrl === b.fallbackUrl;
}
