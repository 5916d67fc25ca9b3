/**
 * Click ids belong to a visitor, not to a campaign: they let an ad network recognise the person. Who declined ads (ad_storage or ad_user_data) leaves none
 * behind, whatever the page sent. Called when a presentation is written. Pure.
 */
import { consentTo } from "./exports/ad-consent.js";
import { CLICK_PARAMETERS } from "./touch.js";

/** Those that touch.ts knows, scclid beside ScCid, and everything of Google Ads that begins with gad_. */
const CLICK_IDS: ReadonlySet<string> = new Set([...CLICK_PARAMETERS.map((name) => name.toLowerCase()), "scclid"]);

/** Unknown is no decline: pages without consent signals are the account's decision (`consent`). */
export function mayKeepClickIds(consent: Readonly<Record<string, unknown>> | null): boolean {
  return consentTo(consent, "ad_storage") !== "denied" && consentTo(consent, "ad_user_data") !== "denied";
}

export function isClickId(name: string): boolean {
  const lower = name.toLowerCase();
  return CLICK_IDS.has(lower) || lower.startsWith("gad_");
}

export function withoutClickIds<T>(fields: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !isClickId(name)));
}

/** Everything else stays as it was written, character by character. */
export function urlWithoutClickIds(url: string): string {
  const start = url.indexOf("?");
  if (start < 0) return url;
  const hash = url.indexOf("#", start);
  const end = hash < 0 ? url.length : hash;
  const kept = url
    .slice(start + 1, end)
    .split("&")
    .filter((pair) => !isClickId(decoded(pair.split("=", 1)[0] ?? "")));
  return url.slice(0, start) + (kept.length === 0 ? "" : `?${kept.join("&")}`) + url.slice(end);
}

/** As URLSearchParams reads a name. */
function decoded(name: string): string {
  return [...new URLSearchParams(`${name}=`).keys()][0] ?? "";
}
