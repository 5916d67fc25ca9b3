import { beforeEach, describe, expect, it } from "vitest";
import { createTargetGuard } from "../../src/account/outgoing/target-guard.js";
import { ENDPOINTS_AN_ACCOUNT_MAX } from "../../src/account/outgoing/webhook-endpoints.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { happened, outgoing } from "../support/outgoing.js";
import { startReceiver, status } from "../support/webhook-receiver.js";
import { makeAccount } from "../support/world.js";
import { ADMIN_KEY, makeHttpWorld, notFetched, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const woken: string[] = [];
const soon = (endpointId: string): void => void woken.push(endpointId);
const statusOf = () => Promise.resolve({ kind: "unknown", error: "timeout" } as const);
const { request, keyOf, lines } = makeHttpWorld(db, {
  outgoing: { guard: createTargetGuard(["127.0.0.0/8"]), soon, statusOf, fetchPage: notFetched },
});
const strict = makeHttpWorld(db);
const account = await makeAccount(db);
const key = await keyOf(account.id, ["read", "write"]);
const piiKey = await keyOf(account.id, ["read", "write", "calls:pii"]);
const URL_IN = "https://hooks.example.com/calls";
const PATH = "/v1/webhook_endpoints";

beforeEach(async () => {
  await rows(db, "truncate outbox, outgoing_delivery, webhook_endpoint");
  woken.length = 0;
});

async function create(body: object = {}, as: string = key) {
  const options = { body: { url: URL_IN, events: ["call.completed"], ...body }, key: as };
  const response = await request("POST", PATH, options);
  expect(response.statusCode).toBe(201);
  return response.json();
}

describe("/v1/webhook_endpoints", () => {
  it("creates one, shows its secret once, lists, changes and deletes it", async () => {
    const created = await create({ description: "CRM" });
    expect(created).toMatchObject({
      id: expect.stringMatching(/^whk_/),
      account_id: account.id,
      kind: "webhook",
      url: URL_IN,
      events: ["call.completed"],
      description: "CRM",
      format: "standard",
      include_caller: false,
      max_concurrency: 4,
      enabled: true,
      notices: [],
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    });
    const { secret, ...shown } = created;
    expect((await request("GET", `${PATH}/${created.id}`, { key })).json()).toEqual(shown);
    expect((await request("GET", PATH, { key })).json()).toEqual({ data: [shown], next_cursor: null });
    const [stored] = await rows<{ enc: Buffer }>(db, "select secret_enc as enc from webhook_endpoint");
    expect(stored?.enc.toString("latin1")).not.toContain(secret);
    const changed = await request("PATCH", `${PATH}/${created.id}`, {
      key,
      body: { events: ["call.updated", "call.received"], max_concurrency: 1, description: null, format: "cloudevents" },
    });
    expect(changed.json()).toMatchObject({
      events: ["call.updated", "call.received"],
      max_concurrency: 1,
      description: null,
      format: "cloudevents",
      url: URL_IN,
    });
    expect((await request("DELETE", `${PATH}/${created.id}`, { key })).statusCode).toBe(204);
    expect((await request("GET", `${PATH}/${created.id}`, { key })).statusCode).toBe(404);
    expect((await request("GET", PATH, { key })).json().data).toEqual([]);
  });

  it("belongs to its account; without an account, and by an admin key alone, to the platform", async () => {
    const other = await makeAccount(db, "Other");
    const platform = await create({}, ADMIN_KEY);
    expect(platform.account_id).toBe(null);
    const own = await create({ account_id: other.id }, ADMIN_KEY);
    expect(own.account_id).toBe(other.id);
    for (const id of [platform.id, own.id]) {
      for (const [method, path] of [
        ["GET", ""],
        ["PATCH", ""],
        ["DELETE", ""],
        ["POST", "/rotate_secret"],
        ["GET", "/deliveries"],
        ["POST", "/deliveries/dlv_1/replay"],
      ] as const) {
        const body = method === "PATCH" ? { body: {} } : {};
        expect((await request(method, `${PATH}/${id}${path}`, { key, ...body })).statusCode).toBe(404);
      }
    }
    const foreign = await request("POST", PATH, {
      key,
      body: { url: URL_IN, events: ["call.updated"], account_id: other.id },
    });
    expect(foreign.statusCode).toBe(404);
    const reader = await keyOf(account.id, ["read"]);
    expect(
      (await request("POST", PATH, { key: reader, body: { url: URL_IN, events: ["call.updated"] } })).statusCode,
    ).toBe(403);
  });

  it.each([
    [{ url: "https://10.0.0.1/" }, "url"],
    [{ url: "https://0x7f.1:99999/" }, "url"],
    [{ url: "http://example.com/" }, "url", "strict"],
    [{ url: "https://2130706433/" }, "url", "strict"],
    [{ url: "https://localhost/" }, "url", "strict"],
    [{ url: `https://example.com/${"x".repeat(2_000)}` }, "url"],
    [{ events: [] }, "events"],
    [{ events: ["call.exploded"] }, "events.0"],
    [{ events: ["call.updated", "call.updated"] }, "events"],
    [{ max_concurrency: 6 }, "max_concurrency"],
    [{ format: "xml" }, "format"],
    [{ colour: "red" }, "colour"],
  ])("refuses %j", async (body, path, where?: string) => {
    const ask = where === "strict" ? strict.request : request;
    const response = await ask("POST", PATH, { body: { url: URL_IN, events: ["call.updated"], ...body } });
    expect(problemIn(response)).toMatchObject({ status: 422, code: "invalid_value", errors: [{ path }] });
  });

  it("has a limit for each account", async () => {
    for (let n = 0; n < ENDPOINTS_AN_ACCOUNT_MAX; n++) await create();
    const response = await request("POST", PATH, { key, body: { url: URL_IN, events: ["call.updated"] } });
    expect(problemIn(response)).toMatchObject({ status: 409, code: "conflict" });
    await create({}, ADMIN_KEY);
  });

  it.each(["an account", "the platform"])("has that limit for %s when many are made at once", async (whose) => {
    const as = whose === "an account" ? key : ADMIN_KEY;
    const body = { url: URL_IN, events: ["call.updated"] };
    const answers = await Promise.all(
      Array.from({ length: ENDPOINTS_AN_ACCOUNT_MAX + 10 }, () => request("POST", PATH, { key: as, body })),
    );
    const made = answers.filter(({ statusCode }) => statusCode === 201);
    expect(made).toHaveLength(ENDPOINTS_AN_ACCOUNT_MAX);
  });

  it("keeps what another request changes at the same moment", async () => {
    const { id } = await create({ include_caller: true }, piiKey);
    for (let n = 1; n <= 10; n++) {
      const url = `https://hooks.example.com/${n}`;
      const changes = [{ url }, { description: `no. ${n}` }, { max_concurrency: (n % 5) + 1 }];
      await Promise.all(changes.map((body) => request("PATCH", `${PATH}/${id}`, { key: piiKey, body })));
      const now = (await request("GET", `${PATH}/${id}`, { key })).json();
      expect(now).toMatchObject(Object.assign({}, ...changes));
    }
  });

  it("is not shown callers again by a change that began before it was shown none", async () => {
    const { id } = await create({ include_caller: true }, piiKey);
    for (let n = 1; n <= 10; n++) {
      await request("PATCH", `${PATH}/${id}`, { key: piiKey, body: { include_caller: true } });
      const changes = [{ include_caller: false }, { description: `no. ${n}` }];
      await Promise.all(changes.map((body) => request("PATCH", `${PATH}/${id}`, { key: piiKey, body })));
      expect((await request("GET", `${PATH}/${id}`, { key })).json().include_caller).toBe(false);
    }
  });

  it("names callers only at the word of a key that may see them, and is changed by such keys alone from then on", async () => {
    const body = { url: URL_IN, events: ["call.completed"], include_caller: true };
    expect((await request("POST", PATH, { key, body })).statusCode).toBe(403);
    const { id } = await create({ include_caller: true }, piiKey);
    expect(lines.findLast(({ event }) => event === "webhook_endpoint.created")?.fields).toMatchObject({
      endpoint: id,
      includeCaller: true,
      keyId: expect.stringMatching(/^key_/),
    });
    for (const change of [{ url: "https://elsewhere.example.com/" }, { include_caller: false }])
      expect((await request("PATCH", `${PATH}/${id}`, { key, body: change })).statusCode).toBe(403);
    await rows(
      db,
      `insert into outgoing_delivery (id, endpoint_id, event_id, seq, type, event_at, body_enc, names_caller, next_attempt_at)
       values ('dlv_1', $1, 'evt_1', 1, 'call.completed', now(), '', true, now()), ('dlv_2', $1, 'evt_2', 2, 'call.completed', now(), '', false, now())`,
      [id],
    );
    const off = await request("PATCH", `${PATH}/${id}`, { key: piiKey, body: { include_caller: false } });
    expect(off.json().include_caller).toBe(false);
    const { data } = (await request("GET", `${PATH}/${id}/deliveries`, { key })).json();
    expect(data.map((one: { id: string; state: string }) => [one.id, one.state])).toEqual([
      ["dlv_2", "waiting"],
      ["dlv_1", "canceled"],
    ]);
  });

  it("is disabled and enabled again, and says so", async () => {
    const { id } = await create();
    const off = (await request("PATCH", `${PATH}/${id}`, { key, body: { enabled: false } })).json();
    expect(off).toMatchObject({ enabled: false, disabled_reason: "asked", disabled_at: expect.any(String) });
    await rows(db, "update webhook_endpoint set failing_since = now(), failures = 7");
    expect((await request("POST", `${PATH}/${id}/deliveries/dlv_1/replay`, { key })).statusCode).toBe(409);
    expect(woken).toEqual([]);
    const on = (await request("PATCH", `${PATH}/${id}`, { key, body: { enabled: true } })).json();
    expect(on).toMatchObject({ enabled: true, disabled_reason: null, disabled_at: null, failing_since: null });
    expect(on.notices.map(({ event, reason }: { event: string; reason: string | null }) => [event, reason])).toEqual([
      ["endpoint.disabled", "asked"],
      ["endpoint.enabled", null],
    ]);
    expect(woken).toEqual([id]);
  });

  it("gets a new secret, shown once, beside which the former one goes on for a day", async () => {
    const { id, secret } = await create();
    const rotated = (await request("POST", `${PATH}/${id}/rotate_secret`, { key })).json();
    expect(rotated.secret).not.toBe(secret);
    const hours = (Date.parse(rotated.former_secret_until) - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(23.9);
    expect(hours).toBeLessThan(24.1);
  });
});

describe("deliveries", () => {
  it("are listed with their attempts, page by page, and sent again when asked", async () => {
    const receiver = await startReceiver();
    receiver.reply = status(500);
    const { relay, deliver } = outgoing(db);
    const { id } = await create({ url: receiver.url, events: ["pool.exhausted"] });
    for (let n = 0; n < 3; n++) await happened(db, n, account.id);
    await relay();
    await deliver(id);
    const first = (await request("GET", `${PATH}/${id}/deliveries?limit=2`, { key })).json();
    expect(first.data).toHaveLength(2);
    const rest = (await request("GET", `${PATH}/${id}/deliveries?limit=2&cursor=${first.next_cursor}`, { key })).json();
    expect(rest.next_cursor).toBe(null);
    const oldest = rest.data[0];
    expect(oldest).toMatchObject({
      id: expect.stringMatching(/^dlv_/),
      event_id: receiver.received[0]?.headers["webhook-id"],
      type: "pool.exhausted",
      state: "waiting",
      attempts: [{ at: expect.any(String), status: 500, error: null, ms: expect.any(Number), response: "noted" }],
    });
    receiver.reply = status(200);
    const replayed = await request("POST", `${PATH}/${id}/deliveries/${oldest.id}/replay`, { key });
    expect(replayed.statusCode).toBe(202);
    expect(replayed.json()).toMatchObject({ id: oldest.id, state: "waiting" });
    expect(woken).toEqual([id]);
    await deliver(id);
    const delivered = (await request("GET", `${PATH}/${id}/deliveries?state=delivered`, { key })).json();
    expect(delivered.data).toMatchObject([{ id: oldest.id, attempts: [{ status: 500 }, { status: 200 }] }]);
    expect((await request("POST", `${PATH}/${id}/deliveries/dlv_none/replay`, { key })).statusCode).toBe(404);
  });
});
