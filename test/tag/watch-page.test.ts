/** What the page's half does while a page lives: batches, frameworks' own writing, fights, shadow roots, hydration, caches. */
import type { Page } from "playwright-core";
import { beforeEach, describe, expect, test } from "vitest";
import { closePagesAfterwards, openPage } from "../support/browser.js";
import { setPage, type StartOptions, startScript } from "./support/page-half.js";

closePagesAfterwards();

/** REWRITES_MAX of tag/src/page/page-text.ts. */
const REWRITES_MAX = 20;

const D = "+18005550100";
const PROMO = "+18885550142";
const OTHER = "+18775550199";

let page: Page;
let complaints: string[];
beforeEach(async () => {
  // One page for the file: its document is new for each test.
  if (!page) ({ page, complaints } = await openPage());
});

type Options = Omit<StartOptions, "numbers">;

/** A page with this body, watched, with the promo number shown. */
async function live(body: string, options: Options = {}): Promise<void> {
  await setPage(page, `<!doctype html><body>${body}</body>`);
  await start(options);
}

async function start(options: Options = {}): Promise<void> {
  await page.evaluate(startScript({ numbers: [D], shown: [[D, PROMO]], ...options }));
}

const text = (selector: string) => page.locator(selector).first().textContent();
const run = <T>(script: string) => page.evaluate<T>(script);
const settled = () => run("frames()");

