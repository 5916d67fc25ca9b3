/**
 * One embedded server's process: spawned outside our process group, recorded on disk so that a later start finds it, its log kept small, its
 * death reported, its shutdown climbed step by step. Used by the embedded PostgreSQL and Redis.
 *
 * The rules kept here: the record is on disk before anything else is awaited; a server gets a bare environment (ours holds keys); only a
 * process whose pid and start time both fit is signalled.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, copyFileSync, openSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import type { Clock } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { readIfThere, writeDurably } from "./durable-file.js";
import {
  type EndStep,
  endProcess,
  type FoundProcess,
  identityOf,
  isAlive,
  type ProcessIdentity,
  processesWorkingIn,
  waitForEnd,
} from "./process-identity.js";

export type ServerName = "postgres" | "redis";

/** How a server that was not asked to stop ended. */
export interface ServerExit {
  readonly server: ServerName;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What an embedded server offers its user. */
export interface EmbeddedServer {
  /** Connection string with the password in it: never log it. Stays the same for as long as the server is kept. */
  readonly url: string;
  readonly pid: number;
  /** Ends the server in good order; resolves when it is gone. Asking twice is asking once. */
  stop(): Promise<void>;
}

/** What stays the same over all attempts to start one server. */
export interface ServerPlace {
  readonly server: ServerName;
  /** The directory the server works in; no two processes may ever share it. */
  readonly directory: string;
  /** What its processes are called (proc(5) comm). */
  readonly processNames: readonly string[];
  readonly recordFile: string;
  readonly logFile: string;
  /** Shutdown, from polite to last resort. */
  readonly stopSteps: readonly EndStep[];
  readonly clock: Clock;
  readonly log: Log;
}

export interface ServerCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: { readonly uid: number; readonly gid: number } | null;
}

/** Enough for days of warnings; the last full file is kept beside it. */
const LOG_BYTES_MAX = 10 * 1024 * 1024;
/** A server that logs 10 MB within a minute has worse problems than its log. */
const LOG_CHECK_MS = 60_000;
/** How much of the log's end is looked through for the reason of a failed start. */
const LOG_TAIL_BYTES = 4_096;

/** Of a server that had ended before we could look when it began; no process that runs has this, and what it said is in its log. */
const ENDED_AT_ONCE = "";

export class ServerProcess {
  readonly identity: ProcessIdentity;
  /** Settles when the process ends, asked or not. */
  readonly ended: Promise<ServerExit>;
  hasEnded = false;
  readonly #place: ServerPlace;
  readonly #logStart: number;
  readonly #logTimer: NodeJS.Timeout;
  #stopping: Promise<void> | null = null;

