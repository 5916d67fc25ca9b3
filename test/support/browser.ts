/**
 * Debian's Chromium, one a worker, started on first use. Each test gets a context of its own: no cookie, no storage and no cache of another's. Every
 * page must stay on this machine: what it asks of any other host fails.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll } from "vitest";

const LAUNCH_MS_MAX = 30_000;

let launching: Promise<Browser> | null = null;

/** The worker's browser. Call it inside tests, or from beforeAll. */
export function browser(): Promise<Browser> {
  launching ??= chromium.launch({
    executablePath: chromiumOnPath(),
    timeout: LAUNCH_MS_MAX,
    // Tests run as root in CI, where Chromium's sandbox refuses to start; it only ever sees our own pages.
    chromiumSandbox: false,
  });
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

function chromiumOnPath(): string {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, "chromium");
    if (existsSync(path)) return path;
  }
  throw new Error("chromium is missing: run scripts/bootstrap.sh test");
}

const opened: BrowserContext[] = [];

/** Call at the top of a test file: closes the contexts of its tests. The browser itself ends with the worker's process. */
export function closePagesAfterwards(): void {
  afterAll(async () => {
    await Promise.all(opened.splice(0).map((context) => context.close()));
  });
}
