/**
 * Search engines, social networks, video and shopping sites, by the hosts that refer from them and by what people write into utm_source. Analytics
 * vendors keep such lists to themselves or publish them as downloads of hundreds; these are the ones that send calls to businesses, from general
 * knowledge. Used by channel.ts. Pure.
 */

export type SiteKind = "search" | "social" | "video" | "shopping";

export interface KnownSite {
  /** As reports name the source when nothing else does. */
  readonly name: string;
  readonly kind: SiteKind;
}

/** Domains without "www."; subdomains belong to them unless named themselves. `google.*` stands for every country's. */
const SITES: readonly (KnownSite & { readonly domains: readonly string[]; readonly aliases?: readonly string[] })[] = [
  { name: "google", kind: "search", domains: ["google.*"], aliases: ["adwords", "googleads", "google ads"] },
  { name: "bing", kind: "search", domains: ["bing.com"], aliases: ["microsoft", "microsoft ads", "bingads"] },
  { name: "yahoo", kind: "search", domains: ["search.yahoo.com", "yahoo.*"] },
  { name: "duckduckgo", kind: "search", domains: ["duckduckgo.com"] },
  { name: "ecosia", kind: "search", domains: ["ecosia.org"] },
  { name: "baidu", kind: "search", domains: ["baidu.com"] },
  { name: "yandex", kind: "search", domains: ["yandex.*", "ya.ru"] },
  { name: "qwant", kind: "search", domains: ["qwant.com"] },
  { name: "startpage", kind: "search", domains: ["startpage.com"] },
  { name: "brave", kind: "search", domains: ["search.brave.com"] },
  { name: "naver", kind: "search", domains: ["naver.com"] },
  { name: "seznam", kind: "search", domains: ["seznam.cz"] },
  { name: "ask", kind: "search", domains: ["ask.com"] },
  { name: "aol", kind: "search", domains: ["search.aol.com"] },
  { name: "facebook", kind: "social", domains: ["facebook.com", "fb.com", "fb.me"], aliases: ["fb", "meta"] },
  { name: "instagram", kind: "social", domains: ["instagram.com"], aliases: ["ig", "insta"] },
  { name: "threads", kind: "social", domains: ["threads.net", "threads.com"] },
  { name: "twitter", kind: "social", domains: ["twitter.com", "x.com", "t.co"], aliases: ["x"] },
  { name: "linkedin", kind: "social", domains: ["linkedin.com", "lnkd.in"], aliases: ["li"] },
  { name: "pinterest", kind: "social", domains: ["pinterest.*", "pin.it"] },
  { name: "reddit", kind: "social", domains: ["reddit.com", "redd.it"] },
  { name: "tiktok", kind: "social", domains: ["tiktok.com"] },
  { name: "snapchat", kind: "social", domains: ["snapchat.com"], aliases: ["snap"] },
  { name: "nextdoor", kind: "social", domains: ["nextdoor.com"] },
  { name: "quora", kind: "social", domains: ["quora.com"] },
  { name: "tumblr", kind: "social", domains: ["tumblr.com"] },
  { name: "whatsapp", kind: "social", domains: ["whatsapp.com", "wa.me"] },
  { name: "telegram", kind: "social", domains: ["t.me", "telegram.org"] },
  { name: "bluesky", kind: "social", domains: ["bsky.app"] },
  { name: "vk", kind: "social", domains: ["vk.com"] },
  { name: "youtube", kind: "video", domains: ["youtube.com", "youtu.be"] },
  { name: "vimeo", kind: "video", domains: ["vimeo.com"] },
  { name: "dailymotion", kind: "video", domains: ["dailymotion.com"] },
  { name: "twitch", kind: "video", domains: ["twitch.tv"] },
  { name: "amazon", kind: "shopping", domains: ["amazon.*"] },
  { name: "ebay", kind: "shopping", domains: ["ebay.*"] },
  { name: "etsy", kind: "shopping", domains: ["etsy.com"] },
  { name: "walmart", kind: "shopping", domains: ["walmart.com"] },
  { name: "google shopping", kind: "shopping", domains: ["shopping.google.com"] },
];

const BY_DOMAIN = new Map<string, KnownSite>(SITES.flatMap((site) => site.domains.map((domain) => [domain, site])));
const BY_NAME = new Map<string, KnownSite>(
  SITES.flatMap((site) => [site.name, ...(site.aliases ?? [])].map((name) => [name, site])),
);

/** com, de, co.uk, com.br: what may stand for the star of a country's domain. */
const COUNTRY_ENDING = /^([^.]+)\.(?:[a-z]{2,3}|(?:com?|org|net)\.[a-z]{2})$/;

/** @param host lower case, without a port */
export function siteOfHost(host: string): KnownSite | null {
  const labels = host.split(".");
  for (let i = 0; i < labels.length - 1; i++) {
    const domain = labels.slice(i).join(".");
    const known = BY_DOMAIN.get(domain) ?? BY_DOMAIN.get(domain.replace(COUNTRY_ENDING, "$1.*"));
    if (known !== undefined) return known;
  }
  return null;
}

/** @param source as somebody wrote it: a name, an alias, or a domain */
export function siteOfSource(source: string): KnownSite | null {
  const text = source.trim().toLowerCase();
  return BY_NAME.get(text) ?? siteOfHost(text);
}
