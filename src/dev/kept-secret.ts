/**
 * The secrets that a data directory keeps in `secrets/<name>`, lower-case hex, mode 0600. Made by whoever holds the directory; also read by operators'
 * commands beside a running service, which make none.
 */
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { AppError } from "../kernel/errors.js";
import { invariant } from "../kernel/invariant.js";
import type { Log } from "../kernel/log.js";
import type { Random } from "../kernel/random.js";
import { readIfThere, writeDurably } from "./durable-file.js";

/** Name and bytes of those that more than the service's own start asks for. */
export const SECRETS_KEY = ["secrets-key", 32] as const;
export const POSTGRES_PASSWORD = ["postgres-password", 24] as const;

interface SecretRequest {
  readonly directory: string;
  readonly name: string;
  readonly bytes: number;
  readonly random: Random;
  readonly log: Log;
}

/** @throws AppError secret_unreadable when the file is there but does not hold such a secret */
export function readOrMakeSecret({ directory, name, bytes, random, log }: SecretRequest): string {
  invariant(/^[a-z][a-z0-9-]*$/.test(name) && bytes >= 16, "a secret has a plain name and at least 128 bits");
  makeOwn(join(directory, "secrets"));
  const stored = readSecret(directory, name, bytes);
  if (stored === null) {
    const made = random.bytes(bytes).toString("hex");
    writeDurably(fileOf(directory, name), `${made}\n`);
    return made;
  }
  tighten(fileOf(directory, name), log);
  return stored;
}

/** Null when there is none. @throws AppError secret_unreadable when the file is there but does not hold such a secret */
export function readSecret(directory: string, name: string, bytes: number): string | null {
  const file = fileOf(directory, name);
  const text = readIfThere(file)?.trim();
  if (text === undefined) return null;
  if (text.length !== bytes * 2 || !/^[0-9a-f]+$/.test(text)) {
    throw new AppError(
      "secret_unreadable",
      `${file} does not hold the secret that was kept there: restore it from a backup; what it encrypted cannot be read without it.`,
    );
  }
  return text;
}

/** A directory for this user alone. False when something of that name is there already. */
export function makeOwn(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

const fileOf = (directory: string, name: string): string => join(directory, "secrets", name);

/** A copy of the directory may have lost the modes. */
function tighten(file: string, log: Log): void {
  if ((statSync(file).mode & 0o077) === 0) return;
  log.warn("data_dir.secret_was_readable_by_others", { file });
  chmodSync(file, 0o600);
}