describe("watching", () => {
  test("what a page adds is swapped in one batch before the next paint", async () => {
    await live("<main></main>");
    const seen = await run(`(async () => {
      performance.now = () => 0;
      const main = document.querySelector("main");
      for (let i = 0; i < 50; i++) main.insertAdjacentHTML("beforeend", "<p>Call <b>800</b>-555-0100</p>");
      await null;
      await new Promise(requestAnimationFrame);
      return [main.textContent.includes("800"), main.textContent.split("888-555-0142").length - 1, live.swaps];
    })()`);
    expect(seen).toEqual([false, 50, 1]);
  });

  test("of a giant change, what is left after the frame's time waits for the next frame", async () => {
    await live("<main></main>");
    const seen = await run(`(async () => {
      let now = 0;
      performance.now = () => (now += 4);
      const main = document.querySelector("main");
      for (let i = 0; i < 4; i++) main.insertAdjacentHTML("beforeend", "<p>800-555-0100</p>");
      await null;
      const counts = [];
      for (let i = 0; i < 4; i++) {
        await new Promise(requestAnimationFrame);
        counts.push(main.textContent.split("888-555-0142").length - 1);
      }
      return counts;
    })()`);
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  test("a text a framework writes over ours is swapped again, and put back as it wrote it last", async () => {
    await live("<p>Call 800-555-0100</p>");
    await run(`document.querySelector("p").firstChild.nodeValue = "Now (800) 555-0100!"`);
    await settled();
    expect(await text("p")).toBe("Now (888) 555-0142!");
    await run("live.watch.show(new Map())");
    expect(await text("p")).toBe("Now (800) 555-0100!");
  });

  test.each([
    ["a text", 'document.querySelector("b").firstChild.nodeValue = "800"'],
    ["a text node", 'document.querySelector("b").replaceChildren("800")'],
    ["an element", 'document.querySelector("b").outerHTML = "<b>800</b>"'],
  ])(
    "%s of several that make one number is written anew by the page: all of it is swapped again",
    async (_, script) => {
      await live("<p>Call <b>800</b>-555-<i>0100</i> now</p>");
      expect(await text("p")).toBe("Call 888-555-0142 now");
      await run(script);
      await settled();
      expect(await text("p")).toBe("Call 888-555-0142 now");
      await run("live.watch.show(new Map())");
      expect(await text("p")).toBe("Call 800-555-0100 now");
    },
  );

  test("what stands in other texts before a number belongs to it, or speaks against it", async () => {
    await live("<p>Call <i>us: +44</i> <b>800-555-0100</b></p><p>Call <i>us: +1</i> <b>800-555-0100</b></p>", {
      shown: [[D, "+442079460018"]],
    });
    expect([await text("p"), await text("p + p")]).toEqual(["Call us: +44 800-555-0100", "Call us: +442079460018"]);
  });

  test("other numbers are written where the first were found, without another look; own writes call for none", async () => {
    await live("<p>Call <b>800</b>-555-0100</p><a href='tel:8005550100'>Call</a>");
    const looks = await run(`(async () => {
      let looks = 0;
      const { createTreeWalker } = document;
      // Each look walks the elements once.
      document.createTreeWalker = (...given) => {
        looks += given[1] === NodeFilter.SHOW_ELEMENT;
        return createTreeWalker.apply(document, given);
      };
      live.watch.show(new Map([["${D}", "${OTHER}"]]));
      const shown = document.body.textContent + document.querySelector("a").getAttribute("href");
      for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
      document.querySelector("a").removeAttribute("href");
      await frames();
      return [shown, looks];
    })()`);
    expect(looks).toEqual([`Call 877-555-0199Calltel:${OTHER}`, 1]);
  });

  test("a text that the page took out keeps what stood in it", async () => {
    await live("<p>Call 800-555-0100</p>");
    const texts = await run(`(() => {
      const p = document.querySelector("p");
      const gone = p.firstChild;
      p.replaceChildren("Call 800.555.0100");
      live.watch.show(new Map([["${D}", "${OTHER}"]]));
      return gone.data;
    })()`);
    expect(texts).toBe("Call 888-555-0142");
    await settled();
    expect(await text("p")).toBe("Call 877.555.0199");
  });

  test("another number, then none: the page's own text each time anew", async () => {
    await live("<p>1-800-555-0100 <i>1.800</i>.555.0100</p>");
    await run(`live.watch.show(new Map([["${D}", "${OTHER}"]]))`);
    expect(await text("p")).toBe("1-877-555-0199 1.877.555.0199");
    await run("live.watch.show(new Map())");
    expect(await text("p")).toBe("1-800-555-0100 1.800.555.0100");
  });

  test("attributes, links and slots that change later", async () => {
    await live("<a>call</a><p></p>");
    await run(`document.querySelector("a").href = "tel:8005550100"; document.querySelector("a").title = "800-555-0100";
      document.querySelector("p").setAttribute("data-ringmatch-number", "${D}")`);
    await settled();
    expect(await run(`document.querySelector("a").outerHTML`)).toBe(
      '<a href="tel:+18885550142" title="888-555-0142">call</a>',
    );
    expect(await text("p")).toBe("(888) 555-0142");
  });

  test("a part that becomes ignored or editable gets its own text back", async () => {
    await live("<p>800-555-0100</p><div>800-555-0100</div>");
    await run(
      `document.querySelector("p").setAttribute("data-ringmatch-ignore", ""); document.querySelector("div").contentEditable = "true"`,
    );
    await settled();
    expect(await text("p")).toBe("800-555-0100");
    expect(await text("div")).toBe("800-555-0100");
  });

  test("shadow roots: there, added, attached to an element that is added, and what changes in them", async () => {
    await live(`<x-a></x-a>`);
    await run(`(() => {
      const host = document.createElement("x-b");
      host.attachShadow({ mode: "open" }).innerHTML = "<p>800-555-0100</p>";
      document.body.append(host);
    })()`);
    await settled();
    await run(`document.querySelector("x-b").shadowRoot.querySelector("p").textContent = "(800) 555-0100"`);
    await settled();
    expect(await run(`document.querySelector("x-b").shadowRoot.textContent`)).toBe("(888) 555-0142");
    await run(
      `document.querySelector("x-a").attachShadow({ mode: "open" }).innerHTML = "800.555.0100"; live.watch.scan()`,
    );
    expect(await run(`document.querySelector("x-a").shadowRoot.textContent`)).toBe("888.555.0142");
  });

  test("who insists on their text gets it: the fight ends", async () => {
    await live("<p>800-555-0100</p><div>800-555-0100</div><i>800-555-0100</i>");
    const writes = await run<[number, number]>(`(async () => {
      const p = document.querySelector("p"), div = document.querySelector("div");
      const counts = [0, 0];
      const fight = (i, node, write) => new MutationObserver(() => { if (node.textContent.includes("888")) { counts[i]++; write(); } })
        .observe(node, { subtree: true, characterData: true, childList: true });
      fight(0, p, () => (p.firstChild.nodeValue = "800-555-0100"));
      fight(1, div, () => (div.innerHTML = "800-555-0100"));
      p.firstChild.nodeValue = "800-555-0100"; div.innerHTML = "800-555-0100";
      for (let last = ""; last !== (last = counts.join()); ) for (let i = 0; i < 10; i++) await frames();
      return counts;
    })()`);
    for (const count of writes) {
      expect(count).toBeGreaterThan(2);
      expect(count).toBeLessThanOrEqual(REWRITES_MAX + 1);
    }
    expect([await text("p"), await text("div"), await text("i")]).toEqual([
      "800-555-0100",
      "800-555-0100",
      "888-555-0142",
    ]);
  });

  test("a text that changes all the time is no fight", async () => {
    await live("<p></p>");
    await run(`(async () => {
      const p = document.querySelector("p");
      for (let i = 0; i < ${REWRITES_MAX * 2}; i++) { p.textContent = "800-555-0100 " + i + " left"; await frames(); }
    })()`);
    expect(await text("p")).toBe(`888-555-0142 ${REWRITES_MAX * 2 - 1} left`);
  });

  test("stop: what is shown stays, nothing more is swapped", async () => {
    await live("<p>800-555-0100</p><div></div>");
    await run(`live.watch.stop(); document.querySelector("div").textContent = "800-555-0100"`);
    await settled();
    expect([await text("p"), await text("div")]).toEqual(["888-555-0142", "800-555-0100"]);
  });
});

test.each([
  [" tel:800-555-0100", "tel:+18885550142"],
  ["\n TEL:+1 800 555 0100;ext=1 2", "TEL:+18885550142;ext=1 2"],
  ["tel: 800-555-0100", "tel:+18885550142"],
  ["tel:800%E2%80%93555-0100", "tel:+18885550142"],
  ["tel:%C2%A0800-555-0100", "tel:+18885550142"],
  ["tel:%2B1%20800%a0555%200100", "tel:+18885550142"],
  ["sms:(800)%20555-0100?body=%C2%A0a b", "sms:+18885550142?body=%C2%A0a b"],
  ["sms:800-555-0100&body=Hi%20there%26you", "sms:+18885550142&body=Hi%20there%26you"],
  ["https://example.com/?tel:800-555-0100", "https://example.com/?tel:800-555-0100"],
  [" tel:800-555-0199", " tel:800-555-0199"],
  ["tel:%zz800-555-01", "tel:%zz800-555-01"],
])("the link %j is written %j", async (href, wanted) => {
  await live("<a>Call 800-555-0100</a>");
  await run(`document.querySelector("a").setAttribute("href", ${JSON.stringify(href)})`);
  await settled();
  expect(await run(`document.querySelector("a").getAttribute("href")`)).toBe(wanted);
});

describe("telling", () => {
  test("each destination once, unknown tel: links when asked to, swaps once a batch", async () => {
    await live('<p>800-555-0100</p><p>800-555-0100</p><a href="tel:212-555-0123">x</a><a href="tel:5550123">y</a>', {
      discover: true,
    });
    await run(
      `document.body.insertAdjacentHTML("beforeend", '<p>800-555-0100</p><a href="tel:+44 20 7946 0018">z</a><b data-ringmatch-number="+13105550199"></b>')`,
    );
    await settled();
    expect(await run("live.found")).toEqual([
      [D, "+12125550123"],
      ["+442079460018", "+13105550199"],
    ]);
    expect(await run("live.swaps")).toBe(2);
  });

  test("of an unknown link its number alone, whatever is dialled or written after it", async () => {
    const links = [
      "sms:+13105550199&body=Hi%20there",
      "tel:+13105550198,,12#",
      "sms:&body=callmenow1",
      "tel:+13105550197;ext=5",
    ];
    await live(links.map((href) => `<a href="${href}">x</a>`).join(""), { discover: true });
    expect(await run("live.found")).toEqual([["+13105550199", "+13105550198", "+13105550197"]]);
  });

  test("nothing of what is left alone, nor unknown links unasked", async () => {
    await live('<p data-ringmatch-ignore>800-555-0100</p><a href="tel:2125550123">x</a>');
    expect(await run("[live.found, live.swaps]")).toEqual([[], 0]);
  });

  test("slots only: texts and links beside them stay", async () => {
    await live(
      `<p>800-555-0100 <a href="tel:8005550100" title="800-555-0100">x</a></p><a data-ringmatch-number="${D}" href="tel:8005550100">(800) 555-0100</a>`,
      {
        slotsOnly: true,
      },
    );
    expect(await run(`document.body.innerHTML`)).toBe(
      `<p>800-555-0100 <a href="tel:8005550100" title="800-555-0100">x</a></p><a data-ringmatch-number="${D}" href="tel:+18885550142">(888) 555-0142</a>`,
    );
  });
});

describe("caches", () => {
  test("a page kept with this browser's former number, and a clone of what is shown", async () => {
    await live("<p>877-555-0199</p>", { shownBefore: [[OTHER, D]] });
    await run(
      `document.body.append(document.querySelector("p").cloneNode(true)); live.watch.show(new Map([["${D}", "${OTHER}"]]))`,
    );
    await settled();
    expect(await run(`[...document.querySelectorAll("p")].map((p) => p.textContent)`)).toEqual([
      "877-555-0199",
      "877-555-0199",
    ]);
    await run("live.watch.show(new Map())");
    expect(await run(`[...document.querySelectorAll("p")].map((p) => p.textContent)`)).toEqual([
      "800-555-0100",
      "800-555-0100",
    ]);
  });

  test("a copy of the whole page with somebody else's number is healed by the mark on its root", async () => {
    await live('<p>Call (800) 555-0100 <a href="tel:800-555-0100">x</a></p>');
    const copy = await run<string>("document.documentElement.outerHTML");
    expect(copy).toContain("888");
    await setPage(page, copy);
    await start({ shown: [] });
    expect(await run(`document.body.innerHTML`)).toContain(
      '<p>Call (800) 555-0100 <a href="tel:+18005550100">x</a></p>',
    );
    await run(`live.watch.show(new Map([["${D}", "${OTHER}"]]))`);
    expect(await text("p")).toContain("(877) 555-0199");
  });
});

describe("hydration", () => {
  const FIBER = `Object.assign(document.querySelector("#__next p"), { __reactProps$x: {} })`;

  test("numbers are told at once, and written when React has taken their element", async () => {
    await live('<div id="__next"><p>800-555-0100</p></div><p id="out">800-555-0100</p>');
    expect([await run("live.found"), await text("#__next p"), await text("#out")]).toEqual([
      [[D]],
      "800-555-0100",
      "888-555-0142",
    ]);
    await settled();
    expect(await text("#__next p")).toBe("800-555-0100");
    await run(FIBER);
    await page.waitForFunction(`document.querySelector("#__next p").textContent === "888-555-0142"`);
  });

  test("inside of what React has taken, an element is awaited; HTML it was given as a string is not", async () => {
    await live('<div id="__next"><section><p>800-555-0100</p></section><article><p>800-555-0100</p></article></div>', {
      shown: [],
    });
    await run(`Object.assign(document.querySelector("section"), { __reactProps$x: {} });
      Object.assign(document.querySelector("article"), { __reactProps$x: { dangerouslySetInnerHTML: {} } });
      live.watch.show(new Map([["${D}", "${PROMO}"]]))`);
    expect([await text("section"), await text("article")]).toEqual(["800-555-0100", "888-555-0142"]);
  });

  test("Vue: until the app is mounted, Nuxt: until it is through; Astro islands: until they are hydrated", async () => {
    await live(
      '<div id="__nuxt">800-555-0100</div><astro-island ssr>800-555-0100</astro-island><div data-server-rendered="true">800-555-0100</div>',
      { shown: [] },
    );
    await run(`live.watch.show(new Map([["${D}", "${PROMO}"]]))`);
    const shown = async (script: string) => {
      await run(script);
      // It is looked 20 times a second.
      await page.waitForTimeout(150);
      return run(`[...document.body.children].map((child) => child.textContent.startsWith("888"))`);
    };
    expect(await shown("")).toEqual([false, false, false]);
    expect(await shown("document.body.children[0].__vue_app__ = { $nuxt: { isHydrating: true } }")).toEqual([
      false,
      false,
      false,
    ]);
    expect(await shown("document.body.children[0].__vue_app__.$nuxt.isHydrating = false")).toEqual([
      true,
      false,
      false,
    ]);
    expect(await shown("document.body.children[1].removeAttribute('ssr')")).toEqual([true, true, false]);
    expect(await shown("document.body.children[2].removeAttribute('data-server-rendered')")).toEqual([
      true,
      true,
      true,
    ]);
  });

  test("a root that nothing ever takes over is not awaited for longer than the limit", async () => {
    await live('<div id="__next"><p>800-555-0100</p></div>');
    await run("(() => { const { now } = performance; performance.now = () => now.call(performance) + 3001; })()");
    await page.waitForFunction(`document.querySelector("p").textContent === "888-555-0142"`);
  });

  test("#root and #app are awaited while the page loads only", async () => {
    await live('<div id="root">800-555-0100</div>');
    expect(await text("#root")).toBe("888-555-0142");
    await setPage(page, '<div id="app">800-555-0100</div>');
    await run(`Object.defineProperty(document, "readyState", { value: "interactive", configurable: true })`);
    await start();
    expect(await text("#app")).toBe("800-555-0100");
    await run("delete document.readyState");
    await page.waitForFunction(`document.querySelector("#app").textContent === "888-555-0142"`);
  });
});

test("no page complained", () => expect(complaints).toEqual([]));
