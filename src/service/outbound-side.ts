/** What tells other systems what happened: the relay from the outbox, the jobs that deliver, and the kinds of endpoints there are. */
import type { Registry } from "prom-client";
import { createTargetGuard, type TargetGuard } from "../account/outgoing/target-guard.js";
import type { Config } from "../config.js";
import { OutgoingJobs } from "../jobs/outgoing-jobs.js";
import type { IdSource } from "../kernel/ids.js";
import { createResolve } from "../kernel/resolve-name.js";
import type { Secrets } from "../kernel/secrets.js";
import { deliverDue, type DeliverDeps } from "../webhooks/outbound/deliver.js";
import type { EndpointKind } from "../webhooks/outbound/endpoint-kinds.js";
import { createGuardedAgent, type GuardedAgent } from "../webhooks/outbound/guarded-agent.js";
import { EVENTS_A_BATCH, relayEvents } from "../webhooks/outbound/relay.js";
import { SEND_TIMEOUT_MS } from "../webhooks/outbound/send.js";
import { sendWebhook } from "../webhooks/outbound/send-webhook.js";
import type { Ambient } from "./ambient.js";
import { type ConversionSide, conversionSide } from "./conversion-side.js";
import type { Infrastructure } from "./infrastructure.js";
import { renderBody } from "./outgoing-body.js";
import { createOutgoingMetrics } from "./outgoing-metrics.js";
import { createPageFetching, type PageFetching } from "./page-fetching.js";

export interface OutboundSide {
  readonly jobs: OutgoingJobs;
  readonly guard: TargetGuard;
  readonly statusOf: ConversionSide["statusOf"];
  readonly fetchPage: PageFetching["fetchPage"];
}

interface OutboundInput {
  readonly config: Config;
  readonly infrastructure: Infrastructure;
  readonly ambient: Ambient;
  readonly ids: IdSource;
  readonly secrets: Secrets;
  readonly registry: Registry;
}

/** A further kind: a name in webhook_endpoint's check, and its renderer and sender here. Not started yet: jobs are sent, none is worked on. */
export function prepareOutbound(input: OutboundInput): OutboundSide {
  const { config, infrastructure, ambient, ids, secrets, registry } = input;
  const { db, redisUrl, stack } = infrastructure;
  const { clock, log } = ambient;
  const guard = createTargetGuard(config.webhookAllowCidrs);
  const resolve = createResolve();
  const agent = createGuardedAgent({ guard, connectTimeoutMs: SEND_TIMEOUT_MS, resolve });
  stack.push("outgoing connections", () => agent.close());
  const conversions = conversionSide({ urls: config.networkUrls, agent, clock, secrets });
  const kinds = { ...conversions.kinds, webhook: webhookKind(input, agent) };
  const metrics = createOutgoingMetrics({ registry, db, clock, log });
  const deps: DeliverDeps = {
    db,
    secrets,
    kinds,
    ...ambient,
    onAttempt: metrics.attempted,
    onDisabled: metrics.disabled,
  };
  const jobs = new OutgoingJobs({
    redisUrl,
    db,
    clock,
    log,
    works: config.roles.includes("jobs"),
    deliver: (endpointId, stopped) => deliverDue(deps, endpointId, stopped),
    relay: async () => {
      const { rows, endpointIds } = await relayEvents({ db, ids, secrets, log, kinds });
      return { isFull: rows === EVENTS_A_BATCH, endpointIds };
    },
  });
  stack.push("outgoing jobs", () => jobs.stop());
  const pages = createPageFetching(config.webhookAllowCidrs, resolve);
  stack.push("page fetching", () => pages.close());
  return { jobs, guard, statusOf: conversions.statusOf, fetchPage: pages.fetchPage };
}

function webhookKind({ config, ambient, secrets }: OutboundInput, agent: GuardedAgent): EndpointKind {
  const { publicBaseUrl } = config;
  const { clock } = ambient;
  return {
    remembers: false,
    render: (event, endpoint) => renderBody({ secrets, publicBaseUrl }, event, endpoint),
    send: (delivery, endpoint) => sendWebhook({ agent, clock, secrets }, delivery, endpoint),
  };
}
