/**
 * The SIP edge in a thread of its own: neither the database's answers nor a busy page delays a packet, and SIP uses a second core. Started and stopped by
 * the composition root, which talks to it by the drachtio protocol as to a drachtio-server elsewhere; only its control passes here. A thread that dies
 * is replaced on the same ports, with the sources and the certificate it had, draining if it was.
 */
import { Worker } from "node:worker_threads";
import { Backoff } from "../../kernel/backoff.js";
import { AppError, messageOf } from "../../kernel/errors.js";
import type { Log } from "../../kernel/log.js";
import type { EdgeAnswer, EdgeCommand, EdgeCounters, EdgeNotice, EdgePlaces, EdgePlan } from "./edge-messages.js";
import { createSourceFilter } from "./source-filter.js";
import { createTlsContext, type TlsCertificate, type TlsOptions } from "./tls-context.js";

export interface EdgeThreadOptions extends EdgePlan {
  readonly log: Log;
  /** Of tests: another file that brings the edge's worker along. */
  readonly workerFile?: URL;
}

/** Binding sockets and answering take milliseconds, hanging up at a stop one second. A thread that says nothing for this long hangs, and is ended. */
const COMMAND_MS_MAX = 10_000;
/**
 * The first replacement comes at once, the next ones later: what kills a thread may do it again. There is no last try: a node without SIP is not ready and
 * carriers pass it over, but a line that nobody tries to mend stays dead.
 */
const RESTART = { minMs: 100, maxMs: 5_000 };
/** A replacement that lives for this long was a good one; the next death is a new story. */
const CALM_MS = 60_000;

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
  private tls: TlsOptions | undefined;
  private isDraining = false;
  private stopping: Promise<void> | null = null;
  private restarts = 0;
  /** Begins anew when there was a calm time. */
  private readonly backoff = new Backoff(RESTART);
  /** For the next replacement, or for the calm after the last one. */
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly options: EdgeThreadOptions) {
    this.cidrs = options.sourceCidrs;
    this.tls = options.tls;
  }

  /**
   * Resolves with the real ports. Rejects with AppError address_taken (naming SIP_LISTEN or the admin address), config_invalid, or invalid_value for a
   * CIDR that is none; nothing stays open then.
   */
  async start(): Promise<EdgePlaces> {
    this.begin(this.options);
    try {
      this.places = (await this.ask({ kind: "start" })) as EdgePlaces;
      return this.places;
    } catch (error) {
      await this.worker?.terminate();
      throw error;
    }
  }

  /** Replaces the sources; calls that are up go on. Rejects with AppError invalid_value and keeps the old list. */
  async allowSources(cidrs: readonly string[]): Promise<void> {
    // Refused here, so that no replacement is ever begun with a list that it cannot take.
    createSourceFilter().allow(cidrs);
    this.cidrs = cidrs;
    await this.tell({ kind: "allow_sources", cidrs });
  }

  /** For TLS connections made from now on; those that are up go on. Rejects with AppError config_invalid and keeps the one before. */
  async useCertificate(certificate: TlsCertificate): Promise<void> {
    const tls = { ...this.tls, ...certificate };
    // As with the sources.
    createTlsContext(tls);
    this.tls = tls;
    await this.tell({ kind: "use_certificate", certificate });
  }

  /** From now on new out-of-dialog requests get 503 with Retry-After; calls that are up or ringing go on. */
  async drain(): Promise<void> {
    this.isDraining = true;
    await this.tell({ kind: "drain" });
  }

  /** Totals since this thread began, `active_*` what there is now, `thread_restarts`. Rejects with AppError internal while there is no thread. */
  async counters(): Promise<EdgeCounters> {
    const counters = (await this.ask({ kind: "counters" })) as EdgeCounters;
    return { ...counters, thread_restarts: this.restarts };
  }

  /** Hangs up what is left, gives the peers a moment to acknowledge, then closes everything. Idempotent. */
  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  private async end(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    const { worker } = this;
    if (worker === null) return;
    try {
      await this.ask({ kind: "stop" });
    } catch (error) {
      this.options.log.warn("edge.stop_failed", { error: messageOf(error) });
    }
    await worker.terminate();
  }

  private begin(plan: EdgePlan): void {
    const { listen, admin, timers, search } = plan;
    const { tls } = this;
    const workerData: EdgePlan = {
      listen,
      admin,
      sourceCidrs: this.cidrs,
      ...(tls === undefined ? {} : { tls }),
      ...(timers === undefined ? {} : { timers }),
      ...(search === undefined ? {} : { search }),
    };
    const file = this.options.workerFile ?? new URL("./edge-worker.js", import.meta.url);
    const worker = new Worker(file, { workerData });
    this.worker = worker;
    worker.on("message", (notice: EdgeNotice) => this.onNotice(notice));
    worker.on("error", (error) => this.options.log.error("edge.thread_failed", { error }));
    worker.on("exit", () => this.onExit());
  }

  private onNotice(notice: EdgeNotice): void {
    if (notice.kind === "log") return this.options.log[notice.level](notice.event, notice.fields);
    const asked = this.asked.get(notice.id);
    this.asked.delete(notice.id);
    if (notice.kind === "done") asked?.resolve(notice.answer);
    else asked?.reject(new AppError(notice.code, notice.message));
  }

  /** Its sockets are closed by now. */
  private onExit(): void {
    this.worker = null;
    for (const { reject } of this.asked.values()) reject(noThread());
    this.asked.clear();
    if (this.places !== null && this.stopping === null) this.restartLater(this.places);
  }

  private restartLater(places: EdgePlaces): void {
    const { log } = this.options;
    const delayMs = this.backoff.next();
    this.restarts += 1;
    log.error("edge.thread_ended", { restarts: this.restarts, delayMs });
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.restart(places), delayMs);
  }

  /** On the ports that the peers and our own app know; whoever was connected connects again by itself. */
  private async restart({ sip, admin }: EdgePlaces): Promise<void> {
    const { options } = this;
    this.begin({ ...options, listen: sip, admin: { ...options.admin, port: admin.port } });
    try {
      // Both at once: the second is carried out before the first has bound a socket.
      await Promise.all([this.ask({ kind: "start" }), this.isDraining ? this.ask({ kind: "drain" }) : null]);
      this.timer = setTimeout(() => this.backoff.reset(), CALM_MS);
      this.timer.unref();
    } catch (error) {
      if (this.stopping !== null) return;
      options.log.error("edge.restart_failed", { error: messageOf(error) });
      // Its exit calls for the next one.
      await this.worker?.terminate();
    }
  }

  /** What outlives a thread need not be heard by one that dies: the next begins with it. */
  private async tell(command: EdgeCommand): Promise<void> {
    const { worker } = this;
    if (worker === null) return;
    try {
      await this.ask(command);
    } catch (error) {
      if (this.worker === worker) throw error;
    }
  }

  private ask(command: EdgeCommand): Promise<EdgeAnswer> {
    const { worker } = this;
    if (worker === null) return Promise.reject(noThread());
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.asked.delete(id);
        reject(
          new AppError("internal", `The SIP edge did not answer "${command.kind}" in ${COMMAND_MS_MAX / 1000} s.`),
        );
        // Packets are not answered either. Its exit calls for the next one.
        void worker.terminate();
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

function noThread(): AppError {
  return new AppError("internal", "The SIP edge's thread has ended.");
}
