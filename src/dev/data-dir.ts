/**
 * The service's data directory (RINGMATCH_DATA_DIR): made private, held by one live service at a time, home of the generated secrets.
 * Opened by the composition root before anything in it is touched, closed last.
 *
 * The rule kept here: two live services never hold one directory, and a dead one never blocks it. On Linux the lock is an abstract unix
 * socket (unix(7)): binding is atomic and the kernel lets go of it at the holder's death, however it dies. A file beside it names the holder
 * (pid and start time) for the message, for other systems, and for two services that cannot see each other's sockets. Containers that share
 * the directory but no process table are outside this lock.
 */
import { createHash } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import { invariant } from "../kernel/invariant.js";
import type { Log } from "../kernel/log.js";
import { type Random, systemRandom } from "../kernel/random.js";
import { readIfThere } from "./durable-file.js";
import { makeOwn, readOrMakeSecret } from "./kept-secret.js";
import { identityOf, isAlive, type ProcessIdentity } from "./process-identity.js";

export interface DataDir {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  /** True when this very start made the directory, so that its permissions are ours to set. */
  readonly created: boolean;
  /**
   * The secret of this name, made from `bytes` random bytes when there is none yet: lower-case hex, kept in `secrets/<name>` with mode 0600.
   * @throws AppError secret_unreadable when the file is there but does not hold such a secret
   */
  secret(name: string, bytes: number): string;
  /** Lets go of the lock. Nothing in the directory may be used afterwards. */
  close(): Promise<void>;
}

export interface DataDirOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: Random;
}

/** A holder that was killed a moment ago may need this long to disappear; a live one makes the second start wait this long for its refusal. */
const LOCK_WAIT_MS = 500;
const LOCK_POLL_MS = 25;

/**
 * @throws AppError data_dir_locked when a live service holds it; config_invalid when it cannot be made or written. Both name
 * RINGMATCH_DATA_DIR and the directory, the first the holder's pid.
 */
export async function openDataDir({ path, clock, log, random = systemRandom }: DataDirOptions): Promise<DataDir> {
  const { real, created } = makeDirectory(resolve(path));
  const release = await takeLock(real, clock);
  log.debug("data_dir.opened", { path: real, created });
  return {
    path: real,
    created,
    secret: (name, bytes) => readOrMakeSecret({ directory: real, name, bytes, random, log }),
    close: release,
  };
}

function makeDirectory(path: string): { readonly real: string; readonly created: boolean } {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const created = makeOwn(path);
    if (!statSync(path).isDirectory())
      throw new AppError("config_invalid", `RINGMATCH_DATA_DIR: ${path} is not a directory; name another one.`);
    return { real: realpathSync(path), created };
  } catch (error) {
    throw error instanceof AppError ? error : unusable(path, error);
  }
}

function unusable(path: string, cause: unknown): AppError {
  const why = (cause as NodeJS.ErrnoException).code ?? "unknown error";
  return new AppError(
    "config_invalid",
    `RINGMATCH_DATA_DIR: ${path} cannot be made or written by this user (${why}); name a directory that it may write.`,
    {
      cause,
    },
  );
}

/** Resolves to the function that releases the lock. */
async function takeLock(path: string, clock: Clock): Promise<() => Promise<void>> {
  const holderFile = join(path, "service.lock");
  const until = clock.monotonicMs() + LOCK_WAIT_MS;
  for (;;) {
    const socket = process.platform === "linux" ? await bindLockSocket(path) : null;
    if (socket !== "taken") {
      if (claimHolderFile(path, holderFile)) return () => releaseLock(holderFile, socket);
      await closeSocket(socket);
    }
    if (clock.monotonicMs() >= until) throw locked(path, readHolder(holderFile));
    await delay(LOCK_POLL_MS);
  }
}

/** The name is a hash because a socket's holds 107 bytes (unix(7)) and a path more. */
async function bindLockSocket(path: string): Promise<Server | "taken"> {
  const name = `\0ringmatch-data-${createHash("sha256").update(path).digest("hex")}`;
  const server = createServer((connection) => connection.destroy());
  return new Promise((bound, failed) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? bound("taken") : failed(error),
    );
    server.listen({ path: name, exclusive: true }, () => {
      server.unref();
      bound(server);
    });
  });
}

async function closeSocket(socket: Server | null): Promise<void> {
  if (socket === null) return;
  await new Promise<void>((closed) => socket.close(() => closed()));
}

async function releaseLock(holderFile: string, socket: Server | null): Promise<void> {
  rmSync(holderFile, { force: true });
  await closeSocket(socket);
}

/** False when the file names a live process. Made by hard link, so that of two starters that find no file only one succeeds. */
function claimHolderFile(path: string, holderFile: string): boolean {
  const own = identityOf(process.pid);
  invariant(own !== null, "a running process has an identity");
  const text = JSON.stringify(own);
  const aside = `${holderFile}.${String(own.pid)}.tmp`;
  try {
    writeFileSync(aside, text, { mode: 0o600 });
    if (linked(aside, holderFile)) return true;
    const seen = readIfThere(holderFile);
    const holder = parseHolder(seen);
    if (holder !== null && isAlive(holder)) return false;
    if (!moveStaleAway(holderFile, seen)) return false;
    return linked(aside, holderFile);
  } catch (error) {
    throw unusable(path, error);
  } finally {
    rmSync(aside, { force: true });
  }
}

function linked(from: string, to: string): boolean {
  try {
    try {
      linkSync(from, to);
    } catch (error) {
      if (!NO_HARD_LINKS.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      writeFileSync(to, readFileSync(from), { flag: "wx", mode: 0o600 }); // as exclusive, only not written in one piece
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** How file systems without hard links (exFAT, some shared folders) say so. */
const NO_HARD_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** False when somebody else replaced the stale file between our look and our move; theirs is put back. */
function moveStaleAway(holderFile: string, seen: string | null): boolean {
  const away = `${holderFile}.${String(process.pid)}.stale`;
  try {
    renameSync(holderFile, away);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
    throw error;
  }
  const isTheStaleOne = readIfThere(away) === seen;
  if (!isTheStaleOne) linked(away, holderFile);
  rmSync(away, { force: true });
  return isTheStaleOne;
}

function readHolder(holderFile: string): ProcessIdentity | null {
  try {
    return parseHolder(readIfThere(holderFile));
  } catch {
    return null; // another user's: the message does without the pid
  }
}

function parseHolder(text: string | null): ProcessIdentity | null {
  try {
    const value = JSON.parse(text ?? "null") as Partial<ProcessIdentity> | null;
    return typeof value?.pid === "number" && typeof value.startedAt === "string"
      ? { pid: value.pid, startedAt: value.startedAt }
      : null;
  } catch {
    return null; // torn by a crash: names nobody
  }
}

function locked(path: string, holder: ProcessIdentity | null): AppError {
  const who = holder === null ? "another running service" : `a running service (pid ${String(holder.pid)})`;
  return new AppError(
    "data_dir_locked",
    `RINGMATCH_DATA_DIR: ${path} is used by ${who}; stop it, or set RINGMATCH_DATA_DIR to another directory.`,
  );
}
