/** From a call's end, or what is learned of it later, to Google Analytics, Google Ads and Meta: once each, or not and why. */
import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import type { ConversionKind, GoogleAdsSettings } from "../../../../src/account/outgoing/conversion-settings.js";
import { emptyDeliveries, replayDelivery } from "../../../../src/account/outgoing/deliveries.store.js";
import { readSecretEnc } from "../../../../src/account/outgoing/network-endpoints.store.js";
import { getEndpoint } from "../../../../src/account/outgoing/webhook-endpoints.store.js";
import { type CallCorrection, correctCall } from "../../../../src/attribution/corrections/correct-call.js";
import type { CallRef } from "../../../../src/attribution/calls.store.js";
import { type LogLine, logTo } from "../../../support/recording-log.js";
import {
  conversions,
  convertingCall,
  networkEndpoint,
  PAGE,
  PRIVATE_KEY,
  PUBLIC_KEY,
  SETTINGS,
} from "../../../support/conversions.js";
import { freshDatabase, rows } from "../../../support/database.js";
import { startNetworks } from "../../../support/fake-networks.js";
import { openTo, presentTo } from "../../../support/judged.js";
import { passWaits } from "../../../support/outgoing.js";
import { ids, makeWorld, type World } from "../../../support/world.js";

const { db } = await freshDatabase();
const networks = await startNetworks();
networks.publicKey = PUBLIC_KEY;
const lines: LogLine[] = [];
const log = logTo((line) => lines.push(line));
const { relay, deliver, deliveriesOf, attempts, shift, side } = conversions(db, networks, { log });
const world: World = await makeWorld(db, 90);
const accountId = world.account.id;
const KINDS = ["ga4", "google_ads", "meta"] as const;
const PATHS = {
  ga4: "/ga4/mp/collect",
  google_ads: "/google/v1/events:ingest",
  meta: "/meta/v25.0/555/events",
} as const;

beforeEach(async () => {
  await rows(db, "truncate outbox, outgoing_delivery, webhook_endpoint");
  networks.clear();
  attempts.length = 0;
  lines.length = 0;
  shift.ms = 0;
});

const taken = (kind: ConversionKind): readonly object[] =>
  kind === "ga4" ? networks.ga4 : kind === "meta" ? networks.meta : networks.google;

function correct(ref: CallRef, changes: Partial<CallCorrection>) {
  return correctCall({ db, ids }, { id: ref.callId, accountId: null, actor: "test", reason: "test", ...changes });
}

async function goOn(endpointId: string): Promise<void> {
  await relay();
  await deliver(endpointId);
}

/** An endpoint, a call that converts, and its first delivery. */
async function told(kind: ConversionKind, page: Parameters<typeof convertingCall>[2] = {}) {
  const endpoint = await networkEndpoint(db, { accountId, kind });
  const ref = await convertingCall(db, world, page);
  await goOn(endpoint.id);
  return { endpoint, ref, deliveries: await deliveriesOf(endpoint.id) };
}

