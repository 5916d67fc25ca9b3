/** The SIP side of the service on the embedded edge or on a real drachtio-server, with real routing, for tests that call it. */
import { expect } from "vitest";
import { ensureTrunk } from "../../src/account/trunks.store.js";
import { sql, type Database } from "../../src/db/database.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import type { DrachtioAddress } from "../../src/sip/drachtio-url.js";
import { SipEdge } from "../../src/sip/edge/sip-edge.js";
import type { SipTimers } from "../../src/sip/edge/timers.js";
import { SipService } from "../../src/sip/sip-service.js";
import { drachtioServer, sipAddressOf } from "./drachtio-server.js";
import { startRouting, type TestRouting } from "./routing.js";
import { type SeverableLink, startLink } from "./severable-link.js";
import { until } from "./until.js";
import { allocationFor, makeWorld, type World } from "./world.js";

export interface SipWorld {
  /** Null on a drachtio-server, which shows nothing of its inside: checks of it are then left out. */
  readonly edge: SipEdge | null;
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

interface WorldOptions {
  readonly interceptUri?: string;
  readonly routingDb?: Database;
  /** Of the embedded edge; a drachtio-server keeps those of RFC 3261. */
  readonly timers?: Partial<SipTimers>;
  /** Adds a TLS listener to the embedded edge; a drachtio-server has its own certificate. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Started in this file and not stopped, the newest last. On a drachtio-server only that one is connected. */
const worlds: { park(): Promise<void>; unpark(): Promise<void> }[] = [];

export async function startSipWorld(db: Database, options: WorldOptions = {}): Promise<SipWorld> {
  const front = drachtioServer === null ? await startEdge(options) : await useServer(drachtioServer);
  await ensureTrunk(db, { name: "loopback", sourceCidrs: ["127.0.0.0/8"] });
  const routing = await startRouting(options.routingDb ?? db);
  const link = await startLink(`drachtio://${front.admin.host}:${front.admin.port}`);
  const startService = async (): Promise<SipService> => {
    const created = new SipService({
      addresses: [{ host: "127.0.0.1", port: Number(new URL(link.url).port), secret: front.admin.secret }],
      db,
      routing: routing.deps,
      clock: systemClock,
      log: silentLog,
      node: "test-node",
      interceptUri: options.interceptUri ?? null,
      isReady: () => true,
      onSources: (cidrs) => front.edge?.allowSources(cidrs),
    });
    await created.start();
    return created;
  };
  await worlds.at(-1)?.park();
  let service = await startService();
  const world = {
    park: async () => {
      if (front.edge === null) await service.stop();
    },
    unpark: async () => {
      if (front.edge === null) service = await startService();
    },
  };
  worlds.push(world);
  return {
    edge: front.edge,
    get service() {
      return service;
    },
    routing,
    link,
    address: front.address,
    tlsPort: front.tlsPort,
    stop: async () => {
      const wasNewest = worlds.at(-1) === world;
      worlds.splice(worlds.indexOf(world), 1);
      await service.stop();
      await link.close();
      await front.edge?.stop();
      await routing.stop();
      if (wasNewest) await worlds.at(-1)?.unpark();
    },
  };
}

interface Front {
  readonly edge: SipEdge | null;
  readonly admin: DrachtioAddress;
  readonly address: string;
  readonly tlsPort: number | null;
}

async function startEdge(options: WorldOptions): Promise<Front> {
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
    // As service/sip-side.ts does.
    search: "line",
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    ...(options.timers === undefined ? {} : { timers: options.timers }),
  });
  const { sip, admin } = await edge.start();
  const tlsPort = sip[2]?.port ?? null;
  return { edge, admin: { ...admin, secret }, address: `127.0.0.1:${sip[0]?.port}`, tlsPort };
}

async function useServer(server: DrachtioAddress): Promise<Front> {
  return { edge: null, admin: server, address: await sipAddressOf(server), tlsPort: null };
}

export function placeOf(world: SipWorld): { readonly host: string; readonly port: number } {
  const [host = "", port] = world.address.split(":");
  return { host, port: Number(port) };
}

/** No call is up any more and no leg is left behind. */
export async function nothingLeft(world: SipWorld): Promise<void> {
  await until("no call is left", () => world.service.liveCalls === 0 && (world.edge?.activeDialogs() ?? 0) === 0);
  expect(world.edge?.counters()["internal_errors"] ?? 0).toBe(0);
}

/** Nor any transaction, once its last timer (64*T1) is over. */
export async function noTransactionLeft(world: SipWorld): Promise<void> {
  const names = ["active_server_transactions", "active_client_transactions", "active_requests"];
  await until("no transaction is left", () => {
    const counters = world.edge?.counters() ?? {};
    return names.every((name) => (counters[name] ?? 0) === 0);
  });
}

/** A number just presented to a visitor, whose business is reached at the given targets. */
export async function presentedNumber(
  db: Database,
  targets: readonly string[],
  ringTimeoutS?: number,
): Promise<{ readonly world: World; readonly number: string; readonly visitorId: string }> {
  const world = await makeWorld(db, 1);
  await setTargets(db, world.destination.id, targets, ringTimeoutS);
  const [outcome] = await presentBatch(db, [allocationFor(world)]);
  if (outcome?.kind !== "presented") throw new Error("nothing was presented");
  return { world, number: outcome.promoNumber, visitorId: outcome.visitorId };
}

export const targetAt = (port: number): string => `sip:business@127.0.0.1:${port}`;

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

const RECORDS = sql(
  "test_calls_of_number",
  `select c.*, progress -> 'attempts' as attempts from call c where promo_number = $1 order by received_at desc, id desc`,
);

export type CallRow = Record<string, unknown> & { attempts: { target: string; sipStatus: number | null }[] };

/** The newest record of a number, once its status is the one waited for. */
export async function recordOf(db: Database, promoNumber: string, status: string): Promise<CallRow> {
  return lookUntil(db, promoNumber, `the newest record is ${status}`, ([newest]) =>
    newest?.["status"] === status ? newest : null,
  );
}

/** All records of a number, once there are so many and each has the status. */
export async function recordsOf(
  db: Database,
  promoNumber: string,
  expected: { readonly count: number; readonly status?: string },
): Promise<readonly CallRow[]> {
  const { count, status } = expected;
  return lookUntil(db, promoNumber, `${count} records are ${status}`, (records) =>
    records.length === count && records.every((record) => record["status"] === status) ? records : null,
  );
}

async function lookUntil<T>(
  db: Database,
  promoNumber: string,
  what: string,
  find: (records: readonly CallRow[]) => T | null,
): Promise<NonNullable<T>> {
  let last: readonly CallRow[] = [];
  try {
    return await until(`${promoNumber}: ${what}`, async () => {
      last = await db.query<CallRow>(RECORDS, [promoNumber]);
      return find(last);
    });
  } catch (error) {
    throw new Error(`${(error as Error).message}; last seen ${JSON.stringify(last.slice(0, 3))}`, { cause: error });
  }
}
