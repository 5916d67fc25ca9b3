/** From the outbox to a receiver that does not always do what it should. */
import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { emptyDeliveries, listDeliveries, replayDelivery } from "../../../src/account/outgoing/deliveries.store.js";
import { getEndpoint, rotateSecret, updateEndpoint } from "../../../src/account/outgoing/webhook-endpoints.store.js";
import type { Database } from "../../../src/db/database.js";
import { systemRandom } from "../../../src/kernel/random.js";
import { quarantineNumber } from "../../../src/pool/number-moves.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import { relayEvents } from "../../../src/webhooks/outbound/relay.js";
import { RESPONSE_BYTES_MAX, RESPONSE_CHARS_KEPT } from "../../../src/webhooks/outbound/send.js";
import { type LogLine, logTo } from "../../support/recording-log.js";
import { freshDatabase, rows } from "../../support/database.js";
import { happened, makeEndpoint, outgoing, passWaits } from "../../support/outgoing.js";
import { startRouting } from "../../support/routing.js";
import { until } from "../../support/until.js";
import { hang, type Received, startReceiver, status } from "../../support/webhook-receiver.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets } from "../../support/world.js";

const { db } = await freshDatabase();
const receiver = await startReceiver();
const lines: LogLine[] = [];
const { relay, deliver, attempts, deps } = outgoing(db, { timeoutMs: 300, log: logTo((line) => lines.push(line)) });
const { callLog, stop } = await startRouting(db);
afterAll(stop);
const never = new AbortController().signal;

beforeEach(async () => {
  await rows(db, "truncate outbox, outgoing_delivery, webhook_endpoint");
  receiver.received.length = 0;
  receiver.open.max = 0;
  receiver.reply = status(200);
  attempts.length = 0;
});

const bodyOf = (received: Received | undefined) => JSON.parse(received?.body ?? "null");
const numbersOf = (received: readonly Received[]) => received.map((one) => bodyOf(one).data.n);

async function deliveriesOf(endpointId: string) {
  const newestFirst = await listDeliveries(db, { endpointId, before: "", state: null, limit: 100 });
  return newestFirst.reverse();
}

/** Makes an endpoint and so many events for it, and tries to deliver them once. */
async function tried(count: number, changes: Partial<Parameters<typeof makeEndpoint>[1]> = {}) {
  const { endpoint, secret } = await makeEndpoint(db, { url: receiver.url, ...changes });
  for (let n = 0; n < count; n++) await happened(db, n);
  await relay();
  await deliver(endpoint.id);
  return { endpoint, secret, deliveries: await deliveriesOf(endpoint.id) };
}

