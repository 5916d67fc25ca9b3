import { describe, expect, it, onTestFinished } from "vitest";
import { createApiKey, hashKey, revokeApiKey } from "../../src/account/api-keys.store.js";
import { freshDatabase } from "../support/database.js";
import { ids, makeAccount, makeWorld } from "../support/world.js";
import { lockNumber } from "../../src/pool/numbers.store.js";
import { bearer } from "../../src/kernel/bearer.js";
import { systemRandom } from "../../src/kernel/random.js";
import { ADMIN_KEY, makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { app, request, keyOf } = makeHttpWorld(db);

describe("authentication", () => {
  it.each([
    ["no key", {}],
    ["an unknown key", { authorization: "Bearer rm_unknown" }],
    ["an empty key", { authorization: "Bearer " }],
    ["another scheme", { authorization: `Basic ${Buffer.from(`:${ADMIN_KEY}`).toString("base64")}` }],
    ["the key without a scheme", { authorization: ADMIN_KEY }],
  ])("answers 401 with a challenge to %s", async (_name, headers) => {
    const response = await request("GET", "/v1/accounts", { key: null, headers });
    expect(problemIn(response)).toMatchObject({ status: 401, code: "unauthenticated" });
    expect(response.headers["www-authenticate"]).toMatch(/^Bearer/);
  });

  it("takes the bootstrap admin key and admin keys of the database", async () => {
    const stored = await keyOf(null, ["admin"]);
    for (const key of [ADMIN_KEY, stored]) {
      expect((await request("GET", "/v1/trunks", { key })).statusCode).toBe(200);
    }
  });

  it.each([
    ["spaces inside", "an admin key  with spaces"],
    ["UTF-8 whose last byte is a space in Latin-1", "schlüssel 密鑰 für alle, voilà"],
    ["14,000 bytes", "🔑".repeat(3_500)],
  ])("takes a bootstrap key with %s, over a socket", async (_name, key) => {
    const world = makeHttpWorld(db, { adminKeyHash: hashKey(key) });
    const url = await world.app.listen({ host: "127.0.0.1", port: 0 });
    onTestFinished(() => world.app.close());
    const statusFor = async (authorization: string): Promise<number> => {
      const response = await fetch(`${url}/v1/trunks`, { headers: { authorization } });
      await response.arrayBuffer();
      return response.status;
    };
    expect(await statusFor(bearer(key))).toBe(200);
    expect(await statusFor(`${bearer(key)}.`)).toBe(401);
    expect(await statusFor(bearer(key.slice(0, -2)))).toBe(401);
  });

  it("takes a bootstrap key that a browser's fetch sent as Latin-1", async () => {
    const key = "Schlüssel für Verwalterinnen";
    const world = makeHttpWorld(db, { adminKeyHash: hashKey(key) });
    expect((await world.request("GET", "/v1/trunks", { key })).statusCode).toBe(200);
  });

  it("has no bootstrap key when none is configured", async () => {
    const bare = makeHttpWorld(db, { adminKeyHash: null });
    expect((await bare.request("GET", "/v1/accounts")).statusCode).toBe(401);
  });

  it("refuses a revoked key at the next request", async () => {
    const account = await makeAccount(db);
    const { id, key } = await createApiKey(
      { db, ids, random: systemRandom },
      { accountId: account.id, name: "k", scopes: ["read"] },
    );
    expect((await request("GET", "/v1/pools", { key })).statusCode).toBe(200);
    await revokeApiKey(db, { accountId: account.id, keyId: id });
    expect((await request("GET", "/v1/pools", { key })).statusCode).toBe(401);
  });

  it("is asked for before a body is read", async () => {
    const response = await request("POST", "/v1/pools", { key: null, body: "{broken" });
    expect(response.statusCode).toBe(401);
  });
});

describe("scopes", () => {
  it.each([
    ["read", "GET", "/v1/pools", 200],
    ["write", "GET", "/v1/pools", 403],
    ["read", "POST", "/v1/pools", 403],
    ["write", "POST", "/v1/pools", 422],
    ["calls:pii", "GET", "/v1/calls", 403],
    ["admin", "GET", "/v1/pools", 200],
    ["admin", "POST", "/v1/pools", 422],
    ["admin", "POST", "/v1/accounts", 403],
    ["admin", "GET", "/v1/intercepts", 403],
    ["admin", "PUT", "/v1/settings/quarantine", 403],
  ] as const)("an account's key with %s gets from %s %s %i", async (scope, method, url, status) => {
    const account = await makeAccount(db);
    const key = await keyOf(account.id, [scope]);
    const response = await request(method, url, { key, ...(method === "GET" ? {} : { body: {} }) });
    expect(response.statusCode).toBe(status);
    if (status === 403) expect(problemIn(response).code).toBe("forbidden");
  });

  it("a platform key without the scope admin reads every account and administers none", async () => {
    const key = await keyOf(null, ["read"]);
    expect((await request("GET", "/v1/accounts", { key })).statusCode).toBe(200);
    expect((await request("GET", "/v1/trunks", { key })).statusCode).toBe(403);
    expect((await request("POST", "/v1/numbers", { key, body: { numbers: ["+18885550100"] } })).statusCode).toBe(403);
  });
});

describe("tenancy", () => {
  it("another account's objects do not exist", async () => {
    const mine = await makeWorld(db, 1);
    const theirs = await makeWorld(db, 1);
    const key = await keyOf(mine.account.id, ["read", "write", "admin"]);
    const number = theirs.numbers[0] ?? "";
    const reason = { reason: "r" };
    const attempts = [
      ["GET", `/v1/accounts/${theirs.account.id}`],
      ["PATCH", `/v1/accounts/${theirs.account.id}`, { name: "x" }],
      ["GET", `/v1/destinations/${theirs.destination.id}`],
      ["PATCH", `/v1/destinations/${theirs.destination.id}`, { name: "x" }],
      ["DELETE", `/v1/destinations/${theirs.destination.id}`],
      ["GET", `/v1/pools/${theirs.pool.id}`],
      ["PATCH", `/v1/pools/${theirs.pool.id}`, { name: "x" }],
      ["DELETE", `/v1/pools/${theirs.pool.id}`],
      ["POST", `/v1/pools/${theirs.pool.id}/scale`, { size: 1 }],
      ["POST", `/v1/pools/${theirs.pool.id}/numbers`, { count: 1 }],
      ["DELETE", `/v1/pools/${theirs.pool.id}/numbers/${number}`],
      ["DELETE", `/v1/pools/${mine.pool.id}/numbers/${number}`],
      ["POST", `/v1/pools/${mine.pool.id}/numbers`, { numbers: [number] }],
      ["GET", `/v1/numbers/${number}`],
      ["POST", `/v1/numbers/${number}/quarantine`, reason],
      ["POST", `/v1/numbers/${number}/release`, { force: true, ...reason }],
      ["POST", `/v1/numbers/${number}/retire`, reason],
      ["POST", "/v1/destinations", { account_id: theirs.account.id, number: "+14155550177" }],
      [
        "POST",
        "/v1/pools",
        { account_id: theirs.account.id, name: "p", kind: "automatic", destination_number: "+18005550100" },
      ],
      ["PUT", "/v1/carriers/twilio", { account_id: theirs.account.id, auth_tokens: ["t"] }],
      ["GET", `/v1/calls?account_id=${theirs.account.id}`],
      ["GET", `/v1/presentations?account_id=${theirs.account.id}`],
    ] as const;
    // A pool with room, so that nothing but the owner stands in the way.
    await request("PATCH", `/v1/pools/${mine.pool.id}`, { body: { max_size: 5 } });
    for (const [method, url, body] of attempts) {
      const response = await request(method, url, { key, ...(body === undefined ? {} : { body }) });
      expect([method, url, problemIn(response).code]).toEqual([method, url, "not_found"]);
    }
    const untouched = await request("GET", `/v1/numbers/${number}`);
    expect(untouched.json()).toMatchObject({ state: "assigned", pool_id: theirs.pool.id });
  });

  it("whether another account has a number is told by no word, and nobody waits for its row", async () => {
    const mine = await makeWorld(db, 1);
    const theirs = await makeWorld(db, 1);
    const key = await keyOf(mine.account.id, ["read", "write"]);
    const source = { destination_number: mine.destination.number, source: { name: "print" } };
    const attempts = [
      (number: string) => request("DELETE", `/v1/pools/${mine.pool.id}/numbers/${number}`, { key }),
      (number: string) => request("POST", "/v1/static_numbers", { key, body: { number, ...source } }),
      (number: string) => request("POST", `/v1/numbers/${number}/quarantine`, { key, body: { reason: "r" } }),
    ];
    const [number = ""] = theirs.numbers;
    await db.transaction(async (tx) => {
      // Whoever locked it as well would wait until this transaction ends.
      await lockNumber(tx, number);
      for (const attempt of attempts) {
        const answers = [await attempt(number), await attempt("+18889990199")].map(problemIn);
        expect(answers[0]).toMatchObject({ status: 404, code: "not_found" });
        expect(answers[0]).toEqual(answers[1]);
      }
    });
  });

  it("lists show an account its own rows only, the admin all or one account's", async () => {
    const mine = await makeWorld(db, 1);
    const theirs = await makeWorld(db, 1);
    const key = await keyOf(mine.account.id, ["read"]);
    for (const list of ["accounts", "destinations", "pools", "numbers"]) {
      const accountOf = (row: { id: string; account_id?: string }) => (list === "accounts" ? row.id : row.account_id);
      const own = (await request("GET", `/v1/${list}`, { key })).json().data;
      expect(own.map(accountOf)).toEqual([mine.account.id]);
      const all = (await request("GET", `/v1/${list}?limit=500`)).json().data.map(accountOf);
      expect(all).toEqual(expect.arrayContaining([mine.account.id, theirs.account.id]));
    }
    const filtered = await request("GET", `/v1/pools?account_id=${theirs.account.id}`);
    expect(filtered.json().data.map((pool: { id: string }) => pool.id)).toEqual([theirs.pool.id]);
  });
});

describe("requests that cannot be read", () => {
  it("unknown paths are 404", async () => {
    expect(problemIn(await request("GET", "/v1/nothing")).code).toBe("not_found");
    expect(problemIn(await request("GET", "/v1/nothing", { key: null })).status).toBe(404);
  });

  it.each([
    ["GET", "/v1/calls/"],
    ["GET", "/v1/calls//explanation"],
    ["GET", "/v1/pools/?limit=1"],
    ["PATCH", "/v1/pools/"],
    ["DELETE", "/v1/pools/pool_1/numbers/"],
    ["POST", "/v1/pools//numbers"],
    ["GET", "/v1/numbers/"],
    ["PUT", "/v1/carriers/"],
    ["GET", "/v1/accounts/"],
  ] as const)("a path with an empty segment is 404 like any that is not there: %s %s", async (method, path) => {
    const given = method === "GET" || method === "DELETE" ? {} : { body: {} };
    expect(problemIn(await request(method, path, given))).toMatchObject({ status: 404, code: "not_found" });
    expect(problemIn(await request(method, path, { ...given, key: null })).status).toBe(404);
  });

  it("other methods of a known path are 405 with Allow", async () => {
    const response = await request("PUT", "/v1/pools");
    expect(problemIn(response)).toMatchObject({ status: 405, code: "method_not_allowed" });
    expect(response.headers["allow"]).toBe("GET, HEAD, POST");
    expect((await request("POST", "/v1/pools/pool_1")).headers["allow"]).toBe("DELETE, GET, HEAD, PATCH");
  });

  it.each([
    ["malformed JSON", '{"name":', 400, "unreadable_body"],
    ["an empty body", "", 400, "unreadable_body"],
    ["a prototype in JSON", '{"name":"a","__proto__":{"admin":true}}', 422, "invalid_value"],
    ["an array", "[]", 422, "invalid_value"],
    ["null", "null", 422, "invalid_value"],
    ["U+0000", '{"name":"a\\u0000"}', 422, "invalid_value"],
    ["an unpaired surrogate", '{"name":"\\ud83d"}', 422, "invalid_value"],
    ["U+0000 in a field name", '{"name":"a","\\u0000":1}', 422, "invalid_value"],
  ])("%s", async (_name, body, status, code) => {
    const response = await request("POST", "/v1/accounts", { body, headers: { "content-type": "application/json" } });
    expect(problemIn(response)).toMatchObject({ status, code });
  });

  it.each([
    ['{"name":"a","__proto__":{"admin":true}}', ["__proto__"]],
    ['{"name":"a","\\u005f_proto__":null}', ["__proto__"]],
    ['{"name":"a","constructor":{"prototype":{"admin":true}}}', ["constructor"]],
    ['{"name":"a","deep":[{"__proto__":[]}]}', ["deep.0.__proto__"]],
  ])("a key that leads to a prototype is an unknown field, named, and changes nothing: %s", async (body, paths) => {
    const response = await request("POST", "/v1/accounts", { body, headers: { "content-type": "application/json" } });
    const problem = problemIn(response);
    expect(problem).toMatchObject({ status: 422, code: "invalid_value" });
    expect(problem.errors).toEqual(paths.map((path) => ({ path, message: "unknown field" })));
    expect(({} as Record<string, unknown>)["admin"]).toBeUndefined();
  });

  it.each([
    ["POST", "/v1/accounts", { name: "a" }],
    ["PUT", "/v1/settings/quarantine", {}],
  ] as const)("%s %s says which field of its query it does not know", async (method, url, body) => {
    const problem = problemIn(await request(method, `${url}?colour=red`, { body }));
    expect(problem).toMatchObject({ status: 422, errors: [{ path: "colour", message: "unknown field" }] });
  });

  it("null is no body: it would change a rule to its defaults", async () => {
    const before = (await request("PUT", "/v1/settings/quarantine", { body: { hold_s: 5_000_000 } })).json();
    const problem = problemIn(await request("PUT", "/v1/settings/quarantine", { body: "null" }));
    expect(problem).toMatchObject({ status: 422, errors: [{ path: "", message: "must be an object" }] });
    expect((await request("GET", "/v1/settings/quarantine")).json()).toEqual(before);
  });

  it("a pair of surrogates is a character like others", async () => {
    const response = await request("POST", "/v1/accounts", { body: '{"name":"\\ud83d\\ude00"}' });
    expect(response.json().name).toBe("😀");
  });

  it("bytes that are no UTF-8 are 400", async () => {
    const response = await app.inject({
      method: "POST",
      url: "/v1/accounts",
      headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
      payload: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
    });
    expect(problemIn(response)).toMatchObject({ status: 400, code: "unreadable_body" });
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "application/xml"])("%s is 415", async (type) => {
    const response = await request("POST", "/v1/accounts", { body: '{"name":"a"}', headers: { "content-type": type } });
    expect(problemIn(response)).toMatchObject({ status: 415, code: "unsupported_media_type" });
  });

  it("a body over the limit is 413", async () => {
    const response = await request("POST", "/v1/accounts", { body: { name: "a".repeat(1_100_000) } });
    expect(problemIn(response)).toMatchObject({ status: 413, code: "too_large" });
  });

  it("every refused field is named, unknown ones too", async () => {
    const body = { name: "", auto_create_pools: "yes", foo: 1, bar: 2 };
    const { errors } = problemIn(await request("POST", "/v1/accounts", { body }));
    expect(errors?.map(({ path }) => path).sort()).toEqual(["auto_create_pools", "bar", "foo", "name"]);
  });

  it.each([
    ["/v1/pools/%00", 422],
    ["/v1/pools/a%00b/numbers/+18885550100", 422],
    ["/v1/calls?promo_number=%00", 422],
    ["/v1/pools?cursor=%00", 422],
    ["/v1/pools?limit=0", 422],
    ["/v1/pools?limit=501", 422],
    ["/v1/pools?limit=ten", 422],
    ["/v1/pools?limit=1&limit=2", 422],
    ["/v1/pools?colour=red", 422],
    ["/v1/accounts/acc_1?colour=red", 422],
    ["/v1/settings/quarantine?colour=red", 422],
    ["/v1/calls?pool_id=%ED%A0%80", 400],
    ["/v1/calls?pool_id=100%", 400],
    ["/v1/calls?pool_id=%C3%A4", 200],
    ["/v1/calls?from=yesterday", 422],
    ["/v1/calls?from=0000-01-01T00:00:00Z", 422],
    ["/v1/calls?from=2026-02-30", 422],
    ["/v1/numbers/12345", 422],
    ["/v1/%zz", 400],
  ])("%s is %i", async (url, status) => {
    const method = url.includes("/numbers/+") ? "DELETE" : "GET";
    const response = await request(method, url);
    expect(status === 200 ? response.statusCode : problemIn(response).status).toBe(status);
  });
});