  private constructor(place: ServerPlace, child: ChildProcess, identity: ProcessIdentity, logStart: number) {
    this.identity = identity;
    this.#place = place;
    this.#logStart = logStart;
    this.#logTimer = setInterval(() => capLog(place), LOG_CHECK_MS).unref();
    this.ended = new Promise((settle) => {
      child.once("exit", (code, signal) => {
        this.hasEnded = true;
        clearInterval(this.#logTimer);
        settle({ server: place.server, code, signal });
      });
    });
  }

  /** @throws AppError embedded_failed when the program cannot be run at all */
  static async spawn(place: ServerPlace, command: ServerCommand): Promise<ServerProcess> {
    capLog(place);
    const logStart = sizeOf(place.logFile);
    const logFd = openSync(place.logFile, "a", 0o600);
    try {
      const child = spawn(command.file, command.args, {
        cwd: place.directory,
        env: command.env,
        detached: true,
        stdio: ["ignore", logFd, logFd],
        ...(command.user === null ? {} : { uid: command.user.uid, gid: command.user.gid }),
      });
      // Only synchronous steps up to the record: a service killed in between would leave a server that nobody knows of.
      if (child.pid === undefined) throw notRunnable(place, command, await spawnFailure(child));
      const identity = identityOf(child.pid) ?? { pid: child.pid, startedAt: ENDED_AT_ONCE };
      try {
        writeDurably(place.recordFile, JSON.stringify({ ...identity, directory: place.directory }));
      } catch (error) {
        // The disk is full: nobody else will know of this one, and it would keep port and data from the next try.
        await endProcess(identity, place.stopSteps, place.clock);
        throw error;
      }
      child.unref();
      return new ServerProcess(place, child, identity, logStart);
    } finally {
      closeSync(logFd);
    }
  }

  /** What this process has written to its log so far, the end of it. */
  logTail(): string {
    const written = readFileSync(this.#place.logFile);
    return written.subarray(Math.max(this.#logStart, written.length - LOG_TAIL_BYTES)).toString("utf8");
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  /** Tells of the end of a server that nobody asked to stop. */
  onUnexpectedEnd(tell: (exit: ServerExit) => void): void {
    void this.ended.then((exit) => {
      if (this.#stopping === null) tell(exit);
    });
  }

  async #end(): Promise<void> {
    const { server, recordFile, stopSteps, clock, log } = this.#place;
    if (!(await endProcess(this.identity, stopSteps, clock))) {
      log.error("embedded.outlived_its_stop", { server, pid: this.identity.pid });
      return; // the record stays, so that the next start tries again
    }
    clearInterval(this.#logTimer);
    rmSync(recordFile, { force: true });
    log.debug("embedded.stopped", { server, pid: this.identity.pid });
  }
}

/** Rounds of ending what is found: the second meets the children that a killed parent left, the third is for luck's sake. */
const LEFTOVER_ROUNDS = 3;
/** Children of an ended server notice its death at once; they get this long to leave. */
const CHILD_WAIT_MS = 5_000;

/**
 * Ends every process that a killed service left working in the directory, and waits until it is gone.
 * @throws AppError embedded_failed when one cannot be ended
 */
export async function endLeftovers(place: ServerPlace, alsoSuspected: readonly ProcessIdentity[] = []): Promise<void> {
  const { server, recordFile, clock, log } = place;
  for (let round = 0; round < LEFTOVER_ROUNDS; round++) {
    const left = findLeftovers(place, alsoSuspected);
    if (left.length === 0) {
      rmSync(recordFile, { force: true });
      return;
    }
    log.warn("embedded.ending_leftover", { server, pids: left.map((found) => found.pid) });
    // The parent alone is signalled: it knows how to end its children, and what a signal means to a child is its own affair.
    const heads = left.filter((found) => !left.some((other) => other.pid === found.parentPid));
    await Promise.all(heads.map((head) => endProcess(head, place.stopSteps, clock)));
    await Promise.all(left.map((found) => waitForEnd(found, CHILD_WAIT_MS, clock)));
  }
  const [survivor] = findLeftovers(place, alsoSuspected);
  if (survivor === undefined) return;
  throw new AppError(
    "embedded_failed",
    `The ${server} process ${String(survivor.pid)} left by an earlier start does not end; end it with "kill -9 ${String(survivor.pid)}", then start again.`,
  );
}

function findLeftovers(place: ServerPlace, alsoSuspected: readonly ProcessIdentity[]): FoundProcess[] {
  const found = processesWorkingIn(place.directory, place.processNames);
  const recorded = readServerRecord(place);
  for (const suspect of [...(recorded === null ? [] : [recorded]), ...alsoSuspected]) {
    if (isAlive(suspect) && !found.some((one) => one.pid === suspect.pid)) found.push({ ...suspect, parentPid: 0 });
  }
  return found;
}

/** Who was started, whether it lives or not. A record that names another directory came with a copy of ours: its process serves the original. */
export function readServerRecord(
  place: Pick<ServerPlace, "server" | "directory" | "recordFile" | "log">,
): ProcessIdentity | null {
  const text = readIfThere(place.recordFile);
  if (text === null) return null;
  try {
    const { pid, startedAt, directory } = JSON.parse(text) as { pid: number; startedAt: string; directory: string };
    return directory === place.directory ? { pid, startedAt } : null;
  } catch (error) {
    place.log.warn("embedded.record_unreadable", { server: place.server, reason: messageOf(error) });
    return null;
  }
}

/** `spawn` reports what went wrong by an event of the next turn. */
function spawnFailure(child: ChildProcess): Promise<Error> {
  return new Promise((failed) => void child.once("error", failed));
}

function notRunnable(place: ServerPlace, command: ServerCommand, cause: Error): AppError {
  return new AppError(
    "embedded_failed",
    `${command.file} cannot be run as ${place.server} (${cause.message}); install it again.`,
    { cause },
  );
}

/** Copied, then emptied: the server appends to the open file and needs no telling. A line written in between is lost, which a log of warnings bears. */
function capLog({ server, logFile, log }: Pick<ServerPlace, "server" | "logFile" | "log">): void {
  try {
    if (sizeOf(logFile) <= LOG_BYTES_MAX) return;
    copyFileSync(logFile, `${logFile}.1`);
    truncateSync(logFile, 0);
  } catch (error) {
    log.warn("embedded.log_not_capped", { server, reason: messageOf(error) });
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
