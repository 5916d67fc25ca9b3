/**
 * What must not change on a landing page: its layout (CLS 0 where digits are equally wide), the moment it is first painted, whether it is visible, and what a
 * screen reader's checker finds on it. With an answer from the service, and with one from the browser's storage.
 */
import axe from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { closePagesAfterwards, openPage } from "../support/browser.js";
import { until } from "../support/until.js";
import { type LandingSite, presents, startLandingSite } from "./support/landing-site.js";
import { tagScript } from "./support/tag-script.js";

closePagesAfterwards();

const DESTINATION = "+18005550100";
const PROMO = "+18337771234";

/** Records, before anything of the page runs, what moves and what is done to styles. */
const RECORDER = `<script>
window.shifts = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => shifts.push(entry.value)))
  .observe({ type: "layout-shift", buffered: true });
window.styled = [];
new MutationObserver((records) => records.forEach(({ target, attributeName, addedNodes }) => {
  if (attributeName !== null) styled.push(target.nodeName + " " + attributeName);
  for (const node of addedNodes) if (/^(STYLE|LINK)$/.test(node.nodeName)) styled.push("added " + node.nodeName);
})).observe(document, { subtree: true, attributes: true, attributeFilter: ["style", "class", "hidden"] });
</script>`;

function landing(tag: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Plumbers in Springfield</title>${RECORDER}${tag}
<style>body { font-family: "DejaVu Sans", sans-serif; width: 30em } .fluid { float: left; padding: 0 1em }</style></head>
<body><header><nav><a class="fluid" href="tel:${DESTINATION}" aria-label="Call us on 800-555-0100">(800) 555-0100</a>
<a class="fluid" href="/prices">Prices</a></nav></header>
<main style="clear: both"><h1>Emergency plumber 800-555-0100</h1>
${"<p>We repair what leaks within the hour. Call 800.555.0100 or text <b>800</b>-555-0100, day and night.</p>".repeat(12)}
<img alt="Our van with 800 555 0100 on its side" src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></main></body></html>`;
}

let site: LandingSite;
beforeAll(async () => {
  site = await startLandingSite(presents({ [DESTINATION]: PROMO }));
  site.put("/tag.js", {
    type: "text/javascript",
    body: await tagScript({ numbers: [DESTINATION] }),
    headers: { "cache-control": "no-store" },
  });
  site.put("/plain", { body: landing("") });
  site.put("/landing", { body: landing(`<script async src="/tag.js"></script>`) });
});
afterAll(() => site.stop());

async function swapped(page: Page): Promise<void> {
  await until("a swapped heading", async () => (await page.textContent("h1")) === "Emergency plumber 833-777-1234");
  // Two frames later the swap is laid out and painted, and its shifts are known.
  await page.evaluate(
    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))",
  );
}

test("digits of this font are equally wide, those of the tests below", async () => {
  const { page } = await openPage();
  await page.goto(`${site.url}/plain`);
  const widths = await page.evaluate<number[]>(`(() => {
    const context = document.createElement("canvas").getContext("2d");
    context.font = getComputedStyle(document.body).font;
    return [..."0123456789"].map((digit) => context.measureText(digit).width);
  })()`);
  expect(new Set(widths).size).toBe(1);
});

describe("layout, styles and the first paint", () => {
  test("nothing moves, nothing is styled or hidden: not with an answer of the service, nor with one kept in the browser", async () => {
    const { page, complaints } = await openPage();
    for (const visit of ["new", "returning"]) {
      await page.goto(`${site.url}/landing`);
      await swapped(page);
      expect(await page.evaluate("shifts"), visit).toEqual([]);
      expect(await page.evaluate("styled"), visit).toEqual([]);
    }
    expect(complaints).toEqual([]);
  });

  test("the recorder can tell: a number of more characters moves what is beside it", async () => {
    const { page } = await openPage();
    await page.goto(`${site.url}/plain`);
    // What was not painted yet cannot move.
    await page.waitForFunction(`performance.getEntriesByName("first-contentful-paint").length > 0`);
    await page.evaluate(`document.querySelector("nav a").textContent = "+1 (833) 777-1234 today"`);
    await until("a layout shift", () => page.evaluate<boolean>("shifts.length > 0"));
  });

  test("the page is painted though the tag's script does not come", async () => {
    const { page } = await openPage();
    const release = site.hold("/tag.js");
    const loaded = page.goto(`${site.url}/landing`);
    await page.waitForFunction(`performance.getEntriesByName("first-contentful-paint").length > 0`);
    expect(await page.textContent("h1")).toBe("Emergency plumber 800-555-0100");
    release();
    await loaded;
    await swapped(page);
  });
});

test("axe finds the same on the page with the tag as without", async () => {
  const { page } = await openPage();
  const findings = async (path: string) => {
    await page.goto(site.url + path);
    if (path === "/landing") await swapped(page);
    await page.evaluate(axe.source);
    return page.evaluate<{ rule: string; outcome: string; elements: number }[]>(`axe.run().then((found) =>
      ["violations", "incomplete", "passes"].flatMap((outcome) =>
        found[outcome].map(({ id, nodes }) => ({ rule: id, outcome, elements: nodes.length }))))`);
  };
  const without = await findings("/plain");
  expect(without.length).toBeGreaterThan(10);
  expect(without.filter(({ outcome }) => outcome === "violations")).toEqual([]);
  expect(await findings("/landing")).toEqual(without);
  expect(await page.getAttribute("nav a", "aria-label")).toBe("Call us on 833-777-1234");
  expect(await page.getAttribute("img", "alt")).toBe("Our van with 833 777 1234 on its side");
});
