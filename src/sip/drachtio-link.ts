/**
 * One connection to a drachtio server (the embedded edge or a real one), for ever: drachtio-srf reconnects by itself, we tell who must know. Dialogs of a
 * lost connection never end on their own (sip notes §3), so whoever holds them is told.
 */
import { AppError, messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { Srf } from "./drachtio-types.js";
import type { DrachtioAddress } from "./drachtio-url.js";
import { loadDrachtioSrf } from "./load-drachtio-srf.js";

const SrfClass = loadDrachtioSrf();

/** The first connection of a start; later ones are retried silently. */
const CONNECT_MS_MAX = 10_000;
/** Left alone, drachtio-srf waits 1.7 times longer after each attempt, without end: after an hour without a server, half an hour more. */
const RECONNECT_MS_MAX = 2_000;

export interface DrachtioLinkOptions {
  readonly address: DrachtioAddress;
  readonly log: Log;
  /** The connection broke: every call over it is on its own. */
  readonly onLost: () => void;
}

export class DrachtioLink {
  readonly srf: Srf = new SrfClass();
  private up = false;
  private stopped = false;

  constructor(private readonly options: DrachtioLinkOptions) {}

  get isUp(): boolean {
    return this.up;
  }

  /**
   * Resolves when connected and authenticated.
   * @throws AppError("config_invalid") when refused or not reachable in time; AppError("draining") when `stopping` was aborted before that
   */
  connect(stopping?: AbortSignal): Promise<void> {
    const { address, log, onLost } = this.options;
    const where = `${address.host}:${address.port}`;
    return new Promise((resolve, reject) => {
      const giveUp = (error: AppError): void => {
        clearTimeout(timer);
        reject(error);
      };
      const fail = (why: string): void => {
        const sentence = `drachtio-server at ${where} cannot be used (${why}); check DRACHTIO_URL and that it runs.`;
        giveUp(new AppError("config_invalid", sentence));
      };
      const timer = setTimeout(() => fail("no connection"), CONNECT_MS_MAX);
      const stop = (): void =>
        giveUp(new AppError("draining", `Stopped while waiting for drachtio-server at ${where}.`));
      if (stopping?.aborted) return stop();
      stopping?.addEventListener("abort", stop, { once: true });
      this.srf.on("connect", (error: unknown) => {
        if (error) return fail(messageOf(error));
        if (this.stopped) return this.srf.disconnect();
        clearTimeout(timer);
        this.up = true;
        log.info("sip.link_up", { where });
        resolve();
      });
      this.srf.on("error", (error: unknown) => log.warn("sip.link_error", { where, error: messageOf(error) }));
      this.srf.on("close", () => {
        if (!this.up) return;
        this.up = false;
        if (!this.stopped) log.error("sip.link_lost", { where });
        onLost();
      });
      const { host, port, secret } = address;
      this.srf.connect({ host, port, secret, reconnect: { retryMaxDelay: RECONNECT_MS_MAX } });
    });
  }

  disconnect(): void {
    this.stopped = true;
    // Without a connection drachtio-srf has nothing to disconnect and says so by an assertion; its next attempt is then met above.
    if (this.up) this.srf.disconnect();
  }
}
