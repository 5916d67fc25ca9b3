/** Directories for the tests of the embedded servers, removed afterwards. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../../src/kernel/log.js";
import { systemClock } from "../../../src/kernel/clock.js";

export const isRoot = process.geteuid?.() === 0;

export const common = { clock: systemClock, log: silentLog, searchPath: process.env["PATH"] ?? "" };

export interface Scratch {
  readonly path: string;
  remove(): void;
}

/** As `mktemp -d` makes it (mode 0700), or one that other users may pass. */
export function makeScratch(kind: "private" | "passable"): Scratch {
  const path = mkdtempSync(join(tmpdir(), "ringmatch-test-"));
  if (kind === "passable") chmodSync(path, 0o711);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
