/**
 * Runs the tests that drachtio-srf ships in its own package against our SIP edge: `npm run build && node scripts/srf-suite.mjs [--dist DIR] [--write]
 * [--only FILE,…]`. Ends with 1 when a row fails without a reason, or when docs/srf-suite.md says something else; `--write` writes it anew.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { documentOf, untold } from "./srf-suite/document.mjs";
import { FILES, runAll } from "./srf-suite/run-all.mjs";

const ROOT = resolve(import.meta.dirname, "..");
const DOCUMENT = join(ROOT, "docs/srf-suite.md");
const argument = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined);

const files = argument("--only")?.split(",") ?? FILES;
const rows = await runAll(files, resolve(argument("--dist") ?? join(ROOT, "dist")));
const problems = untold(rows, files);
for (const { file, what, ok } of rows) process.stdout.write(`${ok ? "ok  " : "FAIL"} ${file}: ${what}\n`);

const text = documentOf(rows);
if (process.argv.includes("--write")) writeFileSync(DOCUMENT, text);
else if (files === FILES && readFileSync(DOCUMENT, "utf8") !== text)
  problems.push("docs/srf-suite.md says something else: run `node scripts/srf-suite.mjs --write` if that is meant");
for (const problem of problems) process.stdout.write(`${problem}\n`);
process.stdout.write(
  `${rows.filter(({ ok }) => ok).length} passed, ${rows.filter(({ ok }) => !ok).length} failed, ${problems.length} unexplained\n`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
