/** The SIP role: the embedded edge, unless a drachtio-server is named, and the app that talks to it. */
import { authorityOf } from "../kernel/authority.js";
import type { Config } from "../config.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { RouteCallDeps } from "../routing/route-call.js";
import type { DrachtioAddress } from "../sip/drachtio-url.js";
import { EdgeThread } from "../sip/edge/edge-thread.js";
import type { TlsCertificate } from "../sip/edge/tls-context.js";
import { SipService } from "../sip/sip-service.js";
import type { Infrastructure } from "./infrastructure.js";
import type { Ambient } from "./ambient.js";
import { CertificateWatch } from "./certificate-watch.js";

export interface SipSide {
  /** `udp/127.0.0.1:5060`; of the embedded edge only. */
  readonly addresses: readonly string[];
  isUp(): boolean;
  liveCalls(): number;
  /** Packets dropped and the like, of the embedded edge only; INVITEs that the service refused unread. */
  counters(): Promise<Readonly<Record<string, number>>>;
  trunksChanged(): Promise<void>;
  /** New calls are refused; those that are up get so many ms to end by themselves. */
  drain(waitMs: number): Promise<void>;
  stop(): Promise<void>;
}

const EDGE_SECRET_BYTES = 24;

export async function startSip(input: {
  config: Config;
  infrastructure: Infrastructure;
  routing: RouteCallDeps;
  node: string;
  isReady: () => boolean;
  ambient: Ambient;
}): Promise<SipSide> {
  const { config, infrastructure, routing, node, isReady, ambient } = input;
  const { clock, log } = ambient;
  const embedded = config.drachtioServers.length === 0 ? await startEdge({ config, ambient }) : null;
  const service = new SipService({
    addresses: embedded === null ? config.drachtioServers : [embedded.address],
    db: infrastructure.db,
    routing,
    clock,
    log,
    node,
    interceptUri: config.interceptUri,
    isReady,
    onSources: async (cidrs) => embedded?.edge.allowSources(cidrs),
  });
  try {
    await service.start(ambient.stopping);
  } catch (error) {
    await service.stop();
    await embedded?.edge.stop();
    throw error;
  }
  const certificates = embedded === null ? null : watchCertificate(embedded.edge, config, log);
  return {
    addresses: embedded?.listening ?? [],
    isUp: () => service.isUp,
    liveCalls: () => service.liveCalls,
    counters: async () => ({ ...(await countersOf(embedded?.edge, log)), ...service.counters() }),
    trunksChanged: () => service.trunksChanged(),
    drain: (waitMs) => service.drain(waitMs),
    stop: async () => {
      certificates?.stop();
      await service.stop();
      await embedded?.edge.stop();
    },
  };
}

/** Null without a tls address. */
function watchCertificate(edge: EdgeThread, { sipTls }: Config, log: Log): CertificateWatch | null {
  if (sipTls === null) return null;
  const use = (certificate: TlsCertificate): Promise<void> => edge.useCertificate(certificate);
  const watch = new CertificateWatch({ ...sipTls, inUse: sipTls, use, log });
  watch.start();
  return watch;
}

/** Metrics go on without those of an edge that is just being replaced. */
async function countersOf(edge: EdgeThread | undefined, log: Log): Promise<Readonly<Record<string, number>>> {
  try {
    return (await edge?.counters()) ?? {};
  } catch (error) {
    log.warn("edge.counters_missing", { error: messageOf(error) });
    return {};
  }
}

async function startEdge(input: {
  config: Config;
  ambient: Ambient;
}): Promise<{ edge: EdgeThread; address: DrachtioAddress; listening: string[] }> {
  const { config, ambient } = input;
  const secret = ambient.random.bytes(EDGE_SECRET_BYTES).toString("hex");
  // Nobody may call before the trunks are known.
  const edge = new EdgeThread({
    listen: config.sipListen,
    ...(config.sipTls === null ? {} : { tls: config.sipTls }),
    admin: { host: "127.0.0.1", port: 0, secret },
    sourceCidrs: [],
    search: "line",
    log: ambient.log,
  });
  const { sip, admin } = await edge.start();
  const listening = sip.map((listener) => `${listener.transport}/${authorityOf(listener)}`);
  return { edge, address: { ...admin, secret }, listening };
}