describe("a delivery", () => {
  it("is the call's record, signed so that the library and a computation of one's own verify it", async () => {
    const world = await makeWorld(db, 1);
    await presentBatch(db, [allocationFor(world)]);
    const { endpoint, secret } = await makeEndpoint(db, { url: receiver.url, accountId: world.account.id });
    const call = inboundCall(world.numbers[0] as string);
    const { ref } = await callLog.open({ call, callId: ids.next("call"), signal: never });
    expect([...(await relay())]).toEqual([endpoint.id]);
    expect(await deliver(endpoint.id)).toBe(null);
    const [received] = receiver.received;
    const headers = received?.headers as Record<string, string>;
    expect(new Webhook(secret).verify(received?.body as string, headers)).toEqual(bodyOf(received));
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${received?.body}`;
    const key = Buffer.from(secret.replace("whsec_", ""), "base64");
    expect(headers["webhook-signature"]).toBe(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
    expect(headers["webhook-id"]).toMatch(/^evt_[0-9a-z]{26}$/);
    expect(headers["content-type"]).toBe("application/json");
    expect(bodyOf(received)).toMatchObject({
      type: "call.received",
      timestamp: new Date(ref.receivedAt).toISOString(),
      data: {
        id: ref.callId,
        status: "ringing",
        caller: { number: null, last4: "0123", name: null },
        attribution: { outcome: "matched" },
      },
    });
    expect(received?.body).not.toContain("4155550123");
    const [delivery] = await deliveriesOf(endpoint.id);
    expect(delivery).toMatchObject({ state: "delivered", callId: ref.callId, eventId: headers["webhook-id"] });
    expect(delivery?.attempts).toMatchObject([{ status: 200, error: null, response: "noted" }]);
    const [stored] = await rows<{ body: Buffer }>(db, "select body_enc as body from outgoing_delivery");
    expect(stored?.body.toString("latin1")).not.toContain(ref.callId);
    expect(await rows(db, "select 1 from outbox")).toEqual([]);
  });

  it("is the same event for every endpoint that is told, in the format and with the caller that each asked for", async () => {
    const { account, numbers } = await makeWorld(db, 1);
    const other = await makeWorld(db, 1);
    const own = await makeEndpoint(db, { url: `${receiver.url}/own`, accountId: account.id, includeCaller: true });
    const platform = await makeEndpoint(db, { url: `${receiver.url}/platform`, format: "cloudevents" });
    await makeEndpoint(db, { url: `${receiver.url}/foreign`, accountId: other.account.id });
    await makeEndpoint(db, { url: `${receiver.url}/deaf`, accountId: account.id, events: ["call.updated"] });
    const call = inboundCall(numbers[0] as string);
    const { ref } = await callLog.open({ call, callId: ids.next("call"), signal: never });
    expect([...(await relay())].sort()).toEqual([own.endpoint.id, platform.endpoint.id].sort());
    for (const { endpoint } of [own, platform]) await deliver(endpoint.id);
    expect(receiver.received.map(({ path }) => path)).toEqual(["/hook/own", "/hook/platform"]);
    const [toOwn, toPlatform] = receiver.received;
    const id = toOwn?.headers["webhook-id"];
    expect(bodyOf(toOwn).data.caller.number).toBe("+14155550123");
    expect(bodyOf(toPlatform)).toMatchObject({
      specversion: "1.0",
      id,
      source: `https://calls.example.com/v1/accounts/${account.id}`,
      type: "call.received",
      subject: ref.callId,
      data: { id: ref.callId, caller: { number: null, last4: "0123" } },
    });
    expect(toPlatform?.headers["webhook-id"]).toBe(id);
    expect(toPlatform?.headers["content-type"]).toContain("application/cloudevents+json");
    new Webhook(platform.secret).verify(toPlatform?.body as string, toPlatform?.headers as Record<string, string>);
  });

  it("about a number tells the account the facts, and the platform who did it and why as well", async () => {
    const world = await makeWorld(db, 1);
    const number = world.numbers[0] as string;
    const events = ["number.quarantined"] as const;
    const own = await makeEndpoint(db, { url: `${receiver.url}/own`, accountId: world.account.id, events });
    const platform = await makeEndpoint(db, { url: `${receiver.url}/platform`, events });
    const move = { e164: number, accountId: null, reason: "a word", actor: "somebody" };
    await quarantineNumber({ db, schedule: world.schedule }, move);
    await relay();
    for (const { endpoint } of [own, platform]) await deliver(endpoint.id);
    const [toOwn, toPlatform] = receiver.received.map(bodyOf);
    const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const facts = { number, from_state: "assigned", state: "quarantined", at: iso, next_check_at: iso };
    expect(toOwn).toEqual({
      type: "number.quarantined",
      timestamp: toOwn.data.at,
      data: { ...facts, former_account_id: world.account.id },
    });
    expect(toPlatform.data).toMatchObject({ ...facts, reason: "a word", actor: "somebody" });
  });

  it("that fails comes again, the same bytes under the same id, until it is given up", async () => {
    receiver.reply = status(500);
    const { endpoint, deliveries } = await tried(1);
    expect(deliveries[0]).toMatchObject({ state: "waiting" });
    const waitMs = (deliveries[0]?.nextAttemptAt as number) - Date.now();
    expect(waitMs).toBeGreaterThan(3_000);
    expect(waitMs).toBeLessThan(6_000);
    for (let n = 0; n < 9; n++) {
      await passWaits(db, endpoint.id);
      await deliver(endpoint.id);
    }
    const [givenUp] = await deliveriesOf(endpoint.id);
    expect(givenUp).toMatchObject({ state: "failed", nextAttemptAt: null });
    expect(givenUp?.attempts).toHaveLength(10);
    expect(new Set(receiver.received.map(({ headers, body }) => `${headers["webhook-id"]} ${body}`)).size).toBe(1);
    await passWaits(db, endpoint.id);
    expect(await deliver(endpoint.id)).toBe(null);
    expect(receiver.received).toHaveLength(10);
  });

  it.each<[string, typeof hang, object]>([
    ["hangs", hang, { state: "waiting", attempts: [{ status: null, error: "timeout" }] }],
    [
      "redirects",
      status(302, { location: "http://127.0.0.1:1/" }),
      { state: "waiting", attempts: [{ status: 302, error: null }] },
    ],
    [
      "closes without an answer",
      (response) => void response.socket?.destroy(),
      { state: "waiting", attempts: [{ status: null, error: "connection_closed" }] },
    ],
    [
      "answers what is no HTTP",
      (response) => void response.socket?.end("SSH-2.0-OpenSSH_9.2\r\n"),
      { state: "waiting", attempts: [{ status: null, error: "no_http_answer" }] },
    ],
    [
      "breaks off after saying yes",
      (response) => {
        response.writeHead(200, { "content-length": "100" }).write("half");
        setImmediate(() => response.socket?.destroy());
      },
      { state: "delivered", attempts: [{ status: 200, response: "half" }] },
    ],
    [
      "says yes and never ends",
      (response) => void response.writeHead(200).write("more"),
      { state: "delivered", attempts: [{ status: 200, response: "more" }] },
    ],
    [
      "answers garbage",
      (response) => void response.writeHead(200).end(Buffer.from([0, 0xff, 0xfe, 0x41])),
      { state: "delivered", attempts: [{ status: 200, response: "\uFFFD\uFFFD\uFFFDA" }] },
    ],
    [
      "names the caller in its answer",
      (response) => void response.writeHead(500).end("no such contact +14155550123"),
      { state: "waiting", attempts: [{ status: 500, response: "no such contact …0123" }] },
    ],
  ])("to a receiver that %s is logged as what it was", async (_what, reply, expected) => {
    receiver.reply = reply;
    const { deliveries } = await tried(1);
    expect(deliveries).toMatchObject([expected]);
  });

  it("reads no more of an answer than the cap, and keeps its beginning", async () => {
    let sent = 0;
    receiver.reply = (response) => {
      response.writeHead(200);
      const chunk = "x".repeat(65_536);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    };
    const { deliveries } = await tried(1);
    expect(deliveries).toMatchObject([{ state: "delivered" }]);
    expect(deliveries[0]?.attempts[0]?.response).toHaveLength(RESPONSE_CHARS_KEPT);
    await until("the receiver is cut off", () => receiver.open.now === 0);
    expect(sent).toBeLessThan(100 * RESPONSE_BYTES_MAX);
  });

  it("waits as long as a receiver asks", async () => {
    receiver.reply = status(429, { "retry-after": "120" });
    const { deliveries } = await tried(1);
    const waitS = ((deliveries[0]?.nextAttemptAt as number) - Date.now()) / 1_000;
    expect(waitS).toBeGreaterThan(118);
    expect(waitS).toBeLessThan(145);
  });

  it("to nobody is refused before anything is sent", async () => {
    const { endpoint } = await makeEndpoint(db, { url: "http://10.255.255.1/hook" });
    await happened(db, 1);
    await relay();
    await deliver(endpoint.id);
    expect((await deliveriesOf(endpoint.id))[0]?.attempts).toMatchObject([
      { status: null, error: "forbidden_address" },
    ]);
  });
});

