/** API keys: shown once, kept as SHA-256 (a key is 256 random bits, so a slow hash would add nothing). Looked up by every request. */
import { createHash } from "node:crypto";
import { sql, type Queryable } from "../db/database.js";
import { AppError } from "../kernel/errors.js";
import type { AccountId, Id, IdSource } from "../kernel/ids.js";
import type { Random } from "../kernel/random.js";

export const SCOPES = ["read", "write", "admin", "calls:pii"] as const;
export type Scope = (typeof SCOPES)[number];

/** Who asks. An admin key has no account and reaches all of them. */
export interface Principal {
  readonly keyId: string;
  readonly accountId: AccountId | null;
  readonly scopes: readonly Scope[];
}

const KEY_BYTES = 32;

const INSERT = sql(
  "api_key_insert",
  `insert into api_key (id, account_id, name, key_hash, scopes) values ($1, $2, $3, $4, $5)
   on conflict (key_hash) do update set revoked_at = null returning id`,
);
const SELECT_BY_HASH = sql(
  "api_key_select_by_hash",
  `select id as "keyId", account_id as "accountId", scopes from api_key where key_hash = $1 and revoked_at is null`,
);
const REVOKE = sql(
  "api_key_revoke",
  `update api_key set revoked_at = coalesce(revoked_at, now()) where id = $1 and account_id = $2 returning id`,
);
const ANY_ADMIN = sql(
  "api_key_any_admin",
  `select id from api_key where account_id is null and 'admin' = any (scopes) and revoked_at is null limit 1`,
);

export function makeApiKey(random: Random): string {
  return `rm_${random.bytes(KEY_BYTES).toString("base64url")}`;
}

/**
 * @param input.key one that makeApiKey made before; else a new one
 * @returns the key itself, the only time it is seen
 */
export async function createApiKey(
  deps: { db: Queryable; ids: IdSource; random: Random },
  input: { accountId: string | null; name: string; scopes: readonly Scope[]; key?: string },
): Promise<{ id: Id<"key">; key: string }> {
  const { key = makeApiKey(deps.random) } = input;
  const id = deps.ids.next("key");
  await deps.db.query(INSERT, [id, input.accountId, input.name, hashKey(key), input.scopes]);
  return { id, key };
}

export async function findPrincipal(db: Queryable, key: string): Promise<Principal | null> {
  const [principal] = await db.query<Principal>(SELECT_BY_HASH, [hashKey(key)]);
  return principal ?? null;
}

/** @throws AppError("not_found") when the account has no such key */
export async function revokeApiKey(db: Queryable, input: { accountId: string; keyId: string }): Promise<void> {
  const rows = await db.query(REVOKE, [input.keyId, input.accountId]);
  if (rows.length === 0) throw new AppError("not_found", "There is no such key.");
}

export async function hasAdminKey(db: Queryable): Promise<boolean> {
  return (await db.query(ANY_ADMIN)).length > 0;
}

/** @param key bytes as they are; text as UTF-8 */
export function hashKey(key: string | Buffer): Buffer {
  return createHash("sha256").update(key).digest();
}
