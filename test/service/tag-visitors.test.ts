/**
 * The browser tag end to end: a business's page on another host and port, the built service with its SIP edge, visitors in browsers of their own, and calls by
 * real SIP. Nothing is a stand-in but the business's and the callers' phones.
 */
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { SipPhone } from "../../src/dev/sip-phone.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";
import { closePagesAfterwards, openPage } from "../support/browser.js";
import { freshDatabase } from "../support/database.js";
import { launchChromium } from "../support/chromium.js";
import { build, completed, makeDataDirectory, type RunningService, startService } from "../support/running-service.js";
import { until } from "../support/until.js";
import { type LandingSite, startLandingSite } from "../tag/support/landing-site.js";

const { url: databaseUrl } = await freshDatabase();
closePagesAfterwards();

const DESTINATION = "+18005550100";
const POOL = ["+18335550001", "+18335550002", "+18335550003", "+18335550004", "+18335550005"] as const;
/** The pool's last number is its overflow number, for all whom the others do not suffice. */
const OVERFLOW = POOL[4];
/** The service takes the browser's own, which says that it is headless, for a crawler. */
const SOMEBODY =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

const data = makeDataDirectory();
let service: RunningService;
let site: LandingSite;
let accountId: string;
let poolId: string;
let caller: SipPhone;
let business: SipPhone;

const phoneOptions = { host: "127.0.0.1", port: 0, clock: systemClock, random: systemRandom, log: silentLog };

// By itself: with nothing built yet it takes as long as a hook may.
beforeAll(() => build());
beforeAll(async () => {
  business = new SipPhone({ ...phoneOptions, onCall: (call) => call.answer() });
  caller = new SipPhone(phoneOptions);
  const [{ port }] = await Promise.all([business.start(), caller.start()]);
  service = await startService({
    dataDir: data.path,
    env: { DATABASE_URL: databaseUrl, REDIS_URL: inject("redisUrl"), SECRETS_KEY: "a secret for tests only" },
  });
  await made("PUT", "/v1/trunks/loopback", { source_cidrs: ["127.0.0.0/8"] });
  const account = await made("POST", "/v1/accounts", { name: "Plumbers" });
  accountId = account["id"] as string;
  await made("POST", "/v1/numbers", { numbers: POOL });
  await made("POST", "/v1/destinations", {
    account_id: accountId,
    number: DESTINATION,
    sip_uri: `sip:business@127.0.0.1:${port}`,
  });
  const pool = await made("POST", "/v1/pools", {
    account_id: accountId,
    name: "pool",
    kind: "automatic",
    destination_number: DESTINATION,
    max_size: POOL.length,
    fill_immediately: true,
  });
  expect(pool).toMatchObject({ size: POOL.length, overflow_number: OVERFLOW });
  poolId = pool["id"] as string;
  site = await startLandingSite();
  const landing = landingPage(account["tag_key"] as string);
  for (const path of ["/", "/plumbing", "/prices"]) site.put(path, landing);
});

afterAll(async () => {
  service.child.kill("SIGTERM");
  await Promise.all([service.exit, site.stop(), caller.stop(), business.stop()]);
  data.remove();
});

async function made(method: string, path: string, body: unknown): Promise<Record<string, unknown>> {
  const answer = await service.api(method, path, body);
  expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
  return answer.body;
}

