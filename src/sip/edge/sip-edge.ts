/**
 * The embedded SIP edge: SIP listeners on one side, the drachtio wire protocol on the other, so that an unmodified drachtio-srf works with it as with
 * drachtio-server. Started and stopped by the composition root (and by tests); everything between is inbound.ts and outbound.ts.
 */
import type { Clock } from "../../kernel/clock.js";
import type { Log } from "../../kernel/log.js";
import type { Random } from "../../kernel/random.js";
import type { AppConnection } from "./app-connection.js";
import { endCallsOf } from "./app-lost.js";
import { hostPort } from "./app-protocol.js";
import { createAppRouter } from "./app-router.js";
import { AppServer } from "./app-server.js";
import { createStack, type EdgeContext } from "./edge-context.js";
import { hangUp } from "./hang-up.js";
import { receive } from "./inbound.js";
import { DIALOG_SWEEP_MS, MAX_CALL_MS, STOP_GRACE_MS } from "./limits.js";
import { bindListeners, tlsContextFor } from "./listeners.js";
import { mainAddress } from "./local-address.js";
import { onAppSip } from "./outbound.js";
import { onAppProxy } from "./outbound-proxy.js";
import { createProxiedCalls } from "./proxied-calls.js";
import { type SearchStyle, searchRules } from "./search-rules.js";
import type { createScheduler, SipTimers } from "./timers.js";
import type { TlsCertificate, TlsContext, TlsOptions } from "./tls-context.js";
import type { Parsed } from "./sip-parser.js";
import type { Flow, SipListen } from "./transport.js";

export type { TlsOptions } from "./tls-context.js";
export type { SipListen } from "./transport.js";

export interface SipEdgeOptions {
  /** Port 0 lets the system choose; UDP and TCP of one host then share the number. */
  readonly listen: readonly SipListen[];
  /** Needed with a tls address in `listen`; also shown and used where the edge connects by TLS. */
  readonly tls?: TlsOptions;
  /** Where apps connect; a loopback address, unless the network between is trusted. */
  readonly admin: { readonly host: string; readonly port: number; readonly secret: string };
  /** Who may call: `192.0.2.0/24`, `2001:db8::/32`, single addresses. Everybody else gets silence. */
  readonly sourceCidrs: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timers?: Partial<SipTimers>;
  /** How proxied INVITEs hunt; `proxy`, drachtio-server's way, when not given. */
  readonly search?: SearchStyle;
}

/** What srf is told; it pings servers from v0.8.2 on. */
const VERSION = "v0.9.10-ringmatch";

export class SipEdge {
  private readonly options: SipEdgeOptions;
  private readonly ctx: EdgeContext;
  private readonly scheduler: ReturnType<typeof createScheduler>;
  private readonly apps: AppServer;
  private tls: TlsContext | null = null;
  private isStopped = false;

  /** Throws AppError invalid_value for a CIDR that is none. */
  constructor(options: SipEdgeOptions) {
    this.options = options;
    const stack = createStack(options);
    this.scheduler = stack.scheduler;
    this.ctx = {
      ...stack,
      apps: createAppRouter(),
      proxied: createProxiedCalls(),
      searchRules: searchRules(options.search ?? "proxy"),
      transports: [],
      isDraining: false,
    };
    this.ctx.sources.allow(options.sourceCidrs);
    this.apps = this.createAppServer();
  }

  /** Resolves with the real ports. Rejects with AppError address_taken (naming SIP_LISTEN or the admin address) or config_invalid; nothing stays open then. */
  async start(): Promise<{
    readonly sip: readonly SipListen[];
    readonly admin: { readonly host: string; readonly port: number };
  }> {
    const { ctx, options } = this;
    const { clock, log, counters, sources, scheduler } = ctx;
    const deps = {
      clock,
      log,
      counters,
      sources,
      scheduler,
      receive: (parsed: Parsed, flow: Flow) => ctx.guard(() => receive(ctx, parsed, flow)),
    };
    this.tls = tlsContextFor(options.listen, options.tls ?? null);
    ctx.transports = await bindListeners(options.listen, deps, this.tls);
    try {
      const port = await this.apps.start(options.admin.host, options.admin.port);
      this.sweepLater();
      const sip = ctx.transports.map((one) => ({ transport: one.kind, host: one.host, port: one.port }));
      ctx.log.info("edge.started", { sip, admin: { host: options.admin.host, port } });
      return { sip, admin: { host: options.admin.host, port } };
    } catch (error) {
      await Promise.all(ctx.transports.map((one) => one.stop()));
      throw error;
    }
  }

