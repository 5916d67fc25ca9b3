/**
 * The composition root: configuration → infrastructure → domain services → edges, started in this order, stopped in reverse. The only place that knows
 * every room.
 */
import { Registry } from "prom-client";
import type { TagScript } from "../account/tag-file.js";
import { ensureTrunk } from "../account/trunks.store.js";
import type { FormerLife } from "../attribution/calls.store.js";
import type { Config } from "../config.js";
import { SECRETS_KEY } from "../dev/kept-secret.js";
import { closeFormerLife, keepHouse, type OrphanDeps } from "../jobs/housekeeping.js";
import { keepPrivacy } from "../jobs/privacy-chores.js";
import { keepReportCells } from "../jobs/report-cells.js";
import { Leader } from "../jobs/leader.js";
import { ORDERS_SWEEP_EVERY_MS } from "../jobs/inventory-jobs.js";
import { NumberJobs, SWEEP_EVERY_MS } from "../jobs/number-jobs.js";
import { POOLS_SWEEP_EVERY_MS } from "../jobs/scale-jobs.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { createIdSource, type IdSource } from "../kernel/ids.js";
import { createSecrets, type Secrets } from "../kernel/secrets.js";
import { type AdminKey, prepareAdminKey } from "./admin-key.js";
import type { Ambient } from "./ambient.js";
import { createIdleGauge, watchGauges } from "./gauges.js";
import { startHttp, type State } from "./http-side.js";
import { type Infrastructure, startInfrastructure } from "./infrastructure.js";
import { type Inventory, startInventory } from "./inventory-side.js";
import { checkListenAddresses } from "./listen-check.js";
import { startRouting } from "./routing-side.js";
import { type OutboundSide, prepareOutbound } from "./outbound-side.js";
import { prepareScaling, type ScalingSide } from "./scaling-side.js";
import { assertSecretsKey } from "./secrets-key-check.js";
import { startSip } from "./sip-side.js";
import { readTagScript } from "./tag-script.js";

export interface Service {
  readonly infrastructure: Infrastructure;
  readonly ids: IdSource;
  readonly secrets: Secrets;
  readonly adminKey: AdminKey;
  /** `http://127.0.0.1:8080`; null without the http role. */
  readonly httpUrl: string | null;
  /** `udp/127.0.0.1:5060`; empty without the sip role or with a drachtio-server elsewhere. */
  readonly sipAddresses: readonly string[];
  /** From now on `/readyz` may say 200. */
  markReady(): void;
  /** Drains, for as long as configured but at most for `drainMsMax`, then stops everything, the embedded servers last. */
  stop(drainMsMax?: number): Promise<void>;
}

/** @throws AppError with one sentence that says what to do; whatever had started is stopped again */
export async function startService(
  config: Config,
  ambient: Ambient,
  readTag: () => TagScript = readTagScript,
): Promise<Service> {
  await checkListenAddresses(config);
  const infrastructure = await startInfrastructure({ config, ...ambient });
  try {
    return await startOn(infrastructure, { config, ambient, readTag });
  } catch (error) {
    await infrastructure.stack.unwind();
    throw error;
  }
}

