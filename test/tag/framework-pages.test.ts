/**
 * Pages of React, Vue and Svelte, rendered on the server and taken over in the browser, or drawn there alone, with the tag coming before or after. Whatever
 * the order: numbers are swapped in the end, every later change of the page too, and neither framework nor browser has anything to complain of.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { htmlReplacer, textWalker } from "../../bench/tag/naive.js";
import { closePagesAfterwards, type OpenPage, openPage } from "../support/browser.js";
import { type BuiltApp, builtApp, type Framework, type Mode } from "./support/build-app.js";
import { type LandingSite, presents, startLandingSite } from "./support/landing-site.js";
import { tagScript } from "./support/tag-script.js";

closePagesAfterwards();

const FRAMEWORKS: readonly Framework[] = ["react", "vue", "svelte"];
const MODES: readonly Mode[] = ["development", "production"];
const SALES = { destination: "+18005550100", promo: "+18335550001" };
const SERVICE = { destination: "+18005550199", promo: "+18335550002" };

let site: LandingSite;
/** A visitor who was here before: the answer is in their browser, and the tag swaps as soon as it runs. */
let visitor: OpenPage;
beforeAll(async () => {
  site = await startLandingSite(presents({ [SALES.destination]: SALES.promo, [SERVICE.destination]: SERVICE.promo }));
  site.put("/tag.js", {
    type: "text/javascript",
    body: await tagScript({ numbers: [SALES.destination, SERVICE.destination] }),
    // Asked for each time, so that a test can hold it.
    headers: { "cache-control": "no-store" },
  });
  putPage("/before", "800-555-0100 800-555-0199", "");
  visitor = await openPage();
  // Vue and Svelte warn, React complains.
  visitor.page.on("console", (message) => {
    if (message.type() === "warning") visitor.complaints.push(message.text());
  });
  await visitor.page.goto(`${site.url}/before`);
  await visitor.page.waitForFunction(
    `document.querySelector("[data-app]").textContent === "833-555-0001 833-555-0002"`,
  );
});
afterAll(() => site.stop());

/** What a visitor reads and can dial on the page, by element. */
type Seen = Readonly<Record<string, string | null>>;

/** In the page. */
const LOOK = `(() => {
  const seen = {};
  for (const element of document.querySelectorAll("[data-app] [id]:not(button)"))
    seen[element.id] = element.textContent.replace(/\\s+/g, " ").trim();
  const attribute = (selector, name) => document.querySelector(selector)?.getAttribute(name) ?? null;
  seen.callHref = attribute("#call", "href");
  seen.callLabel = attribute("#call", "aria-label");
  seen.lineHref = attribute("#line", "href");
  seen.smsHref = attribute("#conditional a", "href");
  return seen;
})()`;

const FIRST: Seen = {
  call: "(833) 555-0001",
  callHref: "tel:+18335550001",
  callLabel: "Call (833) 555-0001",
  split: "Call 833-555-0001 now",
  parts: "833-555-0001",
  text: "Dial 833-555-0001 today",
  line: "Line",
  lineHref: "tel:+18335550001",
  counter: "0 clicks, call 833-555-0001",
  list: expect.stringMatching(/^Sales: 833-555-0001 ?Service: 833-555-0002$/),
  bare: "Open, call 833-555-0001",
  conditional: "or text 833.555.0001",
  smsHref: "sms:+18335550001",
};

/** The page in the end, or what it is still missing. */
async function expectSeen(page: Page, expected: Seen): Promise<void> {
  await expect.poll(() => page.evaluate(LOOK), { interval: 10, timeout: 3_000 }).toEqual(expected);
}

/** Lets the page change in every way it can; the tag must follow, and nothing may break. */
async function exercise(page: Page): Promise<void> {
  const click = (id: string) => page.evaluate(`document.getElementById("${id}").click()`);
  let seen = FIRST;
  const expectChange = async (changes: Seen, gone: readonly string[] = []) => {
    seen = Object.fromEntries(Object.entries({ ...seen, ...changes }).filter(([name]) => !gone.includes(name)));
    await expectSeen(page, seen);
  };
  await expectChange({});
  await click("count");
  await expectChange({ counter: "1 clicks, call 833-555-0001" });
  await click("change");
  await expectChange({
    parts: "833-555-0002",
    text: "Dial 833-555-0002 today",
    lineHref: "tel:+18335550002",
    counter: "1 clicks, call 833-555-0002",
  });
  await click("count");
  await click("change");
  await expectChange({
    parts: "833-555-0001",
    text: "Dial 833-555-0001 today",
    lineHref: "tel:+18335550001",
    counter: "2 clicks, call 833-555-0001",
  });
  await click("replace");
  await expectChange({
    list: expect.stringMatching(/^Service: 833-555-0002 ?Parts: 833-555-0001 ext. 5$/),
  });
  await click("toggle");
  await expectChange({ bare: "Open", smsHref: null }, ["conditional"]);
  await click("replace");
  await expectChange({ list: FIRST["list"] ?? null });
  await click("toggle");
  await expectChange({
    bare: FIRST["bare"] ?? null,
    conditional: FIRST["conditional"] ?? null,
    smsHref: FIRST["smsHref"] ?? null,
  });
  // Twice in one task: the tag sees neither state alone.
  await page.evaluate(
    `for (const id of ["toggle", "change", "toggle", "change", "count"]) document.getElementById(id).click()`,
  );
  await expectChange({ counter: "3 clicks, call 833-555-0001" });
  await page.evaluate("app.unmount()");
  await expect.poll(() => page.textContent("[data-app]")).toBe("");
}