  /** Replaces the sources at once; calls that are up go on. Throws AppError invalid_value and keeps the old list. */
  allowSources(cidrs: readonly string[]): void {
    this.ctx.sources.allow(cidrs);
  }

  /** For connections made from now on. Throws AppError config_invalid and keeps the one before. Without a tls address it has no use. */
  useCertificate(certificate: TlsCertificate): void {
    this.tls?.useCertificate(certificate);
  }

  /** From now on new out-of-dialog requests get 503 with Retry-After; calls that are up or ringing go on. */
  drain(): void {
    this.ctx.isDraining = true;
  }

  /** Totals since the start, and under `active_*` what there is now. */
  counters(): Readonly<Record<string, number>> {
    const { transactions, dialogs, counters } = this.ctx;
    return {
      ...counters.snapshot(),
      active_dialogs: dialogs.byId.size,
      active_proxied_calls: this.ctx.proxied.size,
      active_server_transactions: transactions.servers.size,
      active_client_transactions: transactions.clients.size,
      active_requests: transactions.incoming.size + transactions.outgoing.size,
    };
  }

  activeDialogs(): number {
    return this.ctx.dialogs.byId.size;
  }

  /** Hangs up what is left, gives the peers a moment to acknowledge, then closes everything. Idempotent. */
  async stop(): Promise<void> {
    if (this.isStopped) return;
    this.isStopped = true;
    this.drain();
    endCallsOf(this.ctx, null, "the server stops");
    await this.untilQuiet();
    this.scheduler.stop();
    await this.apps.stop();
    await Promise.all(this.ctx.transports.map((one) => one.stop()));
    this.ctx.log.info("edge.stopped");
  }

  private createAppServer(): AppServer {
    const { ctx } = this;
    return new AppServer(
      {
        scheduler: ctx.scheduler,
        secret: this.options.admin.secret,
        greeting: () => this.greeting(),
        uuid: () => ctx.random.uuid(),
        count: (name) => ctx.counters.add(name),
        onReady: (connection) => {
          ctx.counters.add("app_connections");
          ctx.apps.add(connection);
          ctx.log.info("edge.app_connected");
        },
        onSip: (connection, command) => ctx.guard(() => onAppSip(ctx, connection, command)),
        onProxy: (connection, command) => ctx.guard(() => onAppProxy(ctx, connection, command)),
        onClosed: (connection, wasReady, reason) => this.onAppClosed(connection, wasReady, reason),
      },
      ctx.log,
    );
  }

  private onAppClosed(connection: AppConnection, wasReady: boolean, reason: string): void {
    if (!wasReady) {
      this.ctx.log.warn("edge.app_refused", { reason });
      return;
    }
    this.ctx.apps.remove(connection);
    this.ctx.counters.add("app_lost");
    if (!this.isStopped) this.ctx.log.warn("edge.app_lost", { reason, dialogs: this.activeDialogs() });
    endCallsOf(this.ctx, connection, "application disconnected");
  }

  private greeting(): readonly [string, string, string] {
    const places = this.ctx.transports.map((one) => hostPort(one.kind, mainAddress(one.host), one.port)).join(",");
    return [places, VERSION, places];
  }

  /** A call longer than any real one is a lost BYE. */
  private sweepLater(): void {
    const { ctx } = this;
    this.scheduler.after(DIALOG_SWEEP_MS, () => {
      const oldest = ctx.clock.monotonicMs() - MAX_CALL_MS;
      for (const dialog of ctx.dialogs.byId.values()) {
        // A subscription may be refreshed for ever, and ends by itself when it is not.
        if (dialog.state === "confirmed" && dialog.subscriptions === null && dialog.startedAtMs < oldest)
          hangUp(ctx, dialog, { why: "longest call", tellApp: true });
      }
      // Nobody's to hang up: a proxy has no leg of its own.
      for (const call of ctx.proxied.all()) if (call.isAnswered && call.startedAtMs < oldest) ctx.proxied.remove(call);
      this.sweepLater();
    });
  }

  private async untilQuiet(): Promise<void> {
    const until = this.ctx.clock.monotonicMs() + STOP_GRACE_MS;
    const isAsking = (): boolean =>
      [...this.ctx.transactions.clients.values()].some((one) => one.state === "calling" || one.state === "trying");
    while (isAsking() && this.ctx.clock.monotonicMs() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
