/** The HTTP role: API, carrier webhooks, health and metrics on one listener. */
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { tagFileOf, type TagScript } from "../account/tag-file.js";
import { publishTagFile } from "../account/tag-files.store.js";
import type { Config } from "../config.js";
import { createAddressLimit, FALLBACKS_PER_MINUTE_MAX } from "../http/address-limit.js";
import type { HttpDeps } from "../http/http-deps.js";
import { pages } from "../http/pages.js";
import { buildHttpServer } from "../http/server.js";
import { createTrustedAddresses } from "../http/trusted-addresses.js";
import type { NumberJobs } from "../jobs/number-jobs.js";
import { authorityOf } from "../kernel/authority.js";
import { withDeadline } from "../kernel/deadline.js";
import type { IdSource } from "../kernel/ids.js";
import type { Secrets } from "../kernel/secrets.js";
import { AllocationBatch } from "../pool/allocation-batch.js";
import { ExhaustionCounter } from "../pool/exhaustion-counter.js";
import { type FallbackDeps, numberFallback } from "../webhooks/inbound/fallback-route.js";
import { carrierWebhooks, type WebhookDeps } from "../webhooks/inbound/inbound-route.js";
import { CARRIER_ADAPTERS } from "../webhooks/inbound/carrier-adapters.js";
import { commandSender } from "../webhooks/inbound/send-commands.js";
import type { AdminKey } from "./admin-key.js";
import type { Infrastructure } from "./infrastructure.js";
import type { Inventory } from "./inventory-side.js";
import { addressTaken } from "./listen-check.js";
import type { Ambient } from "./ambient.js";
import { pagesInput } from "./page-side.js";
import type { Routing } from "./routing-side.js";
import type { OutboundSide } from "./outbound-side.js";
import type { ScalingSide } from "./scaling-side.js";
import type { SipSide } from "./sip-side.js";

/**
 * Connections that wait to be accepted. Node accepts one in a turn of its event loop, and asks for 511; whom the kernel has no room for tries again a second
 * later, when the page is painted. The kernel's own limit (net.core.somaxconn, 4,096 since Linux 5.4) cuts it.
 */
const UNACCEPTED_MAX = 4_096;

/** What changes while the service lives. */
export interface State {
  isReady: boolean;
  isDraining: boolean;
  sip: SipSide | null;
}

export interface HttpSideInput {
  readonly config: Config;
  readonly infrastructure: Infrastructure;
  readonly ambient: Ambient;
  readonly ids: IdSource;
  readonly secrets: Secrets;
  readonly adminKey: AdminKey;
  readonly readTag: () => TagScript;
  readonly routing: Routing;
  readonly jobs: NumberJobs;
  readonly inventory: Inventory;
  readonly scaling: ScalingSide;
  readonly outbound: OutboundSide;
  readonly metrics: Registry;
  readonly state: State;
}

/** @returns the URL it listens at. @throws AppError("address_taken") naming HTTP_LISTEN */
export async function startHttp(input: HttpSideInput): Promise<string> {
  const { config, infrastructure, ambient, ids, secrets, adminKey, routing, jobs, inventory, metrics, state } = input;
  const { db, stack } = infrastructure;
  const tagFile = tagFileOf(input.readTag());
  await publishTagFile(db, tagFile);
  let url = "";
  const app = buildHttpServer({
    db,
    ids,
    secrets,
    metrics,
    ...ambient,
    batch: new AllocationBatch({ db: infrastructure.presentingDb, ...ambient }),
    directory: routing.directory,
    schedule: jobs,
    carriers: inventory.carriers,
    ...scalingDeps(input),
    outgoing: {
      guard: input.outbound.guard,
      soon: (endpointId) => input.outbound.jobs.soon(endpointId),
      statusOf: input.outbound.statusOf,
      fetchPage: input.outbound.fetchPage,
    },
    adminKeyHash: adminKey.hash,
    readiness: () => readinessOf(input),
    isDraining: () => state.isDraining,
    embedded: config.isEmbedded,
    presentTrustedCidrs: config.presentTrustedCidrs,
    publicBaseUrl: config.publicBaseUrl,
    tagFile,
    fallbackBaseUrl: config.fallbackBaseUrl,
    plugins: [
      carrierWebhooks(
        webhookDeps(input, () => url),
        CARRIER_ADAPTERS,
      ),
      numberFallback(fallbackDeps(input), CARRIER_ADAPTERS),
      pages(pagesInput({ db, log: ambient.log, isEmbedded: config.isEmbedded })),
    ],
    onTrunksChanged: () => void state.sip?.trunksChanged(),
  });
  stack.push("http", () => app.close());
  try {
    await app.listen({ ...config.httpListen, backlog: UNACCEPTED_MAX });
  } catch (error) {
    throw addressTaken("HTTP_LISTEN", config.httpListen, error);
  }
  url = urlOf(app.server.address() as AddressInfo);
  return url;
}

function scalingDeps({ infrastructure, ambient, scaling }: HttpSideInput): Pick<HttpDeps, "exhaustions" | "scaling"> {
  const { jobs, metrics } = scaling;
  const soon = (poolIds: readonly string[]): void => jobs.soon(poolIds);
  const exhaustions = new ExhaustionCounter({
    db: infrastructure.db,
    ...ambient,
    onUrgent: soon,
    onExhausted: metrics.exhausted,
  });
  infrastructure.stack.push("exhaustion counter", () => exhaustions.stop());
  return { exhaustions, scaling: { canBuy: jobs.canBuy, soon, decided: metrics.decided } };
}

function webhookDeps({ config, routing, metrics }: HttpSideInput, fallbackBaseUrl: () => string): WebhookDeps {
  return {
    ...routing.deps,
    publicBaseUrl: config.publicBaseUrl,
    fallbackBaseUrl,
    metrics,
    sendCommands: commandSender({ ...routing.deps, apiUrl: config.telnyxApiUrl }),
    onCredentialsChanged: (listener) =>
      routing.onChange((what) => {
        if (what === null || what === "carrier_credential") listener();
      }),
  };
}

function fallbackDeps({ config, routing, ambient }: HttpSideInput): FallbackDeps {
  const isTrusted = createTrustedAddresses(config.presentTrustedCidrs);
  const isWithinLimit = createAddressLimit(ambient.clock, FALLBACKS_PER_MINUTE_MAX);
  const { table, log } = routing.deps;
  return { table, log, isWithinLimit: (address) => isTrusted(address) || isWithinLimit(address) };
}

/** Redis away delays jobs, nothing else: no reason to take the node out. */
async function readinessOf({ config, infrastructure, jobs, state }: HttpSideInput) {
  const needsSip = config.roles.includes("sip");
  const ping = infrastructure.db.query(PING).then(() => true);
  const [postgres, redis] = await Promise.all([isTrueInTime(ping), isTrueInTime(jobs.isUp())]);
  const checks = { postgres, redis, sip: !needsSip || state.sip?.isUp() === true };
  return { ready: state.isReady && !state.isDraining && checks.postgres && checks.sip, checks };
}

/** A load balancer asks every few seconds and gives up after one or two; a server that is stopped says nothing at all. */
const ANSWER_MS_MAX = 1_000;
const PING = { name: "service_ping", text: "select 1" } as const;

async function isTrueInTime(answer: Promise<boolean>): Promise<boolean> {
  try {
    return await withDeadline(ANSWER_MS_MAX, answer, () => new Error("no answer"));
  } catch (error) {
    void error;
    return false;
  }
}

function urlOf({ address, port }: AddressInfo): string {
  return `http://${authorityOf({ host: address, port })}`;
}
