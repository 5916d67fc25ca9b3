import { describe, expect, it } from "vitest";
import { discoverDestination } from "../../src/account/destinations.store.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase } from "../support/database.js";
import { allocationFor, ids, makeAccount, makeWorld } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf } = makeHttpWorld(db);

describe("/v1/destinations", () => {
  it("creates one with all it can have, then changes and deletes it", async () => {
    const account = await makeAccount(db);
    const key = await keyOf(account.id, ["read", "write"]);
    const body = {
      number: "+14155550100",
      name: "Sales",
      sip_uri: "sip:sales@pbx.example.com:5070;transport=tcp",
      failover: ["+14155550101", "sips:backup@198.41.0.4"],
      max_concurrent_calls: 5,
      ring_timeout_s: 12,
      caller_id: "promo_number",
      pass_ids: true,
      whisper: "Call from the spring campaign & co. <3",
      record_announcement: "This call is recorded.",
    };
    const created = await request("POST", "/v1/destinations", { key, body });
    expect(created.statusCode).toBe(201);
    expect(created.json()).toMatchObject({
      ...body,
      account_id: account.id,
      type: "local",
      npa: "415",
      status: "tracked",
    });
    const url = `/v1/destinations/${created.json().id}`;
    expect((await request("GET", url, { key })).json()).toEqual(created.json());

    const changes = { sip_uri: null, failover: [], name: null, max_concurrent_calls: null, status: "ignored" };
    const changed = await request("PATCH", url, { key, body: changes });
    expect(changed.json()).toMatchObject({
      ...changes,
      ring_timeout_s: 12,
      caller_id: "promo_number",
      pass_ids: true,
      whisper: body.whisper,
      record_announcement: body.record_announcement,
      number: body.number,
    });
    const shown = { caller_id: "caller", pass_ids: false, whisper: null, record_announcement: null };
    expect((await request("PATCH", url, { key, body: shown })).json()).toMatchObject({ ...changes, ...shown });
    expect((await request("PATCH", url, { key, body: {} })).json()).toMatchObject(changes);

    expect((await request("DELETE", url, { key })).statusCode).toBe(204);
    expect((await request("GET", url, { key })).statusCode).toBe(404);
  });

  it("is unique in an account, not globally", async () => {
    const body = { number: "+14155550123" };
    for (const account of [await makeAccount(db), await makeAccount(db)]) {
      const key = await keyOf(account.id, ["write"]);
      expect((await request("POST", "/v1/destinations", { key, body })).statusCode).toBe(201);
      const again = problemIn(await request("POST", "/v1/destinations", { key, body }));
      expect(again).toMatchObject({ status: 409, code: "already_exists" });
    }
  });

  it("entering a number that was discovered makes it tracked, and the list filters by status", async () => {
    const account = await makeAccount(db);
    await discoverDestination({ db, ids }, account.id, "+14155550150" as E164);
    const key = await keyOf(account.id, ["read", "write"]);
    const list = () => request("GET", "/v1/destinations?status=discovered", { key });
    expect((await list()).json().data).toHaveLength(1);
    const body = { number: "+14155550150", name: "Found", pass_ids: true, whisper: "Found" };
    expect((await request("POST", "/v1/destinations", { key, body })).json()).toMatchObject({
      status: "tracked",
      caller_id: "caller",
      pass_ids: true,
      whisper: "Found",
      record_announcement: null,
    });
    expect((await list()).json().data).toEqual([]);
  });

  it("a key of the platform says which account; an unknown one is 404", async () => {
    const account = await makeAccount(db);
    const number = "+14155550160";
    const missing = problemIn(await request("POST", "/v1/destinations", { body: { number } }));
    expect(missing).toMatchObject({ status: 422, errors: [{ path: "account_id" }] });
    const unknown = await request("POST", "/v1/destinations", { body: { number, account_id: "acc_none" } });
    expect(problemIn(unknown).code).toBe("not_found");
    const created = await request("POST", "/v1/destinations", { body: { number, account_id: account.id } });
    expect(created.json().account_id).toBe(account.id);
  });

  it("cannot be deleted while a pool points to it", async () => {
    const world = await makeWorld(db, 1);
    const response = await request("DELETE", `/v1/destinations/${world.destination.id}`);
    expect(problemIn(response)).toMatchObject({ status: 409, code: "conflict" });
  });

  it("can be deleted after its pools, once no number drains to it, and be made again", async () => {
    const world = await makeWorld(db, 2);
    await presentBatch(db, [allocationFor(world)]);
    const url = `/v1/destinations/${world.destination.id}`;
    expect((await request("DELETE", `/v1/pools/${world.pool.id}`)).statusCode).toBe(204);
    expect(problemIn(await request("DELETE", url))).toMatchObject({ status: 409, code: "conflict" });
    expect((await request("GET", url)).statusCode).toBe(200);
    const draining = (await request("GET", `/v1/numbers?account_id=${world.account.id}&state=draining`)).json().data;
    const body = { reason: "test" };
    expect((await request("POST", `/v1/numbers/${draining[0].number}/quarantine`, { body })).statusCode).toBe(200);
    expect((await request("DELETE", url)).statusCode).toBe(204);
    expect((await request("GET", url)).statusCode).toBe(404);
    const again = { number: world.destination.number, account_id: world.account.id };
    expect((await request("POST", "/v1/destinations", { body: again })).statusCode).toBe(201);
  });

  it.each([
    ["number", { number: "555-0100" }],
    ["number", { number: "+1555" }],
    ["sip_uri", { number: "+14155550170", sip_uri: "tel:+14155550170" }],
    ["sip_uri", { number: "+14155550170", sip_uri: "sip:a b@example.com" }],
    ["sip_uri", { number: "+14155550170", sip_uri: "sip:a@example.com\r\nX: y" }],
    ["failover.1", { number: "+14155550170", failover: ["+14155550171", "nobody"] }],
    ["failover", { number: "+14155550170", failover: Array.from({ length: 11 }, () => "+14155550171") }],
    ["ring_timeout_s", { number: "+14155550170", ring_timeout_s: 0 }],
    ["max_concurrent_calls", { number: "+14155550170", max_concurrent_calls: 1.5 }],
    ["status", { number: "+14155550170", status: "hidden" }],
    ["caller_id", { number: "+14155550170", caller_id: "+14155550171" }],
    ["caller_id", { number: "+14155550170", caller_id: null }],
    ["pass_ids", { number: "+14155550170", pass_ids: "yes" }],
    ["whisper", { number: "+14155550170", whisper: "" }],
    ["whisper", { number: "+14155550170", whisper: "x".repeat(201) }],
    ["whisper", { number: "+14155550170", whisper: "two\nlines" }],
    ["whisper", { number: "+14155550170", whisper: "bell\u0007" }],
    ["whisper", { number: "+14155550170", whisper: "no XML\uFFFE" }],
    ["whisper", { number: "+14155550170", whisper: 7 }],
    ["record_announcement", { number: "+14155550170", record_announcement: "x".repeat(501) }],
    ["record_announcement", { number: "+14155550170", record_announcement: "next\u0085line" }],
    ["record_announcement", { number: "+14155550170", record_announcement: true }],
  ])("names the refused field %s of %j", async (path, body) => {
    const account = await makeAccount(db);
    const response = await request("POST", "/v1/destinations", { body: { account_id: account.id, ...body } });
    expect(problemIn(response).errors?.map((error) => error.path)).toEqual([path]);
  });

  it("the number itself cannot be changed", async () => {
    const { destination } = await makeWorld(db, 1);
    const response = await request("PATCH", `/v1/destinations/${destination.id}`, { body: { number: "+14155550199" } });
    expect(problemIn(response).errors).toEqual([{ path: "number", message: "unknown field" }]);
  });
});

