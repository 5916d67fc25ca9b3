/** The tester of the tag on pasted pages, in a real browser: what is swapped, and for each number that is not, the exact reason. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { closePagesAfterwards, openPage } from "../support/browser.js";

closePagesAfterwards();

const TRACKED = "+18005550100";
const OTHER = "+14155550111";
const FACTS = {
  tagKey: "tag_mine",
  serviceOrigin: "https://calls.example.com",
  numbers: [TRACKED, OTHER, "+442079460958", "+18003569377", "+18005550107"],
  discovered: ["+18005550102"],
  ignored: ["+18005550103"],
  notToReplace: ["+18005550104"],
  pools: { automatic: [TRACKED, "+442079460958", "+18003569377"], campaign: [OTHER] },
  allowedOrigins: [] as string[],
  paused: false,
  slotsOnly: false,
};
const SNIPPET = '<script async src="https://calls.example.com/tag.js?key=tag_mine"></script>';

const BUILD = resolve(import.meta.dirname, "../../scripts/build-dashboard.mjs");

let page: Page;
beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [resolve(import.meta.dirname, "../../dashboard/src/tester/test-page.ts")],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "tester",
  });
  const { buildTagPage } = (await import(pathToFileURL(BUILD).href)) as { buildTagPage(): Promise<string> };
  page = (await openPage()).page;
  await page.evaluate(`globalThis.ringmatchPage = ${await buildTagPage()}`);
  await page.evaluate(`${outputFiles[0]?.text}; globalThis.tester = tester;`);
});

interface Given {
  readonly url?: string;
  readonly policyHeader?: string;
  readonly facts?: Partial<typeof FACTS>;
}

/** What is read of the report here. */
interface Report {
  readonly problems: readonly { kind: string }[];
  readonly isStopped: boolean;
  readonly rows: readonly {
    candidate: { written: string; where: { kind: string; name?: string } };
    verdict: { kind: "left"; why: string } | { kind: "swapped"; how: string; campaignsOnly: boolean; isLater: boolean };
  }[];
}

/** `written → how or why`, in the page's order, and the kinds of problems. */
async function tried(html: string, { url, policyHeader, facts = {} }: Given = {}) {
  return page.evaluate(
    ([given, known]) => {
      const { tester } = globalThis as unknown as { tester: { testPage(given: object, facts: object): Report } };
      const { problems, isStopped, rows } = tester.testPage(given, known);
      return {
        problems: problems.map((problem) => problem.kind),
        isStopped,
        rows: rows.map(({ candidate: { written, where }, verdict }) =>
          verdict.kind === "left"
            ? `${written} → ${verdict.why}`
            : `${written} → swapped ${verdict.how}${verdict.campaignsOnly ? " campaigns" : ""}${verdict.isLater ? " later" : ""}${where.kind === "attribute" ? ` ${where.name}` : ""}`,
        ),
      };
    },
    [
      { html, url: url ?? null, policyHeader: policyHeader ?? null },
      { ...FACTS, ...facts },
    ] as const,
  );
}

async function rowsOf(html: string, given: Given = {}): Promise<string[]> {
  return (await tried(SNIPPET + html, given)).rows;
}

