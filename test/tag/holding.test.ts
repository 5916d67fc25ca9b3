import { beforeEach, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { until } from "../support/until.js";
import {
  type AskBody,
  breakOff,
  hang,
  json,
  KEY,
  lost,
  page as pageWith,
  presented,
  promoFor,
  RENEW_AFTER_S,
  SALES,
  startStandIn,
  SUPPORT,
  visit,
} from "./support/stand-in-service.js";

const service = await startStandIn();
beforeEach(() => service.reset());

const ready = "window.ringmatch.ready";
const PROMO = promoFor(SALES);
const AT = Date.UTC(2026, 4, 1);
const RENEW_MS = RENEW_AFTER_S * 1_000;
/** Of the lock: three times the time to renew. */
const LOCK_MS = 3 * RENEW_MS;

/** A page whose clock goes only when told. */
async function still(): Promise<Page> {
  const { page } = await visit();
  await page.clock.install({ time: AT - 1_000 });
  await page.clock.pauseAt(AT);
  return page;
}

async function shows(page: Page, number: string): Promise<void> {
  await page.waitForFunction(`document.getElementById("n").textContent === "${number}"`, null, { polling: 20 });
}

/** From the tag's own clock. */
async function hide(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate(`
    Object.defineProperty(document, "visibilityState", { configurable: true, value: "${isHidden ? "hidden" : "visible"}" });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }))`);
}

test("the answer of an earlier page stands before anything is asked, and is asked for behind", async () => {
  const { page } = await visit();
  await page.goto(service.shop);
  await page.evaluate(ready);
  service.present = hang;
  // The number as it stood when the script had run, before anything else could.
  service.pages.set(
    "/next",
    `<p id=n>${SALES}</p><script src="${service.origin}/tag.js?key=${KEY}"></script><script>first = document.getElementById("n").textContent</script>`,
  );
  await page.goto(`${service.shop}/next?utm_source=other`);
  expect(await page.evaluate("first")).toBe(PROMO);
  await service.asked(2);
  expect(service.asks[1]?.body.visitor_id).toBe(service.asks[0]?.body.visitor_id);
  expect(service.asks[1]?.body.page.url).toBe(`${service.shop}/next?utm_source=other`);
});

test("what other pages held is neither told nor renewed where it does not stand", async () => {
  const page = await still();
  await page.goto(service.shop);
  await shows(page, PROMO);
  service.pages.set(
    "/support",
    `<p id=n>${SUPPORT}</p><script>document.addEventListener("ringmatch:swapped", (event) => { swapped = event.detail.numbers })</script><script src="${service.origin}/tag.js?key=${KEY}"></script>`,
  );
  await page.goto(`${service.shop}/support`);
  await shows(page, promoFor(SUPPORT));
  const own = { [SUPPORT]: promoFor(SUPPORT) };
  expect(await page.evaluate(`${ready}.then((numbers) => [numbers, swapped])`)).toEqual([own, own]);
  expect(await page.evaluate("document.documentElement.dataset.ringmatchShown")).toBe(
    `${SUPPORT}=${promoFor(SUPPORT)}`,
  );
  await page.clock.runFor(RENEW_MS);
  // The first one is of the page that was left.
  await service.renewed(2);
  expect(service.renewals[1]?.body.presentation_ids).toEqual([`prs_${SUPPORT.slice(-4)}`]);
});

test.each([
  ["its lock may be over", 1.9 * RENEW_MS, SALES],
  ["its lock is not over", 1.9 * RENEW_MS - 1, PROMO],
  ["the clock went back", -1_000, SALES],
])("of an earlier page, offline, when %s", async (_name, laterMs, number) => {
  const page = await still();
  await page.goto(service.shop);
  await shows(page, PROMO);
  service.present = breakOff;
  await page.goto("about:blank");
  await page.clock.setSystemTime(AT + laterMs);
  await page.goto(service.shop);
  await service.asked(2);
  expect(await page.textContent("#n")).toBe(number);
});

test("while visible the lock is renewed in time, again and again", async () => {
  const page = await still();
  await page.goto(service.shop);
  await shows(page, PROMO);
  for (let count = 1; count <= 3; count++) {
    await page.clock.runFor(RENEW_MS - 1);
    expect(service.renewals).toHaveLength(count - 1);
    await page.clock.runFor(1);
    await service.renewed(count);
    // The page has heard it as soon as it has kept it.
    await until("kept", () => page.evaluate(`localStorage.ringmatch_${KEY}.includes(${AT + count * RENEW_MS})`));
  }
  expect(service.renewals[0]?.body).toEqual({
    tag_key: KEY,
    visitor_id: service.asks[0]?.body.visitor_id,
    presentation_ids: [`prs_${SALES.slice(-4)}`],
  });
  expect(service.preflights).toEqual([]);
  expect(service.asks).toHaveLength(1);
  expect(await page.textContent("#n")).toBe(PROMO);
});

test("what was lost is not shown any more, and another one is asked for", async () => {
  const page = await still();
  await page.goto(service.shop);
  await shows(page, PROMO);
  service.renew = lost;
  service.present = hang;
  await page.clock.runFor(RENEW_MS);
  await service.asked(2);
  expect(await page.textContent("#n")).toBe(SALES);
  // Nor in another tab.
  const other = await page.context().newPage();
  await other.goto(service.shop);
  await service.asked(3);
  expect(await other.textContent("#n")).toBe(SALES);
});

test("renewals that fail: tried again, and before the lock can end the original is back", async () => {
  const page = await still();
  await page.goto(service.shop);
  await shows(page, PROMO);
  service.renew = (response) => void response.writeHead(503).end();
  service.present = hang;
  await page.clock.runFor(RENEW_MS);
  await service.renewed(1);
  await page.clock.runFor(29_000);
  expect(service.renewals).toHaveLength(1);
  await page.clock.runFor(1_000);
  await service.renewed(2);
  await page.clock.runFor(0.9 * RENEW_MS - 30_001);
  expect(await page.textContent("#n")).toBe(PROMO);
  await page.clock.runFor(1);
  expect(await page.textContent("#n")).toBe(SALES);
  expect(1.9 * RENEW_MS).toBeLessThan(LOCK_MS);
  await service.asked(2);
});

test("a clock that is set back makes every age unknown: the original, and asked anew", async () => {
  const page = await still();
  await page.goto(service.shop);
  await shows(page, PROMO);
  await page.clock.runFor(300_000);
  service.present = hang;
  await page.clock.setSystemTime(AT + 200_000);
  await page.clock.runFor(30_000);
  await service.asked(2);
  expect(await page.textContent("#n")).toBe(SALES);
  expect(service.asks[1]?.body.visitor_id).toBe(service.asks[0]?.body.visitor_id);
});

test("hidden: no timer goes, the lock is renewed on leaving; visible again: originals first where it may have ended", async () => {
  const page = await still();
  await page.goto(service.shop);
  await shows(page, PROMO);
  await hide(page, true);
  const { headers } = await service.renewed(1);
  expect(headers["content-type"]).toMatch(/^text\/plain/);
  await page.clock.runFor(3 * RENEW_MS);
  expect([service.renewals.length, service.asks.length]).toEqual([1, 1]);
  service.present = hang;
  await hide(page, false);
  expect(await page.textContent("#n")).toBe(SALES);
  await service.asked(2);
});

test("nothing is asked while hidden or prerendered", async () => {
  const { page } = await visit();
  const states = [
    ["visibilityState", "'hidden'", "'visible'", "visibilitychange"],
    ["prerendering", "true", "false", "prerenderingchange"],
  ] as const;
  let views = 0;
  for (const [name, before, after, event] of states) {
    const set = (value: string) =>
      `Object.defineProperty(document, "${name}", { configurable: true, value: ${value} });`;
    service.pages.set("/", pageWith(service, { head: `<script>${set(before)}</script>` }));
    await page.goto(service.shop);
    await page.evaluate("new Promise((resolve) => setTimeout(resolve))");
    expect(service.asks).toHaveLength(views);
    // Not bubbling, as the document's own events may be.
    await page.evaluate(`${set(after)} document.dispatchEvent(new Event("${event}"))`);
    await service.asked(++views);
  }
});

test("back and forward: the cached page looks what still holds", async () => {
  const page = await still();
  service.pages.set("/other", "<p>other");
  await page.goto(service.shop);
  await shows(page, PROMO);
  // What Chromium's back/forward cache does, which automation switches off: the page sleeps, wakes, and is told.
  const wake = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))";
  await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))");
  await service.renewed(1);
  await page.evaluate(wake);
  expect(await page.textContent("#n")).toBe(PROMO);
  service.present = hang;
  await page.clock.setSystemTime(AT + LOCK_MS);
  await page.evaluate(wake);
  expect(await page.textContent("#n")).toBe(SALES);
  await service.asked(2);
});

