#!/usr/bin/env node
/**
 * Makes one file of the browser tag (tag/src/tag.ts): a function expression that takes the account's TagConfig, or nothing. Who delivers it writes the
 * call around it. Run by `npm run build`; tests build it in memory.
 */
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify as shorten } from "terser";

const ENTRY = fileURLToPath(new URL("../tag/src/tag.ts", import.meta.url));
const OUT = new URL("../dist/tag/", import.meta.url);

/** Browsers of 2020 and later: what an older one cannot parse it skips, and the page keeps its numbers. */
const TARGET = "es2020";

/** @returns {Promise<string>} `function(__config){…}`, minified */
export async function buildTag({ minify = true } = {}) {
  const { outputFiles } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    write: false,
    format: "esm",
    target: TARGET,
    charset: "ascii",
    minifySyntax: minify,
    legalComments: "none",
  });
  const tag = `function(__config){${outputFiles[0].text.trim()}}`;
  return minify ? shortened(tag) : tag;
}

/** Names that only the tag's two halves call each other by: shorter, too. None that a browser, a configuration or the service has as well. */
const OWN_NAMES = /^(slotsOnly|shownBefore|onFound|onSwapped|within|scan)$/;

/** 6 % shorter than what esbuild makes of it. `unsafe`, `pure_getters`: no getter and no value of ours does anything but give itself. */
async function shortened(tag) {
  const { code } = await shorten(`t=${tag}`, {
    ecma: 2020,
    compress: {
      passes: 3,
      keep_fargs: false,
      unsafe_arrows: true,
      unsafe: true,
      unsafe_comps: true,
      pure_getters: true,
    },
    mangle: { reserved: ["__config"], properties: { regex: OWN_NAMES } },
    format: { ascii_only: true, semicolons: true },
  });
  // Terser makes an arrow of it; who delivers it reckons with the word.
  return code.replace(/^t=(__config=>|function\(__config\))/, "function(__config)").replace(/;$/, "");
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  mkdirSync(OUT, { recursive: true });
  writeFileSync(new URL("tag.js", OUT), await buildTag());
}