describe.each(KINDS)("%s", (kind) => {
  it("is told of a call that converted, once, whatever else is learned of it and whoever relays", async () => {
    const { endpoint, ref, deliveries } = await told(kind);
    expect(deliveries).toMatchObject([
      { state: "delivered", type: "call.completed", callId: ref.callId, skippedReason: null },
    ]);
    expect(taken(kind)).toHaveLength(1);
    expect(networks.dropped).toEqual([]);
    await rows(db, "update call set confidence = 0.123, updated_at = now() where id = $1", [ref.callId]);
    await correct(ref, { customData: { note: "called back" } });
    await Promise.all([goOn(endpoint.id), goOn(endpoint.id)]);
    expect(await deliveriesOf(endpoint.id)).toHaveLength(1);
    expect(taken(kind)).toHaveLength(1);
  });

  it("is told once when the end and what is learned of it are relayed together", async () => {
    const endpoint = await networkEndpoint(db, { accountId, kind });
    const ref = await convertingCall(db, world);
    await correct(ref, { customData: { note: "x" } });
    expect(await rows(db, "select type from outbox")).toHaveLength(2);
    await goOn(endpoint.id);
    expect(await deliveriesOf(endpoint.id)).toMatchObject([{ type: "call.completed", state: "delivered" }]);
    expect(taken(kind)).toHaveLength(1);
  });

  it("is told later of a short call that a correction makes a conversion, and not before", async () => {
    const { endpoint, ref, deliveries } = await told(kind, { talkMs: 5_000 });
    expect(deliveries).toEqual([]);
    await correct(ref, { conversion: true, revenue: 80 });
    await goOn(endpoint.id);
    expect(await deliveriesOf(endpoint.id)).toMatchObject([{ type: "call.updated", state: "delivered" }]);
    expect(JSON.stringify(taken(kind))).toContain("80");
  });

  it("is not told of what its visitor did not allow", async () => {
    const purpose = kind === "ga4" ? "analytics_storage" : "ad_user_data";
    const { deliveries } = await told(kind, { context: { consent: { [purpose]: "denied" } } });
    expect(deliveries).toMatchObject([{ state: "skipped", skippedReason: "consent_denied", nextAttemptAt: null }]);
    expect(networks.requests).toEqual([]);
  });

  it("is not told of a call that has nothing it knows the visitor by, nor of another account's", async () => {
    const other = await makeWorld(db, 1);
    const { endpoint, deliveries } = await told(kind, { touch: {}, customData: {} });
    const reason = kind === "ga4" ? "no_client_id" : "no_click_id";
    expect(deliveries).toMatchObject([{ state: "skipped", skippedReason: reason }]);
    await convertingCall(db, other);
    await goOn(endpoint.id);
    expect(networks.requests).toEqual([]);
    const [skipped] = deliveries;
    await expect(replayDelivery(db, endpoint, skipped?.id as string)).rejects.toMatchObject({ code: "conflict" });
  });

  it("does not take back what it was told", async () => {
    const { endpoint, ref } = await told(kind);
    await correct(ref, { conversion: false });
    await goOn(endpoint.id);
    expect((await deliveriesOf(endpoint.id)).at(-1)).toMatchObject({
      state: "skipped",
      skippedReason: "cannot_be_taken_back",
    });
    expect(taken(kind)).toHaveLength(1);
  });

  it("is not told of what turned out to be none while it waited, and is when it turns out to be one after all", async () => {
    networks.scripted.set(PATHS[kind], [{ status: 503, body: "" }]);
    const { endpoint, ref, deliveries } = await told(kind);
    expect(deliveries).toMatchObject([{ state: "waiting" }]);
    await correct(ref, { conversion: false });
    await relay();
    await passWaits(db, endpoint.id);
    await deliver(endpoint.id);
    expect(taken(kind)).toHaveLength(0);
    expect(await deliveriesOf(endpoint.id)).toMatchObject([
      { state: "skipped", skippedReason: "superseded" },
      { state: "skipped", skippedReason: "cannot_be_taken_back" },
    ]);
    await correct(ref, { conversion: true });
    await goOn(endpoint.id);
    expect((await deliveriesOf(endpoint.id))[2]).toMatchObject({ state: "delivered" });
    expect(taken(kind)).toHaveLength(1);
  });

  it("is not told under somebody's click what turned out to be another visitor's while it waited", async () => {
    const visitorId = ids.next("vis");
    await presentTo(db, world, visitorId, { touch: {}, customData: {} });
    networks.scripted.set(PATHS[kind], [{ status: 503, body: "" }]);
    const { endpoint, ref } = await told(kind);
    await correct(ref, { match: { kind: "visitor", visitorId } });
    await relay();
    await passWaits(db, endpoint.id);
    await deliver(endpoint.id);
    expect((await deliveriesOf(endpoint.id)).map(({ state }) => state)).toEqual(["skipped", "skipped"]);
    expect(taken(kind)).toHaveLength(0);
  });

  it("is not tried again with what it refuses, and is with what fails for the moment", async () => {
    const path = PATHS[kind];
    networks.scripted.set(path, [
      { status: 503, body: "<html>" },
      { status: 429, body: "{}" },
      { status: 401, body: "{}" },
      { status: 400, body: JSON.stringify({ error: { code: 100, message: "invalid" } }) },
    ]);
    const { endpoint } = await told(kind);
    for (let n = 0; n < 5; n++) {
      await passWaits(db, endpoint.id);
      await deliver(endpoint.id);
    }
    const [delivery] = await deliveriesOf(endpoint.id);
    expect(delivery?.state).toBe("failed");
    expect(delivery?.attempts.map(({ status }) => status)).toEqual([503, 429, 401, 400]);
    expect((await getEndpoint(db, { id: endpoint.id, accountId })).failures).toBe(4);
    await replayDelivery(db, endpoint, delivery?.id as string);
    await deliver(endpoint.id);
    expect((await deliveriesOf(endpoint.id))[0]?.state).toBe("delivered");
    expect(taken(kind)).toHaveLength(1);
  });

  it("goes where the guard lets it alone", async () => {
    const strict = conversions(db, networks, { log, allowCidrs: [] });
    const endpoint = await networkEndpoint(db, { accountId, kind });
    await convertingCall(db, world);
    await strict.relay();
    await strict.deliver(endpoint.id);
    expect((await deliveriesOf(endpoint.id))[0]?.attempts).toMatchObject([
      { status: null, error: "forbidden_address" },
    ]);
    expect(networks.requests).toEqual([]);
  });

  it("leaves neither secret nor number in logs, settings, attempts or what is stored in the clear", async () => {
    const path = PATHS[kind];
    const secretsOf = [
      "ga4-secret-for-tests-0001",
      "1//refresh-token-for-tests",
      "EAAB-token-for-tests-0001",
      [...networks.tokens.accepted].at(-1) ?? "no token yet",
    ];
    networks.scripted.set(path, [{ status: 500, body: `you sent ${secretsOf.join(" ")} and +14155550123` }]);
    const { endpoint } = await told(kind);
    const stored = await rows(
      db,
      "select e.settings, d.* from webhook_endpoint e join outgoing_delivery d on d.endpoint_id = e.id",
    );
    const everything = JSON.stringify([stored, lines, endpoint]);
    const sent = { ga4: [0], google_ads: [3], meta: [2] }[kind].map((n) => secretsOf[n] as string);
    expect(everything).toContain("you sent");
    if (kind === "google_ads") expect(sent[0]).toMatch(/^ya29\.token-\d+$/);
    for (const secret of [...sent, "4155550123"]) expect(everything).not.toContain(secret);
  });

  it("goes with an erasure", async () => {
    const endpoint = await networkEndpoint(db, { accountId, kind });
    const ref = await convertingCall(db, world);
    await relay();
    expect(await emptyDeliveries(db, [ref.callId], Date.now() + 1_000_000)).toBe(1);
    await deliver(endpoint.id);
    expect(await rows(db, "select state, body_enc, conversion from outgoing_delivery")).toEqual([
      { state: "canceled", body_enc: null, conversion: null },
    ]);
    expect(networks.requests).toEqual([]);
  });

  it("is not told a second time what was told before an erasure", async () => {
    const { endpoint, ref } = await told(kind);
    expect(await emptyDeliveries(db, [ref.callId], Date.now() + 1_000_000)).toBe(1);
    expect(JSON.stringify(await rows(db, "select conversion from outgoing_delivery"))).not.toMatch(/[0-9a-f]{64}/);
    await correct(ref, { customData: { note: "called back" } });
    await goOn(endpoint.id);
    expect(taken(kind)).toHaveLength(1);
    await correct(ref, { revenue: 200 });
    await goOn(endpoint.id);
    expect((await deliveriesOf(endpoint.id)).map(({ skippedReason }) => skippedReason)).toEqual(
      kind === "google_ads" ? [null, null] : [null, "cannot_be_restated"],
    );
    expect(taken(kind)).toHaveLength(kind === "google_ads" ? 2 : 1);
  });
});

