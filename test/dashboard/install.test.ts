/** The installer page over the real API: lines of the account, the tester on pasted and fetched pages, and what it says when it cannot. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, describe, expect, it } from "vitest";
import { createTargetGuard } from "../../src/account/outgoing/target-guard.js";
import { createPageFetching } from "../../src/service/page-fetching.js";
import { ADMIN_KEY } from "../http/support/http-world.js";
import { openPage } from "../support/browser.js";
import { freshDatabase } from "../support/database.js";
import { until } from "../support/until.js";
import { makeAccount, makeWorld } from "../support/world.js";
import { accessibilityFaults, startPages } from "./support/page-server.js";

const { db } = await freshDatabase();
const { account } = await makeWorld(db, 1);
const fetching = createPageFetching([]);
afterAll(() => fetching.close());
const outgoing = {
  guard: createTargetGuard([]),
  soon: () => {},
  statusOf: async () => ({ kind: "unknown", error: "timeout" }) as const,
  fetchPage: fetching.fetchPage,
};
const server = await startPages(db, { deps: { embedded: true, outgoing } });

const HOSTILE = `<img src=x onerror="window.hacked=1">`;
const site = createServer((_request, response) => {
  response.writeHead(200, { "content-type": "text/html", "content-security-policy": "script-src 'self'" });
  response.end(`<title>Shop</title><p>800-555-0100</p>`);
});
await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
afterAll(() => new Promise((resolve) => (site.closeAllConnections(), site.close(resolve))));
const siteUrl = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;

async function install(key: string | null) {
  const opened = await openPage();
  await opened.page.goto(`${server.url}/install`);
  if (key === null) return opened;
  await opened.page.fill("#key", key);
  await opened.page.press("#key", "Enter");
  // Told of the account, or why not.
  await opened.page.locator("#account-note", { hasNotText: /^(Reading|Without)/ }).waitFor();
  return opened;
}

async function tryPage(page: Page, given: { url?: string; html?: string }): Promise<string[][]> {
  await page.evaluate(`document.querySelector("#result").replaceChildren()`);
  await page.fill("#page-url", given.url ?? "");
  await page.fill("#page-html", given.html ?? "");
  await page.press("#page-url", "Enter");
  await page.waitForSelector("#result .summary, #result .bad");
  const rows = await page.locator("#result tbody tr").all();
  return Promise.all(rows.map((row) => row.locator("td").allTextContents()));
}

describe("the installer page", () => {
  it("without a key shows lines with a place for one, and what a tag key alone tells", async () => {
    const { page, complaints } = await install(null);
    expect(await page.textContent("#snippets pre")).toBe(
      `<script async src="${server.url}/tag.js?key=tag_YOUR_KEY"></script>`,
    );
    await tryPage(page, { html: "<p>800-555-0100" });
    expect(await page.textContent("#result")).toMatch(/^Paste an API key or a tag key first/);
    await page.fill("#tag-key", account.tagKey);
    await page.press("#tag-key", "Enter");
    await page.locator("#account-note", { hasText: /^Numbers the tag looks for: 1\./ }).waitFor();
    const snippet = `<script async src="${server.url}/tag.js?key=${account.tagKey}"></script>`;
    expect(await page.textContent("#snippets pre")).toBe(snippet);
    const rows = await tryPage(page, { html: `${snippet}<p>800-555-0100, 212-555-0123</p>` });
    expect(rows.map(([written, where, number, result]) => [written, where, number, result])).toEqual([
      ["800-555-0100", "text", "(800) 555-0100", "swapped"],
      ["212-555-0123", "text", "(212) 555-0123", "left"],
    ]);
    await tryPage(page, { url: siteUrl });
    expect(await page.textContent("#result")).toMatch(/^Fetching a page needs an API key/);
    expect(complaints).toEqual([]);
  });

  it("with a key shows the account's own lines, and tests pages by what the account has set", async () => {
    const key = await server.keyOf(account.id, ["read", "write"]);
    const { page, complaints } = await install(key);
    expect(await page.textContent("#account-note")).toBe("Acme: revision 1 is live.");
    const [loader, pinned] = await page.locator("#snippets pre").allTextContents();
    expect(loader).toBe(`<script async src="${server.url}/tag.js?key=${account.tagKey}"></script>`);
    expect(pinned).toMatch(/integrity="sha384-[\w+/=]+" crossorigin="anonymous" data-key="tag_\w+"/);
    const rows = await tryPage(page, {
      html: `<p>${HOSTILE} 800-555-0100</p><p title="${HOSTILE.replaceAll('"', "&quot;")} 212-555-0123"></p>`,
    });
    expect(rows.map(([written, where, , result]) => [written, where, result])).toEqual([
      ["800-555-0100", "text", "would be"],
      ["212-555-0123", "attribute title of p", "left"],
    ]);
    expect(await page.textContent("#result .summary")).toBe(
      "1 of 2 places with a number would be swapped; nothing is, until what is said in red is put right.",
    );
    expect(await page.locator("#result .findings li").allTextContents()).toEqual(["The snippet is not in the page."]);
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    expect(await accessibilityFaults(page)).toEqual([]);
    // The browser tells of the handler that stands in the pasted page; it is parsed under this page's policy, and not run.
    expect(complaints.filter((one) => !one.startsWith("Executing inline event handler violates"))).toEqual([]);
  });

  it("fetches a page and reads its policy too", async () => {
    const { page } = await install(ADMIN_KEY);
    await tryPage(page, { url: siteUrl });
    expect(await page.locator("#result .findings li").allTextContents()).toEqual([
      "The snippet is not in the page.",
      "The page's content security policy does not let the tag load: script-src 'self'",
    ]);
    await tryPage(page, { url: "http://127.0.0.1:1/" });
    expect(await page.textContent("#result")).toBe("The page refuses connections.");
    await tryPage(page, { url: "nonsense" });
    expect(await page.textContent("#result")).toBe("The address is no URL: it begins with https://");
  });

  it("copies where the browser lets no page write to the clipboard: over plain http", async () => {
    const { page, complaints } = await install(null);
    await page.evaluate(`Object.defineProperty(navigator, "clipboard", { value: undefined })`);
    await page.click("#snippets button");
    expect(await page.evaluate("getSelection().toString()")).toBe(await page.textContent("#snippets pre"));
    expect(complaints).toEqual([]);
  });

  it("shows nothing of the former account while it asks for another, or when that one cannot be read", async () => {
    const other = await makeAccount(db, "Other");
    const { page } = await install(ADMIN_KEY);
    await page.selectOption("#account", { label: "Acme" });
    await page.locator("#account-note", { hasText: /^Acme: / }).waitFor();
    await tryPage(page, { html: "<p>800-555-0100</p>" });
    let answer: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => (answer = resolve));
    await page.route(/\/v1\/tag\?/, async (route) => (await asked, route.abort()));
    await page.selectOption("#account", other.id);
    expect(await page.textContent("#account-note")).toBe("Reading the account…");
    expect(await page.textContent("#snippets")).not.toContain(account.tagKey);
    expect(await page.textContent("#result")).toBe("");
    answer();
    await page.locator("#account-note.bad").waitFor();
    expect(await page.textContent("#snippets")).not.toContain(account.tagKey);
    await tryPage(page, { html: "<p>800-555-0100</p>" });
    expect(await page.textContent("#result")).toMatch(/^Paste an API key or a tag key first/);
  });

  it("lets a page that comes after the key was forgotten, or another was asked for, be nobody's", async () => {
    const { page, complaints } = await install(ADMIN_KEY);
    const waiting: (() => void)[] = [];
    await page.route("**/v1/tag/fetch_page", async (route) => {
      const response = await route.fetch();
      await new Promise<void>((resolve) => waiting.push(resolve));
      await route.fulfill({ response });
    });
    const tried = async (html: string): Promise<void> => {
      await page.fill("#page-html", html);
      await page.fill("#page-url", siteUrl);
      await page.press("#page-url", "Enter");
    };
    await tried("");
    await until("it is asked for", () => waiting.length === 1);
    await tried("<p>no number at all</p>");
    await page.locator("#result .summary").waitFor();
    const answer = async (one: number): Promise<void> => {
      const answered = page.waitForResponse("**/v1/tag/fetch_page");
      waiting[one]?.();
      await answered;
      await page.waitForTimeout(100);
    };
    await answer(0);
    expect(await page.textContent("#result .summary")).toMatch(/^No telephone number was found/);
    await tried("");
    await until("it is asked for again", () => waiting.length === 2);
    await page.click("#key-forget");
    await answer(1);
    expect(await page.textContent("#result")).toBe("");
    expect(complaints).toEqual([]);
  });

  it("tells a key that is wrong", async () => {
    const { page } = await install("no-such-key");
    expect(await page.textContent("#account-note")).toBe("This key is unknown or was revoked.");
  });

  it("knows the account's further settings: origins, a paused tag, numbers to leave alone", async () => {
    const other = await makeAccount(db, "Careful");
    for (const number of ["+18005550100", "+18005550101"]) {
      await server.request("POST", "/v1/destinations", { body: { account_id: other.id, number } });
    }
    await server.request("PATCH", `/v1/accounts/${other.id}`, {
      body: { allowed_origins: ["https://www.shop.example"] },
    });
    const query = `account_id=${other.id}`;
    await server.request("PUT", `/v1/tag/draft?${query}`, { body: { numbers_not_to_replace: ["+18005550101"] } });
    await server.request("POST", `/v1/tag/live?${query}`);
    await server.request("POST", `/v1/tag/pause?${query}`);
    const { page } = await install(await server.keyOf(other.id, ["read"]));
    expect(await page.textContent("#account-note")).toBe("Careful: revision 2 is live, and paused.");
    const html = `<script src="${server.url}/tag.js?key=${other.tagKey}"></script><p>800-555-0100</p><p>800-555-0101</p>`;
    const rows = await tryPage(page, { html, url: "https://shop.example/" });
    expect(rows.map((row) => row.at(-1))).toEqual([
      "It is tracked, but there is no pool to take a visitor's number from: POST /v1/pools.",
      "The account's tag leaves it alone (numbers_not_to_replace).",
    ]);
    expect(await page.locator("#result .findings li").allTextContents()).toEqual([
      "The account's tag is paused.",
      "The account's allowed_origins do not have this page's: https://shop.example",
    ]);
  });
});
