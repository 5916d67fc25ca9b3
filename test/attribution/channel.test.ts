import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { campaignOf, CHANNELS, channelOf, hostOf, mediumOf, sourceOf } from "../../src/attribution/judging/channel.js";
import { TOUCH_PARAMETERS } from "../../src/attribution/touch.js";

const SEARCH = "https://www.google.co.uk/";
const FACEBOOK = "https://l.facebook.com/l.php?u=x";

/** touch, referrer → source, medium, channel */
const TABLE: readonly [Record<string, string>, string | null, string, string, string][] = [
  [{}, null, "(direct)", "(none)", "direct"],
  [{ utm_campaign: "spring" }, null, "(direct)", "(none)", "direct"],
  [{}, SEARCH, "google", "organic", "organic_search"],
  [{}, "https://duckduckgo.com/", "duckduckgo", "organic", "organic_search"],
  [{}, FACEBOOK, "facebook", "social", "organic_social"],
  [{}, "https://t.co/abc", "twitter", "social", "organic_social"],
  [{}, "https://m.youtube.com/watch?v=1", "youtube", "referral", "organic_video"],
  [{}, "https://www.amazon.de/dp/1", "amazon", "referral", "organic_shopping"],
  [{}, "https://blog.partner.example:8443/post", "blog.partner.example", "referral", "referral"],
  [{}, "android-app://com.google.android.gm/", "(direct)", "(none)", "direct"],
  [{ gclid: "1" }, null, "google", "cpc", "paid_search"],
  [{ gbraid: "1" }, SEARCH, "google", "cpc", "paid_search"],
  [{ wbraid: "1" }, null, "google", "cpc", "paid_search"],
  [{ msclkid: "1" }, "https://www.bing.com/", "bing", "cpc", "paid_search"],
  [{ dclid: "1" }, null, "google", "display", "display"],
  [{ fbclid: "1" }, FACEBOOK, "facebook", "social", "organic_social"],
  [{ fbclid: "1", utm_medium: "cpc" }, null, "facebook", "cpc", "paid_social"],
  [{ fbclid: "1", utm_source: "ig", utm_medium: "paid" }, null, "ig", "paid", "paid_social"],
  [{ ttclid: "1" }, null, "tiktok", "paid_social", "paid_social"],
  [{ li_fat_id: "1" }, null, "linkedin", "paid_social", "paid_social"],
  [{ twclid: "1" }, null, "twitter", "paid_social", "paid_social"],
  [{ rdt_cid: "1" }, null, "reddit", "paid_social", "paid_social"],
  [{ ScCid: "1" }, null, "snapchat", "paid_social", "paid_social"],
  [{ epik: "1" }, null, "pinterest", "social", "organic_social"],
  // Tagged by hand and clicked as an ad all the same.
  [{ gclid: "1", utm_source: "google", utm_medium: "search" }, SEARCH, "google", "search", "paid_search"],
  [{ gclid: "1", utm_source: "letter", utm_medium: "email" }, null, "letter", "email", "email"],
  [{ utm_source: "Google", utm_medium: "CPC" }, null, "Google", "CPC", "paid_search"],
  [{ utm_source: "bing.com", utm_medium: "ppc" }, null, "bing.com", "ppc", "paid_search"],
  [{ utm_source: "facebook", utm_medium: "paid_social" }, null, "facebook", "paid_social", "paid_social"],
  [{ utm_source: "agency", utm_medium: "paid-social" }, null, "agency", "paid-social", "paid_social"],
  [{ utm_source: "agency", utm_medium: "cpc" }, null, "agency", "cpc", "paid_other"],
  [{ utm_source: "youtube", utm_medium: "cpv-paid" }, null, "youtube", "cpv-paid", "paid_video"],
  [{ utm_source: "google", utm_medium: "cpc", utm_campaign: "DE Shopping" }, null, "google", "cpc", "paid_shopping"],
  [{ utm_source: "google", utm_medium: "cpc", utm_campaign: "workshop berlin" }, null, "google", "cpc", "paid_search"],
  [{ utm_source: "google", utm_campaign: "x cross-network y" }, null, "google", "(none)", "cross_network"],
  [{ utm_source: "dv360", utm_medium: "cpm" }, null, "dv360", "cpm", "display"],
  [{ utm_source: "dv360", utm_medium: "Banner" }, null, "dv360", "Banner", "display"],
  [{ utm_source: "mail", utm_medium: "email" }, null, "mail", "email", "email"],
  [{ utm_source: "e-mail" }, null, "e-mail", "(none)", "email"],
  [{ utm_source: "partner", utm_medium: "affiliate" }, null, "partner", "affiliate", "affiliates"],
  [{ utm_source: "pod", utm_medium: "audio" }, null, "pod", "audio", "audio"],
  [{ utm_source: "crm", utm_medium: "sms" }, null, "crm", "sms", "sms"],
  [{ utm_source: "crm", utm_medium: "web-push" }, null, "crm", "web-push", "mobile_push"],
  [{ utm_source: "app", utm_medium: "link" }, null, "app", "link", "referral"],
  [{ utm_source: "x", utm_medium: "video_ad" }, null, "x", "video_ad", "organic_social"],
  [{ utm_source: "newsletter" }, SEARCH, "newsletter", "(none)", "other"],
  [{ utm_source: "newsletter", utm_medium: "weird" }, null, "newsletter", "weird", "other"],
  // A static number's source.
  [{ source_name: "Berliner Zeitung" }, null, "Berliner Zeitung", "offline", "offline"],
  [{ source_name: "Spot", utm_source: "radio-1", utm_medium: "radio" }, null, "radio-1", "radio", "offline"],
  [{ source_name: "Call ad", utm_source: "google", utm_medium: "cpc" }, null, "google", "cpc", "paid_search"],
];

describe("where a visitor came from", () => {
  it.each(TABLE)("%j from %s is %s / %s, %s", (touch, referrer, source, medium, channel) => {
    expect([sourceOf(touch, referrer), mediumOf(touch, referrer), channelOf(touch, referrer)]).toEqual([
      source,
      medium,
      channel,
    ]);
  });

  it("is always one of the channels, with a source and a medium, whatever a page sends", () => {
    const value = fc.oneof(fc.string(), fc.constantFrom("google", "cpc", "email", "", "(none)", "shop"), fc.integer());
    const touch = fc.dictionary(fc.constantFrom<string>(...TOUCH_PARAMETERS, "source_name", "toString"), value);
    const referrer = fc.oneof(
      fc.constant(null),
      fc.string(),
      fc.domain().map((host) => `https://${host}/`),
    );
    fc.assert(
      fc.property(touch, referrer, (given, from) => {
        expect(CHANNELS).toContain(channelOf(given, from));
        expect(sourceOf(given, from)).not.toBe("");
        expect(mediumOf(given, from)).not.toBe("");
        const isUnknown = sourceOf(given, from) === "(direct)" && mediumOf(given, from) === "(none)";
        const campaign = (campaignOf(given) ?? "").toLowerCase();
        if (isUnknown && !campaign.includes("cross-network")) expect(channelOf(given, from)).toBe("direct");
      }),
    );
  });

  it("knows a host whatever the address looks like", () => {
    const urls = [
      "HTTPS://WWW.Example.com/a",
      "http://u:p@example.com:81?x",
      "https://example.com",
      "mailto:a@b",
      "",
      null,
    ];
    expect(urls.map(hostOf)).toEqual(["example.com", "example.com", "example.com", null, null, null]);
  });
});