/** One line of script is the whole installation; the page's policy allows nothing but the service. */
function landingPage(tagKey: string) {
  const service_ = service.ready.http;
  return {
    body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Plumbers</title>
<script async src="${service_}/tag.js?key=${tagKey}"></script></head>
<body><h1>Call <a id="call" href="tel:${DESTINATION}">(800) 555-0100</a></h1><p id="note">or text <b>800</b>-555-0100</p></body></html>`,
    headers: {
      "content-security-policy": `default-src 'none'; script-src ${service_}; connect-src ${service_}`,
    },
  };
}

interface Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly complaints: readonly string[];
}

/** On another host than the service's, so that cookies and requests are those of a site and a third party. */
function pageUrl(path: string): string {
  return `http://localhost:${new URL(site.url).port}${path}`;
}

async function arrive(path: string, userAgent = SOMEBODY): Promise<Visitor> {
  const visitor = await openPage({ userAgent });
  await visitor.page.goto(pageUrl(path));
  return visitor;
}

/** The number in the link, once it is another than the page's own. By attribute: the page's policy forbids what evaluates text in it. */
async function numberShownTo({ page }: Pick<Visitor, "page">): Promise<string> {
  return until("another number in the link", async () => {
    const number = ((await page.getAttribute("#call", "href")) ?? "").slice("tel:".length);
    return number === DESTINATION ? null : number;
  });
}

async function visitorIdOf({ context }: Visitor): Promise<string | undefined> {
  const cookies = await context.cookies(pageUrl("/"));
  return cookies.map(({ value }) => /vis_[0-9a-z]+/.exec(value)?.[0]).find((id) => id !== undefined);
}

async function callNumber(number: string, from: string): Promise<Record<string, unknown>> {
  const result = await caller.call({
    targetUri: `sip:${number}@${service.sip}`,
    fromUser: from,
    ringTimeoutMs: 10_000,
  });
  if (result.kind !== "answered") throw new Error(JSON.stringify(result));
  await result.call.hangUp();
  return completed(service, number);
}

describe("two visitors on one page", () => {
  it("see numbers of their own, and the call to each is that visitor's", async () => {
    const [ann, bob] = await Promise.all([
      arrive("/plumbing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=EAIaIQobChMIann"),
      arrive("/plumbing?utm_source=bing&utm_medium=cpc&msclkid=bob1234567890"),
    ]);
    const numbers = await Promise.all([numberShownTo(ann), numberShownTo(bob)]);
    expect([...numbers].sort()).toEqual(POOL.slice(0, 2));
    for (const [who, number] of [
      [ann, numbers[0]],
      [bob, numbers[1]],
    ] as const) {
      const text = `${number.slice(2, 5)}-${number.slice(5, 8)}-${number.slice(8)}`;
      expect(await who.page.textContent("#note")).toBe(`or text ${text}`);
      expect(who.complaints).toEqual([]);
    }
    const records = await Promise.all([callNumber(numbers[0], "+14155550111"), callNumber(numbers[1], "+14155550122")]);
    expect(records[0]).toMatchObject({
      account_id: accountId,
      destination_number: DESTINATION,
      attribution: {
        outcome: "matched",
        visitor_id: await visitorIdOf(ann),
        touch: { utm_source: "google", utm_medium: "cpc", utm_campaign: "spring", gclid: "EAIaIQobChMIann" },
      },
    });
    expect(records[1]).toMatchObject({
      attribution: {
        outcome: "matched",
        visitor_id: await visitorIdOf(bob),
        touch: { utm_source: "bing", msclkid: "bob1234567890" },
      },
    });
    expect(await visitorIdOf(ann)).not.toBe(await visitorIdOf(bob));
  });
});

describe("one visitor", () => {
  it("keeps their number on every page of a single-page application, and the log knows each page", async () => {
    const carol = await arrive("/?utm_source=newsletter");
    const number = await numberShownTo(carol);
    for (const path of ["/one", "/two", "/three"]) {
      const told = carol.page.waitForResponse((response) => response.url().endsWith("/v1/presentations"));
      await carol.page.evaluate(`history.pushState(null, "", "${path}");
        document.querySelector("h1").innerHTML = '<a id="call" href="tel:${DESTINATION}">(800) 555-0100</a>'`);
      await told;
      expect(await numberShownTo(carol)).toBe(number);
    }
    const { body } = await service.api("GET", `/v1/presentations?number=${encodeURIComponent(number)}`);
    const log = body["data"] as Record<string, unknown>[];
    const pages = new Set(log.map(({ url }) => new URL(url as string).pathname));
    expect([...pages].sort()).toEqual(["/", "/one", "/three", "/two"]);
    expect(new Set(log.map(({ visitor_id }) => visitor_id))).toEqual(new Set([await visitorIdOf(carol)]));
    const record = await callNumber(number, "+14155550133");
    expect(record).toMatchObject({ attribution: { outcome: "matched", visitor_id: await visitorIdOf(carol) } });
    expect(carol.complaints).toEqual([]);
  });

  it("who goes back sees the page as they left it, out of the back/forward cache, and the tag goes on", async () => {
    const browser = await launchChromium({ withBackForwardCache: true });
    try {
      const page = await (await browser.newContext({ userAgent: SOMEBODY })).newPage();
      await page.goto(pageUrl("/plumbing?utm_source=google"));
      const number = await numberShownTo({ page });
      const shown = await page.textContent("h1");
      await page.evaluate(`addEventListener("pageshow", ({ persisted }) => (window.wasPersisted = persisted))`);
      await page.goto(pageUrl("/prices"));
      expect(await numberShownTo({ page })).toBe(number);
      await page.evaluate("history.back()");
      // Between two pages there is nothing to ask.
      await until("a page that comes back", () => page.evaluate("window.wasPersisted").catch(() => false));
      expect(await page.evaluate(`performance.getEntriesByType("navigation")[0].notRestoredReasons`)).toBeNull();
      expect(await page.textContent("h1")).toBe(shown);
      await page.evaluate(`document.body.insertAdjacentHTML("beforeend", "<p id=more>now 800 555 0100</p>")`);
      const spoken = `now ${number.slice(2, 5)} ${number.slice(5, 8)} ${number.slice(8)}`;
      await until("a swap of what is new", async () => (await page.textContent("#more")) === spoken);
    } finally {
      await browser.close();
    }
  });
});

describe("when the pool has no more", () => {
  it("a further visitor sees the overflow number, or the page's own if the pool says so", async () => {
    expect(await numberShownTo(await arrive("/plumbing?utm_source=yahoo"))).toBe(OVERFLOW);
    await made("PATCH", `/v1/pools/${poolId}`, { overflow: "original_number" });
    const { page, complaints } = await arrive("/plumbing?utm_source=yahoo");
    await page.evaluate("ringmatch.ready");
    expect(await page.textContent("h1")).toBe("Call (800) 555-0100");
    expect(complaints).toEqual([]);
  });
});

/** Last: from here on the tag is paused. */
describe("a paused tag", () => {
  it("leaves every page as it is, and asks for nothing", async () => {
    await made("POST", `/v1/tag/pause?account_id=${accountId}`, undefined);
    const { context, page, complaints } = await openPage({ userAgent: SOMEBODY });
    const asked: string[] = [];
    page.on("request", (request) => void asked.push(new URL(request.url()).pathname));
    await page.goto(pageUrl("/plumbing?utm_source=google"));
    await page.evaluate("ringmatch.ready");
    expect(await page.textContent("h1")).toBe("Call (800) 555-0100");
    expect(await context.cookies()).toEqual([]);
    expect(asked.filter((path) => path !== "/favicon.ico")).toEqual(["/plumbing", "/tag.js"]);
    expect(complaints).toEqual([]);
  });
});
