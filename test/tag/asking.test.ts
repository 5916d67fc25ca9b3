import { beforeEach, expect, test } from "vitest";
import { until } from "../support/until.js";
import {
  breakOff,
  hang,
  json,
  KEY,
  page as pageWith,
  presented,
  promoFor,
  SALES,
  startStandIn,
  SUPPORT,
  visit,
} from "./support/stand-in-service.js";

const service = await startStandIn();
beforeEach(() => service.reset());

const ready = "window.ringmatch.ready";

test("one request without preflight, and the visitor's number in place", async () => {
  const { page, complaints } = await visit();
  await page.goto(`${service.shop}/landing?utm_source=google&gclid=abc#secret`);
  expect(await page.evaluate(ready)).toEqual({ [SALES]: promoFor(SALES) });
  expect(await page.textContent("#n")).toBe(promoFor(SALES));
  expect(service.asks).toHaveLength(1);
  expect(service.preflights).toEqual([]);
  const [{ body, headers }] = service.asks as [(typeof service.asks)[0]];
  expect(body).toEqual({
    tag_key: KEY,
    visitor_id: expect.stringMatching(/^vis_\d{20,36}$/),
    numbers: [SALES],
    page: { url: `${service.shop}/landing?utm_source=google&gclid=abc`, visible: true },
    custom_data: {},
    consent: {},
  });
  expect(headers["content-type"]).toMatch(/^text\/plain/);
  expect(headers.cookie).toBeUndefined();
  expect(complaints).toEqual([]);
});

test("the immutable file asks for its configuration", async () => {
  service.pages.set("/", `<script async src="${service.origin}/tag/file.js" data-key="${KEY}"></script>${SALES}`);
  const { page } = await visit();
  await page.goto(service.shop);
  await page.waitForFunction("window.ringmatch");
  expect(await page.evaluate(ready)).toEqual({ [SALES]: promoFor(SALES) });
});

test("an unknown key leaves the page, and ready says so", async () => {
  service.pages.set("/", `<script async src="${service.origin}/tag/file.js" data-key="tag_other"></script><p>${SALES}`);
  const { page } = await visit();
  await page.goto(service.shop);
  expect(await page.evaluate(ready)).toEqual({});
  expect(service.asks).toEqual([]);
});

test("injected after load by a script, and twice: runs once", async () => {
  service.pages.set("/", `<p id=n>${SALES}</p>`);
  const { page, complaints } = await visit();
  await page.goto(service.shop);
  const inject = `new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = "${service.origin}/tag.js?key=${KEY}";
    script.onload = () => resolve();
    document.head.append(script);
  })`;
  await page.evaluate(inject);
  await page.evaluate(inject);
  expect(await page.evaluate(ready)).toEqual({ [SALES]: promoFor(SALES) });
  expect(service.asks).toHaveLength(1);
  expect(complaints).toEqual([]);
});

test("leaves no global but its own", async () => {
  const { page } = await visit();
  service.pages.set("/without", "<p>");
  await page.goto(`${service.shop}/without`);
  const before = await page.evaluate<string[]>("Object.getOwnPropertyNames(window)");
  await page.goto(service.shop);
  await page.evaluate(ready);
  const after = await page.evaluate<string[]>("Object.getOwnPropertyNames(window)");
  expect(after.filter((name) => !before.includes(name)).sort()).toEqual(["dataLayer", "ringmatch"]);
});

test("a page with a policy of one origin and no inline scripts", async () => {
  service.policy = `default-src 'none'; img-src data:; script-src ${service.origin}; connect-src ${service.origin}`;
  const { page, complaints } = await visit();
  await page.goto(service.shop);
  expect(await page.evaluate(ready)).toEqual({ [SALES]: promoFor(SALES) });
  expect(complaints).toEqual([]);
});

