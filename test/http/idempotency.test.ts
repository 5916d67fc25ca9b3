import { describe, expect, it } from "vitest";
import { freshDatabase, rows } from "../support/database.js";
import { makeAccount } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { app, request, keyOf } = makeHttpWorld(db);

const post = (url: string, key: string, body: unknown, as?: string) =>
  request("POST", url, { body, headers: { "idempotency-key": key }, ...(as === undefined ? {} : { key: as }) });

async function accountsNamed(name: string): Promise<number> {
  return (await rows(db, "select 1 from account where name = $1", [name])).length;
}

describe("Idempotency-Key", () => {
  it("the same key and request get the first answer again, and nothing happens twice", async () => {
    const first = await post("/v1/accounts", "k-same", { name: "Once" });
    expect(first.headers["idempotency-replayed"]).toBeUndefined();
    // White space and the order of fields make no other request; a default that is spelled out neither.
    const second = await post("/v1/accounts", "k-same", '{ "auto_create_pools": false,\n "name": "Once" }');
    expect(second.statusCode).toBe(201);
    expect(second.headers["idempotency-replayed"]).toBe("true");
    expect(second.headers["content-type"]).toMatch(/^application\/json/);
    expect(second.body).toBe(first.body);
    expect(await accountsNamed("Once")).toBe(1);
  });

  it("another body or path under the same key is 409", async () => {
    await post("/v1/accounts", "k-other", { name: "A" });
    const body = problemIn(await post("/v1/accounts", "k-other", { name: "B" }));
    expect(body).toMatchObject({ status: 409, code: "idempotency_mismatch" });
    const path = await post("/v1/numbers", "k-other", { numbers: ["+18885550100"] });
    expect(problemIn(path).code).toBe("idempotency_mismatch");
    expect(await accountsNamed("B")).toBe(0);
  });

  it("keys of different API keys do not meet", async () => {
    const [a, b] = [await makeAccount(db), await makeAccount(db)];
    for (const account of [a, b]) {
      const key = await keyOf(account.id, ["write"]);
      const response = await post("/v1/destinations", "k-shared", { number: "+14155550100" }, key);
      expect(response.json().account_id).toBe(account.id);
    }
  });

  it("a refusal by the state of things is kept too", async () => {
    const account = await makeAccount(db);
    const key = await keyOf(account.id, ["write"]);
    const body = { number: "+14155550101" };
    await post("/v1/destinations", "k-1", body, key);
    const refused = await post("/v1/destinations", "k-2", body, key);
    const again = await post("/v1/destinations", "k-2", body, key);
    expect(problemIn(again).code).toBe("already_exists");
    expect(again.body).toBe(refused.body);
    expect(again.headers["idempotency-replayed"]).toBe("true");
  });

  it("a request that does not fit its schema may be corrected under the same key", async () => {
    expect(problemIn(await post("/v1/accounts", "k-fix", { name: "" })).status).toBe(422);
    expect((await post("/v1/accounts", "k-fix", { name: "Fixed" })).statusCode).toBe(201);
  });

  it("of many at once one runs; the others wait their turn with a 409 or get its answer", async () => {
    const responses = await Promise.all(
      Array.from({ length: 12 }, () => post("/v1/accounts", "k-race", { name: "Race" })),
    );
    const created = responses.filter(({ statusCode }) => statusCode === 201);
    expect(new Set(created.map(({ body }) => body)).size).toBe(1);
    for (const response of responses.filter(({ statusCode }) => statusCode !== 201)) {
      expect(problemIn(response)).toMatchObject({ status: 409, code: "conflict" });
      expect(response.headers["retry-after"]).toBe("1");
    }
    expect(await accountsNamed("Race")).toBe(1);
    expect((await post("/v1/accounts", "k-race", { name: "Race" })).body).toBe(created[0]?.body);
  });

  it("while the first is still running the second is told to wait", async () => {
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    let isLocked = (): void => {};
    const locked = new Promise<void>((resolve) => (isLocked = resolve));
    const holding = db.transaction(async (tx) => {
      await tx.query({ name: "", text: "lock table account in access exclusive mode" });
      isLocked();
      await held;
    });
    await locked;
    const first = post("/v1/accounts", "k-slow", { name: "Slow" });
    const isClaimed = async () =>
      (await rows(db, "select 1 from idempotency_key where idempotency_key = 'k-slow'")).length > 0;
    while (!(await isClaimed())) await new Promise((resolve) => setImmediate(resolve));
    const second = await post("/v1/accounts", "k-slow", { name: "Slow" });
    expect(problemIn(second)).toMatchObject({ status: 409, code: "conflict" });
    letGo();
    await holding;
    expect((await first).statusCode).toBe(201);
    expect((await post("/v1/accounts", "k-slow", { name: "Slow" })).body).toBe((await first).body);
  });

  it("a failure of ours frees the key", async () => {
    await rows(db, "alter table account add constraint broken check (name <> 'Fails')");
    const failed = await post("/v1/accounts", "k-fail", { name: "Fails" });
    expect(problemIn(failed)).toMatchObject({ status: 500, code: "internal" });
    expect(failed.body).not.toContain("broken");
    await rows(db, "alter table account drop constraint broken");
    expect((await post("/v1/accounts", "k-fail", { name: "Fails" })).statusCode).toBe(201);
  });

  it("a claim whose process died is taken over after two minutes, an answer forgotten after a day", async () => {
    const age = (key: string, by: string) =>
      rows(db, "update idempotency_key set created_at = created_at - $2::interval where idempotency_key = $1", [
        key,
        by,
      ]);
    await post("/v1/accounts", "k-dead", { name: "Dead" });
    await rows(db, "update idempotency_key set status = null, body = null where idempotency_key = 'k-dead'");
    expect((await post("/v1/accounts", "k-dead", { name: "Dead" })).statusCode).toBe(409);
    await age("k-dead", "121 seconds");
    expect((await post("/v1/accounts", "k-dead", { name: "Dead" })).statusCode).toBe(201);
    await age("k-dead", "25 hours");
    expect((await post("/v1/accounts", "k-dead", { name: "Reborn" })).statusCode).toBe(201);
  });

  it("a secret in an answer is replayed, and stored sealed", async () => {
    const account = await makeAccount(db);
    const body = { name: "ci", scopes: ["read"] };
    const { key } = (await post(`/v1/accounts/${account.id}/keys`, "k-secret", body)).json();
    expect((await post(`/v1/accounts/${account.id}/keys`, "k-secret", body)).json().key).toBe(key);
    const stored = await rows<{ body: string }>(db, "select body from idempotency_key");
    const texts = stored.map((row) => `${row.body} ${Buffer.from(row.body ?? "", "base64").toString("latin1")}`).join();
    expect(texts).not.toContain(key);
  });

  it.each(["", "a b", "ü", "x".repeat(256)])("the key %j is not usable", async (key) => {
    const response = await app.inject({
      method: "POST",
      url: "/v1/accounts",
      headers: { authorization: "Bearer admin-key-for-tests-only-0123456789", "idempotency-key": key },
      payload: { name: "x" },
    });
    expect(problemIn(response)).toMatchObject({ status: 422, errors: [{ path: "Idempotency-Key" }] });
  });
});