describe("events of one call", () => {
  async function lifeOfACall() {
    const { numbers } = await makeWorld(db, 1);
    const { endpoint } = await makeEndpoint(db, { url: receiver.url });
    const { ref } = await callLog.open({
      call: inboundCall(numbers[0] as string),
      callId: ids.next("call"),
      signal: never,
    });
    const at = ref.receivedAt;
    const end = {
      kind: "ended",
      status: "completed",
      releasedBy: "caller",
      cause: "16",
      authority: 1,
      talkMs: null,
    } as const;
    await callLog.record(ref, [
      { kind: "ringing", at },
      { kind: "answered", at },
      { ...end, at },
    ]);
    await relay();
    return endpoint.id;
  }
  const typesOf = () => receiver.received.map((received) => bodyOf(received).type);
  const inOrder = ["call.received", "call.routed", "call.completed"];

  it("come in their order, though the endpoint takes several at a time", async () => {
    let slow = 30;
    receiver.reply = (response) => void setTimeout(() => response.writeHead(200).end(), (slow -= 10));
    await deliver(await lifeOfACall());
    expect(typesOf()).toEqual(inOrder);
    expect(receiver.open.max).toBe(1);
  });

  it("wait for an earlier one that fails, but not longer than its first retries", async () => {
    receiver.reply = (response, received) =>
      status(bodyOf(received).type === "call.received" ? 500 : 200)(response, received);
    const endpointId = await lifeOfACall();
    await deliver(endpointId);
    await passWaits(db, endpointId);
    await deliver(endpointId);
    expect(typesOf()).toEqual(["call.received", "call.received"]);
    await passWaits(db, endpointId);
    await deliver(endpointId);
    expect(typesOf()).toEqual(["call.received", ...inOrder.slice(0, 1), ...inOrder]);
    expect((await deliveriesOf(endpointId)).map(({ state }) => state)).toEqual(["waiting", "delivered", "delivered"]);
  });

  it("are not held up by a replay of an earlier one", async () => {
    receiver.reply = status(200);
    const endpointId = await lifeOfACall();
    await deliver(endpointId);
    const [first, , last] = await deliveriesOf(endpointId);
    receiver.reply = status(500);
    for (const again of [first, last])
      await replayDelivery(db, { id: endpointId, kind: "webhook", includeCaller: false }, again?.id as string);
    await deliver(endpointId);
    expect(typesOf().slice(3).sort()).toEqual(["call.completed", "call.received"]);
  });
});

