/** One view of the page with one script on it, in a browser whose CPU is slowed down: what the script's first look and swap cost, and a run of re-renders. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { callbacksMs, costMs, traced } from "./main-thread.js";
import { RENDERS } from "./page.js";

/** As Lighthouse does for a phone of the middle class. */
const SLOW_DOWN = 4;
/** After the last answer; then the script has done what it does by itself. */
const SETTLE_MS = 250;

export interface Contestant {
  readonly scriptUrl: string;
  /** It asks for the visitor's numbers first, unless the browser has them. */
  readonly asks: boolean;
  /** Numbers of the page that must be swapped in the end. */
  readonly swaps: number;
}

export interface View {
  readonly scriptMs: number;
  readonly renderingMs: number;
}

/** @throws Error when not as many numbers were swapped as the contestant says */
export async function firstLook(
  browser: Browser,
  context: BrowserContext,
  pageUrl: string,
  contestant: Contestant,
): Promise<View> {
  const page = await openSlowly(context, pageUrl);
  const trace = await traced(browser, page, () => load(page, contestant));
  await check(page, contestant.swaps);
  await page.close();
  const { script, rendering } = costMs(trace, contestant.scriptUrl);
  return { scriptMs: script, renderingMs: rendering };
}

/** @returns ms of the script's callbacks while the page draws its list anew RENDERS times, once a frame */
export async function reRenders(
  browser: Browser,
  context: BrowserContext,
  pageUrl: string,
  contestant: Contestant,
): Promise<number> {
  const page = await openSlowly(context, pageUrl);
  await load(page, contestant);
  const trace = await traced(browser, page, async () => {
    await page.evaluate(`new Promise((done) => {
      let n = 0;
      const frame = () => { if (n === ${RENDERS}) return done(); render(n++); requestAnimationFrame(frame); };
      requestAnimationFrame(frame);
    })`);
    await settled(page);
  });
  await check(page, contestant.swaps);
  await page.close();
  return callbacksMs(trace, contestant.scriptUrl);
}

async function openSlowly(context: BrowserContext, pageUrl: string): Promise<Page> {
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: SLOW_DOWN });
  await page.goto(pageUrl);
  return page;
}

async function load(page: Page, { scriptUrl, asks }: Contestant): Promise<void> {
  const answered = asks ? page.waitForResponse((response) => response.url().endsWith("/v1/presentations")) : null;
  const loaded = page.waitForResponse(scriptUrl);
  await page.evaluate(
    `{ const script = document.createElement("script"); script.src = ${JSON.stringify(scriptUrl)}; document.head.append(script); }`,
  );
  await (await loaded).finished();
  if (answered !== null) await (await answered).finished();
  await settled(page);
}

async function settled(page: Page): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  // Answered when the main thread is free.
  await page.evaluate("0");
}

/** Promo numbers are those of area code 833. */
async function check(page: Page, swaps: number): Promise<void> {
  const text = await page.evaluate<string>(`document.querySelector("main").textContent`);
  const seen = text.match(/\(?833\)?[-. ]*555[-. ]*00/g)?.length ?? 0;
  if (seen < swaps) throw new Error(`Of ${swaps} numbers ${seen} were swapped.`);
}
