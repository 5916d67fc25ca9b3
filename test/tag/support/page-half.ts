/** The page's half of the tag alone, in a real page: built with esbuild as the tag is, with what in-page.mjs adds for tests. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Page } from "playwright-core";

let building: Promise<string> | null = null;

function pageHalf(): Promise<string> {
  building ??= build({
    entryPoints: [fileURLToPath(new URL("in-page.mjs", import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2020",
    charset: "ascii",
  }).then(({ outputFiles }) => outputFiles[0]!.text);
  return building;
}

/** Opens a page with this markup and the page's half in it, not yet watching. */
export async function setPage(page: Page, html: string): Promise<void> {
  // setContent alone keeps the former page's globals, and its observers.
  await page.goto("about:blank");
  await page.setContent(html);
  await page.evaluate(await pageHalf());
}

export interface StartOptions {
  readonly numbers: readonly string[];
  readonly slotsOnly?: boolean;
  readonly discover?: boolean;
  readonly shownBefore?: readonly (readonly [promo: string, destination: string])[];
  readonly shown?: readonly (readonly [destination: string, promo: string])[];
}

/** A call of in-page.mjs's `start`, for page.evaluate. */
export function startScript(options: StartOptions): string {
  return `start(${JSON.stringify(options)})`;
}