test("really leaving renews by beacon", async () => {
  const { page } = await visit();
  await page.goto(service.shop);
  await page.evaluate(ready);
  await page.goto("about:blank");
  expect((await service.renewed(1)).body.presentation_ids).toEqual([`prs_${SALES.slice(-4)}`]);
});

test("two tabs at once are one visitor from then on, if they were not from the start", async () => {
  const { page, context } = await visit();
  const other = await context.newPage();
  await Promise.all([page.goto(service.shop), other.goto(service.shop)]);
  await Promise.all([page.evaluate(ready), other.evaluate(ready)]);
  await page.reload();
  await service.asked(3);
  await other.reload();
  await service.asked(4);
  const [first, second, third, fourth] = service.asks.map((asked) => asked.body.visitor_id);
  expect([first, second]).toContain(third);
  expect(fourth).toBe(third);
});

test("the service's visitor id wins", async () => {
  const id = "vis_01k0000000000000000000000";
  service.present = (response, body) => presented(response, { ...(body as AskBody), visitor_id: id });
  const { page } = await visit();
  await page.goto(service.shop);
  await page.evaluate(ready);
  await page.reload();
  expect((await service.asked(2)).body.visitor_id).toBe(id);
});

test("cookie and localStorage restore each other", async () => {
  const { page, context } = await visit();
  await page.goto(service.shop);
  await page.evaluate(ready);
  const [kept] = await context.cookies();
  expect(kept).toMatchObject({ name: `ringmatch_${KEY}`, path: "/", sameSite: "Lax", httpOnly: false });
  expect((kept?.expires ?? 0) * 1_000 - Date.now()).toBeGreaterThan(29.9 * 86_400_000);
  await context.clearCookies();
  await page.reload();
  await page.evaluate(ready);
  expect(await context.cookies()).toHaveLength(1);
  await page.evaluate("localStorage.clear()");
  await page.reload();
  await service.asked(3);
  expect(new Set(service.asks.map(({ body }) => body.visitor_id)).size).toBe(1);
});

