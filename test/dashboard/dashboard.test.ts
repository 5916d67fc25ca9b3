/** The dashboard in a real browser, over real data: each of its states, and names that would run if they could. */
import { describe, expect, it } from "vitest";
import type { BrowserContextOptions, Page } from "playwright-core";
import { openPage } from "../support/browser.js";
import { freshDatabase, rows } from "../support/database.js";
import { endCalls, openTo, presentTo } from "../support/judged.js";
import { addInventory, ids, makeAccount, makeWorld, tollFreeNumbers } from "../support/world.js";
import { ADMIN_KEY } from "../http/support/http-world.js";
import { accessibilityFaults, startPages } from "./support/page-server.js";

const { db } = await freshDatabase();
const server = await startPages(db);
const HOSTILE = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;

const HOUR_MS = 3_600_000;
const world = await makeWorld(db, 1, { name: HOSTILE });
const [first, second] = [ids.next("vis"), ids.next("vis")];
await presentTo(db, world, first, { at: Date.now() - 2 * HOUR_MS });
const number = await presentTo(db, world, second, {
  touch: { utm_source: HOSTILE, utm_campaign: "spring" },
  at: Date.now() - HOUR_MS,
});
const callBy = (caller: string | null) => openTo(db, number, { caller });
await endCalls(db, [await callBy("+14155550142")]);

async function dashboard(key: string | null, options: BrowserContextOptions = {}) {
  const opened = await openPage(options);
  await opened.page.goto(`${server.url}/`);
  if (key !== null) {
    await opened.page.fill("#key", key);
    await opened.page.press("#key", "Enter");
  }
  return opened;
}

/** As when the tab comes to the front: the poll does not wait for its time. */
function lookAgain(page: Page): Promise<unknown> {
  return page.evaluate(`document.dispatchEvent(new Event("visibilitychange"))`);
}

