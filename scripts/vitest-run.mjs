// Runs vitest (or another tool of node_modules/.bin, or node itself) and reads what it says of its tests. Used by the scripts that end with `N passed, N failed`.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @returns {Promise<number>} its exit code */
export function run(command, words, options = {}) {
  return new Promise((resolve) => {
    const program = command === "node" ? process.execPath : join("node_modules", ".bin", command);
    const child = spawn(program, words, { stdio: "inherit", ...options });
    child.on("error", (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on("exit", (exitCode) => resolve(exitCode ?? 1));
  });
}

/** @returns counts, and each test with its title, status (passed, failed, skipped) and duration in ms */
export async function runVitest(words, options = {}) {
  const folder = mkdtempSync(join(tmpdir(), "ringmatch-report-"));
  const file = join(folder, "vitest.json");
  const reporters = ["--reporter=json", `--outputFile.json=${file}`];
  const code = await run("vitest", ["run", "--reporter=default", ...reporters, ...words], options);
  const report = read(file);
  rmSync(folder, { recursive: true, force: true });
  // A run that died before it could count anything, or whose set-up failed, must not look clean.
  if (code !== 0 && report.failed === 0) report.failed = 1;
  return report;
}

function read(path) {
  try {
    const result = JSON.parse(readFileSync(path, "utf8"));
    const broken = result.testResults.filter(
      (suite) => suite.status === "failed" && suite.assertionResults.length === 0,
    ).length;
    const tests = result.testResults.flatMap(({ assertionResults }) =>
      assertionResults.map(({ title, status, duration }) => ({ title, status, ms: Math.round(duration ?? 0) })),
    );
    const { numPassedTests, numFailedTests, numPendingTests } = result;
    return { passed: numPassedTests, failed: numFailedTests + broken, skipped: numPendingTests, tests };
  } catch (error) {
    console.error(`No test report: ${error.message}`);
    return { passed: 0, failed: 0, skipped: 0, tests: [] };
  }
}
