/** docs/srf-suite.md: the rows with their reasons, what is not run, what was put right. */
import { createRequire } from "node:module";
import { NOT_RUN, REASONS } from "./reasons.mjs";
import { REPAIRS } from "./repairs.mjs";

/** Rows that fail without a reason, and reasons without a failing row; empty when all is told. */
export function untold(rows, files) {
  const reasonOf = ({ file, what }) => REASONS.find((one) => one.file === file && one.what === what);
  const surprises = rows.filter((row) => !row.ok && reasonOf(row) === undefined);
  const stale = REASONS.filter(
    (one) => files.includes(one.file) && !rows.some(({ file, what, ok }) => !ok && file === one.file && what === one.what),
  );
  return [
    ...surprises.map(({ file, what, error }) => `${file}: ${what}: fails without a reason${error ? ` (${error})` : ""}`),
    ...stale.map(({ file, what }) => `${file}: ${what}: there is a reason, but no such row fails`),
  ];
}

export function documentOf(rows) {
  const { version } = createRequire(import.meta.url)("drachtio-srf/package.json");
  const passed = rows.filter(({ ok }) => ok).length;
  const cell = (text) => text.replaceAll("|", "/");
  const why = ({ file, what }) => REASONS.find((one) => one.file === file && one.what === what)?.why ?? "";
  return [
    "# drachtio-srf's own tests against our SIP edge",
    `The tests that drachtio-srf ${version} ships, its code unchanged, against the embedded edge: ${passed} pass, ${rows.length - passed} do not,`,
    "each with its reason. Containers become loopback ports, their businesses are sipp. Run it again with `npm run test:srf`; after a change",
    "that is meant, `node scripts/srf-suite.mjs --write` writes this file. `npm test` runs it too and compares.",
    "",
    "| file | what | result |",
    "|---|---|---|",
    ...rows.map((row) => `| ${row.file} | ${cell(row.what)} | ${row.ok ? "passes" : `does not pass: ${cell(why(row))}`} |`),
    "",
    "Not run:",
    "",
    "| file | what | why |",
    "|---|---|---|",
    ...NOT_RUN.map((one) => `| ${one.file} | ${cell(one.what)} | ${cell(one.why)} |`),
    "",
    "Scenarios put right in the copy that runs:",
    ...REPAIRS.map(({ files, why: mistake }) => `- ${files}: ${mistake}`),
    "",
  ].join("\n");
}