describe("what is swapped", () => {
  it("in text, however it is written, with letters and from abroad", async () => {
    expect(
      await rowsOf(
        "<p>(800) 555-0100 or 1.800.555.0100</p><p>+44 20 7946 0958, 1-800-FLOWERS</p><p>Spring: 415-555-0111</p>",
      ),
    ).toEqual([
      "(800) 555-0100 → swapped text",
      "1.800.555.0100 → swapped text",
      "+44 20 7946 0958 → swapped text",
      "1-800-FLOWERS → swapped text",
      "415-555-0111 → swapped text campaigns",
    ]);
  });

  it("split over elements, in links, attributes and slots", async () => {
    expect(
      await rowsOf(`<p>(<b>800</b>) <i>555</i>-0100</p><a href="tel:+18005550100" aria-label="Call 800 555 0100">Call us</a>
        <a href="sms:8005550100">Text</a><img alt="800-555-0100"><span data-ringmatch-number="+18005550100">call us</span>`),
    ).toEqual([
      "call us → swapped slot",
      "(800) 555-0100 → swapped split",
      "tel:+18005550100 → swapped link",
      "800 555 0100 → swapped attribute aria-label",
      "sms:8005550100 → swapped link",
      "800-555-0100 → swapped attribute alt",
    ]);
  });

  it("in links with a space before them or a text after them, as browsers take them", async () => {
    expect(
      await rowsOf(`<a href=" tel:8005550100">a</a><a href="sms:8005550100&amp;body=Hi%20there">b</a>
        <a href="sms:+12125550123&amp;body=1">c</a>`),
    ).toEqual([
      "tel:8005550100 → swapped link",
      "sms:8005550100&body=Hi%20there → swapped link",
      "sms:+12125550123&body=1 → not_tracked",
    ]);
  });

  it("where a framework takes the page over first, later", async () => {
    expect(await rowsOf(`<div id="__next"><p>800-555-0100</p></div>`)).toEqual(["800-555-0100 → swapped text later"]);
  });
});

describe("what is left", () => {
  it("because of what the number is to the account", async () => {
    expect(
      await rowsOf(`<p>212-555-0123</p><p>+49 30 1234567</p><p>800-555-0102</p><p>800-555-0103</p><p>800-555-0104</p><p>800-555-0107</p>
        <a href="tel:service">call</a>`),
    ).toEqual([
      "212-555-0123 → not_tracked",
      "+49 30 1234567 → not_tracked",
      "800-555-0102 → discovered",
      "800-555-0103 → ignored_destination",
      "800-555-0104 → not_to_replace",
      "800-555-0107 → no_pool",
      "tel:service → not_a_number",
    ]);
  });

  it("because of what it is in", async () => {
    expect(
      await rowsOf(`<p data-ringmatch-ignore>800-555-0100</p><div contenteditable>800-555-0101 800-555-0100</div><textarea>800-555-0100</textarea>
        <code>800-555-0100</code><noscript><p>800-555-0100</p></noscript>`),
    ).toEqual([
      "800-555-0100 → ignored_element",
      "800-555-0101 → not_tracked",
      "800-555-0100 → editable",
      "800-555-0100 → input",
      "800-555-0100 → code",
      "800-555-0100 → noscript",
    ]);
  });

  it("because nobody sees it there", async () => {
    expect(
      await rowsOf(`<script>const phone = "800-555-0100", id = 4155550123;</script><script type="application/ld+json">{"telephone":"+1-800-555-0100"}</script>
        <style>/* 800-555-0100 */</style><!-- 800-555-0100 --><template><p>800-555-0100</p></template><iframe srcdoc="&lt;p>800-555-0100"></iframe>
        <img src="/call-800-555-0100.png" alt=""><input value="800-555-0100" placeholder="800-555-0100"><meta content="800-555-0100">`).then(
        (rows) => rows.sort(),
      ),
    ).toEqual(
      [
        "800-555-0100 → comment",
        "800-555-0100 → script",
        "+1-800-555-0100 → json_ld",
        "800-555-0100 → style",
        "800-555-0100 → template",
        "800-555-0100 → iframe",
        "800-555-0100 → image",
        "800-555-0100 → input",
        "800-555-0100 → input",
        "800-555-0100 → other_attribute",
      ].sort(),
    );
  });

  it("because it is part of something longer", async () => {
    expect(await rowsOf("<p>Order 99918005550100123</p><p>Article #8005550100</p><p>800-555-0100-22</p>")).toEqual([
      "99918005550100123 → part_of_more",
      "#8005550100 → part_of_more",
      "800-555-0100-22 → part_of_more",
    ]);
  });

  it("because the account swaps slots only", async () => {
    const html = `<p>800-555-0100</p><a href="tel:8005550100">x</a><b data-ringmatch-number="8005550100">800-555-0100</b>`;
    expect(await rowsOf(html, { facts: { slotsOnly: true } })).toEqual([
      "800-555-0100 → swapped slot",
      "800-555-0100 → slots_only",
      "tel:8005550100 → slots_only",
    ]);
  });

  it("because it is no number", async () => {
    expect(await rowsOf("<p>2026-11-28, 12:00, 1,000,000.00, 192.168.100.200, ISBN 978-3-16-148410-0</p>")).toEqual([]);
  });
});

