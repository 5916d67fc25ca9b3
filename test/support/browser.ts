/**
 * Debian's Chromium, one a worker, started on first use. Each test gets a context of its own: no cookie, no storage and no cache of another's. Every
 * page must stay on this machine: what it asks of any other host fails.
 */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll } from "vitest";
import { launchChromium } from "./chromium.js";

let launching: Promise<Browser> | null = null;

/** The worker's browser. Call it inside tests, or from beforeAll. */
export function browser(): Promise<Browser> {
  launching ??= launchChromium();
  return launching;
}

export interface OpenPage {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Everything the page complained of: console errors and uncaught exceptions. */
  readonly complaints: string[];
}

/** @param options of the context, e.g. `{ userAgent, javaScriptEnabled }` */
export async function openPage(options: BrowserContextOptions = {}): Promise<OpenPage> {
  const context = await (await browser()).newContext(options);
  await context.route(
    (url) => !["127.0.0.1", "localhost"].includes(url.hostname) && url.protocol.startsWith("http"),
    (route) => route.abort(),
  );
  opened.push(context);
  const page = await context.newPage();
  return { context, page, complaints: watch(page) };
}

export function watch(page: Page): string[] {
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return complaints;
}

const opened: BrowserContext[] = [];

/** Call at the top of a test file: closes the contexts of its tests. The browser itself ends with the worker's process. */
export function closePagesAfterwards(): void {
  afterAll(async () => {
    await Promise.all(opened.splice(0).map((context) => context.close()));
  });
}