describe("too late", () => {
  it.each([
    ["ga4", 71.9, 72.1],
    ["meta", 167.9, 168.1],
    ["google_ads", 2_159, 2_161],
  ] as const)("%s is told up to its limit, and skipped with its reason after it", async (kind, within, after) => {
    const endpoint = await networkEndpoint(db, { accountId, kind });
    await convertingCall(db, world);
    await relay();
    shift.ms = after * 3_600_000;
    await deliver(endpoint.id);
    const [late] = await deliveriesOf(endpoint.id);
    expect(late).toMatchObject({ state: "skipped", skippedReason: "too_old", attempts: [] });
    expect(networks.requests).toEqual([]);
    expect(attempts).toEqual([`${kind} skipped`]);
    await replayDelivery(db, endpoint, late?.id as string);
    shift.ms = within * 3_600_000;
    await deliver(endpoint.id);
    expect((await deliveriesOf(endpoint.id))[0]).toMatchObject({ state: "delivered", skippedReason: null });
    shift.ms = after * 3_600_000;
    await convertingCall(db, world);
    await relay();
    expect((await deliveriesOf(endpoint.id))[1]).toMatchObject({ state: "skipped", skippedReason: "too_old" });
  });
});

describe("a changed value", () => {
  it("is told anew to Google Ads, under the same transaction", async () => {
    const { endpoint, ref } = await told("google_ads");
    await correct(ref, { revenue: 200 });
    await goOn(endpoint.id);
    const events = networks.google.map(({ events: [event] }) => event);
    expect(events.map((event) => [event?.transactionId, event?.conversionValue])).toEqual([
      [ref.callId, undefined],
      [ref.callId, 200],
    ]);
    expect(await deliveriesOf(endpoint.id)).toMatchObject([{ state: "delivered" }, { state: "delivered" }]);
  });

  it.each(["ga4", "meta"] as const)("is skipped for %s, which would count it twice or drop it", async (kind) => {
    const { endpoint, ref } = await told(kind);
    await correct(ref, { revenue: 200 });
    await goOn(endpoint.id);
    expect((await deliveriesOf(endpoint.id))[1]).toMatchObject({
      state: "skipped",
      skippedReason: "cannot_be_restated",
    });
    expect(taken(kind)).toHaveLength(1);
  });

  it("is not undone by an attempt or a replay of the former one", async () => {
    const { endpoint, ref, deliveries } = await told("google_ads");
    await correct(ref, { revenue: 200 });
    await goOn(endpoint.id);
    await replayDelivery(db, endpoint, deliveries[0]?.id as string);
    await deliver(endpoint.id);
    expect((await deliveriesOf(endpoint.id))[0]).toMatchObject({ state: "skipped", skippedReason: "superseded" });
    expect(networks.google).toHaveLength(2);
  });

  it("is told with another value after one that was refused for good", async () => {
    networks.scripted.set("/meta/v25.0/555/events", [{ status: 400, body: "{}" }]);
    const { endpoint, ref } = await told("meta");
    await correct(ref, { revenue: 200 });
    await goOn(endpoint.id);
    expect(networks.meta).toMatchObject([{ data: [{ event_id: ref.callId, custom_data: { value: 200 } }] }]);
  });
});

