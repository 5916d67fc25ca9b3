/** Every page of test/tag/pages, and beside it what the tag is to make of it. */
import { readdirSync, readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { closePagesAfterwards, openPage } from "../support/browser.js";
import { setPage, startScript } from "./support/page-half.js";

closePagesAfterwards();

const FOLDER = new URL("pages/", import.meta.url);
const EXPECTED = ".expected.html";
const NAMES = readdirSync(FOLDER)
  .filter((file) => file.endsWith(EXPECTED))
  .map((file) => file.slice(0, -EXPECTED.length));
const read = (file: string) => readFileSync(new URL(file, FOLDER), "utf8");

const NUMBERS = ["+18005550100", "+12125550123", "+18003569377", "+442079460018"];
const SHOWN_BEFORE = [["+18775550199", "+18005550100"]] as const;
const SHOWN = [
  ["+18005550100", "+18885550142"],
  ["+12125550123", "+12125550177"],
  ["+18003569377", "+18665550111"],
  ["+442079460018", "+442079460999"],
] as const;

/** Pages whose own text is not to come back: an empty slot is filled, a promo number on the page becomes its destination. */
const HEALED = new Set(["already-right", "cached-swapped", "slots"]);

let page: Page;
let complaints: string[];
beforeAll(async () => ({ page, complaints } = await openPage()));

test("the gallery is whole: a page for each expectation, 25 at least", () => {
  expect(NAMES.length).toBeGreaterThanOrEqual(25);
  expect(readdirSync(FOLDER)).toHaveLength(2 * NAMES.length);
});

describe.each(NAMES)("%s", (name) => {
  test("shows the visitor's numbers, adds and removes no node, and puts the page back to the letter", async () => {
    const run = <T>(script: string) => page.evaluate<T>(script);
    await setPage(page, read(`${name}${EXPECTED}`));
    const expected = await run("markup()");
    await setPage(page, read(`${name}.html`));
    const original = await run("markup()");

    const script = startScript({ numbers: NUMBERS, discover: true, shownBefore: SHOWN_BEFORE, shown: SHOWN });
    const changes = await run<string[]>(`changesOf(() => ${script})`);
    expect(await run("markup()")).toBe(expected);
    // The one empty slot of the gallery has no text to write into.
    expect(changes.filter((type) => type === "childList")).toHaveLength(name === "slots" ? 1 : 0);
    expect(
      await run(`changesOf(() => { live.watch.scan(); live.watch.show(new Map(${JSON.stringify(SHOWN)})); })`),
    ).toEqual([]);
    expect(await page.title()).toBe("Call 800-555-0100");

    const putBack = await run<string[]>("changesOf(() => live.watch.show(new Map()))");
    const back = await run<string>("markup()");
    expect(putBack).not.toContain("childList");
    if (!HEALED.has(name)) expect(back).toBe(original);
    for (const number of [...SHOWN.map(([, promo]) => promo), ...SHOWN_BEFORE.map(([promo]) => promo)])
      expect(back.replace(/\D/g, "")).not.toContain(number.slice(2));
    expect(complaints).toEqual([]);
  });
});
