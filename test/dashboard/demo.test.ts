/** The demo page with the real tag on it, served, presented and matched as on any business's page. */
import { describe, expect, it } from "vitest";
import { DEMO_BUSINESS_NUMBER, ensureDemoAccount, findDemoAccount } from "../../src/dev/demo-account.js";
import { systemRandom } from "../../src/kernel/random.js";
import { openPage } from "../support/browser.js";
import { freshDatabase } from "../support/database.js";
import { ids } from "../support/world.js";
import { accessibilityFaults, startPages } from "./support/page-server.js";

const { db } = await freshDatabase();
const { tagKey } = await ensureDemoAccount({ db, ids, random: systemRandom });
const { tagKey: found = "" } = (await findDemoAccount(db)) ?? {};
const server = await startPages(db, { demo: async () => ({ tagKey: found, number: DEMO_BUSINESS_NUMBER }) });
const bare = await startPages(db);

const OWN = "(844) 555-0199";

describe("the demo page", () => {
  it("shows the visitor's number everywhere but where the page says no, and tells what happened", async () => {
    expect(found).toBe(tagKey);
    const { page, complaints } = await openPage();
    await page.goto(`${server.url}/demo?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=demo-click`);
    await page.locator("#outcome", { hasText: /^presented/ }).waitFor();
    const shown = (await page.textContent("#shown")) ?? "";
    expect(shown).toMatch(/^\(844\) 555-017\d$/);
    const digits = shown.replace(/\D/g, "");
    expect(await page.textContent(".top a")).toBe(shown);
    expect(await page.getAttribute(".call", "href")).toBe(`tel:+1${digits}`);
    expect((await page.textContent(".call"))?.replace(/\D/g, "")).toBe(digits);
    expect(await page.textContent("[data-ringmatch-number]")).toBe(`+1 844 555 ${digits.slice(6)}`);
    expect(await page.textContent("div[data-ringmatch-ignore] dd")).toBe(OWN);
    expect(await page.textContent("#how")).toBe(`npm run call -- --to +1${digits}`);
    expect(await page.textContent("#lock")).toMatch(/^(30 min|29 min \d+ s) more/);
    const { data } = (await server.request("GET", "/v1/presentations?limit=1")).json();
    expect(data[0]).toMatchObject({
      visitor_id: await page.textContent("#visitor"),
      promo_number: `+1${digits}`,
      touch: { utm_source: "google", utm_campaign: "spring", gclid: "demo-click" },
    });
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(complaints).toEqual([]);

    // Back by another link: the same visitor keeps the number, and the page still knows whose it is.
    await page.click("text=the newsletter");
    await page.waitForURL(/newsletter/);
    await page.locator("#shown", { hasText: shown }).waitFor();
    expect(await page.textContent("#visitor")).toBe(data[0].visitor_id);
  });

  it("without the tag says so, and keeps the business's number", async () => {
    const { page } = await openPage();
    await page.route(/\/tag\.js/, (route) => route.abort());
    await page.goto(`${server.url}/demo`);
    await page.locator("#shown", { hasText: /^the tag did not load/ }).waitFor();
    expect(await page.textContent(".top a")).toBe(OWN);
  });

  it("of a service without a demo account is a page that says so", async () => {
    const { page } = await openPage();
    const response = await page.goto(`${bare.url}/demo`);
    expect(response?.status()).toBe(404);
    expect(await page.textContent("h1")).toBe("There is no demo here");
    expect(await accessibilityFaults(page)).toEqual([]);
  });
});

describe("the pages' files", () => {
  it("come with a policy, and again only when they changed", async () => {
    for (const path of ["/", "/demo", "/install", "/assets/dashboard.js", "/assets/pages.css"]) {
      const answer = await server.request("GET", path, { key: null });
      expect(answer.statusCode).toBe(200);
      expect(answer.headers).toMatchObject({
        "content-security-policy": expect.stringContaining("default-src 'none'; script-src 'self'; style-src 'self'"),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
      });
      expect(answer.body).not.toContain("{{");
      const headers = { "if-none-match": String(answer.headers.etag) };
      expect((await server.request("GET", path, { key: null, headers })).statusCode).toBe(304);
    }
  });

  it("are no others", async () => {
    for (const path of ["/assets/demo.html", "/assets/none.js", "/assets/__proto__", "/assets/..%2fpackage.json"]) {
      expect((await server.request("GET", path, { key: null })).statusCode).toBe(404);
    }
  });
});