describe("a replay", () => {
  it.each(["google_ads", "meta"] as const)("to %s carries the id by which it is known", async (kind) => {
    const { endpoint, ref, deliveries } = await told(kind);
    await replayDelivery(db, endpoint, deliveries[0]?.id as string);
    await deliver(endpoint.id);
    expect(taken(kind)).toHaveLength(2);
    expect(taken(kind)[1]).toEqual(taken(kind)[0]);
    expect(JSON.stringify(taken(kind)[1])).toContain(ref.callId);
  });

  it("to Google Analytics is refused: it would count twice", async () => {
    const { endpoint, deliveries } = await told("ga4");
    await expect(replayDelivery(db, endpoint, deliveries[0]?.id as string)).rejects.toMatchObject({ code: "conflict" });
  });

  it("to Google Analytics is refused too while an attempt is under way", async () => {
    networks.scripted.set(PATHS.ga4, [{ status: 400, body: "{}" }]);
    const { endpoint, deliveries } = await told("ga4");
    const [{ id = "" } = {}] = deliveries;
    await replayDelivery(db, endpoint, id);
    await rows(db, "update outgoing_delivery set lease = 'a process', lease_until = now() + interval '1 minute'");
    await expect(replayDelivery(db, endpoint, id)).rejects.toMatchObject({ code: "conflict" });
    await rows(db, "update outgoing_delivery set lease_until = now()");
    await replayDelivery(db, endpoint, id);
    await deliver(endpoint.id);
    expect(taken("ga4")).toHaveLength(1);
  });
});

