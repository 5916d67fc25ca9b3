import { describe, expect, it } from "vitest";
import { freshDatabase, rows } from "../support/database.js";
import { makeAccount } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf, lines, deps } = makeHttpWorld(db);

describe("/v1/accounts", () => {
  it("creates, gets and changes an account", async () => {
    const before = deps.directory.generation;
    const created = await request("POST", "/v1/accounts", { body: { name: "  Acme " } });
    expect(created.statusCode).toBe(201);
    const account = created.json();
    expect(account).toMatchObject({ name: "Acme", auto_create_pools: false });
    expect(account.id).toMatch(/^acc_/);
    expect(account.tag_key).toMatch(/^tag_/);
    expect((await request("GET", `/v1/accounts/${account.id}`)).json()).toEqual(account);

    const body = { name: "Acme Ltd", auto_create_pools: true };
    const changed = await request("PATCH", `/v1/accounts/${account.id}`, { body });
    expect(changed.json()).toMatchObject({ id: account.id, tag_key: account.tag_key, ...body });
    expect(deps.directory.isCurrent(account.id, before + 1)).toBe(false);
    expect(deps.directory.isCurrent(account.id, before + 2)).toBe(true);
  });

  it("an account's key reads and edits its own account", async () => {
    const account = await makeAccount(db);
    const key = await keyOf(account.id, ["read", "write"]);
    expect((await request("GET", `/v1/accounts/${account.id}`, { key })).statusCode).toBe(200);
    const changed = await request("PATCH", `/v1/accounts/${account.id}`, { key, body: { name: "Ours" } });
    expect(changed.json().name).toBe("Ours");
  });

  it.each([[{}], [{ name: " " }], [{ name: "a".repeat(201) }], [{ name: 5 }]])("refuses %j", async (body) => {
    expect(problemIn(await request("POST", "/v1/accounts", { body })).code).toBe("invalid_value");
  });

  it("an unknown account is 404", async () => {
    expect(problemIn(await request("GET", "/v1/accounts/acc_none")).code).toBe("not_found");
    expect(problemIn(await request("PATCH", "/v1/accounts/acc_none", { body: {} })).code).toBe("not_found");
    const body = { name: "k", scopes: ["read"] };
    expect(problemIn(await request("POST", "/v1/accounts/acc_none/keys", { body })).code).toBe("not_found");
  });
});

describe("/v1/accounts/:id/keys", () => {
  it("creates a key that works until it is deleted, and is never stored", async () => {
    const account = await makeAccount(db);
    const created = await request("POST", `/v1/accounts/${account.id}/keys`, {
      body: { name: "ci", scopes: ["read"] },
    });
    expect(created.statusCode).toBe(201);
    const { id, key } = created.json();
    expect((await request("GET", "/v1/pools", { key })).statusCode).toBe(200);
    const stored = await rows(db, "select * from api_key where id = $1", [id]);
    expect(JSON.stringify(stored)).not.toContain(key);
    expect(JSON.stringify(lines)).not.toContain(key);

    const url = `/v1/accounts/${account.id}/keys/${id}`;
    expect((await request("DELETE", url)).statusCode).toBe(204);
    expect((await request("GET", "/v1/pools", { key })).statusCode).toBe(401);
  });

  it("a key of another account is not found below this one", async () => {
    const [mine, theirs] = [await makeAccount(db), await makeAccount(db)];
    const body = { name: "k", scopes: ["read"] };
    const { id } = (await request("POST", `/v1/accounts/${theirs.id}/keys`, { body })).json();
    expect(problemIn(await request("DELETE", `/v1/accounts/${mine.id}/keys/${id}`)).code).toBe("not_found");
  });

  it.each([
    [{ name: "k", scopes: [] }],
    [{ name: "k", scopes: ["root"] }],
    [{ name: "k", scopes: ["read", "read"] }],
    [{ scopes: ["read"] }],
  ])("refuses %j", async (body) => {
    const account = await makeAccount(db);
    expect(problemIn(await request("POST", `/v1/accounts/${account.id}/keys`, { body })).status).toBe(422);
  });
});