describe("the dashboard", () => {
  it("without a key says what it needs, and asks for nothing; tells a key that is wrong, and forgets it when asked to", async () => {
    const { page, complaints } = await dashboard(null);
    expect(await page.isVisible("#welcome")).toBe(true);
    expect(await page.isVisible("#panels")).toBe(false);
    // A violation of the policy is one of them.
    expect(complaints).toEqual([]);
    await page.fill("#key", "no-such-key");
    await page.press("#key", "Enter");
    await page.locator("#calls-note").waitFor();
    expect(await page.textContent("#calls-note")).toBe("This key is unknown or was revoked.");
    expect(await page.evaluate(`Object.values(sessionStorage)`)).toEqual(["no-such-key"]);
    await page.click("#key-forget");
    expect(await page.isVisible("#key")).toBe(true);
    expect(await page.isVisible("#panels")).toBe(false);
    expect(
      await page.evaluate(`[...Object.values(sessionStorage), ...Object.values(localStorage), document.cookie]`),
    ).toEqual([""]);
  });

  it("shows calls, pools, numbers and sources, whatever they are called", async () => {
    const { page, complaints } = await dashboard(ADMIN_KEY);
    const row = page.locator("#calls-rows tr:not(.details)").first();
    await row.waitFor();
    const [, promo, caller, source, outcome, confidence, status] = await row.locator("td").allTextContents();
    expect({ promo, caller, source, outcome, status }).toEqual({
      promo: `(${number.slice(2, 5)}) ${number.slice(5, 8)}-${number.slice(8)}`,
      caller: "…0142",
      source: `${HOSTILE} / spring`,
      outcome: "matched",
      status: "no answer",
    });
    expect(confidence).toMatch(/^\d+(\.\d)? %$/);
    await page.locator("#sources-rows tr").first().waitFor();
    expect(await page.textContent("#sources-rows")).toBe(`${HOSTILE}1`);
    expect(await page.locator("#pools-rows th").first().textContent()).toBe(`${HOSTILE}(800) 555-0100`);
    expect(await page.textContent("#numbers-body table")).toContain("assigned1");
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    expect(await accessibilityFaults(page)).toEqual([]);
    // A violation of the policy is one of them.
    expect(complaints).toEqual([]);
  });

  it("opens a call's explanation by keyboard, and keeps it open and focused through a refresh", async () => {
    const { page } = await dashboard(ADMIN_KEY);
    const button = page.locator("#calls-rows .opens").first();
    await button.focus();
    await page.keyboard.press("Enter");
    const why = page.locator("#calls-rows .why").first();
    await why.waitFor();
    expect(await button.getAttribute("aria-expanded")).toBe("true");
    const text = (await why.textContent()) ?? "";
    expect(text).toContain("The latest visitor presented this number");
    expect(text).toMatch(new RegExp(`${second} was shown the number .+ before the call: probability .+, chosen\\.`));
    expect(text).toMatch(
      new RegExp(`Runner-up: ${first}, shown the number 2 h( 1 min)? before the call, probability .+ %\\.`),
    );
    await endCalls(db, [await callBy(null)]);
    await lookAgain(page);
    await page.locator("#calls-rows tr:not(.details)").nth(1).waitFor();
    expect(await page.locator("#calls-rows td:nth-child(3)").first().textContent()).toBe("anonymous");
    expect(await page.evaluate(`document.querySelectorAll("#calls-rows .opens")[1] === document.activeElement`)).toBe(
      true,
    );
    expect(await why.isVisible()).toBe(true);
  });

  it("opens a call though a text is selected somewhere else", async () => {
    const { page } = await dashboard(ADMIN_KEY);
    const button = page.locator("#calls-rows .opens").first();
    await button.waitFor();
    await page.evaluate(`getSelection().selectAllChildren(document.querySelector("h1"))`);
    await button.focus();
    await page.keyboard.press("Enter");
    expect(await button.getAttribute("aria-expanded")).toBe("true");
    await page.evaluate(`getSelection().selectAllChildren(document.querySelectorAll("#calls-rows td")[1])`);
    await button.click();
    expect(await button.getAttribute("aria-expanded")).toBe("false");
  });

  it("of an account that has nothing yet says so in every panel", async () => {
    const empty = await makeAccount(db, "Empty");
    const { page } = await dashboard(await server.keyOf(empty.id, ["read"]));
    await page.locator("#sources-note").waitFor();
    const notes = await page.locator(".note:visible").allTextContents();
    expect(notes).toEqual([
      "No calls yet. Open the demo page, take the number it shows and call it.",
      "No calls today.",
      "There is no pool yet: POST /v1/pools makes one.",
      "There are no promo numbers yet: POST /v1/numbers adds some.",
    ]);
    expect(await page.isVisible("#account-field")).toBe(false);
  });

  it("keeps what it showed while the service is away; lets a platform's key choose an account", async () => {
    const other = await makeAccount(db, "Another");
    const { page } = await dashboard(ADMIN_KEY);
    await page.locator("#calls-rows tr").first().waitFor();
    await page.context().setOffline(true);
    await lookAgain(page);
    await page.locator("#calls-note.bad").waitFor();
    expect(await page.textContent("#calls-note")).toMatch(/^The service does not answer/);
    expect(await page.isVisible("#calls-rows")).toBe(true);
    await page.context().setOffline(false);
    await lookAgain(page);
    await page.locator("#calls-note").waitFor({ state: "hidden" });
    await page.selectOption("#account", other.id);
    await page.locator("#calls-note", { hasText: /^No calls yet/ }).waitFor();
    expect(await page.locator("#calls-rows tr").count()).toBe(0);
  });

  it("shows when numbers in quarantine may leave it", async () => {
    const [held] = tollFreeNumbers(1);
    await addInventory(db, [held as never]);
    await server.request("POST", `/v1/numbers/${held}/quarantine`, { body: { reason: "test" } });
    const { page } = await dashboard(ADMIN_KEY, { colorScheme: "dark", viewport: { width: 390, height: 800 } });
    await page.locator("#numbers-body h3").waitFor();
    expect(await page.textContent("#numbers-body")).toContain(
      `(${held?.slice(2, 5)}) ${held?.slice(5, 8)}-${held?.slice(8)}: `,
    );
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(await page.evaluate(`document.documentElement.scrollWidth <= innerWidth`)).toBe(true);
  });

  it("is no wider than its window, however long an account's name is", async () => {
    await makeAccount(db, "Very long name ".repeat(13));
    const { page } = await dashboard(ADMIN_KEY, { viewport: { width: 320, height: 800 } });
    await page.locator("#account").waitFor();
    expect(await page.evaluate(`document.documentElement.scrollWidth <= innerWidth`)).toBe(true);
  });

  it("of a platform with many pools and accounts shows the pools with most calls and their loads, and lets every account be chosen", async () => {
    const many = await makeAccount(db, "Many pools");
    await rows(
      db,
      `insert into account (id, name, tag_key) select 'acc_00' || lpad(n::text, 8, '0'), 'Account ' || n, 'tag_' || n from generate_series(1, 501) n`,
    );
    await rows(
      db,
      `with made as (insert into destination (id, account_id, number, number_type) select 'dst_00' || lpad(n::text, 8, '0'), $1, '+1800555' || (1000 + n), 'toll_free' from generate_series(1, 60) n returning id, number)
       insert into pool (id, account_id, name, kind, destination_id, number_type, max_size, session_lifetime_s, retention_s, drain_s, overflow) select 'pool_00' || right(id, 8), $1, 'Pool ' || right(id, 2), 'automatic', id, 'toll_free', 2, 1800, 259200, 259200, 'overflow_number' from made`,
      [many.id],
    );
    const { page } = await dashboard(ADMIN_KEY);
    await page.locator("#pools-body").waitFor();
    const shownPools = await page.locator("#pools-rows tr").allTextContents();
    expect(shownPools).toHaveLength(50);
    // The one that was called.
    expect(shownPools.filter((text) => text.startsWith(HOSTILE))).toHaveLength(1);
    expect(await page.textContent("#pools-more")).toMatch(/^The 50 pools with most calls/);
    expect(await page.locator("#account option").allTextContents()).toContain("Account 501");
  });
});