/** A page of the site: the tag in its head, and the framework's script where `ending` puts it. */
function putPage(path: string, root: string, ending: string, { rootId = "root", tag = "/tag.js" } = {}): void {
  site.put(path, {
    body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Landing</title><script async src="${tag}"></script></head>
<body><div id="${rootId}" data-app>${root}</div>${ending}</body></html>`,
  });
}

function putPages(framework: Framework, mode: Mode, { html, script }: BuiltApp): void {
  const path = `/${framework}-${mode}`;
  const now = (verb: "hydrate" | "mount") => `app.${verb}(document.querySelector("[data-app]"));`;
  const put = (name: string, body: string) => site.put(name, { type: "text/javascript", body });
  put(`${path}.js`, script);
  put(`${path}-hydrate.js`, script + now("hydrate"));
  put(`${path}-mount.js`, script + now("mount"));
  putPage(`${path}-taken-over`, html, `<script src="${path}-hydrate.js"></script>`);
  putPage(`${path}-drawn`, "", `<script src="${path}-mount.js"></script>`);
  for (const rootId of KNOWN_ROOTS)
    putPage(`${path}-late-${rootId}`, html, `<script src="${path}.js"></script>`, { rootId });
}

/** Of Next and Nuxt. */
const KNOWN_ROOTS = ["__next", "__nuxt"];

describe.each(FRAMEWORKS)("%s", (framework) => {
  beforeAll(async () => {
    for (const mode of MODES) putPages(framework, mode, await builtApp(framework, mode));
  });
  beforeEach(() => void (visitor.complaints.length = 0));

  test.each(MODES)("%s: the tag runs while the page still waits for the framework's script", async (mode) => {
    const { page, complaints } = visitor;
    const path = `/${framework}-${mode}`;
    const release = site.hold(`${path}-hydrate.js`);
    const loaded = page.goto(`${site.url}${path}-taken-over`);
    await page.waitForFunction("window.ringmatch");
    release();
    await loaded;
    await exercise(page);
    expect(complaints).toEqual([]);
  });

  test("the framework comes first, the tag last", async () => {
    const { page, complaints } = visitor;
    const release = site.hold("/tag.js");
    const loaded = page.goto(`${site.url}/${framework}-development-taken-over`);
    await page.waitForFunction("window.app");
    release();
    await loaded;
    await exercise(page);
    expect(complaints).toEqual([]);
  });

  test("drawn in the browser alone", async () => {
    const { page, complaints } = visitor;
    await page.goto(`${site.url}/${framework}-production-drawn`);
    await exercise(page);
    expect(complaints).toEqual([]);
  });
});

test.each([
  ["react", "__next"],
  ["vue", "__nuxt"],
] as const)("%s takes #%s over after the page has loaded", async (framework, rootId) => {
  const { page, complaints } = visitor;
  complaints.length = 0;
  await page.goto(`${site.url}/${framework}-development-late-${rootId}`);
  await page.waitForFunction("window.ringmatch");
  await page.evaluate(`app.hydrate(document.querySelector("[data-app]"))`);
  await exercise(page);
  expect(complaints).toEqual([]);
});

/** These pages can tell: what other scripts do shows on them. */
describe("a naive replacer", () => {
  const pairs = new Map([SALES, SERVICE].map(({ destination, promo }) => [destination, promo]));
  const path = "/react-development";
  beforeEach(() => void (visitor.complaints.length = 0));

  test("that runs before the framework makes it complain", async () => {
    const { page, complaints } = visitor;
    site.put("/walker.js", { type: "text/javascript", body: `${textWalker(pairs)};window.naive = true` });
    const { html } = await builtApp("react", "development");
    putPage(`${path}-naive`, html, `<script src="/walker.js"></script><script src="${path}-hydrate.js"></script>`, {
      tag: "",
    });
    await page.goto(`${site.url}${path}-naive`);
    expect(complaints.join("\n")).toMatch(/hydrat/i);
  });

  test("that sets HTML anew leaves buttons that do nothing", async () => {
    const { page } = visitor;
    putPage(`${path}-naive`, "", `<script src="${path}-mount.js"></script>`, { tag: "" });
    await page.goto(`${site.url}${path}-naive`);
    await page.evaluate(htmlReplacer(pairs));
    await page.evaluate(`document.getElementById("count").click()`);
    expect(await page.textContent("#counter")).toMatch(/^0 clicks, call 833/);
  });
});
