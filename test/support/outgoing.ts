/** Endpoints, events and what delivers them: the parts of the service, the receiver and the clock of waits faked by tests. */
import type { LookupAddress } from "node:dns";
import { afterAll } from "vitest";
import { createTargetGuard } from "../../src/account/outgoing/target-guard.js";
import {
  createEndpoint,
  type EndpointSettings,
  type WebhookEndpoint,
} from "../../src/account/outgoing/webhook-endpoints.store.js";
import type { Database } from "../../src/db/database.js";
import { systemClock } from "../../src/kernel/clock.js";
import { type Log, silentLog } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";
import { renderBody } from "../../src/service/outgoing-body.js";
import { deliverDue, type DeliverDeps } from "../../src/webhooks/outbound/deliver.js";
import type { EndpointKinds } from "../../src/webhooks/outbound/endpoint-kinds.js";
import { createGuardedAgent } from "../../src/webhooks/outbound/guarded-agent.js";
import { relayEvents } from "../../src/webhooks/outbound/relay.js";
import { sendWebhook } from "../../src/webhooks/outbound/send-webhook.js";
import { rows } from "./database.js";
import { ids, secrets } from "./world.js";

const never = new AbortController().signal;

export interface Outgoing {
  readonly kinds: EndpointKinds;
  readonly deps: DeliverDeps;
  readonly attempts: string[];
  relay(): Promise<ReadonlySet<string>>;
  /** Sends what is due, to this endpoint. */
  deliver(endpointId: string): Promise<number | null>;
}

export function outgoing(
  db: Database,
  options: { allowCidrs?: string[]; timeoutMs?: number; log?: Log; resolve?: () => Promise<LookupAddress[]> } = {},
): Outgoing {
  const { allowCidrs = ["127.0.0.0/8"], timeoutMs = 5_000, log = silentLog, resolve } = options;
  const guard = createTargetGuard(allowCidrs);
  const agent = createGuardedAgent({
    guard,
    connectTimeoutMs: timeoutMs,
    ...(resolve === undefined ? {} : { resolve }),
  });
  afterAll(() => agent.close());
  const clock = systemClock;
  const kinds: EndpointKinds = {
    webhook: {
      remembers: false,
      render: (event, endpoint) => renderBody({ secrets, publicBaseUrl: "https://calls.example.com" }, event, endpoint),
      send: (delivery, endpoint) => sendWebhook({ agent, clock, secrets, timeoutMs }, delivery, endpoint),
    },
  };
  const attempts: string[] = [];
  const deps: DeliverDeps = {
    db,
    secrets,
    random: systemRandom,
    clock,
    log,
    kinds,
    onAttempt: (_kind, outcome) => attempts.push(outcome),
    onDisabled: (reason) => attempts.push(`disabled: ${reason}`),
  };
  return {
    kinds,
    deps,
    attempts,
    relay: async () => (await relayEvents({ db, ids, secrets, log, kinds })).endpointIds,
    deliver: (endpointId) => deliverDue(deps, endpointId, never),
  };
}

export async function makeEndpoint(
  db: Database,
  input: Partial<EndpointSettings> & { url: string; accountId?: string | null },
): Promise<{ endpoint: WebhookEndpoint; secret: string }> {
  const { accountId = null, ...settings } = input;
  const defaults = { description: null, format: "standard", includeCaller: false, maxConcurrency: 4 } as const;
  const events = ["call.received", "call.routed", "call.completed", "call.updated", "pool.exhausted"] as const;
  return createEndpoint(
    { db, ids, secrets, random: systemRandom },
    { accountId, settings: { ...defaults, events, ...settings } },
  );
}

/** Something happened that is no call: `n` tells it apart. */
export async function happened(db: Database, n: number, accountId: string | null = null): Promise<void> {
  await rows(db, "insert into outbox (type, at, account_id, data) values ('pool.exhausted', now(), $1, $2)", [
    accountId,
    JSON.stringify({ pool_id: `pool_${n}`, n }),
  ]);
}

/** Every wait of the endpoint is over: retries, and the breaker's pause. */
export async function passWaits(db: Database, endpointId: string): Promise<void> {
  await rows(
    db,
    "update outgoing_delivery set next_attempt_at = now() - interval '1 second' + (next_attempt_at - now()) / 1e6 where endpoint_id = $1 and state = 'waiting'",
    [endpointId],
  );
  await rows(
    db,
    "update webhook_endpoint set paused_until = now() - interval '1 second' where id = $1 and paused_until is not null",
    [endpointId],
  );
}
