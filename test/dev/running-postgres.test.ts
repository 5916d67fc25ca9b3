import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { type DataDir, openDataDir } from "../../src/dev/data-dir.js";
import { startEmbeddedPostgres } from "../../src/dev/embedded-postgres.js";
import { findRunningPostgres } from "../../src/dev/running-postgres.js";
import { common, makeScratch, type Scratch } from "./support/scratch.js";

let systemDir: Scratch;
beforeAll(() => {
  systemDir = makeScratch("passable");
});
afterAll(() => systemDir.remove());

async function open(scratch: Scratch): Promise<DataDir> {
  onTestFinished(scratch.remove);
  const dataDir = await openDataDir({ path: join(scratch.path, "data"), ...common });
  onTestFinished(() => dataDir.close());
  return dataDir;
}

const find = (dataDir: string): string | null => findRunningPostgres({ dataDir, log: common.log });

// As root, the first has its database below the system directory, the second inside.
it.each(["private", "passable"] as const)(
  "is found while it runs, in a %s place, and not from a copy",
  async (kind) => {
    const dataDir = await open(makeScratch(kind));
    expect(find(dataDir.path)).toBeNull();
    const server = await startEmbeddedPostgres({ dataDir, systemDir: systemDir.path, ...common });
    onTestFinished(() => server.stop());
    expect(find(dataDir.path)).toBe(server.url);
    const copy = `${dataDir.path}-copy`;
    cpSync(dataDir.path, copy, { recursive: true });
    expect(find(copy)).toBeNull();
    await server.stop();
    expect(find(dataDir.path)).toBeNull();
  },
);
