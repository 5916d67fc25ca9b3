/** Where a carrier sends a number's calls: the one place that builds these URLs, for buying, adopting and reconciling alike. */
import type { E164 } from "../../telephony/e164.js";

export interface NumberWebhooks {
  readonly voiceUrl: string;
  readonly statusUrl: string;
  /** Asked when the voice URL fails: the number's static answer, which needs neither database nor decision. */
  readonly fallbackUrl: string;
}

/** What the URLs begin with. */
export interface WebhookBases {
  /** PUBLIC_BASE_URL; null: nobody outside can reach us, so nothing is set. */
  readonly publicBaseUrl: string | null;
  /** FALLBACK_BASE_URL: where the files of `ringmatch fallback export` are served; null: the service itself gives the fallback. */
  readonly fallbackBaseUrl: string | null;
}

export function webhooksOf(
  { publicBaseUrl, fallbackBaseUrl }: WebhookBases,
  { carrier, number }: { carrier: string; number: E164 },
): NumberWebhooks | null {
  if (publicBaseUrl === null) return null;
  const base = withoutSlash(publicBaseUrl);
  const own = `${base}/v1/numbers/${encodeURIComponent(number)}/fallback?carrier=${carrier}`;
  return {
    voiceUrl: `${base}/webhooks/${carrier}/voice`,
    statusUrl: `${base}/webhooks/${carrier}/status`,
    fallbackUrl: fallbackBaseUrl === null ? own : `${withoutSlash(fallbackBaseUrl)}/${carrier}/${number.slice(1)}.xml`,
  };
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

export function isSameWebhooks(a: NumberWebhooks, b: NumberWebhooks): boolean {
  return a.voiceUrl === b.voiceUrl && a.statusUrl === b.statusUrl && a.fallbackUrl === b.fallbackUrl;
}
