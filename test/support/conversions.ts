/** Endpoints of networks, calls that convert, and what delivers them, on fakes of the networks and a clock that tests move. */
import { generateKeyPairSync } from "node:crypto";
import { afterAll } from "vitest";
import type { ConversionKind, ConversionSettings } from "../../src/account/outgoing/conversion-settings.js";
import { CONVERSION_EVENTS } from "../../src/account/outgoing/conversion-settings.js";
import { type Delivery, listDeliveries } from "../../src/account/outgoing/deliveries.store.js";
import { createNetworkEndpoint } from "../../src/account/outgoing/network-endpoints.store.js";
import { createTargetGuard } from "../../src/account/outgoing/target-guard.js";
import type { WebhookEndpoint } from "../../src/account/outgoing/webhook-endpoints.store.js";
import type { CallRef } from "../../src/attribution/calls.store.js";
import type { Database } from "../../src/db/database.js";
import { type Clock, systemClock } from "../../src/kernel/clock.js";
import type { Log } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";
import { foldEvents } from "../../src/routing/fold-events.js";
import { conversionSide, type ConversionSide } from "../../src/service/conversion-side.js";
import { deliverDue, type DeliverDeps } from "../../src/webhooks/outbound/deliver.js";
import { createGuardedAgent } from "../../src/webhooks/outbound/guarded-agent.js";
import { relayEvents } from "../../src/webhooks/outbound/relay.js";
import type { FakeNetworks } from "./fake-networks.js";
import { openTo, presentTo } from "./judged.js";
import { ids, secrets, type World } from "./world.js";

export const { privateKey: PRIVATE_KEY, publicKey: PUBLIC_KEY } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});

export const SETTINGS = {
  ga4: {
    measurement_id: "G-TEST1234",
    api_secret: "ga4-secret-for-tests-0001",
    event_name: "phone_call",
    min_talk_s: 30,
    client_id_field: "ga_client_id",
    session_id_field: null,
  },
  google_ads: {
    operating_account_id: "1234567890",
    login_account_id: null,
    conversion_action_id: "77",
    credentials: {
      type: "refresh_token",
      client_id: "client",
      client_secret: "client-secret-for-tests",
      refresh_token: "1//refresh-token-for-tests",
    },
    min_talk_s: 30,
    validate_only: false,
  },
  meta: {
    dataset_id: "555",
    access_token: "EAAB-token-for-tests-0001",
    event_name: "Lead",
    min_talk_s: 30,
    fbp_field: "fbp",
    test_event_code: null,
  },
} as const satisfies Readonly<Record<ConversionKind, ConversionSettings>>;

/** What a page of somebody from every network says. */
export const PAGE = {
  touch: { gclid: "gclid-of-the-click", fbclid: "fbclid_of_the_click" },
  customData: { ga_client_id: "GA1.1.1234567.1700000000" },
} as const;

export interface Conversions {
  readonly side: ConversionSide;
  readonly attempts: string[];
  /** What is added to the time of day. */
  readonly shift: { ms: number };
  relay(): Promise<ReadonlySet<string>>;
  deliver(endpointId: string): Promise<number | null>;
  /** Oldest first. */
  deliveriesOf(endpointId: string): Promise<Delivery[]>;
}

export function conversions(
  db: Database,
  networks: FakeNetworks,
  { log, allowCidrs = ["127.0.0.0/8"] }: { log: Log; allowCidrs?: string[] },
): Conversions {
  const shift = { ms: 0 };
  const clock: Clock = { now: () => Date.now() + shift.ms, monotonicMs: systemClock.monotonicMs };
  const agent = createGuardedAgent({ guard: createTargetGuard(allowCidrs), connectTimeoutMs: 2_000 });
  afterAll(() => agent.close());
  const side = conversionSide({ urls: networks.urls, agent, clock, secrets });
  const { kinds } = side;
  const attempts: string[] = [];
  const deps: DeliverDeps = {
    ...{ db, secrets, random: systemRandom, clock, log, kinds },
    onAttempt: (kind, outcome) => attempts.push(`${kind} ${outcome}`),
    onDisabled: (reason) => attempts.push(`disabled: ${reason}`),
  };
  return {
    ...{ side, attempts, shift },
    relay: async () => (await relayEvents({ db, ids, secrets, log, kinds })).endpointIds,
    deliver: (endpointId) => deliverDue(deps, endpointId, new AbortController().signal),
    deliveriesOf: async (endpointId) =>
      (await listDeliveries(db, { endpointId, before: "", state: null, limit: 100 })).reverse(),
  };
}

export function networkEndpoint(
  db: Database,
  input: { accountId: string; kind: ConversionKind; network?: ConversionSettings; includeCaller?: boolean },
): Promise<WebhookEndpoint> {
  const { accountId, kind, network = SETTINGS[kind], includeCaller = false } = input;
  const common = { url: null, description: null, format: "standard", maxConcurrency: 4 } as const;
  const settings = { ...common, events: CONVERSION_EVENTS, includeCaller };
  return createNetworkEndpoint({ db, ids, secrets, random: systemRandom }, { accountId, settings, kind, network });
}

/** Somebody sees a number on a page, calls and talks. */
export async function convertingCall(
  db: Database,
  world: World,
  page: Parameters<typeof presentTo>[3] & { talkMs?: number } = {},
): Promise<CallRef> {
  const { talkMs = 90_000, ...rest } = page;
  const number = await presentTo(db, world, ids.next("vis"), { ...PAGE, ...rest });
  const ref = await openTo(db, number);
  await endWith(db, ref, talkMs);
  return ref;
}

export async function endWith(db: Database, ref: CallRef, talkMs: number): Promise<void> {
  const at = ref.receivedAt + 1_000;
  const end = { kind: "ended", status: "completed", cause: "16", releasedBy: "caller", authority: 1, talkMs } as const;
  const events = [{ kind: "answered", at } as const, { ...end, at: at + talkMs }];
  await db.transaction((tx) => foldEvents(tx, [{ ref, events }]));
}
