// Everything `npm test` proves, one after the other, ended by the one line that machines read: `N passed, N failed`.
// A static check counts as one test. vitest's own figures come from its JSON report.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHECKS = [
  ["types", "tsc", ["-p", "tsconfig.json"]],
  ["lint", "eslint", ["src", "test", "bench"]],
  ["format", "biome", ["format"]],
  ["import direction", "depcruise", ["--config", ".dependency-cruiser.cjs", "src"]],
  ["dead code", "knip", ["--no-progress"]],
];

const only = process.argv.slice(2);
const report = mkdtempSync(join(tmpdir(), "ringmatch-report-"));
let passed = 0;
let failed = 0;

if (only.length === 0) {
  // The service under test is the one users run: the built one.
  for (const [name, command, words] of [["build", "tsc", ["-p", "tsconfig.build.json"]], ...CHECKS]) {
    const ok = (await run(command, words)) === 0;
    console.log(`${ok ? "ok  " : "FAIL"} ${name}`);
    if (ok) passed++;
    else failed++;
  }
}

const file = join(report, "vitest.json");
const code = await run("vitest", [
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${file}`,
  ...only,
]);
const counts = read(file);
passed += counts.passed;
failed += counts.failed;
// A run that died before it could count anything, or whose set-up failed, must not look clean.
if (code !== 0 && counts.failed === 0) failed++;
rmSync(report, { recursive: true, force: true });
if (counts.skipped > 0) console.log(`${counts.skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function read(path) {
  try {
    const result = JSON.parse(readFileSync(path, "utf8"));
    const broken = result.testResults.filter(
      (suite) => suite.status === "failed" && suite.assertionResults.length === 0,
    ).length;
    return { passed: result.numPassedTests, failed: result.numFailedTests + broken, skipped: result.numPendingTests };
  } catch (error) {
    console.error(`No test report: ${error.message}`);
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

function run(command, words) {
  return new Promise((resolve) => {
    const child = spawn(join("node_modules", ".bin", command), words, { stdio: "inherit" });
    child.on("error", (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on("exit", (exitCode) => resolve(exitCode ?? 1));
  });
}
