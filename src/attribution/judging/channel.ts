/**
 * Where a visitor came from, in the four words that reports group by: source, medium, campaign and channel. What the page was tagged with (utm_*)
 * comes first, then click ids, then the referrer. Channels are those of Google Analytics 4's default channel group, in its order of rules
 * (support.google.com/analytics/answer/9756891), with four differences: an ad network's click id makes a click paid whatever its medium says, an
 * e-mail stays one whatever site its source is named after, static numbers have the channel `offline`, and `other` is what Analytics calls Unassigned.
 * Used when a call is judged, and by reports. Pure.
 */
import { type KnownSite, siteOfHost, siteOfSource } from "./known-sites.js";
import type { Touch } from "../touch.js";

export const CHANNELS = [
  "direct",
  "cross_network",
  "paid_shopping",
  "paid_search",
  "paid_social",
  "paid_video",
  "display",
  "paid_other",
  "organic_shopping",
  "organic_social",
  "organic_video",
  "organic_search",
  "referral",
  "email",
  "affiliates",
  "audio",
  "sms",
  "mobile_push",
  "offline",
  "other",
] as const;
export type Channel = (typeof CHANNELS)[number];

export const DIRECT_SOURCE = "(direct)";
export const NO_MEDIUM = "(none)";

/** What a static number's source is called in its calls' touch (http/contract/static-number.ts). */
const SOURCE_NAME = "source_name";

interface ClickId {
  readonly parameter: string;
  readonly source: string;
  readonly medium: string;
  /** What a click is that only an advertisement can have caused; null: the network marks unpaid links too. */
  readonly ad: "paid_search" | "paid_social" | "display" | null;
}

/**
 * Google's (support.google.com/google-ads/answer/9744275) and Microsoft's are set by auto-tagging of ads; Meta marks every link that leaves its apps,
 * paid or not, and so does Pinterest; the others' only ads. That of a Google ad does not say on which of Google's networks it was shown: search.
 */
const CLICK_IDS: readonly ClickId[] = [
  { parameter: "gclid", source: "google", medium: "cpc", ad: "paid_search" },
  { parameter: "gbraid", source: "google", medium: "cpc", ad: "paid_search" },
  { parameter: "wbraid", source: "google", medium: "cpc", ad: "paid_search" },
  { parameter: "msclkid", source: "bing", medium: "cpc", ad: "paid_search" },
  { parameter: "dclid", source: "google", medium: "display", ad: "display" },
  { parameter: "ttclid", source: "tiktok", medium: "paid_social", ad: "paid_social" },
  { parameter: "li_fat_id", source: "linkedin", medium: "paid_social", ad: "paid_social" },
  { parameter: "twclid", source: "twitter", medium: "paid_social", ad: "paid_social" },
  { parameter: "rdt_cid", source: "reddit", medium: "paid_social", ad: "paid_social" },
  { parameter: "ScCid", source: "snapchat", medium: "paid_social", ad: "paid_social" },
  { parameter: "fbclid", source: "facebook", medium: "social", ad: null },
  { parameter: "epik", source: "pinterest", medium: "social", ad: null },
];

/** As a record keeps it: what a page sends is text, but nothing in the database says so. */
type StoredTouch = Readonly<Record<string, unknown>> | Touch;

/**
 * As it was written where a tag names it; else the network of the click id, the static number's name, the referring site's name or host, or `(direct)`.
 * @param referrer of the first page of the visit, from another site; null: none
 */
export function sourceOf(touch: StoredTouch, referrer: string | null): string {
  const host = hostOf(referrer);
  return (
    textOf(touch, "utm_source") ??
    clickIdOf(touch)?.source ??
    textOf(touch, SOURCE_NAME) ??
    (host === null ? DIRECT_SOURCE : (siteOfHost(host)?.name ?? host))
  );
}

/** As it was written where a tag names it; else `cpc`, `paid_social`, `display`, `social`, `organic`, `referral`, `offline` or `(none)`. */
export function mediumOf(touch: StoredTouch, referrer: string | null): string {
  return textOf(touch, "utm_medium") ?? clickIdOf(touch)?.medium ?? untaggedMedium(touch, referrer);
}

export function campaignOf(touch: StoredTouch): string | null {
  return textOf(touch, "utm_campaign");
}

export function channelOf(touch: StoredTouch, referrer: string | null): Channel {
  const channel = channelByRules({
    source: sourceOf(touch, referrer).trim().toLowerCase(),
    medium: mediumOf(touch, referrer).trim().toLowerCase(),
    campaign: (campaignOf(touch) ?? "").toLowerCase(),
  });
  return UNPAID.has(channel) ? (clickIdOf(touch)?.ad ?? channel) : channel;
}

