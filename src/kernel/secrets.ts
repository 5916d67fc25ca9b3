/**
 * What SECRETS_KEY protects: callers' numbers and carriers' credentials. AES-256-GCM with a key id in front, so that keys can be rotated: the first
 * key seals, every listed key opens. Keyed hashes use the last (oldest) key, so that they stay equal through a rotation.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync } from "node:crypto";
import { AppError } from "./errors.js";
import { invariant } from "./invariant.js";
import type { Random } from "./random.js";

const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Accounts with a busy number at a time; beyond it all are derived anew. */
const HASH_KEYS_MAX = 10_000;
/** A shorter secret is a password, and passwords are guessed. */
const SECRET_CHARS_MIN = 16;

interface SealingKey {
  readonly id: Buffer;
  readonly key: Buffer;
}

/** Realm of hashes that must be comparable whoever owned the number: quarantine counts distinct callers with it. */
export const PLATFORM_REALM = "platform";

export interface Secrets {
  /** key id (4 bytes) ‖ nonce (12) ‖ ciphertext ‖ tag (16) */
  seal(plain: string): Buffer;
  /** @throws AppError("secret_unreadable") when the key is not listed any more or the bytes were changed */
  open(sealed: Buffer): string;
  /** HMAC-SHA-256 under a key derived for `realm` (an account id, or "platform"). 32 bytes. */
  hash(realm: string, plain: string): Buffer;
}

/** @param secretsKey SECRETS_KEY: one secret, or several separated by commas, newest first; any text of 16 or more characters each */
export function createSecrets(secretsKey: string, random: Pick<Random, "bytes">): Secrets {
  const keys = secretsOf(secretsKey).map(sealingKey);
  const first = keys[0];
  const last = keys.at(-1);
  invariant(first !== undefined && last !== undefined, "there is at least one key");
  const hashKeyOf = remembered((realm) => derive(last.key, `hash ${realm}`));
  return {
    seal: (plain) => {
      const nonce = random.bytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", first.key, nonce);
      const body = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
      return Buffer.concat([first.id, nonce, body, cipher.getAuthTag()]);
    },
    open: (sealed) => openSealed(keys, sealed),
    hash: (realm, plain) => createHmac("sha256", hashKeyOf(realm)).update(plain).digest(),
  };
}

/** Deriving a key costs three times the hash itself; realms are few, and a busy one is asked for at every call. */
function remembered(deriveFor: (realm: string) => Buffer): (realm: string) => Buffer {
  const keys = new Map<string, Buffer>();
  return (realm) => {
    const known = keys.get(realm);
    if (known !== undefined) return known;
    if (keys.size >= HASH_KEYS_MAX) keys.clear();
    const key = deriveFor(realm);
    keys.set(realm, key);
    return key;
  };
}

/** A comma always separates: a key that could hold one could not be told from two. */
function secretsOf(text: string): string[] {
  return text.split(",").map((part) => part.trim());
}

function sealingKey(text: string): SealingKey {
  if (text.length < SECRET_CHARS_MIN) {
    throw new AppError(
      "config_invalid",
      `SECRETS_KEY needs at least ${SECRET_CHARS_MIN} characters, e.g. from \`openssl rand -hex 32\`.`,
    );
  }
  const key = derive(Buffer.from(text, "utf8"), "seal");
  return { key, id: createHash("sha256").update(key).digest().subarray(0, KEY_ID_BYTES) };
}

function derive(secret: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, Buffer.alloc(0), `ringmatch ${purpose}`, 32));
}

function openSealed(keys: readonly SealingKey[], sealed: Buffer): string {
  const id = sealed.subarray(0, KEY_ID_BYTES);
  const key = keys.find((candidate) => candidate.id.equals(id));
  if (key === undefined)
    throw new AppError("secret_unreadable", "It was sealed with a key that SECRETS_KEY does not list any more.");
  try {
    const nonce = sealed.subarray(KEY_ID_BYTES, KEY_ID_BYTES + NONCE_BYTES);
    const decipher = createDecipheriv("aes-256-gcm", key.key, nonce);
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return (
      decipher.update(sealed.subarray(KEY_ID_BYTES + NONCE_BYTES, -TAG_BYTES)).toString("utf8") + decipher.final("utf8")
    );
  } catch (error) {
    throw new AppError("secret_unreadable", "A sealed value was changed or cut short.", { cause: error });
  }
}
