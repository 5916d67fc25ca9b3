import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createApiKey, findPrincipal } from "../../src/account/api-keys.store.js";
import type { Config } from "../../src/config.js";
import type { DataDir } from "../../src/dev/data-dir.js";
import { systemRandom } from "../../src/kernel/random.js";
import { type AdminKey, prepareAdminKey } from "../../src/service/admin-key.js";
import { freshDatabase, rows } from "../support/database.js";
import { ids } from "../support/world.js";

const { db } = await freshDatabase();
let path = "";
beforeEach(async () => {
  path = mkdtempSync(join(tmpdir(), "ringmatch-admin-key-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  await rows(db, "delete from api_key");
});

const start = (config: Partial<Config> = {}): Promise<AdminKey> =>
  prepareAdminKey({
    config: { adminApiKey: null, isEmbedded: true, ...config } as Config,
    dataDir: { path } as DataDir,
    db,
    ids,
    random: systemRandom,
  });

describe("the first admin key of embedded mode", () => {
  it("is shown once: by the first start that lives long enough to do so", async () => {
    const killed = await start();
    expect(killed).toMatchObject({ isNew: true, hash: null });
    const next = await start();
    expect(next).toMatchObject({ isNew: true, key: killed.key });
    next.shown();
    expect(await start()).toMatchObject({ isNew: false, key: killed.key });
    expect(readFileSync(join(path, "admin-key"), "utf8")).toBe(`${killed.key}\n`);
    expect((await findPrincipal(db, killed.key ?? ""))?.scopes).toContain("admin");
    expect(await rows(db, "select 1 from api_key")).toHaveLength(1);
  });

  it("is nobody's yet when the start ended after its file: the next one puts that right", async () => {
    const { key } = await start();
    await rows(db, "delete from api_key");
    expect((await start()).key).toBe(key);
    expect((await findPrincipal(db, key ?? ""))?.scopes).toContain("admin");
  });

  it("is not made beside one that somebody made before, nor where the operator sets one", async () => {
    await createApiKey({ db, ids, random: systemRandom }, { accountId: null, name: "own", scopes: ["admin"] });
    expect(await start()).toMatchObject({ isNew: false, key: null, hash: null });
    expect(await start({ adminApiKey: "an operator's own admin key" })).toMatchObject({
      isNew: false,
      key: "an operator's own admin key",
    });
    expect(await rows(db, "select 1 from api_key")).toHaveLength(1);
  });
});
