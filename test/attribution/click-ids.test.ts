import { describe, expect, it } from "vitest";
import { mayKeepClickIds, urlWithoutClickIds, withoutClickIds } from "../../src/attribution/click-ids.js";
import { TOUCH_PARAMETERS } from "../../src/attribution/touch.js";

describe("click ids of who declined ads", () => {
  it.each([
    [null, true],
    [{}, true],
    [{ analytics_storage: "denied", ad_personalization: "denied" }, true],
    [{ ad_storage: "granted", ad_user_data: "granted" }, true],
    [{ ad_storage: "denied", ad_user_data: "granted" }, false],
    [{ ad_storage: "granted", ad_user_data: "Denied" }, false],
    [{ ad_user_data: false }, false],
    [{ ad_storage: "perhaps" }, true],
  ])("%j: kept %s", (consent, kept) => {
    expect(mayKeepClickIds(consent)).toBe(kept);
  });

  it("of what a touch may hold, campaign parameters alone stay", () => {
    const touch = Object.fromEntries(TOUCH_PARAMETERS.map((name) => [name, "x"]));
    const kept = Object.keys(withoutClickIds(touch));
    expect(kept).toEqual(TOUCH_PARAMETERS.filter((name) => name.startsWith("utm_")));
    expect(withoutClickIds({ GCLID: "x", gad_anything: "x", plan: "pro" })).toEqual({ plan: "pro" });
  });

  it.each([
    ["https://a.example/p?utm_source=x&gclid=1&q=a%20b", "https://a.example/p?utm_source=x&q=a%20b"],
    ["https://a.example/p?gclid=1", "https://a.example/p"],
    ["https://a.example/p?gclid=1#top?gclid=2", "https://a.example/p#top?gclid=2"],
    ["https://a.example/p?%67clid=1&ScCid=2&gad_source=3&x", "https://a.example/p?x"],
    ["https://a.example/p?q=gclid=1&notgclid=2&&a=+%zz", "https://a.example/p?q=gclid=1&notgclid=2&&a=+%zz"],
    ["https://a.example/p", "https://a.example/p"],
    ["", ""],
  ])("%s", (url, cleaned) => {
    expect(urlWithoutClickIds(url)).toBe(cleaned);
  });
});
