/**
 * `npm run bench [-- NAME…] [--json] [--quick] [--full]`: compiles bench/ and the source it measures into the cache of node_modules, and runs it. Plain JavaScript is
 * measured, as in the service; a benchmark under a test runner's transforms would measure those too.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = join(root, "node_modules", ".cache", "ringmatch-bench");

const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
if (!existsSync(tsc)) {
  console.error("TypeScript is missing: run `npm ci` first.");
  process.exit(1);
}
const compiled = spawnSync(process.execPath, [tsc, "-p", join(root, "bench", "tsconfig.json"), "--outDir", out], {
  stdio: ["ignore", 2, 2],
});
if (compiled.status !== 0) process.exit(1);
const { type, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
writeFileSync(join(out, "package.json"), JSON.stringify({ type, version }));
// What the compiled files read is where they look for it; made anew, for the checkout may have moved.
for (const folder of ["migrations", "sipp-scenarios", "scripts", "dist"]) {
  rmSync(join(out, folder), { force: true });
  symlinkSync(join(root, folder), join(out, folder));
}

const child = spawn(process.execPath, [join(out, "bench", "run.js"), ...process.argv.slice(2)], { stdio: "inherit" });
// The benchmark cleans up; we wait for it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => process.exit(code ?? 1));
