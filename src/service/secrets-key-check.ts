/**
 * Whether SECRETS_KEY is the one that this database was begun with. With another one whoever called before is somebody new, an erasure finds nobody and no
 * credential can be read, which shows only when it is too late. Asked by service.ts at the start, before anything is written.
 */
import { addSetting, readSetting } from "../account/settings.store.js";
import type { Queryable } from "../db/database.js";
import { AppError } from "../kernel/errors.js";
import { PLATFORM_REALM, type Secrets } from "../kernel/secrets.js";

const SETTING = "secrets_key_mark";
const MARKED = "ringmatch";

/**
 * The first start marks the database: with the keyed hash of a constant, which stays the same through a rotation of keys (kernel/secrets.ts).
 * @throws AppError("config_invalid") when the mark is another key's
 */
export async function assertSecretsKey(db: Queryable, secrets: Secrets): Promise<void> {
  const mark = secrets.hash(PLATFORM_REALM, MARKED).toString("hex");
  // Of nodes that start at once for the first time, one marks it.
  await addSetting(db, SETTING, mark);
  if ((await readSetting<string>(db, SETTING)) === mark) return;
  throw new AppError(
    "config_invalid",
    "SECRETS_KEY is not the key that this database was begun with; that one must stay the last of the list. Without it callers are not found again and stored secrets cannot be read. " +
      `If it is lost for good: delete from platform_setting where name = '${SETTING}'.`,
  );
}
