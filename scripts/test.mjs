// Everything `npm test` proves, one after the other, ended by the one line that machines read: `N passed, N failed`.
// A static check counts as one test. vitest's own figures come from its JSON report.
import { run, runVitest } from "./vitest-run.mjs";

const BUILD = [
  ["build", "tsc", ["-p", "tsconfig.build.json"]],
  ["build of the tag", "node", ["scripts/build-tag.mjs"]],
  ["build of the pages", "node", ["scripts/build-dashboard.mjs"]],
];
const CHECKS = [
  ["types", "tsc", ["-p", "tsconfig.json"]],
  ["types of the tag", "tsc", ["-p", "tag/tsconfig.json"]],
  ["types of the pages", "tsc", ["-p", "dashboard/tsconfig.json"]],
  ["lint", "eslint", ["src", "tag", "dashboard", "test", "bench"]],
  ["format", "biome", ["format"]],
  ["import direction", "depcruise", ["--config", ".dependency-cruiser.cjs", "src", "tag", "dashboard"]],
  ["dead code", "knip", ["--no-progress"]],
];

const only = process.argv.slice(2);
let passed = 0;
let failed = 0;

if (only.length === 0) {
  // The service under test is the one users run: the built one.
  for (const [name, command, words] of [...BUILD, ...CHECKS]) {
    const ok = (await run(command, words)) === 0;
    console.log(`${ok ? "ok  " : "FAIL"} ${name}`);
    if (ok) passed++;
    else failed++;
  }
}

const report = await runVitest(only);
passed += report.passed;
failed += report.failed;
if (report.skipped > 0) console.log(`${report.skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
