/** For tests of what writes lines to a spool's directory: entries that tell their order, and a place for them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export interface Entry {
  readonly n: number;
  readonly text?: string;
}

/** @returns a directory that is not there yet, of the test that asks */
export function freshSpoolDir(): string {
  const parent = mkdtempSync(join(tmpdir(), "ringmatch-spool-"));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  return join(parent, "spool");
}
