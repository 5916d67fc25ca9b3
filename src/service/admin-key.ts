/** The first admin key: given by ADMIN_API_KEY, or made on the first embedded start, shown once and kept in a file that only the owner can read. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createApiKey, hasAdminKey, hashKey } from "../account/api-keys.store.js";
import type { Config } from "../config.js";
import type { Database } from "../db/database.js";
import type { DataDir } from "../dev/data-dir.js";
import { readIfThere } from "../dev/durable-file.js";
import type { IdSource } from "../kernel/ids.js";
import type { Random } from "../kernel/random.js";

/** Beside the data, for `npm run call` and `npm run demo` on the same machine. */
const FILE = "admin-key";

export interface AdminKey {
  /** Of ADMIN_API_KEY; null when none is set. */
  readonly hash: Buffer | null;
  /** The key in plain, where this process may know it. */
  readonly key: string | null;
  /** It was made just now and must be shown. */
  readonly isNew: boolean;
}

export async function prepareAdminKey(input: {
  config: Config;
  dataDir: DataDir;
  db: Database;
  ids: IdSource;
  random: Random;
}): Promise<AdminKey> {
  const { config, dataDir, db, ids, random } = input;
  if (config.adminApiKey !== null) return { hash: hashKey(config.adminApiKey), key: config.adminApiKey, isNew: false };
  const file = join(dataDir.path, FILE);
  if (!config.isEmbedded || (await hasAdminKey(db)))
    return { hash: null, key: readIfThere(file)?.trim() ?? null, isNew: false };
  const { key } = await createApiKey(
    { db, ids, random },
    { accountId: null, name: "first start", scopes: ["read", "write", "admin", "calls:pii"] },
  );
  writeFileSync(file, `${key}\n`, { mode: 0o600 });
  return { hash: null, key, isNew: true };
}
