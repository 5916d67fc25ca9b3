/**
 * The first admin key: given by ADMIN_API_KEY, or made on the first embedded start, shown once and kept in a file that only the owner can read. The file is
 * there before the key is anybody's, and it counts as shown when it was: a start that ends in between is made up for by the next one.
 */
import { join } from "node:path";
import { createApiKey, hasAdminKey, hashKey, makeApiKey } from "../account/api-keys.store.js";
import type { Config } from "../config.js";
import type { Database } from "../db/database.js";
import type { DataDir } from "../dev/data-dir.js";
import { readIfThere, writeDurably } from "../dev/durable-file.js";
import type { IdSource } from "../kernel/ids.js";
import type { Random } from "../kernel/random.js";

/** Beside the data, for `npm run call` and `npm run demo` on the same machine. */
const FILE = "admin-key";
/** Beside it, from when it was shown. */
const SHOWN = "admin-key-shown";

export interface AdminKey {
  /** Of ADMIN_API_KEY; null when none is set. */
  readonly hash: Buffer | null;
  /** The key in plain, where this process may know it. */
  readonly key: string | null;
  /** Nobody has seen it: it must be shown, and `shown` called then. */
  readonly isNew: boolean;
  readonly shown: () => void;
}

const nobody = (): void => undefined;

export async function prepareAdminKey(input: {
  config: Config;
  dataDir: DataDir;
  db: Database;
  ids: IdSource;
  random: Random;
}): Promise<AdminKey> {
  const { config, dataDir, db, ids, random } = input;
  const given = config.adminApiKey;
  if (given !== null) return { hash: hashKey(given), key: given, isNew: false, shown: nobody };
  const file = join(dataDir.path, FILE);
  const kept = readIfThere(file)?.trim() || null;
  const isKnown = await hasAdminKey(db);
  if (!config.isEmbedded || (kept === null && isKnown)) return { hash: null, key: kept, isNew: false, shown: nobody };
  const key = kept ?? makeApiKey(random);
  if (kept === null) writeDurably(file, `${key}\n`);
  const scopes = ["read", "write", "admin", "calls:pii"] as const;
  if (!isKnown) await createApiKey({ db, ids, random }, { accountId: null, name: "first start", scopes, key });
  const marker = join(dataDir.path, SHOWN);
  const isNew = readIfThere(marker) === null;
  return { hash: null, key, isNew, shown: isNew ? () => writeDurably(marker, "") : nobody };
}
