#!/usr/bin/env node
/**
 * Makes the files of the pages (dashboard/): scripts of dashboard/src/*.ts bundled, HTML and styles as they are. Run by `npm run build`, which puts them
 * into dist/dashboard; tests build them in memory.
 */
import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const SOURCE = fileURLToPath(new URL("../dashboard/", import.meta.url));
const OUT = new URL("../dist/dashboard/", import.meta.url);

/** Browsers of people who run the service, not of their visitors. */
const TARGET = "es2022";

/** What the tag's page half takes from the browser; a tester gives it other ones. */
const GLOBALS = ["document", "performance", "setTimeout", "clearTimeout", "requestAnimationFrame", "addEventListener"];

/** @returns {Promise<string>} `function ringmatchPage(document, …)`, which gives tag/src/page/watch-page.ts's watchPage */
export async function buildTagPage({ minify = true } = {}) {
  const { outputFiles } = await build({
    stdin: { contents: 'export { watchPage } from "../tag/src/page/watch-page.ts";', resolveDir: SOURCE, loader: "ts" },
    bundle: true,
    minify,
    write: false,
    format: "iife",
    globalName: "page",
    target: TARGET,
    legalComments: "none",
  });
  return `function ringmatchPage(${GLOBALS.join(",")}){${outputFiles[0].text};return page.watchPage}\n`;
}

/** @returns {Promise<Record<string, string>>} file name → text */
export async function buildDashboard({ minify = true } = {}) {
  const entryPoints = readdirSync(`${SOURCE}src`)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${SOURCE}src/${name}`);
  const { outputFiles } = await build({
    entryPoints,
    bundle: true,
    minify,
    write: false,
    outdir: "/",
    format: "iife",
    target: TARGET,
    legalComments: "none",
  });
  const scripts = outputFiles.map(({ path, text }) => [basename(path), text]);
  const texts = ["pages", "styles"].flatMap((folder) =>
    readdirSync(`${SOURCE}${folder}`).map((name) => [name, readFileSync(`${SOURCE}${folder}/${name}`, "utf8")]),
  );
  return Object.fromEntries([...scripts, ["tag-page.js", await buildTagPage({ minify })], ...texts]);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  for (const [name, text] of Object.entries(await buildDashboard())) writeFileSync(new URL(name, OUT), text);
}