/** The host of a page, lower case, without "www."; null for what is no address of a page. */
export function hostOf(url: string | null): string | null {
  const host = /^https?:\/\/(?:[^/?#@]*@)?([^/?#:@]+)/i.exec(url ?? "")?.[1]?.toLowerCase();
  return host === undefined ? null : host.replace(/^www\./, "");
}

const PAID_MEDIUM = /^(.*cp.*|ppc|retargeting|paid.*)$/;
const DISPLAY_MEDIUM = /^(display|banner|expandable|interstitial|cpm)$/;
const SHOPPING_CAMPAIGN = /^(.*(([^a-df-z]|^)shop|shopping).*)$/;
const SOCIAL_MEDIUM = /^(social|social-network|social-media|sm|social network|social media)$/;
const REFERRAL_MEDIUM = /^(referral|app|link)$/;
const EMAIL = /^(email|e-mail|e_mail|e mail)$/;
/** Not Analytics': what static numbers stand in. */
const OFFLINE_MEDIUM = /^(offline|print|tv|radio|billboard|flyer|direct[ _-]?mail)$/;

/** Of these a click id knows better; a link in an e-mail that still carries one is an e-mail's. */
const UNPAID: ReadonlySet<Channel> = new Set<Channel>([
  "direct",
  "organic_shopping",
  "organic_social",
  "organic_video",
  "organic_search",
  "referral",
  "other",
]);

interface Tagged {
  readonly source: string;
  readonly medium: string;
  readonly campaign: string;
}

function channelByRules({ source, medium, campaign }: Tagged): Channel {
  const site = siteOfSource(source);
  if (source === DIRECT_SOURCE && (medium === NO_MEDIUM || medium === "(not set)")) return "direct";
  if (campaign.includes("cross-network")) return "cross_network";
  const isShopping = site?.kind === "shopping" || SHOPPING_CAMPAIGN.test(campaign);
  if (PAID_MEDIUM.test(medium)) return paidChannel(site, isShopping, medium);
  if (DISPLAY_MEDIUM.test(medium)) return "display";
  return unpaidChannel(site, isShopping, { source, medium });
}

function paidChannel(site: KnownSite | null, isShopping: boolean, medium: string): Channel {
  if (isShopping) return "paid_shopping";
  if (site !== null) return `paid_${site.kind}`;
  if (DISPLAY_MEDIUM.test(medium)) return "display";
  // A medium that says it itself, of a network that the list does not have.
  return /^paid[ _-]?social$/.test(medium) ? "paid_social" : "paid_other";
}

function unpaidChannel(site: KnownSite | null, isShopping: boolean, tagged: Omit<Tagged, "campaign">): Channel {
  const { source, medium } = tagged;
  // What is said outright comes before what a site's name suggests: Analytics would call an e-mail sent from "facebook" social.
  if (EMAIL.test(medium)) return "email";
  if (OFFLINE_MEDIUM.test(medium)) return "offline";
  if (isShopping) return "organic_shopping";
  if (site?.kind === "social" || SOCIAL_MEDIUM.test(medium)) return "organic_social";
  if (site?.kind === "video" || medium.includes("video")) return "organic_video";
  if (site?.kind === "search" || medium === "organic") return "organic_search";
  if (REFERRAL_MEDIUM.test(medium)) return "referral";
  if (EMAIL.test(source)) return "email";
  if (/^affiliates?$/.test(medium)) return "affiliates";
  if (medium === "audio") return "audio";
  if (source === "sms" || medium === "sms") return "sms";
  if (/push$|mobile|notification/.test(medium) || source === "firebase") return "mobile_push";
  return "other";
}

function untaggedMedium(touch: StoredTouch, referrer: string | null): string {
  if (textOf(touch, SOURCE_NAME) !== null) return "offline";
  const host = hostOf(referrer);
  // A tag that names a source and no medium: the referrer, if any, is that source's own business.
  if (host === null || textOf(touch, "utm_source") !== null) return NO_MEDIUM;
  const kind = siteOfHost(host)?.kind;
  return kind === "search" ? "organic" : kind === "social" ? "social" : "referral";
}

function clickIdOf(touch: StoredTouch): ClickId | null {
  return CLICK_IDS.find(({ parameter }) => textOf(touch, parameter) !== null) ?? null;
}

function textOf(touch: StoredTouch, name: string): string | null {
  const value = (touch as Readonly<Record<string, unknown>>)[name];
  return typeof value === "string" && value !== "" ? value : null;
}
