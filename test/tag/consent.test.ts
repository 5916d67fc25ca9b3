import { beforeEach, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { TOUCH_PARAMETERS } from "../../src/attribution/touch.js";
import type { TagConfig } from "../../src/http/contract/tag-config.js";
import { page as pageWith, promoFor, SALES, startStandIn, visit } from "./support/stand-in-service.js";

const service = await startStandIn();
beforeEach(() => service.reset());

const BILLBOARD = "+18885559999";
const GTAG = "dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments) }";
const ready = "window.ringmatch.ready";

function say(kind: "default" | "update", said: object): string {
  return `gtag("consent", "${kind}", ${JSON.stringify(said)});`;
}

function told(said: object): string {
  return `ringmatch = { q: [["consent", ${JSON.stringify(said)}]] };`;
}

const GPC = "Object.defineProperty(navigator, 'globalPrivacyControl', { value: true });";
const granted = { analytics_storage: "granted" };
const denied = { analytics_storage: "denied" };

/** Nothing was asked, nothing is stored. */
async function expectNothing(page: Page): Promise<void> {
  expect(service.asks).toEqual([]);
  expect(await page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]")).toEqual(["", 0, 0]);
}

type Row = [consent: TagConfig["consent"], script: string, isAsked: boolean];
const MATRIX: Row[] = [
  ["assumed", "", true],
  ["required", "", false],
  ["assumed", say("default", denied), false],
  ["required", say("default", granted), true],
  ["assumed", say("default", { ad_storage: "denied" }), true],
  ["required", say("default", { ad_storage: "granted" }), false],
  ["assumed", say("default", denied) + say("update", granted), true],
  ["assumed", say("update", granted) + say("default", denied), true],
  ["assumed", say("update", denied), false],
  ["assumed", say("default", { ...denied, region: ["ES"] }) + say("default", granted), false],
  ["assumed", GPC, false],
  ["required", GPC + say("update", granted), false],
  ["required", GPC + told(granted), true],
  ["assumed", told(denied) + say("update", granted), false],
  ["assumed", told({ analytics_storage: false }), false],
  ["required", told(granted) + say("update", denied), true],
];

test("who is asked for: account's mode, consent mode, Global Privacy Control, the page's own word", async () => {
  const { page } = await visit();
  for (const [consent, script, isAsked] of MATRIX) {
    service.reset();
    service.config = { ...service.config, consent };
    service.pages.set("/", pageWith(service, { head: `<script>${GTAG}${script}</script>` }));
    await page.goto(service.shop);
    expect(await page.evaluate(ready), `${consent} ${script}`).toEqual(isAsked ? { [SALES]: promoFor(SALES) } : {});
    if (!isAsked) await expectNothing(page);
    await page.context().clearCookies();
    await page.evaluate("localStorage.clear()");
  }
});

test("without consent the source's number stands, the most specific one; later views keep it", async () => {
  const source = { destination: SALES, number: BILLBOARD };
  service.config = {
    ...service.config,
    consent: "required",
    sources: [
      { ...source, number: "+18885550001", touch: { utm_source: "radio" } },
      { ...source, touch: { utm_source: "radio", utm_campaign: "may" } },
      { ...source, number: "+18885550002", touch: { utm_source: "radio", utm_term: "x" } },
      { ...source, number: "+18885550003", touch: {} },
    ],
  };
  const { page } = await visit();
  await page.goto(`${service.shop}/?utm_source=radio&utm_campaign=may`);
  expect(await page.evaluate(ready)).toEqual({ [SALES]: BILLBOARD });
  expect(await page.textContent("#n")).toBe(BILLBOARD);
  await page.evaluate("history.pushState(0, '', '/next')");
  expect(await page.textContent("#n")).toBe(BILLBOARD);
  await expectNothing(page);
  await page.goto(`${service.shop}/?utm_source=print`);
  expect(await page.evaluate(ready)).toEqual({});
  expect(await page.textContent("#n")).toBe(SALES);
  await page.goto(`${service.shop}/?utm_source=radio&utm_campaign=may`);
  await page.evaluate(`${GTAG}${say("update", granted)}`);
  await page.waitForFunction(`document.getElementById('n').textContent === '${promoFor(SALES)}'`);
});

test("consent that comes later asks; its withdrawal deletes what is kept and puts the original back; and again", async () => {
  service.config = { ...service.config, consent: "required" };
  service.pages.set("/", pageWith(service, { head: `<script>${GTAG}${say("default", denied)}</script>` }));
  const { page, complaints } = await visit();
  await page.goto(service.shop);
  await page.evaluate(ready);
  expect(await page.textContent("#n")).toBe(SALES);
  await page.evaluate(say("update", { ...granted, ad_storage: "granted" }));
  await page.waitForFunction(`document.getElementById('n').textContent === '${promoFor(SALES)}'`);
  expect(service.asks[0]?.body.consent).toEqual({ analytics_storage: "granted", ad_storage: "granted" });
  const first = service.asks[0]?.body.visitor_id;
  expect(await page.evaluate("[document.cookie.includes('ringmatch'), localStorage.length]")).toEqual([true, 1]);

  await page.evaluate(say("update", denied));
  expect(await page.textContent("#n")).toBe(SALES);
  expect(await page.evaluate("[document.cookie, localStorage.length]")).toEqual(["", 0]);

  await page.evaluate("ringmatch.consent({analytics_storage: 'granted'})");
  await page.waitForFunction(`document.getElementById('n').textContent === '${promoFor(SALES)}'`);
  expect(service.asks[1]?.body.visitor_id).not.toBe(first);
  expect(complaints).toEqual([]);
});

test("a default that denies, as consent platforms have it on every page, keeps the visitor of earlier pages", async () => {
  const { page } = await visit();
  await page.goto(service.shop);
  await page.evaluate(ready);
  service.pages.set("/next", pageWith(service, { head: `<script>${GTAG}${say("default", denied)}</script>` }));
  await page.goto(`${service.shop}/next`);
  expect(await page.evaluate(ready)).toEqual({});
  expect(service.asks).toHaveLength(1);
  await page.evaluate(say("update", granted));
  await service.asked(2);
  expect(service.asks[1]?.body.visitor_id).toBe(service.asks[0]?.body.visitor_id);
});

test("an answer that comes after the withdrawal is nobody's, also when consent was given again", async () => {
  const answers: (() => void)[] = [];
  const { present } = service;
  service.present = (response, body) => void answers.push(() => present(response, body));
  const { page } = await visit();
  await page.goto(service.shop);
  await service.asked(1);
  await page.evaluate("ringmatch.consent({analytics_storage: 'denied'})");
  await page.evaluate("ringmatch.consent({analytics_storage: 'granted'})");
  await service.asked(2);
  const answered = page.waitForEvent("requestfinished", {
    predicate: (request) => request.url().endsWith("/presentations"),
  });
  answers[0]?.();
  await answered;
  const first = service.asks[0]?.body.visitor_id ?? "";
  expect(await page.evaluate<string>("document.cookie + JSON.stringify(localStorage)")).not.toContain(first);
  expect(await page.textContent("#n")).toBe(SALES);
  await page.evaluate("ringmatch.consent({analytics_storage: 'denied'})");
  expect(await page.evaluate(ready)).toEqual({});
  expect(await page.evaluate("[document.cookie, localStorage.length]")).toEqual(["", 0]);
});

test("click ids and advertising cookies stay here without ad_storage and ad_user_data", async () => {
  const clickIds = TOUCH_PARAMETERS.filter((name) => !name.startsWith("utm_"));
  const query = clickIds.map((name) => `${name}=1`).join("&");
  const cookies =
    "document.cookie = '_fbp=fb.1.1700000000000.99'; document.cookie = '_gcl_aw=1'; document.cookie = '_ga=GA1.1.1.2';";
  service.config = {
    ...service.config,
    custom_data: [
      { name: "click", from: "url_parameter", key: "gclid" },
      { name: "aw", from: "cookie", key: "_gcl_aw" },
    ],
  };
  service.pages.set("/from", `<a href="/to?utm_id=7&${query}&a=b%20c">go</a>`);
  const { page } = await visit();
  const arrive = async (script: string) => {
    service.pages.set("/to", pageWith(service, { head: `<script>${cookies}${GTAG}${script}</script>` }));
    await page.goto(`${service.shop}/from?g%63lid=2&q=r`);
    await page.click("a");
    return (await service.asked(service.asks.length + 1)).body;
  };
  for (const purpose of ["ad_storage", "ad_user_data"]) {
    const { page: sent, custom_data: data, consent } = await arrive(say("default", { [purpose]: "denied" }));
    expect(sent).toEqual({
      url: `${service.shop}/to?utm_id=7&a=b+c`,
      referrer: `${service.shop}/from?q=r`,
      visible: true,
    });
    expect(data).toEqual({ ga_client_id: "GA1.1.1.2" });
    expect(consent).toEqual({ [purpose]: "denied" });
  }
  const { page: sent, custom_data: data } = await arrive("");
  expect(sent.url).toBe(`${service.shop}/to?utm_id=7&${query}&a=b%20c`);
  expect(data).toEqual({ ga_client_id: "GA1.1.1.2", fbp: "fb.1.1700000000000.99", click: "1", aw: "1" });
});

test("a tag manager that takes the dataLayer's push over afterwards is not disturbed", async () => {
  service.config = { ...service.config, consent: "required" };
  const { page } = await visit();
  await page.goto(service.shop);
  await page.evaluate(ready);
  const length = await page.evaluate(`
    const own = dataLayer.push, seen = [];
    dataLayer.push = function (...items) { seen.push(...items); return own.apply(dataLayer, items) };
    dataLayer.push({ event: "x" }, { event: "y" })
  `);
  expect(length).toBe(2);
  await page.evaluate(`dataLayer.push(["consent", "update", ${JSON.stringify(granted)}])`);
  await service.asked(1);
});
