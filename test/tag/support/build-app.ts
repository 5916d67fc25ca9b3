/**
 * Builds one page of test/tag/frameworks with its framework's own compiler: what the server sends, and the script that takes it over or draws it anew.
 * `window.app` of that script: `hydrate(element)`, `mount(element)`, `unmount()`.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { compileFunction } from "node:vm";
import { build, type Plugin } from "esbuild";
import { compile } from "svelte/compiler";
import { compileScript, parse } from "vue/compiler-sfc";

const FRAMEWORKS_DIR = resolve(import.meta.dirname, "../frameworks");

export type Framework = "react" | "vue" | "svelte";
/** Warnings of hydration are said by development builds; production ones are what visitors get. */
export type Mode = "development" | "production";

export interface BuiltApp {
  /** What belongs into the root element, as rendered on the server. */
  readonly html: string;
  /** A classic script that sets `window.app`. */
  readonly script: string;
}

const ENTRIES: Readonly<Record<Framework, string>> = { react: "react.jsx", vue: "vue.js", svelte: "svelte.js" };

const building = new Map<string, Promise<BuiltApp>>();

/** Each is built once a run of the file. */
export function builtApp(framework: Framework, mode: Mode): Promise<BuiltApp> {
  const key = `${framework} ${mode}`;
  const made = building.get(key) ?? buildApp(framework, mode);
  building.set(key, made);
  return made;
}

async function buildApp(framework: Framework, mode: Mode): Promise<BuiltApp> {
  const [script, render] = await Promise.all([bundle(framework, mode, "client"), bundle(framework, mode, "server")]);
  return { html: await rendered(render), script };
}

async function bundle(framework: Framework, mode: Mode, side: "client" | "server"): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [resolve(FRAMEWORKS_DIR, ENTRIES[framework])],
    bundle: true,
    write: false,
    minify: mode === "production",
    format: "iife",
    platform: side === "client" ? "browser" : "node",
    // Packages choose their development build by this condition, or by the variable below.
    conditions: side === "client" ? ["browser", mode] : ["node", mode],
    jsx: "automatic",
    define: {
      RENDER: String(side === "server"),
      "process.env.NODE_ENV": JSON.stringify(mode),
      __VUE_OPTIONS_API__: "false",
      __VUE_PROD_DEVTOOLS__: "false",
      // Otherwise a production build says that there was a mismatch, but not where.
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "true",
    },
    plugins: [sveltePlugin(mode, side), vuePlugin(mode, side)],
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}

function sveltePlugin(mode: Mode, side: "client" | "server"): Plugin {
  return {
    name: "svelte",
    setup: (setup) => {
      setup.onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        const { js } = compile(source, { filename: path, generate: side, dev: mode === "development" });
        return { contents: js.code, loader: "js" };
      });
    },
  };
}

function vuePlugin(mode: Mode, side: "client" | "server"): Plugin {
  return {
    name: "vue",
    setup: (setup) => {
      setup.onLoad({ filter: /\.vue$/ }, async ({ path }) => {
        const { descriptor } = parse(await readFile(path, "utf8"), { filename: path });
        const { content } = compileScript(descriptor, {
          id: "landing",
          inlineTemplate: true,
          isProd: mode === "production",
          templateOptions: { ssr: side === "server", ssrCssVars: [] },
        });
        return { contents: content, loader: "js" };
      });
    },
  };
}

/** Runs a server bundle, which hands its HTML (or a promise of it) to `tell`. */
async function rendered(script: string): Promise<string> {
  const told: (string | Promise<string>)[] = [];
  const run = compileFunction(script, ["require", "tell"]) as (load: NodeJS.Require, tell: typeof told.push) => void;
  run(createRequire(import.meta.url), (...made) => told.push(...made));
  const html = await told[0];
  if (html === undefined || html === "") throw new Error("the server's bundle rendered nothing");
  return html;
}