test("a paused tag does nothing at all", async () => {
  service.config = { ...service.config, paused: true };
  const { page, context } = await visit();
  await page.goto(service.shop);
  expect(await page.evaluate(ready)).toEqual({});
  await page.evaluate(
    "history.pushState(0, '', '/next'); ringmatch.run(); ringmatch.consent({analytics_storage: 'granted'})",
  );
  expect(await page.textContent("#n")).toBe(SALES);
  expect(service.asks).toEqual([]);
  expect(await context.cookies()).toEqual([]);
  expect(await page.evaluate("[localStorage.length, typeof dataLayer]")).toEqual([0, "undefined"]);
});

// "Failed to load resource" is Chromium's own line for a request that failed; no script can keep it back.
const OF_BROWSER = /^Failed to load resource/;

test.each([
  ["breaks off", breakOff, 2],
  ["answers 500", (response) => void response.writeHead(500).end("{}"), 1],
  ["answers HTML", (response) => void response.end("<html>"), 1],
  ["answers null", (response) => json(response, null), 1],
  ["answers too few", (response) => json(response, { visitor_id: "vis_1", presentations: [] }), 1],
  [
    "answers what is no number",
    (response) =>
      json(response, {
        visitor_id: "vis_1",
        presentations: [{ promo_number: "call <b>us</b>", presentation_id: "prs_1", renew_after_s: 9 }],
      }),
    1,
  ],
])("a service that %s leaves the original", async (_name, reply, requests) => {
  service.present = reply;
  const { page, complaints } = await visit();
  await page.goto(service.shop);
  expect(await page.evaluate(ready)).toEqual({});
  expect(await page.textContent("#n")).toBe(SALES);
  expect(service.asks).toHaveLength(requests);
  expect(complaints.filter((text) => !OF_BROWSER.test(text))).toEqual([]);
});

test("run() asks again for what could not be had, and the page then has it, from whatever page the answer was", async () => {
  const none = { presentation_id: null, promo_number: null, outcome: "original", renew_after_s: null };
  service.present = (response) => json(response, { visitor_id: "vis_00000000000000000001", presentations: [none] });
  const { page } = await visit();
  await page.goto(service.shop);
  expect(await page.evaluate(ready)).toEqual({});
  service.present = presented;
  await page.evaluate("ringmatch.run()");
  await service.asked(2);
  await page.waitForFunction(`document.querySelector("#n").textContent !== "${SALES}"`);
  // It has a number now: looking again asks for nothing.
  await page.evaluate("ringmatch.run(); ringmatch.run()");
  expect(service.asks).toHaveLength(2);
});

test("a service that is slow leaves the original after 1.5 s, and its answer is not waited for", async () => {
  service.present = hang;
  const { page, complaints } = await visit();
  await page.clock.install({ time: 0 });
  await page.goto(service.shop);
  await page.clock.pauseAt(1_000_000);
  await page.reload();
  await service.asked(2);
  const failed = page.waitForEvent("requestfailed");
  await page.clock.runFor(1_400);
  expect(await page.evaluate("Promise.race([ringmatch.ready, 'waiting'])")).toBe("waiting");
  await page.clock.runFor(101);
  await failed;
  expect(await page.evaluate(ready)).toEqual({});
  expect(service.asks).toHaveLength(2);
  expect(complaints).toEqual([]);
});

test("one failure of the network is tried over", async () => {
  service.present = (response, body) => {
    if (service.asks.length === 1) response.destroy();
    else presented(response, body);
  };
  const { page } = await visit();
  await page.goto(service.shop);
  expect(await page.evaluate(ready)).toEqual({ [SALES]: promoFor(SALES) });
});

test("back online asks again", async () => {
  service.present = breakOff;
  const { page } = await visit();
  await page.goto(service.shop);
  expect(await page.evaluate(ready)).toEqual({});
  service.present = presented;
  await page.evaluate("dispatchEvent(new Event('online'))");
  await page.waitForFunction(`document.getElementById('n').textContent === '${promoFor(SALES)}'`);
});

