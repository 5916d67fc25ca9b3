/**
 * An embedded server that is started again, on its own port, when it ends without having been asked to: killed for want of memory, say. What it has kept on
 * disk it has again. Used by the embedded PostgreSQL and Redis.
 *
 * The rule kept here: there is no last try. Calls go on without it (routing table, spool) and pages keep their numbers, but nobody may be there to look.
 */
import { Backoff } from "../kernel/backoff.js";
import { messageOf } from "../kernel/errors.js";
import { type EmbeddedServer, type ServerExit, ServerProcess } from "./server-process.js";
import { notStarted, type ServerStart, startServer, waitUntilReady } from "./server-start.js";

/** At once first: the children of a killed PostgreSQL leave within milliseconds. Every half minute when something is wrong for good (the disk is full). */
const RESTART = { minMs: 100, maxMs: 30_000 };
/** One that answers for this long was a good one; its end is a new story. */
const CALM_MS = 60_000;

/** @throws AppError embedded_failed when it does not start now; only a server that once answered is kept */
export async function keepServer(start: ServerStart): Promise<EmbeddedServer> {
  const { process, port } = await startServer(start);
  return new KeptServer(start, port, process);
}

class KeptServer implements EmbeddedServer {
  readonly url: string;
  readonly #start: ServerStart;
  readonly #port: number;
  readonly #backoff = new Backoff(RESTART);
  #process: ServerProcess;
  /** Of the next try, or of the calm after one that went well. */
  #timer: NodeJS.Timeout | null = null;
  #restarting: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;

  constructor(start: ServerStart, port: number, process: ServerProcess) {
    this.#start = start;
    this.#port = port;
    this.#process = process;
    this.url = start.urlFor(port);
    this.#keep(process);
  }

  get pid(): number {
    return this.#process.identity.pid;
  }

  /** Also of use by itself. */
  readonly stop = (): Promise<void> => (this.#stopping ??= this.#end());

  async #end(): Promise<void> {
    this.#clearTimer();
    await this.#process.stop();
    // One that was spawned in this very moment.
    await this.#restarting;
  }

  #keep(process: ServerProcess): void {
    process.onUnexpectedEnd((exit) => this.#hasEnded(exit));
    this.#timer = setTimeout(() => this.#backoff.reset(), CALM_MS).unref();
  }

  #hasEnded(exit: ServerExit): void {
    const { log, logFile } = this.#start.place;
    log.error("embedded.ended_unexpectedly", { ...exit, pid: this.pid, logFile });
    this.#startLater();
  }

  #startLater(): void {
    this.#clearTimer();
    if (this.#stopping !== null) return;
    this.#timer = setTimeout(() => {
      this.#restarting = this.#startAgain();
    }, this.#backoff.next());
  }

  /** Never rejects. */
  async #startAgain(): Promise<void> {
    const { place, commandFor } = this.#start;
    try {
      const process = await ServerProcess.spawn(place, commandFor(this.#port));
      this.#process = process;
      if (this.#stopping !== null) return await process.stop();
      const outcome = await waitUntilReady(this.#start, process, this.#port);
      if (this.#stopping !== null) return;
      if (outcome !== "ready") throw notStarted(this.#start, outcome, process.logTail());
      place.log.warn("embedded.started_again", { server: place.server, pid: this.pid });
      this.#keep(process);
    } catch (error) {
      if (this.#stopping !== null) return;
      place.log.error("embedded.not_started_again", { server: place.server, error: messageOf(error) });
      // A disk that may not be written to keeps its record; that must not be the last try.
      await this.#process.stop().catch(() => undefined);
      this.#startLater();
    }
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
