import { parseArgs } from "node:util";
import { getAccount } from "../account/accounts.store.js";
import { createApiKey, type Scope, SCOPES } from "../account/api-keys.store.js";
import { systemClock } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import { createIdSource } from "../kernel/ids.js";
import { systemRandom } from "../kernel/random.js";
import type { Command } from "./command.js";
import { withDatabase } from "./with-database.js";

export const keysCommand: Command = {
  help: `Usage: ringmatch keys create --name NAME [--account acc_…] [--scopes ${SCOPES.join(",")}]

Prints the key, the only time it is seen. Without --account it is a platform key that reaches every account. Default scopes: read,write.`,
  run: async (words) => {
    const { values } = parseArgs({
      args: [...words],
      options: {
        name: { type: "string" },
        account: { type: "string" },
        scopes: { type: "string", default: "read,write" },
      },
    });
    const { name, account } = values;
    if (name === undefined || name.trim() === "")
      throw new AppError("invalid_value", "Give the key a --name, so that you know later which it is.");
    const scopes = values.scopes.split(",").map(scopeOf);
    const created = await withDatabase(async (db) => {
      if (account !== undefined) await getAccount(db, account);
      const deps = { db, ids: createIdSource(systemClock, systemRandom), random: systemRandom };
      return createApiKey(deps, { accountId: account ?? null, name, scopes });
    });
    console.log(`${created.id}  ${created.key}`);
  },
};

function scopeOf(text: string): Scope {
  const scope = SCOPES.find((known) => known === text.trim());
  if (scope === undefined)
    throw new AppError("invalid_value", `"${text}" is no scope; there are ${SCOPES.join(", ")}.`);
  return scope;
}