test("what localStorage holds ends as the cookie does", async () => {
  const page = await still();
  await page.goto(service.shop);
  await shows(page, PROMO);
  await page.context().clearCookies();
  await page.clock.setSystemTime(AT + 30 * 86_400_000 + 1);
  await page.goto(service.shop);
  await service.asked(2);
  expect(service.asks[1]?.body.visitor_id).not.toBe(service.asks[0]?.body.visitor_id);
});

test.each([
  [
    "localStorage that throws",
    "Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked') } });",
  ],
  ["localStorage that is full", "Storage.prototype.setItem = () => { throw new Error('full') };"],
  [
    "cookies that throw",
    "Object.defineProperty(document, 'cookie', { get() { throw new Error('blocked') }, set() { throw new Error('blocked') } });",
  ],
  ["cookies that are dropped", "Object.defineProperty(document, 'cookie', { get: () => '', set() {} });"],
  ["broken things in localStorage", `localStorage.ringmatch_${KEY} = '{"a":[1,"';`],
  ["odd things in localStorage", `localStorage.ringmatch_${KEY} = '["vis_x",9e15,{"${SALES}":5,"${SALES}x":null}]';`],
])("%s: the number comes, and no complaint", async (_name, script) => {
  service.pages.set("/", pageWith(service, { head: `<script>${script}</script>` }));
  const { page, complaints } = await visit();
  await page.goto(service.shop);
  expect(await page.evaluate(ready)).toEqual({ [SALES]: PROMO });
  expect(complaints).toEqual([]);
});

test("in a frame without an origin of its own", async () => {
  service.pages.set("/frame", `<iframe sandbox="allow-scripts" src="/"></iframe>`);
  const { page, complaints } = await visit();
  await page.goto(`${service.shop}/frame`);
  await page.frameLocator("iframe").getByText(PROMO).waitFor();
  expect(complaints).toEqual([]);
});

test("the cookie is for the widest domain that browsers allow, and goes from there on withdrawal", async () => {
  const { page, context } = await visit();
  // Names that are not on this machine: the page and the service are answered from here.
  await context.route(/\/\/(www|blog)\.shop\.co\.uk\//, async (route) => {
    const url = new URL(route.request().url());
    if (url.pathname === "/")
      return route.fulfill({
        contentType: "text/html",
        body: `<p id=n>${SALES}</p><script src="/tag.js?key=${KEY}"></script>`,
      });
    if (url.pathname === "/tag.js") {
      const answer = await fetch(`${service.origin}${url.pathname}${url.search}`);
      return route.fulfill({ contentType: "text/javascript", body: await answer.text() });
    }
    const body = route.request().postDataJSON() as AskBody;
    seen.push(body.visitor_id);
    const presentations = [{ presentation_id: "prs_1", promo_number: PROMO, renew_after_s: RENEW_AFTER_S }];
    return route.fulfill({ json: { visitor_id: body.visitor_id, presentations } });
  });
  const seen: string[] = [];
  await page.goto("http://www.shop.co.uk/");
  await page.evaluate(ready);
  expect((await context.cookies()).map(({ domain }) => domain)).toEqual([".shop.co.uk"]);
  await page.goto("http://blog.shop.co.uk/");
  await page.evaluate(ready);
  expect(new Set(seen).size).toBe(1);
  await page.evaluate("ringmatch.consent({ analytics_storage: 'denied' })");
  expect(await context.cookies()).toEqual([]);
});

test("the page's own number, answered, is as good as a number: nothing is asked again", async () => {
  service.present = (response, body) => {
    const { visitor_id: id } = body as AskBody;
    json(response, {
      visitor_id: id,
      presentations: [{ presentation_id: null, promo_number: null, outcome: "original", renew_after_s: null }],
    });
  };
  const page = await still();
  await page.goto(service.shop);
  expect(await page.evaluate(ready)).toEqual({});
  await hide(page, true);
  await hide(page, false);
  await page.clock.runFor(RENEW_MS);
  expect([service.asks.length, service.renewals.length]).toEqual([1, 0]);
});
