/** The SIP side of the service on the embedded edge, with real routing, for tests that call it. */
import { ensureTrunk } from "../../src/account/trunks.store.js";
import { sql, type Database } from "../../src/db/database.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";
import { SipEdge } from "../../src/sip/edge/sip-edge.js";
import type { SipTimers } from "../../src/sip/edge/timers.js";
import { SipService } from "../../src/sip/sip-service.js";
import { startRouting, type TestRouting } from "./routing.js";
import { type SeverableLink, startLink } from "./severable-link.js";
import { until } from "./until.js";

export interface SipWorld {
  readonly edge: SipEdge;
  readonly service: SipService;
  readonly routing: TestRouting;
  /** Between the app and the edge. */
  readonly link: SeverableLink;
  /** host:port for UDP and TCP. */
  readonly address: string;
  /** Of the TLS listener, when there is one. */
  readonly tlsPort: number | null;
  stop(): Promise<void>;
}

export async function startSipWorld(
  db: Database,
  options: {
    interceptUri?: string;
    routingDb?: Database;
    timers?: Partial<SipTimers>;
    tls?: { cert: string; key: string };
  } = {},
): Promise<SipWorld> {
  const common = { clock: systemClock, random: systemRandom, log: silentLog };
  const secret = "a secret of this test run";
  const edge = new SipEdge({
    listen: [
      { transport: "udp", host: "127.0.0.1", port: 0 },
      { transport: "tcp", host: "127.0.0.1", port: 0 },
      ...(options.tls === undefined ? [] : [{ transport: "tls" as const, host: "127.0.0.1", port: 0 }]),
    ],
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    admin: { host: "127.0.0.1", port: 0, secret },
    sourceCidrs: [],
    ...common,
    ...(options.timers === undefined ? {} : { timers: options.timers }),
  });
  const { sip, admin } = await edge.start();
  await ensureTrunk(db, { name: "loopback", sourceCidrs: ["127.0.0.0/8"] });
  const routing = await startRouting(options.routingDb ?? db);
  const link = await startLink(`drachtio://${admin.host}:${admin.port}`);
  const service = new SipService({
    addresses: [{ host: "127.0.0.1", port: Number(new URL(link.url).port), secret }],
    db,
    routing: routing.deps,
    clock: systemClock,
    log: silentLog,
    node: "test-node",
    interceptUri: options.interceptUri ?? null,
    isReady: () => true,
    onSources: (cidrs) => edge.allowSources(cidrs),
  });
  await service.start();
  return {
    edge,
    service,
    routing,
    link,
    address: `127.0.0.1:${sip[0]?.port}`,
    tlsPort: sip[2]?.port ?? null,
    stop: async () => {
      await service.stop();
      await link.close();
      await edge.stop();
      await routing.stop();
    },
  };
}

const SET_TARGETS = sql(
  "test_set_targets",
  `update destination set sip_uri = $2, failover = $3, ring_timeout_s = $4 where id = $1`,
);

/** Points a destination at SIP targets of the test. */
export async function setTargets(
  db: Database,
  destinationId: string,
  targets: readonly string[],
  ringTimeoutS = 30,
): Promise<void> {
  await db.query(SET_TARGETS, [destinationId, targets[0] ?? null, targets.slice(1), ringTimeoutS]);
}

const LATEST = sql(
  "test_latest_call",
  `select c.*, progress -> 'attempts' as attempts from call c where promo_number = $1 order by received_at desc, id desc limit 1`,
);

export type CallRow = Record<string, unknown> & { attempts: { target: string; sipStatus: number | null }[] };

/** The newest record of a number, once its status is the one waited for. */
export async function recordOf(db: Database, promoNumber: string, status: string): Promise<CallRow> {
  let last: CallRow | undefined;
  try {
    return await until(`record of ${promoNumber} is ${status}`, async () => {
      [last] = await db.query<CallRow>(LATEST, [promoNumber]);
      return last?.["status"] === status ? last : null;
    });
  } catch (error) {
    throw new Error(`${(error as Error).message}; last seen ${JSON.stringify(last)}`, { cause: error });
  }
}
