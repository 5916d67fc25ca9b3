/** The marketing touch of a page view: campaign parameters and click ids from its URL; what the page says itself wins. Pure. */

export type Touch = Readonly<Record<string, string>>;

/** support.google.com/analytics/answer/10917952 */
const CAMPAIGN_PARAMETERS = [
  "utm_source",
  "utm_medium",
  "utm_campaign",
  "utm_term",
  "utm_content",
  "utm_id",
  "utm_source_platform",
  "utm_creative_format",
  "utm_marketing_tactic",
] as const;

/**
 * Click ids as their networks spell them: Google Ads and its campaign (gad_source, gad_campaignid), Campaign Manager (dclid), Meta, Microsoft, TikTok,
 * LinkedIn, X, Reddit, Pinterest, Snap.
 */
export const CLICK_PARAMETERS = [
  "gclid",
  "gbraid",
  "wbraid",
  "gad_source",
  "gad_campaignid",
  "dclid",
  "fbclid",
  "msclkid",
  "ttclid",
  "li_fat_id",
  "twclid",
  "rdt_cid",
  "epik",
  "ScCid",
] as const;

export const TOUCH_PARAMETERS = [...CAMPAIGN_PARAMETERS, ...CLICK_PARAMETERS] as const;

const KNOWN: ReadonlySet<string> = new Set(TOUCH_PARAMETERS);
/** What businesses name themselves: utm_adgroup, utm_keyword. */
const OWN_CAMPAIGN_PARAMETER = /^utm_\w{1,60}$/;
/** Of a business's own, beside the known ones; an address with more has gone wrong somewhere. */
const OWN_PARAMETERS_MAX = 20;

/** Longer values are cut: campaign names are short, and a click id that does not fit is useless to its network anyway. */
export const TOUCH_VALUE_CHARS_MAX = 512;

export function touchOf(input: { url: string; given: Touch | undefined }): Touch {
  const touch: Record<string, string> = {};
  const parameters = queryOf(input.url);
  for (const name of [...TOUCH_PARAMETERS, ...ownNamesIn(parameters)]) {
    const value = parameters.get(name);
    if (value) touch[name] = value.slice(0, TOUCH_VALUE_CHARS_MAX);
  }
  return Object.assign(touch, input.given);
}

/** Whether a parameter of a page's address tells of the campaign or the click. */
export function isTouchParameter(name: string): boolean {
  return KNOWN.has(name) || OWN_CAMPAIGN_PARAMETER.test(name);
}

function ownNamesIn(parameters: URLSearchParams): string[] {
  return [...parameters.keys()]
    .filter((name) => OWN_CAMPAIGN_PARAMETER.test(name) && !KNOWN.has(name))
    .slice(0, OWN_PARAMETERS_MAX);
}

function queryOf(url: string): URLSearchParams {
  const start = url.indexOf("?");
  if (start < 0) return new URLSearchParams();
  const end = url.indexOf("#", start);
  return new URLSearchParams(url.slice(start, end < 0 ? undefined : end));
}
