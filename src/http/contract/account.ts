/** Accounts and their API keys on the wire. */
import { z } from "zod";
import type { Account } from "../../account/accounts.store.js";
import { SCOPES } from "../../account/api-keys.store.js";
import { toIso } from "../../kernel/clock.js";
import { idIn, idOut, instantOut, nameIn } from "./scalars.js";

export const newAccount = z.strictObject({ name: nameIn, auto_create_pools: z.boolean().default(false) });

export const accountChanges = z.strictObject({ name: nameIn.optional(), auto_create_pools: z.boolean().optional() });

export const accountOut = z.object({
  id: idOut,
  name: z.string(),
  tag_key: z.string().meta({ description: "Public: it stands in the page's source" }),
  auto_create_pools: z.boolean(),
  created_at: instantOut,
  updated_at: instantOut,
});

export function showAccount(account: Account): z.output<typeof accountOut> {
  const { id, name, tagKey, autoCreatePools, createdAt, updatedAt } = account;
  return {
    id,
    name,
    tag_key: tagKey,
    auto_create_pools: autoCreatePools,
    created_at: toIso(createdAt),
    updated_at: toIso(updatedAt),
  };
}

export const scopesIn = z
  .array(z.enum(SCOPES))
  .min(1)
  .max(SCOPES.length)
  .refine((scopes) => new Set(scopes).size === scopes.length, "must not name a scope twice")
  .meta({
    description:
      "read: GET. write: changes. admin: both, within the key's account. calls:pii: callers' numbers are shown. A key that should read and write needs both.",
  });

export const newKey = z.strictObject({ name: nameIn, scopes: scopesIn });

export const createdKey = z.object({
  id: idOut,
  key: z.string().meta({ description: "Shown this once; only its hash is stored" }),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
});

export const keyParams = z.strictObject({ id: idIn, key_id: idIn });
