import { describe, expect, it } from "vitest";
import { makeAccount } from "../../support/world.js";
import { freshDatabase } from "../../support/database.js";
import { ADMIN_KEY } from "../support/http-world.js";
import { makeInvocaWorld, VERSION } from "./support/invoca-world.js";

const { db } = await freshDatabase();
const world = await makeInvocaWorld(db);
const { account, campaign, call, request } = world;
const feed = `${VERSION}/networks/transactions/${account.id}.json`;
const signals = "/api/2018-02-01/transactions.json";
const plain = (method: "GET" | "POST", url: string, headers: Record<string, string> = {}, body?: unknown) =>
  request(method, url, { key: null, headers, ...(body === undefined ? {} : { body }) });
const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
const search = { transaction_id: "00000000-00000001" };

describe("a token is taken", () => {
  it.each([
    ["bare", world.key],
    ["as Bearer", `Bearer ${world.key}`],
    ["as bearer", `bearer   ${world.key}`],
    ["as Basic user", basic(`${world.key}:`)],
    ["as Basic password", basic(`somebody:${world.key}`)],
    ["of the platform", ADMIN_KEY],
  ])("%s", async (_name, authorization) => {
    expect((await plain("GET", feed, { authorization })).statusCode).toBe(200);
  });

  it("in the query of a GET, in the body of a POST, and not the other way round", async () => {
    expect((await plain("GET", `${feed}?oauth_token=${world.key}`)).statusCode).toBe(200);
    const body = { search, signals: [{ name: "sale" }], oauth_token: world.key };
    expect((await plain("POST", signals, {}, body)).json().errors.class).toBe("RecordNotFound");
    const { oauth_token: _, ...without } = body;
    expect((await plain("POST", `${signals}?oauth_token=${world.key}`, {}, without)).statusCode).toBe(401);
  });
});

describe("and refused", () => {
  it.each([
    ["missing", {}],
    ["empty", { authorization: "" }],
    ["unknown", { authorization: "rm_unknown" }],
    ["unknown Basic", { authorization: basic("a:b") }],
    ["broken Basic", { authorization: "Basic %%%" }],
  ])("when %s", async (_name, headers) => {
    const answer = await plain("GET", feed, headers);
    expect([answer.statusCode, answer.json()]).toEqual([
      401,
      { errors: { class: "Unauthorized", invalid_data: expect.any(String) } },
    ]);
  });

  it("in the format of the route", async () => {
    expect((await plain("GET", feed.replace(".json", ".csv"))).body).toMatch(/^Unauthorized: /);
    expect((await plain("GET", feed.replace(".json", ".xml"))).body).toContain("<Class>Unauthorized</Class>");
  });

  it("without the scope", async () => {
    const reader = await world.keyOf(account.id, ["read"]);
    const answer = await plain("POST", `${campaign}/ring_pools.json`, { authorization: reader }, { name: "x" });
    expect([answer.statusCode, answer.json()]).toEqual([
      403,
      {
        errors: {
          class: "UnauthorizedOperation",
          invalid_data: "You do not have permissions to perform the requested operation.",
        },
      },
    ]);
  });

  it("for another account, which does not exist for it", async () => {
    const other = await makeAccount(db, "Other");
    const stranger = await world.keyOf(other.id, ["read", "write"]);
    for (const url of [feed, `${campaign}/ring_pools.json`, `${VERSION}/${account.id}/customer_phone_numbers.json`]) {
      const answer = await plain("GET", url, { authorization: stranger });
      expect([url, answer.statusCode, answer.json().errors.class]).toEqual([url, 404, "RecordNotFound"]);
    }
    const mixed = `${VERSION}/${account.id}/advertisers/${other.id}/advertiser_campaigns/1/ring_pools.json`;
    expect((await call("GET", mixed)).statusCode).toBe(404);
  });
});

it("an unreadable body and an outage are told in Invoca's words too", async () => {
  expect((await call("POST", signals, "{")).json().errors.class).toBe("InvalidInput");
  expect((await call("POST", signals, "{")).statusCode).toBe(400);
  const bad = await call("POST", signals, '{"search":{"transaction_id":"\\u0000"}}');
  expect([bad.statusCode, bad.json().errors.class]).toEqual([403, "RecordInvalid"]);
});