describe("an endpoint", () => {
  it("is sent no more at a time than it takes", async () => {
    receiver.reply = (response) => void setTimeout(() => response.writeHead(200).end(), 100);
    const { deliveries } = await tried(12, { maxConcurrency: 3 });
    expect(deliveries.map(({ state }) => state)).toEqual(Array.from({ length: 12 }, () => "delivered"));
    expect(receiver.open.max).toBe(3);
  });

  it("nor by several processes at once, and each delivery once", async () => {
    receiver.reply = (response) => void setTimeout(() => response.writeHead(200).end(), 10);
    const { endpoint } = await makeEndpoint(db, { url: receiver.url, maxConcurrency: 3 });
    for (let n = 0; n < 12; n++) await happened(db, n);
    await Promise.all([relay(), relay(), relay()]);
    await Promise.all([deliver(endpoint.id), deliver(endpoint.id), deliver(endpoint.id)]);
    expect(receiver.open.max).toBeLessThanOrEqual(3);
    expect(numbersOf(receiver.received).sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n));
  });

  it("that does not answer is left alone soon, tried again with one delivery, and gets the rest when that arrives", async () => {
    receiver.reply = hang;
    const { endpoint, deliveries } = await tried(20, { maxConcurrency: 5 });
    // Five are on their way, and as each times out another, until the fifth has failed.
    const begun = receiver.received.length;
    expect(begun).toBeGreaterThanOrEqual(5);
    expect(begun).toBeLessThanOrEqual(9);
    expect(deliveries.filter(({ attempts: some }) => some.length > 0)).toHaveLength(begun);
    expect((await getEndpoint(db, { id: endpoint.id, accountId: null })).pausedUntil).toBeGreaterThan(Date.now());
    await rows(db, "update webhook_endpoint set paused_until = now()");
    await deliver(endpoint.id);
    expect(receiver.received).toHaveLength(begun + 1);
    receiver.reply = status(200);
    await rows(db, "update webhook_endpoint set paused_until = now()");
    await deliver(endpoint.id);
    expect((await getEndpoint(db, { id: endpoint.id, accountId: null })).failingSince).toBe(null);
    await passWaits(db, endpoint.id);
    await deliver(endpoint.id);
    const states = (await deliveriesOf(endpoint.id)).map(({ state }) => state);
    expect(states).toEqual(Array.from({ length: 20 }, () => "delivered"));
  });

  it("has its first retries made while it is left alone", async () => {
    receiver.reply = status(500);
    const { endpoint } = await tried(12, { maxConcurrency: 5 });
    const before = receiver.received.length;
    await rows(db, "update outgoing_delivery set next_attempt_at = now() where tries = 1");
    await deliver(endpoint.id);
    expect(numbersOf(receiver.received.slice(before)).sort()).toEqual(
      numbersOf(receiver.received.slice(0, before)).sort(),
    );
  });

  it("that answers 410 is disabled, with notice, and hears nothing more", async () => {
    receiver.reply = status(410);
    const { endpoint } = await tried(1);
    const disabled = await getEndpoint(db, { id: endpoint.id, accountId: null });
    expect(disabled).toMatchObject({ enabled: false, disabledReason: "gone" });
    expect(disabled.notices).toMatchObject([
      { event: "endpoint.disabled", reason: "gone", at: expect.stringMatching(/Z$/) },
    ]);
    expect(attempts).toEqual(["failed", "disabled: gone"]);
    expect(lines.filter(({ event }) => event === "endpoint.disabled")).toMatchObject([
      { level: "warn", fields: { endpoint: endpoint.id, reason: "gone" } },
    ]);
    await happened(db, 2);
    expect([...(await relay())]).toEqual([]);
    expect(await deliver(endpoint.id)).toBe(null);
  });

  it("that did nothing but fail for five days is disabled; what waits stays", async () => {
    receiver.reply = status(500);
    const { endpoint } = await tried(3);
    await passWaits(db, endpoint.id);
    await rows(db, "update webhook_endpoint set failing_since = now() - interval '5 days', failures = 9");
    await deliver(endpoint.id);
    expect(await getEndpoint(db, { id: endpoint.id, accountId: null })).toMatchObject({ disabledReason: "failing" });
    expect((await deliveriesOf(endpoint.id)).map(({ state }) => state)).toEqual(["waiting", "waiting", "waiting"]);
  });

  it("that moved is not disabled by what the former place says afterwards", async () => {
    const { endpoint } = await makeEndpoint(db, { url: receiver.url });
    await happened(db, 1);
    await relay();
    let gone: (() => void) | null = null;
    receiver.reply = (response) => {
      gone = () => void response.writeHead(410).end();
    };
    const underWay = deliver(endpoint.id);
    await receiver.got(1);
    await updateEndpoint(db, endpoint.id, { ...endpoint, url: `${receiver.url}/moved` });
    (gone as unknown as () => void)();
    await underWay;
    expect(await getEndpoint(db, { id: endpoint.id, accountId: null })).toMatchObject({ enabled: true, failures: 0 });
    expect((await deliveriesOf(endpoint.id))[0]).toMatchObject({ state: "waiting", attempts: [{ status: 410 }] });
    receiver.reply = status(200);
    await passWaits(db, endpoint.id);
    await deliver(endpoint.id);
    expect(receiver.received.map(({ path }) => path)).toEqual(["/hook", "/hook/moved"]);
  });

  it("with a new secret is signed for with both, then with the new one alone", async () => {
    const { endpoint, secret: former } = await tried(1);
    const { secret } = await rotateSecret({ db, secrets, random: systemRandom }, endpoint.id);
    const verify = (received: Received | undefined, by: string) =>
      new Webhook(by).verify(received?.body as string, received?.headers as Record<string, string>);
    await happened(db, 2);
    await relay();
    await deliver(endpoint.id);
    const rotated = receiver.received[1];
    expect(rotated?.headers["webhook-signature"]).toMatch(/^v1,\S+ v1,\S+$/);
    for (const by of [former, secret]) expect(verify(rotated, by)).toEqual(bodyOf(rotated));
    await rows(db, "update webhook_endpoint set former_secret_until = now()");
    await happened(db, 3);
    await relay();
    await deliver(endpoint.id);
    expect(verify(receiver.received[2], secret)).toBeTruthy();
    expect(() => verify(receiver.received[2], former)).toThrow("No matching signature");
  });
});

