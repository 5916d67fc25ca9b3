// `npm run sipp -- [NAME…] [--list]`: plays scenarios of sipp-scenarios/scenarios.json, all of them without a name, on a service with a PostgreSQL, SIP
// edge and businesses of its own, and prints what each proves and how it went. The playing is done by test/sip/sipp-scenarios.test.ts.
import { readFileSync } from "node:fs";
import { runVitest } from "./vitest-run.mjs";

const SCENARIOS = JSON.parse(readFileSync(new URL("../sipp-scenarios/scenarios.json", import.meta.url), "utf8"));
/** Of the test after the last scenario, which waits for the end of the last timer. */
const AFTERWARDS = "afterwards";

const words = process.argv.slice(2);
if (words.includes("--list")) {
  for (const { name, proves } of SCENARIOS) console.log(row(name, "", proves));
  process.exit(0);
}
const unknown = words.filter((word) => !SCENARIOS.some(({ name }) => name === word));
if (unknown.length > 0) {
  console.error(`There is no scenario ${unknown.join(", ")}: "npm run sipp -- --list" prints those there are.`);
  process.exit(1);
}
const chosen = SCENARIOS.filter(({ name }) => words.length === 0 || words.includes(name));
const names = [...chosen.map(({ name }) => `${name}:`), AFTERWARDS].join("|");
const report = await runVitest(["test/sip/sipp-scenarios.test.ts", "-t", `^(${names})`]);

console.log(`\n${row("scenario", "result", "what it proves")}`);
for (const { name, proves } of chosen) console.log(row(name, resultOf(`${name}:`), proves));
console.log(row("(all)", resultOf(AFTERWARDS), "no transaction is left when the last timer is over"));
console.log(`${report.passed} passed, ${report.failed} failed`);
process.exit(report.failed === 0 ? 0 : 1);

function resultOf(start) {
  return report.tests.find(({ title }) => title.startsWith(start))?.status ?? "not played";
}

function row(name, result, proves) {
  return `${name.padEnd(32)} ${result.padEnd(result === "" ? 0 : 10)} ${proves}`;
}