async function startOn(
  infrastructure: Infrastructure,
  { config, ambient, readTag }: { config: Config; ambient: Ambient; readTag: () => TagScript },
): Promise<Service> {
  const { db, dataDir, redisUrl, stack } = infrastructure;
  const { clock, random, log } = ambient;
  const ids = createIdSource(clock, random);
  const secrets = createSecrets(config.secretsKey ?? dataDir.secret(...SECRETS_KEY), random);
  await assertSecretsKey(db, secrets);
  const adminKey = await prepareAdminKey({ config, dataDir, db, ids, random });
  if (config.isEmbedded) await ensureTrunk(db, { name: "loopback", sourceCidrs: ["127.0.0.0/8"] });
  const node = dataDir.secret("node-id", 16);

  const jobs = new NumberJobs({ redisUrl, db, clock, log, works: config.roles.includes("jobs") });
  stack.push("jobs", () => jobs.stop());
  const base = { config, infrastructure, ambient, ids, secrets };
  const inventory = startInventory(base);
  const metrics = new Registry();
  const { buyer } = inventory;
  const scaling = prepareScaling({ config, infrastructure, ambient, ids, schedule: jobs, buyer, registry: metrics });
  const outbound = prepareOutbound({ ...base, registry: metrics });
  const routing = await startRouting({ infrastructure, ids, secrets, ambient, schedule: jobs });
  const leader = new Leader({ database: db, clock, log, name: "timers" });
  stack.push("leader", () => leader.stop());
  sweepWith(leader, { numbers: jobs, inventory, scaling, outbound });
  const { callLog } = routing;
  keepReportCells(leader, db);
  keepPrivacy(leader, { db, ids, secrets, log });
  keepHouse(leader, { db, callLog, schedule: jobs, clock, log, onIdleNumbers: createIdleGauge(metrics) });
  const closeFormer = formerLifeOf({ config, db, callLog, log, life: { node, before: routing.startedAt } });
  // What it left on disk may tell how calls ended; those are closed when it is written.
  if (routing.spool.isEmpty) await closeFormer();

  const state: State = { isReady: false, isDraining: false, sip: null };
  const parts = { ...base, adminKey, readTag, routing, jobs, inventory, scaling, outbound };
  const httpUrl = config.roles.includes("http") ? await startHttp({ ...parts, metrics, state }) : null;
  if (config.roles.includes("sip")) {
    const sip = await startSip({
      config,
      infrastructure,
      routing: routing.deps,
      node,
      isReady: () => state.isReady,
      ambient,
    });
    state.sip = sip;
    routing.onChange((what) => void (what === null || what === "trunk" ? sip.trunksChanged() : undefined));
    stack.push("sip", () => sip.stop());
    // What was changed while it connected was told to nobody.
    await sip.trunksChanged();
  }
  watchGauges({ metrics, routingTable: routing.deps.table, sip: state.sip, spool: routing.spool, leader });
  for (const motor of [jobs, inventory.jobs, scaling.jobs, outbound.jobs]) motor.start();
  if (config.roles.includes("jobs")) await leader.start();
  // What the former life left in the spool are calls whose end it may not have seen either.
  routing.callLog.start(() => void closeFormer().catch((error: unknown) => notClosed(log, error)));
  return {
    infrastructure,
    ids,
    secrets,
    adminKey,
    httpUrl,
    sipAddresses: state.sip?.addresses ?? [],
    markReady: () => {
      state.isReady = true;
    },
    stop: async (drainMsMax = config.drainMs) => {
      state.isDraining = true;
      await state.sip?.drain(Math.min(config.drainMs, drainMsMax));
      await stack.unwind();
    },
  };
}

/** How to close what this node's former life left open: known when it was written, so it may be asked for again. Only the SIP role's calls end with it. */
function formerLifeOf(what: OrphanDeps & { readonly config: Config; readonly life: FormerLife }): () => Promise<void> {
  const { config, life, ...deps } = what;
  return async () => {
    if (config.roles.includes("sip")) await closeFormerLife(deps, life);
  };
}

/** The leader's turn does it, a day later. */
function notClosed(log: Log, error: unknown): void {
  log.error("call.orphans_not_closed", { error: messageOf(error) });
}

/** Each motor's lost jobs, and the relay of the outbox. */
function sweepWith(
  leader: Pick<Leader, "runEvery">,
  motors: { numbers: NumberJobs; inventory: Inventory; scaling: ScalingSide; outbound: OutboundSide },
): void {
  const { numbers, inventory, scaling, outbound } = motors;
  leader.runEvery({ name: "sweep numbers", everyMs: SWEEP_EVERY_MS, work: () => numbers.sweepOnce() });
  leader.runEvery({ name: "sweep orders", everyMs: ORDERS_SWEEP_EVERY_MS, work: () => inventory.jobs.sweepOnce() });
  leader.runEvery({ name: "sweep pools", everyMs: POOLS_SWEEP_EVERY_MS, work: () => scaling.jobs.sweepOnce() });
  outbound.jobs.keepWith(leader);
}
