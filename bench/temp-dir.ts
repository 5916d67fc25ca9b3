/** A directory for what a benchmark's processes write, gone afterwards. As root, PostgreSQL's user reaches its own data below it. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CleanUp } from "./clean-up.js";

export function makeTempDir(name: string, cleanUp: CleanUp): string {
  const dir = mkdtempSync(join(tmpdir(), `ringmatch-bench-${name}-`));
  cleanUp.push(() => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o711);
  return dir;
}
