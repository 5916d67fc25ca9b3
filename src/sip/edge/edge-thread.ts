/**
 * The SIP edge in a thread of its own: neither the database's answers nor a busy page delays a packet, and SIP uses a second core. The service talks to
 * it by the drachtio protocol as to a drachtio-server elsewhere; only its control passes here. A thread that dies is replaced on the same ports.
 */
import { Worker } from "node:worker_threads";
import { AppError, type ErrorCode, messageOf } from "../../kernel/errors.js";
import type { Log } from "../../kernel/log.js";
import type { EdgeAnswer, EdgeCommand, EdgeCounters, EdgeNotice, EdgePlaces, EdgePlan } from "./edge-messages.js";

export interface EdgeThreadOptions extends EdgePlan {
  readonly log: Log;
  /** Of tests: another file that brings the edge's worker along. */
  readonly workerFile?: URL;
}

/** Most of what a call leaves behind is garbage within milliseconds; a small nursery would copy it into the old space (measured: a fifth less CPU). */
const NURSERY_MB = 64;
/** Binding sockets and answering take milliseconds; a thread that says nothing for this long is broken. */
const COMMAND_MS_MAX = 10_000;
/** The first replacement comes at once, the next ones later: what kills a thread may do it again. */
const RESTART_MS_MIN = 100;
const RESTART_MS_MAX = 5_000;

interface Asked {
  readonly resolve: (answer: EdgeAnswer) => void;
  readonly reject: (error: unknown) => void;
}

export class EdgeThread {
  private worker: Worker | null = null;
  private readonly asked = new Map<number, Asked>();
  private lastId = 0;
  private places: EdgePlaces | null = null;
  private cidrs: readonly string[];
  private isDraining = false;
  private isStopping = false;
  private restarts = 0;
  private restartTimer: NodeJS.Timeout | null = null;

  constructor(private readonly options: EdgeThreadOptions) {
    this.cidrs = options.sourceCidrs;
  }

  /** @returns the real ports. @throws AppError address_taken (naming SIP_LISTEN or the admin address) or config_invalid; nothing stays open then */
  async start(): Promise<EdgePlaces> {
    this.begin(this.options);
    try {
      this.places = (await this.ask({ kind: "start" })) as EdgePlaces;
      return this.places;
    } catch (error) {
      this.isStopping = true;
      await this.worker?.terminate();
      throw error;
    }
  }

  /** Replaces the sources; calls that are up go on. @throws AppError invalid_value, and the old list stays */
  async allowSources(cidrs: readonly string[]): Promise<void> {
    const before = this.cidrs;
    // First of all, so that a thread which is just being replaced starts with them.
    this.cidrs = cidrs;
    if (this.worker === null) return;
    try {
      await this.ask({ kind: "allow_sources", cidrs });
    } catch (error) {
      if (error instanceof AppError && error.code === "invalid_value") this.cidrs = before;
      throw error;
    }
  }

  /** From now on new out-of-dialog requests get 503 with Retry-After; calls that are up or ringing go on. */
  async drain(): Promise<void> {
    this.isDraining = true;
    await this.ask({ kind: "drain" });
  }

  /** Totals since the thread's start, `active_*` what there is now, `thread_restarts`. */
  async counters(): Promise<EdgeCounters> {
    const counters = (await this.ask({ kind: "counters" })) as EdgeCounters;
    return { ...counters, thread_restarts: this.restarts };
  }

  /** Hangs up what is left, gives the peers a moment to acknowledge, then closes everything. Idempotent. */
  async stop(): Promise<void> {
    if (this.isStopping) return;
    this.isStopping = true;
    if (this.restartTimer !== null) clearTimeout(this.restartTimer);
    try {
      await this.ask({ kind: "stop" });
    } catch (error) {
      this.options.log.warn("edge.stop_failed", { error: messageOf(error) });
    }
    await this.worker?.terminate();
  }

  private begin(plan: EdgePlan): void {
    const { listen, tls, admin, timers } = plan;
    const workerData: EdgePlan = {
      listen,
      admin,
      sourceCidrs: this.cidrs,
      ...(tls === undefined ? {} : { tls }),
      ...(timers === undefined ? {} : { timers }),
    };
    const file = this.options.workerFile ?? new URL("./edge-worker.js", import.meta.url);
    const worker = new Worker(file, { workerData, resourceLimits: { maxYoungGenerationSizeMb: NURSERY_MB } });
    this.worker = worker;
    worker.on("message", (notice: EdgeNotice) => this.onNotice(notice));
    worker.on("error", (error) => this.options.log.error("edge.thread_failed", { error }));
    worker.on("exit", () => this.onExit(worker));
  }

  private onNotice(notice: EdgeNotice): void {
    if (notice.kind === "log") return this.options.log[notice.level](notice.event, notice.fields);
    const asked = this.asked.get(notice.id);
    this.asked.delete(notice.id);
    if (notice.kind === "done") asked?.resolve(notice.answer);
    else asked?.reject(new AppError(notice.code, notice.message));
  }

  private onExit(worker: Worker): void {
    if (this.worker !== worker) return;
    this.worker = null;
    for (const { reject } of this.asked.values()) reject(notRunning());
    this.asked.clear();
    if (!this.isStopping) this.restartLater();
  }

  private restartLater(): void {
    const delayMs = Math.min(RESTART_MS_MAX, RESTART_MS_MIN * 2 ** Math.min(this.restarts, 10));
    this.restarts++;
    this.options.log.error("edge.thread_ended", { restarts: this.restarts, delayMs });
    this.restartTimer = setTimeout(() => void this.restart(), delayMs);
  }

  private async restart(): Promise<void> {
    const { options, places } = this;
    if (this.isStopping || places === null) return;
    // The ports that the peers and our own app know.
    this.begin({ ...options, listen: places.sip, admin: { ...options.admin, port: places.admin.port } });
    try {
      await this.ask({ kind: "start" });
      if (this.isDraining) await this.ask({ kind: "drain" });
    } catch (error) {
      this.options.log.error("edge.restart_failed", { error: messageOf(error) });
      // Its exit calls for the next one.
      await this.worker?.terminate();
    }
  }

  private ask(command: EdgeCommand): Promise<EdgeAnswer> {
    const { worker } = this;
    if (worker === null) return Promise.reject(notRunning());
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.asked.delete(id);
        reject(failure("internal", `The SIP edge did not answer "${command.kind}" in ${COMMAND_MS_MAX / 1000} s.`));
      }, COMMAND_MS_MAX);
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          how(value);
        };
      this.asked.set(id, { resolve: settle(resolve), reject: settle(reject) });
      worker.postMessage({ id, command });
    });
  }
}

function notRunning(): AppError {
  return failure("internal", "The SIP edge is not running; it is being started again.");
}

function failure(code: ErrorCode, message: string): AppError {
  return new AppError(code, message);
}
