import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCarriers } from "../../src/pool/carrier-inventory/carriers.js";
import { systemClock } from "../../src/kernel/clock.js";
import { reconcileDue } from "../../src/pool/reconcile-inventory.js";
import { silentLog } from "../../src/kernel/log.js";
import { freshDatabase, rows } from "../support/database.js";
import { ACCOUNT_SID, AUTH_TOKEN, type FakeTwilio, startFakeTwilio } from "../support/fake-twilio.js";
import { PUBLIC_BASE_URL } from "../support/shop.js";
import { ids, makeAccount, secrets } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const fake: FakeTwilio = await startFakeTwilio();
afterAll(() => fake.stop());
const carriers = createCarriers({
  db,
  secrets,
  clock: systemClock,
  twilioApiUrl: fake.url,
  defaultCarrier: "twilio",
  allowsSimulated: true,
});
const world = makeHttpWorld(db, { carriers, publicBaseUrl: PUBLIC_BASE_URL });
const { request } = world;
const account = await makeAccount(db);

const order = (body: object, key?: string) =>
  request("POST", "/v1/inventory/orders", { body, headers: key === undefined ? {} : { "idempotency-key": key } });

describe("before there is a carrier", () => {
  it("searching and ordering say what to do", async () => {
    for (const url of ["/v1/inventory/search", "/v1/inventory/orders"]) {
      const body = { number_type: "local", npa: "415", ...(url.endsWith("orders") ? { count: 1 } : {}) };
      const problem = problemIn(await request("POST", url, { body }));
      expect(problem).toMatchObject({
        status: 409,
        code: "conflict",
        detail: expect.stringContaining("PUT /v1/carriers/twilio"),
      });
    }
  });

  it("the simulated carrier sells by name", async () => {
    const made = await order({ carrier: "simulated", number_type: "toll_free", count: 2 });
    expect(made.statusCode).toBe(201);
    expect(made.json()).toMatchObject({
      state: "done",
      carrier: "simulated",
      credential_id: null,
      bought: ["+18882000000", "+18882000001"],
    });
    const more = await order({ carrier: "simulated", number_type: "toll_free", count: 1 });
    expect(more.json().bought).toEqual(["+18882000002"]);
  });
});