describe("private addresses", () => {
  const uris = [
    "sip:a@10.0.0.5",
    "sip:a@127.0.0.1:5090",
    "sip:a@[::1]",
    "sip:a@localhost",
    "sip:a@pbx.example.com;maddr=10.0.0.5",
  ];

  it.each(uris)("%s is refused to an account and taken from an admin", async (sipUri) => {
    const account = await makeAccount(db);
    const key = await keyOf(account.id, ["write", "admin"]);
    const body = { account_id: account.id, number: "+14155550180", sip_uri: sipUri };
    const refused = await request("POST", "/v1/destinations", { key, body });
    expect(problemIn(refused)).toMatchObject({ status: 422, errors: [{ path: "sip_uri" }] });
    const created = await request("POST", "/v1/destinations", { body });
    expect(created.json().sip_uri).toBe(sipUri);
    const patched = await request("PATCH", `/v1/destinations/${created.json().id}`, {
      key,
      body: { failover: ["+14155550181", sipUri] },
    });
    expect(problemIn(patched)).toMatchObject({ status: 422, errors: [{ path: "failover.1" }] });
  });

  it("are taken from an account in embedded mode", async () => {
    const embedded = makeHttpWorld(db, { embedded: true });
    const account = await makeAccount(db);
    const key = await keyOf(account.id, ["write"]);
    for (const [index, sip_uri] of uris.entries()) {
      const body = { number: `+1415555019${index}`, sip_uri };
      expect((await embedded.request("POST", "/v1/destinations", { key, body })).statusCode).toBe(201);
    }
  });
});