describe("Google", () => {
  it("is asked for a token once while it lives, and anew when it ended or was not accepted", async () => {
    const endpoint = await networkEndpoint(db, { accountId, kind: "google_ads" });
    networks.tokens.accepted.clear();
    for (let n = 0; n < 3; n++) await convertingCall(db, world);
    await goOn(endpoint.id);
    await passWaits(db, endpoint.id);
    await deliver(endpoint.id);
    // Whether an earlier test had one or not, it is not taken now.
    expect(networks.google).toHaveLength(3);
    const first = networks.tokens.issued;
    networks.tokens.accepted.clear();
    await convertingCall(db, world);
    await goOn(endpoint.id);
    await passWaits(db, endpoint.id);
    await deliver(endpoint.id);
    expect(networks.tokens.issued).toBe(first + 1);
    shift.ms = 3_600_000;
    await convertingCall(db, world);
    await goOn(endpoint.id);
    expect(networks.tokens.issued).toBe(first + 2);
    expect(networks.google).toHaveLength(5);
  });

  it("knows a service account by what it signs", async () => {
    const credentials = {
      type: "service_account",
      client_email: "robot@project.iam.gserviceaccount.com",
      private_key: PRIVATE_KEY,
    } as const;
    const network: GoogleAdsSettings = { ...SETTINGS.google_ads, credentials, validate_only: true };
    const endpoint = await networkEndpoint(db, { accountId, kind: "google_ads", network });
    await convertingCall(db, world);
    await goOn(endpoint.id);
    expect(networks.google).toMatchObject([{ validateOnly: true }]);
    expect(JSON.stringify(endpoint.settings)).not.toContain("BEGIN");
  });

  it("with credentials that were taken away is an endpoint that fails, by the usual rule", async () => {
    const credentials = { ...SETTINGS.google_ads.credentials, refresh_token: "1//revoked-token-for-tests" };
    const endpoint = await networkEndpoint(db, {
      accountId,
      kind: "google_ads",
      network: { ...SETTINGS.google_ads, credentials },
    });
    await convertingCall(db, world);
    await goOn(endpoint.id);
    expect(await deliveriesOf(endpoint.id)).toMatchObject([
      { state: "waiting", attempts: [{ error: "token_refused" }] },
    ]);
    await rows(db, "update webhook_endpoint set failing_since = now() - interval '6 days', failures = 50");
    await passWaits(db, endpoint.id);
    await deliver(endpoint.id);
    expect((await getEndpoint(db, { id: endpoint.id, accountId })).disabledReason).toBe("failing");
  });

  it("says afterwards what became of a request", async () => {
    const { endpoint, deliveries } = await told("google_ads");
    const requestId = deliveries[0]?.attempts[0]?.requestId as string;
    expect(requestId).toMatch(/^req-1-/);
    const secretEnc = await readSecretEnc(db, endpoint.id);
    expect(await side.statusOf(requestId, secretEnc)).toEqual({ kind: "known", status: "PROCESSING", errors: [] });
    networks.requestStatus.set(requestId, "FAILED");
    const errors = ["PROCESSING_ERROR_REASON_INVALID_GCLID"];
    expect(await side.statusOf(requestId, secretEnc)).toEqual({ kind: "known", status: "FAILED", errors });
    expect(await side.statusOf("req-none", secretEnc)).toEqual({ kind: "unknown", error: "status_404" });
  });
});

describe("Meta", () => {
  it("gets the hashed number where the endpoint is shown callers, until it is not any more", async () => {
    const endpoint = await networkEndpoint(db, { accountId, kind: "meta", includeCaller: true });
    await convertingCall(db, world);
    await goOn(endpoint.id);
    const ph = createHash("sha256").update("14155550123").digest("hex");
    expect(networks.meta).toMatchObject([{ data: [{ user_data: { ph: [ph] } }] }]);
    await convertingCall(db, world);
    await relay();
    await rows(db, "update webhook_endpoint set include_caller = false");
    await deliver(endpoint.id);
    expect((await deliveriesOf(endpoint.id)).map(({ state }) => state)).toEqual(["delivered", "canceled"]);
    expect(networks.meta).toHaveLength(1);
  });

  it.each([
    [{ code: 190 }, "waiting"],
    [{ code: 4 }, "waiting"],
    [{ code: 200 }, "waiting"],
    [{ code: 100, is_transient: true }, "waiting"],
    [{ code: 100 }, "failed"],
    [{ code: 803 }, "failed"],
  ])("means with %j that the delivery is %s", async (error, state) => {
    networks.scripted.set("/meta/v25.0/555/events", [{ status: 400, body: JSON.stringify({ error }) }]);
    expect((await told("meta")).deliveries).toMatchObject([{ state }]);
  });
});

it("a call that is not over and judged is told to nobody, nor is one that matched nobody", async () => {
  const endpoint = await networkEndpoint(db, { accountId, kind: "google_ads" });
  const ref = await openTo(db, await presentTo(db, world, ids.next("vis"), PAGE));
  await correct(ref, { conversion: true });
  await goOn(endpoint.id);
  expect(await deliveriesOf(endpoint.id)).toEqual([]);
  const matched = await convertingCall(db, world);
  await rows(db, "truncate outbox");
  await correct(matched, { match: { kind: "nobody", outcome: "expired" }, conversion: true });
  await goOn(endpoint.id);
  expect(await deliveriesOf(endpoint.id)).toEqual([]);
});
