/** What brought the visitor: the landing of their latest visit with a source, over pages with and without numbers. */
import type { Page } from "playwright-core";
import { beforeEach, expect, test } from "vitest";
import { KEY, page as pageWith, SALES, startStandIn, visit } from "./support/stand-in-service.js";

const service = await startStandIn();
const EMPTY = "<p>No number here.";
beforeEach(() => {
  service.reset();
  for (const path of ["/in", "/in2", "/about"]) service.pages.set(path, pageWith(service, { body: EMPTY }));
});

const ready = "window.ringmatch.ready";
const CALL = "/call";
const STORED = `ringmatch_${KEY}`;

/** A page without numbers, on which nothing is asked. */
async function pass(page: Page, path: string, referer?: string): Promise<void> {
  const asks = service.asks.length;
  await page.goto(service.shop + path, referer === undefined ? {} : { referer });
  await page.evaluate(ready);
  expect(service.asks).toHaveLength(asks);
}

/** @returns what is told on a page with a number */
async function landingAt(page: Page, path = CALL, referer?: string) {
  const asks = service.asks.length;
  await page.goto(service.shop + path, referer === undefined ? {} : { referer });
  return (await service.asked(asks + 1)).body.page.landing;
}

const at = (path: string, referrer?: string) => ({
  url: service.shop + path,
  ...(referrer === undefined ? {} : { referrer }),
});

test("a landing page without numbers is told by the page that has one, with the site before it", async () => {
  const { page, complaints } = await visit();
  await pass(page, "/in?utm_source=news&utm_campaign=may#top", "http://other.example/");
  await pass(page, "/about", `${service.shop}/in?utm_source=news&utm_campaign=may`);
  expect(await landingAt(page, CALL, `${service.shop}/about`)).toEqual(
    at("/in?utm_source=news&utm_campaign=may", "http://other.example/"),
  );
  expect(service.asks[0]?.body.page).toMatchObject(at(CALL, `${service.shop}/about`));
  expect(complaints).toEqual([]);
});

test.each([
  ["an own campaign parameter", "/in?utm_adgroup=7", undefined, true],
  ["a click id", "/in?msclkid=7", undefined, true],
  ["another site", "/in", "http://other.example/", true],
  ["a direct visit", "/in", undefined, false],
  ["a page of ours", "/in?size=7", "own", false],
  ["an empty parameter", "/in?utm_source=", undefined, false],
  ["the query of the page before, handed on", "/in?utm_source=a", "same", false],
])("%s after a campaign", async (_name, path, from, isLanding) => {
  const { page } = await visit();
  const first = "/in2?utm_source=a";
  await pass(page, first);
  const referer = from === "own" ? `${service.shop}/about` : from === "same" ? service.shop + first : from;
  await pass(page, path, referer);
  expect(await landingAt(page)).toEqual(isLanding ? at(path, referer) : at(first));
});

test("the first page is the landing where nothing brought the visitor; the landing itself tells no other", async () => {
  const { page } = await visit();
  expect(await landingAt(page, "/one")).toBeUndefined();
  expect(await landingAt(page, "/two")).toEqual(at("/one"));
  expect(await landingAt(page, "/three?utm_source=a")).toBeUndefined();
  await page.reload();
  expect((await service.asked(4)).body.page.landing).toBeUndefined();
  expect(await landingAt(page, "/four")).toEqual(at("/three?utm_source=a"));
});

test("a single-page application: a view with a campaign is a landing, one without keeps it, and none needs a number", async () => {
  service.pages.set("/app", pageWith(service, { body: "<main></main>" }));
  const { page } = await visit();
  await pass(page, "/app?utm_source=a", "http://other.example/");
  const go = (path: string) => page.evaluate(`history.pushState(0, "", "${path}")`);
  // As routers do when they start.
  await page.evaluate("history.replaceState({}, '', location.href)");
  await go("/list?utm_source=a");
  await go("/list");
  await page.evaluate(`document.querySelector("main").textContent = "${SALES}"`);
  expect((await service.asked(1)).body.page.landing).toEqual(at("/app?utm_source=a", "http://other.example/"));
  await go("/offer?utm_source=b");
  expect((await service.asked(2)).body.page).toEqual({
    ...at("/offer?utm_source=b", `${service.shop}/list`),
    visible: true,
  });
  await go("/thanks");
  expect((await service.asked(3)).body.page.landing).toEqual(at("/offer?utm_source=b", `${service.shop}/list`));
  await go("/thanks?gclid=1");
  expect((await service.asked(4)).body.page.landing).toBeUndefined();
  await go("/end?utm_source=c");
  await service.asked(5);
  expect(await landingAt(page)).toEqual(at("/end?utm_source=c", `${service.shop}/thanks?gclid=1`));
});

