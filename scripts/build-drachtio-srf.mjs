#!/usr/bin/env node
/**
 * Makes dist/drachtio-srf.cjs of the package drachtio-srf: all of it in one file, without the texts for its debug log. It puts each message into words
 * for that log, several times, whether anybody reads it or not (`debug(JSON.stringify(…))`), and asks the environment for an option at each name of a
 * header: 5 and 12 % of a bare call's time, in two runs of interleaved rounds. Run by `npm run build` and `npm test`; src/sip/load-drachtio-srf.ts says who loads it.
 */
import { mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import ts from "typescript";

const OUT = fileURLToPath(new URL("../dist/drachtio-srf.cjs", import.meta.url));
const SOURCES = /[\\/]drachtio-srf[\\/]lib[\\/].*\.js$/;

/** Its loggers, all made by the package `debug`. */
const LOGGERS = new Set(["debug", "debugSocket"]);

/** @returns {Promise<string>} a CommonJS module */
export async function buildDrachtioSrf() {
  const { outputFiles } = await build({
    entryPoints: [createRequire(import.meta.url).resolve("drachtio-srf")],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    // Nobody sets it for the service; reading the environment calls the C library.
    define: { "process.env.DRACHTIO_PRESERVE_HEADER_NAMES": "undefined" },
    plugins: [{ name: "without debug texts", setup: (esbuild) => esbuild.onLoad({ filter: SOURCES }, loadQuiet) }],
  });
  return outputFiles[0].text;
}

function loadQuiet({ path }) {
  return { contents: withoutDebugTexts(readFileSync(path, "utf8")), loader: "js" };
}

/** Each statement `debug(…);` becomes an empty one on as many lines; nothing else is touched. */
export function withoutDebugTexts(source) {
  const file = ts.createSourceFile("drachtio-srf.js", source, ts.ScriptTarget.Latest, false, ts.ScriptKind.JS);
  let quiet = "";
  let from = 0;
  const visit = (node) => {
    if (!isDebugCall(node)) return ts.forEachChild(node, visit);
    const start = node.getStart(file);
    const lines = source.slice(start, node.end).split("\n").length;
    quiet += `${source.slice(from, start)};${"\n".repeat(lines - 1)}`;
    from = node.end;
  };
  visit(file);
  return quiet + source.slice(from);
}

function isDebugCall(node) {
  return (
    ts.isExpressionStatement(node) &&
    ts.isCallExpression(node.expression) &&
    ts.isIdentifier(node.expression.expression) &&
    LOGGERS.has(node.expression.expression.text)
  );
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  mkdirSync(dirname(OUT), { recursive: true });
  // Renamed into place: a service that starts meanwhile reads one or the other.
  writeFileSync(`${OUT}.${process.pid}`, await buildDrachtioSrf());
  renameSync(`${OUT}.${process.pid}`, OUT);
}