describe("what stops the tag on a page", () => {
  const PHONE = "<p>800-555-0100</p>";
  it.each<[string, string, Given, string[], boolean]>([
    ["nothing", SNIPPET, {}, [], false],
    ["no snippet", "", {}, ["snippet_missing"], true],
    [
      "a tag manager, perhaps",
      '<script src="https://www.googletagmanager.com/gtm.js?id=GTM-ABC123"></script>',
      {},
      ["snippet_missing"],
      false,
    ],
    ["the snippet twice", SNIPPET + SNIPPET, {}, ["snippet_twice"], false],
    ["another key", SNIPPET.replace("mine", "other"), {}, ["other_key"], true],
    ["another service", SNIPPET.replace("calls.", "old."), {}, ["other_service"], true],
    [
      "the immutable file",
      '<script src="https://calls.example.com/tag/1.0.0-abc.js" data-key="tag_mine"></script>',
      {},
      [],
      false,
    ],
    ["a paused tag", SNIPPET, { facts: { paused: true } }, ["paused"], true],
    [
      "another origin",
      SNIPPET,
      { url: "https://shop.example/", facts: { allowedOrigins: ["https://www.shop.example"] } },
      ["origin_not_allowed"],
      true,
    ],
    [
      "a listed origin",
      SNIPPET,
      { url: "https://www.shop.example/a", facts: { allowedOrigins: ["https://*.shop.example"] } },
      [],
      false,
    ],
    ["frames", `${SNIPPET}<iframe src="https://map.example/"></iframe>`, {}, ["has_frames"], false],
    [
      "a policy in a meta element",
      `<head><meta http-equiv="Content-Security-Policy" content="script-src 'self'">${SNIPPET}</head>`,
      {},
      ["script_blocked"],
      true,
    ],
    [
      "a policy in a header",
      SNIPPET,
      { policyHeader: "default-src 'self'" },
      ["script_blocked", "requests_blocked"],
      true,
    ],
    ["one policy of two", SNIPPET, { policyHeader: "script-src *, connect-src 'none'" }, ["requests_blocked"], true],
    ["a policy that has the service", SNIPPET, { policyHeader: "default-src 'self' https://*.example.com" }, [], false],
    [
      "a policy that has its scheme",
      SNIPPET,
      { policyHeader: "script-src https:; connect-src https: wss:" },
      [],
      false,
    ],
    [
      "a policy for another port",
      SNIPPET,
      { policyHeader: "script-src calls.example.com:8443" },
      ["script_blocked"],
      true,
    ],
    [
      "strict-dynamic without a nonce",
      SNIPPET,
      { policyHeader: "script-src 'strict-dynamic' 'nonce-a' https://calls.example.com" },
      ["script_blocked"],
      true,
    ],
    [
      "strict-dynamic with the nonce",
      SNIPPET.replace("async", 'async nonce="a"'),
      { policyHeader: "script-src 'strict-dynamic' 'nonce-a'" },
      [],
      false,
    ],
  ])("%s", async (_what, html, given, problems, isStopped) => {
    expect(await tried(html + PHONE, given)).toEqual({ problems, isStopped, rows: ["800-555-0100 → swapped text"] });
  });
});

it("runs and loads nothing of the page", async () => {
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  await tried(
    `<script>window.ran = 1</script><img src="http://127.0.0.1:1/x.png" onerror="window.ran = 1"><svg onload="window.ran = 1"></svg>${SNIPPET}`,
  );
  expect(await page.evaluate("window.ran")).toBeUndefined();
  expect(requests).toEqual([]);
});