test("without consent it is kept nowhere, but told by this page view; withdrawn, it is forgotten", async () => {
  service.config = { ...service.config, consent: "required" };
  service.pages.set("/app", pageWith(service, { body: "<main></main>" }));
  const { page } = await visit();
  const nothing = async () =>
    expect(await page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]")).toEqual(["", 0, 0]);
  const consent = (said: string) => page.evaluate(`ringmatch.consent({ analytics_storage: "${said}" })`);
  await pass(page, "/in?utm_source=a");
  await pass(page, "/app?utm_source=b");
  await page.evaluate("history.pushState(0, '', '/list')");
  await nothing();
  await consent("granted");
  expect(await page.evaluate(`localStorage.${STORED}`)).toContain("/app?utm_source=b");
  await page.evaluate(`document.querySelector("main").textContent = "${SALES}"`);
  expect((await service.asked(1)).body.page.landing).toEqual(at("/app?utm_source=b"));

  await page.goto(`${service.shop}/about`);
  await page.evaluate(ready);
  await consent("granted");
  expect(await page.evaluate(`localStorage.${STORED}`)).toContain("/app?utm_source=b");
  await consent("denied");
  await nothing();
  await consent("granted");
  expect(await page.evaluate(`localStorage.${STORED}`)).not.toContain("utm_source");
});

test("click ids are neither kept nor told without consent to advertising", async () => {
  const { page } = await visit();
  service.pages.set(
    "/in",
    pageWith(service, {
      head: "<script>ringmatch = { q: [['consent', { ad_storage: 'denied' }]] }</script>",
      body: EMPTY,
    }),
  );
  await pass(page, "/in?gclid=secret&a=b", "http://other.example/?fbclid=secret");
  expect(await page.evaluate(`localStorage.${STORED}`)).not.toContain("secret");
  expect(await landingAt(page)).toEqual(at("/in?a=b", "http://other.example/"));
});

test("kept by an earlier version of the tag, or odd: the page is the landing, and the visitor stays", async () => {
  const { page } = await visit();
  expect(await landingAt(page, "/one?utm_source=a")).toBeUndefined();
  for (const landing of ["", ",7", ",{}", ',{"url":"x"}']) {
    await page.evaluate(ready);
    await page.evaluate(`(() => {
      const kept = JSON.parse(localStorage.${STORED}).slice(0, 3);
      localStorage.${STORED} = JSON.stringify(kept).slice(0, -1) + '${landing}]';
    })()`);
    expect(await landingAt(page, "/two")).toBeUndefined();
    expect(await landingAt(page, "/three")).toEqual(at("/two"));
  }
  expect(new Set(service.asks.map(({ body }) => body.visitor_id)).size).toBe(1);
});

test("where storage is blocked it holds for the page view", async () => {
  service.pages.set(
    "/app",
    pageWith(service, {
      head: `<script>
        Object.defineProperty(window, "localStorage", { get() { throw new Error("blocked") } });
        Object.defineProperty(document, "cookie", { get() { throw new Error("blocked") }, set() { throw new Error("blocked") } });
      </script>`,
    }),
  );
  const { page, complaints } = await visit();
  expect(await landingAt(page, "/app?utm_source=a")).toBeUndefined();
  await page.evaluate("history.pushState(0, '', '/list')");
  expect((await service.asked(2)).body.page.landing).toEqual(at("/app?utm_source=a"));
  expect(complaints).toEqual([]);
});

test("of two tabs the later landing wins, in both", async () => {
  const { page, context } = await visit();
  await page.goto(`${service.shop}/one?utm_source=a`);
  await service.asked(1);
  await page.evaluate(ready);
  const other = await context.newPage();
  await pass(other, "/in?utm_source=b");
  await page.evaluate("history.pushState(0, '', '/two')");
  expect((await service.asked(2)).body.page.landing).toEqual(at("/in?utm_source=b"));
  expect(await landingAt(other)).toEqual(at("/in?utm_source=b"));
});

test("a page that nobody sees keeps nothing", async () => {
  const { page } = await visit();
  service.pages.set(
    "/in",
    pageWith(service, {
      head: "<script>Object.defineProperty(document, 'prerendering', { configurable: true, value: true })</script>",
      body: EMPTY,
    }),
  );
  await page.goto(`${service.shop}/in?utm_source=a`);
  expect(await page.evaluate("[document.cookie, localStorage.length]")).toEqual(["", 0]);
  await page.evaluate(
    "Object.defineProperty(document, 'prerendering', { value: false }); document.dispatchEvent(new Event('prerenderingchange'))",
  );
  expect(await landingAt(page)).toEqual(at("/in?utm_source=a"));
});

test("four long addresses and all fields fit into what the service takes", async () => {
  const long = "x".repeat(6_000);
  const fields = Array.from(
    { length: 25 },
    (_, index) => ({ name: `field_${index}`, from: "local_storage", key: "long" }) as const,
  );
  service.config = { ...service.config, custom_data: fields };
  const { page } = await visit();
  await pass(page, `/in?utm_source=a&long=${long}`, `http://other.example/?${long}`);
  await page.evaluate(`localStorage.long = "${long}"`);
  const landing = await landingAt(page, `${CALL}?${long}`, `${service.shop}/in?${long}`);
  expect(landing?.url).toHaveLength(2_048);
  expect(JSON.stringify(service.asks[0]?.body).length).toBeLessThan(16_384);
});
