/**
 * The PostgreSQL of the service that holds a data directory now, found by what that service keeps there. Used by operators' commands beside it.
 *
 * The rules kept here: nothing is started, stopped or written; only a live process that serves this very directory counts.
 */
import { join } from "node:path";
import { AppError } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { readIfThere } from "./durable-file.js";
import { postgresRecordOf, urlOf } from "./embedded-postgres.js";
import { POSTGRES_PASSWORD, readSecret } from "./kept-secret.js";
import { dataOf, findPlace } from "./postgres-place.js";
import { isAlive } from "./process-identity.js";
import { readServerRecord } from "./server-process.js";

/**
 * @param input.dataDir absolute, symbolic links resolved
 * @returns its connection string, password and all: never log it; it may not answer yet, or any more. Null when there is none
 * @throws AppError config_invalid when the directory is another user's
 */
export function findRunningPostgres(input: { dataDir: string; log: Log }): string | null {
  const { dataDir } = input;
  try {
    return find(input);
  } catch (error) {
    if (!NOT_OURS.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    throw new AppError(
      "config_invalid",
      `RINGMATCH_DATA_DIR: ${dataDir} is used by a service of another user; run the command as that user.`,
      { cause: error },
    );
  }
}

const NOT_OURS = ["EACCES", "EPERM"];

function find({ dataDir, log }: { dataDir: string; log: Log }): string | null {
  const place = findPlace(dataDir);
  if (place === null) return null;
  const recordFile = postgresRecordOf(dataDir);
  const server = readServerRecord({ server: "postgres", directory: place.home, recordFile, log });
  if (server === null || !isAlive(server)) return null;
  // PostgreSQL's own lock file: pid, data directory, start time, port. What a killed predecessor left has another pid.
  const [pid, , , port] = (readIfThere(join(dataOf(place), "postmaster.pid")) ?? "").split("\n").map(Number);
  const password = readSecret(dataDir, ...POSTGRES_PASSWORD);
  return pid !== server.pid || !port || password === null ? null : urlOf(port, password);
}
