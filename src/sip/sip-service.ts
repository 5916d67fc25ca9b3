/**
 * The SIP side of the service: takes INVITEs from every drachtio connection, has them routed, and bridges, intercepts or refuses them. Started and
 * stopped by the composition root.
 */
import { listTrunks } from "../account/trunks.store.js";
import type { Database } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { RouteCallDeps } from "../routing/route-call.js";
import { DrachtioLink } from "./drachtio-link.js";
import { ConcurrentCalls } from "./concurrent-calls.js";
import type { SipRequest, SipResponse } from "./drachtio-types.js";
import type { DrachtioAddress } from "./drachtio-url.js";
import { gatherWrites } from "./gather-writes.js";
import { handleInvite, type LiveCalls } from "./handle-invite.js";
import { ALLOW } from "./edge/allowed-methods.js";
import { createProxiedCalls } from "./proxied-calls.js";
import { acceptsTransport, TrunkGuard } from "./trunk-guard.js";
import { TrunkLimits } from "./trunk-limits.js";

export interface SipServiceOptions {
  readonly addresses: readonly DrachtioAddress[];
  readonly db: Database;
  readonly routing: RouteCallDeps;
  readonly clock: Clock;
  readonly log: Log;
  /** Written into records of calls whose dialogs live here. */
  readonly node: string;
  /** Where calls to quarantined numbers are bridged (an announcement); null: they are refused. */
  readonly interceptUri: string | null;
  readonly isReady: () => boolean;
  /** Told the sources of all trunks, at start and after every change: the embedded edge drops everybody else. */
  readonly onSources: (cidrs: readonly string[]) => void | Promise<void>;
}

/** A call that is still up when the drain is over gets this long to be taken down in good order. */
const END_MS_MAX = 3_000;
/** Trunks that could not be read (the database has too much to do) are read again after this. */
const RELOAD_MS = 1_000;

export class SipService {
  private readonly guard = new TrunkGuard();
  private readonly links: readonly DrachtioLink[];
  private readonly live: LiveCalls = new Map();
  private readonly limits: TrunkLimits;
  private readonly concurrent = new ConcurrentCalls();
  private readonly proxied = createProxiedCalls();
  private draining = false;
  private reloading: NodeJS.Timeout | null = null;
  private reads: Promise<void> = Promise.resolve();
  private readonly refused = { unknown_source: 0, insecure_transport: 0 };

  constructor(private readonly options: SipServiceOptions) {
    const { addresses, clock, log } = options;
    this.limits = new TrunkLimits(clock);
    this.links = addresses.map((address) => {
      const link: DrachtioLink = new DrachtioLink({ address, log, onLost: () => this.endCallsOf(link, "link_lost") });
      return link;
    });
  }

  /** @throws AppError("config_invalid") for a drachtio-server that cannot be used; AppError("draining") when `stopping` was aborted before all are connected */
  async start(stopping?: AbortSignal): Promise<void> {
    await this.reloadTrunks();
    for (const link of this.links) {
      link.srf.invite((request, response) => void this.onInvite(link, request, response));
      link.srf.options((_request, response) => this.onOptions(response));
      // Requests outside of a dialog that mean nothing here. Answered, so that an honest peer is not left waiting.
      for (const method of ["register", "subscribe", "publish", "message", "refer"]) {
        link.srf.use(method, (_request, response) => response.send(405, { headers: { Allow: ALLOW } }));
      }
      // Of a call that is over, or never was (RFC 3261 §12.2.2).
      for (const method of ["bye", "info", "update", "prack", "notify"]) {
        link.srf.use(method, (_request, response) => response.send(481));
      }
      await link.connect(stopping);
    }
  }

  get isUp(): boolean {
    return this.links.some((link) => link.isUp);
  }

  get liveCalls(): number {
    return this.live.size;
  }

  /** INVITEs refused before they were read, by reason. */
  counters(): Readonly<Record<string, number>> {
    return { ...this.refused };
  }

  /** Trunks were changed: they are read until they could be, for nobody tells of it twice. The old ones stay until then. */
  async trunksChanged(): Promise<void> {
    try {
      await this.reloadTrunks();
    } catch (error) {
      this.options.log.warn("sip.trunks_not_reloaded", { error: messageOf(error) });
      if (!this.draining) this.reloading ??= setTimeout(() => this.reloadAgain(), RELOAD_MS);
    }
  }

  private reloadAgain(): void {
    this.reloading = null;
    void this.trunksChanged();
  }

  /** One after another: an answer that the next one overtook would bring back what was before. @throws AppError("database_unavailable") */
  private reloadTrunks(): Promise<void> {
    const read = this.reads.then(() => this.readTrunks());
    this.reads = read.catch(() => undefined);
    return read;
  }

  private async readTrunks(): Promise<void> {
    const trunks = await listTrunks(this.options.db);
    // Before calls are let in that need them.
    if (trunks.some(({ mode }) => mode === "proxy")) for (const link of this.links) this.proxied.hear(link.srf);
    this.guard.setTrunks(trunks);
    await this.options.onSources(this.guard.cidrs);
  }

  /** No new calls from now on (503, the carrier tries another node); waits for those that are up, `waitMs` at most. */
  async drain(waitMs: number): Promise<void> {
    this.draining = true;
    const deadline = this.options.clock.monotonicMs() + waitMs;
    while (this.live.size > 0 && this.options.clock.monotonicMs() < deadline) {
      await Promise.race([
        Promise.all([...this.live.values()].map((call) => call.over)),
        pause(deadline - this.options.clock.monotonicMs()),
      ]);
    }
  }

  /** Ends what is still up, closes its records, and disconnects. */
  async stop(): Promise<void> {
    this.draining = true;
    if (this.reloading !== null) clearTimeout(this.reloading);
    for (const call of this.live.values()) call.ending.abort("shutdown");
    await Promise.race([Promise.all([...this.live.values()].map((call) => call.over)), pause(END_MS_MAX)]);
    for (const link of this.links) link.disconnect();
  }

  private async onInvite(link: DrachtioLink, request: SipRequest, response: SipResponse): Promise<void> {
    const { routing, clock, log, node, interceptUri } = this.options;
    gatherWrites(request.socket);
    try {
      const trunk = this.guard.find(request.source_address);
      if (trunk === null) {
        this.refused.unknown_source++;
        log.warn("sip.unknown_source", { address: request.source_address });
        return response.send(403);
      }
      if (!acceptsTransport(trunk, request.protocol)) {
        this.refused.insecure_transport++;
        log.warn("sip.insecure_transport", { trunk: trunk.name, protocol: request.protocol });
        return response.send(403, "This trunk is served over TLS only");
      }
      const { live, limits, concurrent, proxied } = this;
      const deps = { srf: link.srf, link, routing, clock, log, node, interceptUri, live, limits, concurrent, proxied };
      await handleInvite(deps, { request, response, trunk, isDraining: this.draining });
    } catch (error) {
      // A mistake of ours must cost one call, not the service.
      log.error("sip.invite_failed", { error: messageOf(error) });
      if (!response.finalResponseSent) response.send(500);
    }
  }

  private onOptions(response: SipResponse): void {
    if (this.draining || !this.options.isReady()) return response.send(503, { headers: { "Retry-After": "5" } });
    response.send(200, { headers: { Allow: ALLOW, Accept: "application/sdp" } });
  }

  private endCallsOf(link: DrachtioLink, why: string): void {
    for (const call of this.live.values()) if (call.link === link) call.ending.abort(why);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
