import type fileSystem from "node:fs";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { writeExportFile } from "../../src/cli/export-file.js";
import type { ShownCall } from "../../src/http/contract/call-columns.js";

// A disk that is nearly full: a write takes a part of what it was given, and is no error.
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof fileSystem>();
  const writeSync = (descriptor: number, text: string): number => fs.writeSync(descriptor, text.slice(0, 10));
  return { ...fs, writeSync };
});

const dir = mkdtempSync(join(tmpdir(), "ringmatch-export-file-"));
afterAll(() => rmSync(dir, { recursive: true }));

it("is whole where a write takes only a part", async () => {
  const path = join(dir, "calls.ndjson");
  await writeExportFile({ path, format: "ndjson", columns: [] }, async (add) => {
    add([{ id: "call_of_some_length" } as ShownCall]);
  });
  expect(readFileSync(path, "utf8")).toBe('{"id":"call_of_some_length"}\n');
});