test("more numbers than a request takes go in several", async () => {
  const many = Array.from({ length: 45 }, (_, at) => `+180055502${String(at).padStart(2, "0")}`);
  service.config = { ...service.config, numbers: many };
  service.pages.set("/", pageWith(service, { body: many.map((number) => `<p>${number}</p>`).join("") }));
  const { page } = await visit();
  // In the order in which the tag sends them: each has a connection of its own, and may arrive before the one before it.
  const sent: string[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/v1/presentations")) sent.push(request.postData() ?? "{}");
  });
  await page.goto(service.shop);
  expect(Object.keys(await page.evaluate<object>(ready))).toHaveLength(45);
  expect(sent.map((body) => (JSON.parse(body) as { numbers: string[] }).numbers.length)).toEqual([20, 20, 5]);
  const heard = service.asks.flatMap(({ body }) => body.numbers);
  expect(heard.sort()).toEqual(many);
});

test("no more than ten requests a minute; the rest waits", async () => {
  service.pages.set("/", pageWith(service, { body: `${SALES}` }));
  const { page } = await visit();
  await page.clock.install();
  await page.goto(service.shop);
  await page.evaluate(ready);
  for (let view = 1; view <= 15; view++) await page.evaluate(`history.pushState(0, "", "/${view}")`);
  await service.asked(10);
  await page.clock.runFor(30_000);
  expect(service.asks).toHaveLength(10);
  await until("the eleventh request", async () => {
    await page.clock.runFor(1_000);
    return service.asks[10];
  });
  expect(service.asks[10]?.body.page.url).toBe(`${service.shop}/15`);
});

test("three navigations of a single-page application: each view is asked for, with the page it came from", async () => {
  const { page, complaints } = await visit();
  service.pages.set(
    "/",
    pageWith(service, {
      head: "<script>own = history.pushState; history.pushState = function () { calls = (window.calls || 0) + 1; return own.apply(this, arguments) }</script>",
    }),
  );
  await page.goto(`${service.shop}/?utm_source=a`);
  await page.evaluate(ready);
  let views = 1;
  for (const path of ["/one", "/two?x=1#y"]) {
    await page.evaluate(`history.pushState({ to: "${path}" }, "", "${path}")`);
    await service.asked(++views);
  }
  await page.evaluate(`history.replaceState(0, "", "/three"); document.body.append("${SUPPORT}")`);
  await page.waitForFunction(`document.body.textContent.includes("${promoFor(SUPPORT)}")`);
  await page.goBack();
  await service.asked(6);
  expect(
    service.asks.map(({ body }) => [
      body.page.url.slice(service.shop.length),
      body.page.referrer?.slice(service.shop.length),
      body.numbers,
    ]),
  ).toEqual([
    ["/?utm_source=a", undefined, [SALES]],
    ["/one", "/?utm_source=a", [SALES]],
    ["/two?x=1", "/one", [SALES]],
    ["/three", "/two?x=1", [SALES]],
    ["/three", "/two?x=1", [SUPPORT]],
    ["/one", "/three", [SALES, SUPPORT]],
  ]);
  expect(await page.evaluate("[calls, history.state.to, ringmatch.ready instanceof Promise]")).toEqual([
    2,
    "/one",
    true,
  ]);
  expect(complaints).toEqual([]);
});