describe("at least once", () => {
  it("what a dying process had taken is sent by another one when the lease is over, and its word counts no more", async () => {
    const { endpoint } = await makeEndpoint(db, { url: receiver.url });
    await happened(db, 1);
    await relay();
    let answer: (() => void) | null = null;
    receiver.reply = (response) => {
      answer = () => void response.writeHead(500).end();
    };
    const dying = deliver(endpoint.id);
    await receiver.got(1);
    expect(await deliver(endpoint.id)).toBe(null);
    expect(receiver.received).toHaveLength(1);
    await rows(db, "update outgoing_delivery set lease_until = now()");
    receiver.reply = status(200);
    await deliver(endpoint.id);
    expect(receiver.received).toHaveLength(2);
    (answer as unknown as () => void)();
    await dying;
    const [delivery] = await deliveriesOf(endpoint.id);
    expect(delivery).toMatchObject({ state: "delivered", attempts: [{ status: 200 }] });
  });

  it("a replay sends the same bytes under the same id, with a signature of its own time", async () => {
    const { endpoint, deliveries } = await tried(1);
    await replayDelivery(db, endpoint, deliveries[0]?.id as string);
    await deliver(endpoint.id);
    const [first, again] = receiver.received;
    expect(again?.body).toBe(first?.body);
    expect(again?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
    expect((await deliveriesOf(endpoint.id))[0]?.attempts).toHaveLength(2);
  });

  it("an event that cannot be rendered waits and holds back what follows of its call, nothing else", async () => {
    const { endpoint } = await makeEndpoint(db, { url: receiver.url });
    const { numbers } = await makeWorld(db, 1);
    const opened = await callLog.open({
      call: inboundCall(numbers[0] as string),
      callId: ids.next("call"),
      signal: never,
    });
    await callLog.record(opened.ref, [{ kind: "ringing", at: opened.ref.receivedAt }]);
    await happened(db, 7);
    const render = deps.kinds["webhook"]?.render as NonNullable<(typeof deps.kinds)["webhook"]>["render"];
    let broken = true;
    Object.assign(deps.kinds["webhook"] as object, {
      render: (event: Parameters<typeof render>[0], to: Parameters<typeof render>[1]) => {
        if (broken && event.type === "call.received") throw new Error("a fault of ours");
        return render(event, to, null);
      },
    });
    await relay();
    await relay();
    await deliver(endpoint.id);
    expect(receiver.received.map((one) => bodyOf(one).type)).toEqual(["pool.exhausted"]);
    broken = false;
    await rows(db, "update outbox set not_before = now() where failures > 0");
    await relay();
    await deliver(endpoint.id);
    Object.assign(deps.kinds["webhook"] as object, { render });
    expect(receiver.received.map((one) => bodyOf(one).type)).toEqual([
      "pool.exhausted",
      "call.received",
      "call.routed",
    ]);
  });

  it("an event that was being read when the database's connection was lost waits for nothing else", async () => {
    const { endpoint } = await makeEndpoint(db, { url: receiver.url });
    const { numbers } = await makeWorld(db, 1);
    await callLog.open({ call: inboundCall(numbers[0] as string), callId: ids.next("call"), signal: never });
    let isLost = false;
    const losing: Database = {
      ...db,
      query: (query, values) => {
        if (query.name !== "call_select_newest" || isLost) return db.query(query, values);
        isLost = true;
        return db.query({ name: "", text: "select pg_terminate_backend(pg_backend_pid())" });
      },
    };
    const { kinds, secrets: sealed, log } = deps;
    await expect(relayEvents({ db: losing, ids, secrets: sealed, log, kinds })).rejects.toMatchObject({
      code: "database_unavailable",
    });
    expect(isLost).toBe(true);
    expect([...(await relay())]).toEqual([endpoint.id]);
  });
});

describe("what names a person", () => {
  it("goes with an erasure: body and answers are emptied, and nothing of it is sent any more", async () => {
    receiver.reply = status(500);
    const { numbers } = await makeWorld(db, 1);
    const { endpoint } = await makeEndpoint(db, { url: receiver.url });
    const opened = await callLog.open({
      call: inboundCall(numbers[0] as string),
      callId: ids.next("call"),
      signal: never,
    });
    await relay();
    await deliver(endpoint.id);
    await emptyDeliveries(db, [opened.ref.callId], opened.ref.receivedAt - 1);
    expect(await rows(db, "select 1 from outgoing_delivery where body_enc is null")).toEqual([]);
    await emptyDeliveries(db, [opened.ref.callId], Date.now() + 1_000);
    const [delivery] = await deliveriesOf(endpoint.id);
    expect(delivery).toMatchObject({ state: "canceled", attempts: [{ status: 500, response: null }] });
    expect(await rows(db, "select 1 from outgoing_delivery where body_enc is not null")).toEqual([]);
    await expect(replayDelivery(db, endpoint, delivery?.id as string)).rejects.toThrow("erased");
  });

  it("is not sent to an endpoint that stopped being shown callers", async () => {
    const { numbers } = await makeWorld(db, 1);
    const { endpoint } = await makeEndpoint(db, { url: receiver.url, includeCaller: true });
    await callLog.open({ call: inboundCall(numbers[0] as string), callId: ids.next("call"), signal: never });
    await relay();
    await rows(db, "update webhook_endpoint set include_caller = false");
    await deliver(endpoint.id);
    expect(receiver.received).toEqual([]);
    expect(attempts).toEqual(["canceled"]);
    const [delivery] = await deliveriesOf(endpoint.id);
    await expect(replayDelivery(db, { ...endpoint, includeCaller: false }, delivery?.id as string)).rejects.toThrow(
      "names the caller",
    );
  });
});