describe("the carrier inventory", () => {
  let credentialId = "";
  beforeAll(async () => {
    const body = { auth_tokens: [AUTH_TOKEN], account_sid: ACCOUNT_SID };
    const put = await request("PUT", "/v1/carriers/twilio", { body });
    expect(put.json()).toMatchObject({ account_sid: "…0001", auth_tokens: ["…ests"] });
    credentialId = put.json().credential_id;
  });

  it("a wrong account SID is refused, and a credential without one still verifies webhooks", async () => {
    const wrong = { auth_tokens: [AUTH_TOKEN], account_sid: "AC1" };
    expect(problemIn(await request("PUT", "/v1/carriers/twilio", { body: wrong })).errors).toEqual([
      { path: "account_sid", message: expect.stringContaining("AC and 32") },
    ]);
    const body = { account_id: account.id, auth_tokens: ["another token"] };
    expect((await request("PUT", "/v1/carriers/twilio", { body })).json()).not.toHaveProperty("account_sid");
    expect((await carriers.choose({ carrier: "twilio", accountId: account.id, isOwnFirst: true }))?.credentialId).toBe(
      credentialId,
    );
  });

  it("searches stock and buys nothing", async () => {
    const found = await request("POST", "/v1/inventory/search", {
      body: { number_type: "local", npa: "415", limit: 2 },
    });
    expect(found.json()).toEqual({
      carrier: "twilio",
      credential_id: credentialId,
      numbers: [
        { number: "+14152010000", type: "local", npa: "415" },
        { number: "+14152010001", type: "local", npa: "415" },
      ],
    });
    expect(fake.owned.size).toBe(0);
  });

  it("an order brings numbers into the inventory; the same key is the same order", async () => {
    const body = { number_type: "local", npa: "415", count: 2, account_id: account.id };
    const first = await order(body, "order-1");
    expect(first.statusCode).toBe(201);
    expect(first.json()).toMatchObject({
      state: "done",
      account_id: account.id,
      npas: ["415"],
      count: 2,
      bought: ["+14152010000", "+14152010001"],
      pending: 0,
      refusal: null,
      actor: "key:admin",
    });
    const again = await order(body, "order-1");
    expect(again.json()).toEqual(first.json());
    // As after a crash before the answer was kept: the key alone holds.
    await rows(db, "delete from idempotency_key");
    expect((await order(body, "order-1")).json().id).toBe(first.json().id);
    expect(fake.owned.size).toBe(2);
    const listed = await request("GET", "/v1/numbers?state=available&npa=415");
    expect(listed.json().data).toMatchObject([
      { number: "+14152010000", carrier: "twilio", credential_id: credentialId },
      { number: "+14152010001" },
    ]);
    const read = await request("GET", `/v1/inventory/orders/${first.json().id}`);
    expect(read.json()).toEqual(first.json());
    const list = await request("GET", "/v1/inventory/orders?limit=1");
    expect(list.json().data).toEqual([first.json()]);
    const next = await request("GET", `/v1/inventory/orders?limit=1&cursor=${list.json().next_cursor}`);
    expect(next.json().data[0].carrier).toBe("simulated");
  });

  it("an order without a key is one of its own", async () => {
    const body = { number_type: "local", npa: "628", count: 1 };
    const [one, two] = [await order(body), await order(body)];
    expect(one.json().id).not.toBe(two.json().id);
    expect(one.json().bought).not.toEqual(two.json().bought);
  });

  it("refuses what makes no sense", async () => {
    const bad = [
      { number_type: "local", count: 1 },
      { number_type: "local", npa: "415", count: 0 },
      { number_type: "local", npa: "415", count: 501 },
      { number_type: "local", npa: "415", count: 1, api_url: "http://127.0.0.1:1" },
      { number_type: "mobile", npa: "415", count: 1 },
    ];
    for (const body of bad) expect(problemIn(await order(body)).code).toBe("invalid_value");
    const unknown = { number_type: "local", npa: "415", count: 1, account_id: "acc_nobody" };
    expect(problemIn(await order(unknown)).code).toBe("not_found");
    expect(problemIn(await request("GET", "/v1/inventory/orders/ord_nothing")).code).toBe("not_found");
  });

  it("tells what the carrier says", async () => {
    fake.fail("GET", "AvailablePhoneNumbers", { kind: "status", status: 429, retryAfter: "9" });
    const busy = await request("POST", "/v1/inventory/search", { body: { number_type: "toll_free" } });
    expect(problemIn(busy)).toMatchObject({ status: 503, code: "carrier_unavailable" });
    expect(busy.headers["retry-after"]).toBe("9");
    fake.setTokens(["another"]);
    const refused = problemIn(await request("POST", "/v1/inventory/search", { body: { number_type: "toll_free" } }));
    expect(refused).toMatchObject({ status: 409, code: "carrier_refused" });
    expect(JSON.stringify(refused)).not.toContain(AUTH_TOKEN);
    fake.setTokens([AUTH_TOKEN]);
  });

  it("findings are listed, and a number is taken over by a call alone", async () => {
    fake.add("+14152019000");
    await reconcileDue({ db, ids, carriers, log: silentLog, publicBaseUrl: PUBLIC_BASE_URL, fallbackBaseUrl: null });
    const { data } = (await request("GET", "/v1/inventory/findings?kind=unknown_here")).json();
    expect(data).toMatchObject([
      { kind: "unknown_here", number: "+14152019000", credential_id: credentialId, resolved_at: null },
    ]);
    const adopted = await request("POST", "/v1/inventory/adopt", {
      body: { number: "+14152019000", reason: "bought by hand" },
    });
    expect(adopted.statusCode).toBe(201);
    expect(adopted.json()).toMatchObject({ number: "+14152019000", state: "available", credential_id: credentialId });
    expect((await request("GET", "/v1/inventory/findings")).json().data).toEqual([]);
    expect((await request("GET", "/v1/inventory/findings?open=false")).json().data).toHaveLength(1);
    const again = await request("POST", "/v1/inventory/adopt", { body: { number: "+14152019000" } });
    expect(problemIn(again).code).toBe("already_exists");
  });

  it("a number is given back to its carrier", async () => {
    const given = await request("POST", "/v1/numbers/+14152019000/release_to_carrier", {
      body: { reason: "too many" },
    });
    expect(given.json()).toMatchObject({ state: "retired" });
    expect(given.json().history.at(-1)).toMatchObject({
      state: "retired",
      reason: "given back to twilio: too many",
      actor: "key:admin",
    });
    expect(fake.owned.has("+14152019000")).toBe(false);
  });

  it("is the platform's alone", async () => {
    const key = await world.keyOf(account.id, ["read", "write", "admin"]);
    const calls = [
      request("GET", "/v1/inventory/orders", { key }),
      request("GET", "/v1/inventory/findings", { key }),
      request("POST", "/v1/inventory/search", { key, body: { number_type: "toll_free" } }),
      request("POST", "/v1/inventory/orders", { key, body: { number_type: "toll_free", count: 1 } }),
      request("POST", "/v1/inventory/adopt", { key, body: { number: "+14152019001" } }),
      request("POST", "/v1/numbers/+14152010000/release_to_carrier", { key, body: { reason: "mine" } }),
      request("POST", "/v1/numbers/+14152010000/activate", { key, body: { reason: "mine" } }),
    ];
    for (const response of await Promise.all(calls)) expect(problemIn(response).code).toBe("forbidden");
  });
});

describe("numbers that are being ported in", () => {
  it("are imported so, listed so, and activated", async () => {
    const numbers = [{ number: "+14155550101", carrier: "twilio", state: "porting" }];
    expect((await request("POST", "/v1/numbers", { body: { numbers } })).json()).toMatchObject({ added: 1 });
    expect((await request("GET", "/v1/numbers?state=porting")).json().data).toMatchObject([
      { number: "+14155550101", state: "porting" },
    ]);
    const active = await request("POST", "/v1/numbers/+14155550101/activate", { body: { reason: "the port is done" } });
    expect(active.json().history.map(({ state }: { state: string }) => state)).toEqual(["porting", "available"]);
    const again = await request("POST", "/v1/numbers/+14155550101/activate", { body: { reason: "again" } });
    expect(problemIn(again).code).toBe("illegal_transition");
    const bad = { numbers: [{ number: "+14155550102", state: "assigned" }] };
    expect(problemIn(await request("POST", "/v1/numbers", { body: bad })).code).toBe("invalid_value");
  });

  it("can be given up", async () => {
    await request("POST", "/v1/numbers", { body: { numbers: [{ number: "+14155550103", state: "porting" }] } });
    const retired = await request("POST", "/v1/numbers/+14155550103/retire", {
      body: { reason: "the port was refused" },
    });
    expect(retired.json().state).toBe("retired");
  });
});