test("custom data from where the account says, and what conversions look for", async () => {
  service.config = {
    ...service.config,
    custom_data: [
      { name: "agent", from: "url_parameter", key: "agent" },
      { name: "ab", from: "cookie", key: "ab" },
      { name: "plan", from: "data_layer", key: "plan" },
      { name: "cart", from: "local_storage", key: "cart" },
      { name: "missing", from: "local_storage", key: "nothing" },
      { name: "object", from: "data_layer", key: "object" },
      { name: "long", from: "url_parameter", key: "long" },
      { name: "storable", from: "data_layer", key: "storable" },
    ],
  };
  service.pages.set(
    "/c",
    pageWith(service, {
      head: `<script>
        document.cookie = "ab=b%20c"; document.cookie = "_ga=GA1.1.111.222"; document.cookie = "_fbp=fb.1.1700000000000.99";
        localStorage.cart = "7"; dataLayer = [{ plan: "silver" }, null, { plan: "gold", object: {} }, { event: "x" },
          { storable: "\\0" + "y".repeat(253) + "\\u{1F4DE}" }];
      </script>`,
    }),
  );
  const { page } = await visit();
  await page.goto(`${service.shop}/c?agent=J%C3%BCrgen&long=${"x".repeat(600)}`);
  expect((await service.asked(1)).body.custom_data).toEqual({
    agent: "Jürgen",
    ab: "b c",
    plan: "gold",
    cart: "7",
    long: "x".repeat(255),
    // Without U+0000 and half of the telephone: the service refuses a request that no database can keep.
    storable: "y".repeat(253),
    ga_client_id: "GA1.1.111.222",
    fbp: "fb.1.1700000000000.99",
  });
});

test("calls made before the tag came, and after", async () => {
  service.config = { ...service.config, consent: "required" };
  service.pages.set(
    "/",
    pageWith(service, { head: "<script>ringmatch = { q: [['consent', { analytics_storage: 'granted' }]] }</script>" }),
  );
  const { page } = await visit();
  await page.goto(service.shop);
  await service.asked(1);
  await page.waitForFunction(`document.getElementById('n').textContent === '${promoFor(SALES)}'`);
  await page.evaluate("ringmatch.q.push(['pause'])");
  expect(await page.textContent("#n")).toBe(SALES);
});

test("pause puts the originals back and stops; swapped is told with the numbers", async () => {
  service.pages.set(
    "/",
    pageWith(service, {
      head: "<script>told = []; document.addEventListener('ringmatch:swapped', (e) => told.push(e.detail.numbers))</script>",
    }),
  );
  const { page } = await visit();
  await page.goto(service.shop);
  await page.evaluate(ready);
  expect(await page.evaluate("told")).toEqual([{ [SALES]: promoFor(SALES) }]);
  await page.evaluate("ringmatch.pause()");
  expect(await page.textContent("#n")).toBe(SALES);
  await page.evaluate("history.pushState(0, '', '/next'); ringmatch.run(); dispatchEvent(new Event('online'))");
  await page.evaluate("new Promise(requestAnimationFrame)");
  await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))");
  // A beacon that was sent before this request would be here before it.
  await page.evaluate(`fetch("${service.origin}/tag/config?key=${KEY}").then((response) => response.text())`);
  expect([service.asks.length, service.renewals.length]).toEqual([1, 0]);
  expect(await page.textContent("#n")).toBe(SALES);
});

test("a destination that only a tel: link told: its link and its texts are swapped as soon as there is a number", async () => {
  service.config = { ...service.config, numbers: [], discover: true };
  service.pages.set(
    "/",
    pageWith(service, {
      head: "<script>told = []; document.addEventListener('ringmatch:swapped', (e) => told.push(e.detail.numbers))</script>",
      body: "<a href='tel:800-555-0100'>800-555-0100</a><p id=n>(800) 555-0100",
    }),
  );
  const { page } = await visit();
  await page.goto(service.shop);
  const numbers = { [SALES]: promoFor(SALES) };
  expect(await page.evaluate(ready)).toEqual(numbers);
  expect(await page.evaluate("[document.querySelector('a').href, document.body.innerText, told]")).toEqual([
    `tel:${promoFor(SALES)}`,
    expect.stringMatching(/^888-555-0100\s+\(888\) 555-0100$/),
    [numbers],
  ]);
  await page.evaluate("ringmatch.pause()");
  expect(await page.evaluate("document.querySelector('a').outerHTML")).toContain('"tel:800-555-0100">800-555-0100<');
  expect(service.asks).toHaveLength(1);
});
