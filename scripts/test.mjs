// Everything `npm test` proves: static checks, two at a time, then all tests; ended by the one line that machines read: `N passed, N failed`.
// A static check counts as one test. vitest's own figures come from its JSON report.
import { run, runVitest } from "./vitest-run.mjs";

/** Longest first. The service under test is the one users run: the built one. */
const CHECKS = [
  ["lint", "eslint", ["src", "tag", "dashboard", "test", "bench"]],
  ["types", "tsc", ["-p", "tsconfig.json"]],
  ["build", "tsc", ["-p", "tsconfig.build.json"]],
  ["dead code", "knip", ["--no-progress"]],
  ["import direction", "depcruise", ["--config", ".dependency-cruiser.cjs", "src", "tag", "dashboard"]],
  ["types of the tag", "tsc", ["-p", "tag/tsconfig.json"]],
  ["types of the pages", "tsc", ["-p", "dashboard/tsconfig.json"]],
  ["build of drachtio-srf", "node", ["scripts/build-drachtio-srf.mjs"]],
  ["build of the tag", "node", ["scripts/build-tag.mjs"]],
  ["build of the pages", "node", ["scripts/build-dashboard.mjs"]],
  ["format", "biome", ["format"]],
];
/** As many as the smallest machine has cores. */
const CHECKS_AT_ONCE = 2;

const only = process.argv.slice(2);
let passed = 0;
let failed = 0;

if (only.length === 0) {
  const waiting = [...CHECKS];
  const checkNext = async () => {
    const next = waiting.shift();
    if (next === undefined) return;
    const [name, command, words] = next;
    const ok = (await run(command, words)) === 0;
    console.log(`${ok ? "ok  " : "FAIL"} ${name}`);
    if (ok) passed++;
    else failed++;
    await checkNext();
  };
  await Promise.all(Array.from({ length: CHECKS_AT_ONCE }, checkNext));
}

const report = await runVitest(only);
passed += report.passed;
failed += report.failed;
if (report.skipped > 0) console.log(`${report.skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
