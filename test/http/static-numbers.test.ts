import { describe, expect, it } from "vitest";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase } from "../support/database.js";
import {
  addInventory,
  ids,
  inboundCall,
  makeAccount,
  makeDestination,
  secrets,
  tollFreeNumbers,
} from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf, schedule } = makeHttpWorld(db);
const account = await makeAccount(db);
const destination = await makeDestination(db, account);
const key = await keyOf(account.id, ["read", "write"]);
const other = await makeAccount(db, "Other");
const foreignKey = await keyOf(other.id, ["read", "write"]);

const source = { name: "Yellow Pages 2026", utm_source: "yellow-pages", utm_medium: "print" };
const BODY = { destination_number: destination.number, source };

async function made(body: object = {}) {
  const [number] = tollFreeNumbers(1);
  await addInventory(db, [number as never]);
  const response = await request("POST", "/v1/static_numbers", { key, body: { ...BODY, number, ...body } });
  expect(response.statusCode).toBe(201);
  return response.json();
}

describe("/v1/static_numbers", () => {
  it("makes a number a source's, shows and lists it", async () => {
    const one = await made();
    expect(one).toMatchObject({
      account_id: account.id,
      type: "toll_free",
      state: "assigned",
      destination_number: destination.number,
      source,
      drain_s: 259_200,
      ended_at: null,
    });
    expect((await request("GET", `/v1/static_numbers/${one.id}`, { key })).json()).toEqual(one);
    expect((await request("GET", "/v1/static_numbers", { key })).json().data).toContainEqual(one);
    const number = await request("GET", `/v1/numbers/${encodeURIComponent(one.number)}`, { key });
    expect(number.json()).toMatchObject({ state: "assigned", role: "static", account_id: account.id, pool_id: null });
  });

  it("takes any number of a type", async () => {
    await addInventory(db, ["+13125550123" as never]);
    const body = { ...BODY, number_type: "local", npa: "312" };
    expect((await request("POST", "/v1/static_numbers", { key, body })).json().number).toBe("+13125550123");
    expect(problemIn(await request("POST", "/v1/static_numbers", { key, body })).code).toBe("inventory_short");
  });

  it("its calls show the source, and why no visitor", async () => {
    const one = await made();
    const opened = await openCall(
      { db, ids, secrets },
      { call: inboundCall(one.number), callId: ids.next("call"), late: null },
    );
    const call = (await request("GET", `/v1/calls/${opened.ref.callId}`, { key })).json();
    expect(call).toMatchObject({ disposition: "routed", destination_number: destination.number });
    expect(call.attribution).toMatchObject({
      outcome: "never_presented",
      visitor_id: null,
      touch: { source_name: "Yellow Pages 2026", utm_source: "yellow-pages", utm_medium: "print" },
    });
    const explanation = (await request("GET", `/v1/calls/${opened.ref.callId}/explanation`, { key })).json();
    expect(explanation).toMatchObject({ reason: expect.stringContaining("belongs to a source"), candidates: [] });
  });

  it("changes where it leads and what it stands for", async () => {
    const one = await made();
    const body = { source: { name: "TV" }, drain_s: 60 };
    const changed = await request("PATCH", `/v1/static_numbers/${one.id}`, { key, body });
    expect(changed.json()).toMatchObject({
      source: { name: "TV" },
      drain_s: 60,
      destination_number: destination.number,
    });
    expect(changed.json().source).toEqual({ name: "TV" });
    const nowhere = { destination_number: "+18005550177" };
    expect(
      problemIn(await request("PATCH", `/v1/static_numbers/${one.id}`, { key, body: nowhere })).errors,
    ).toMatchObject([{ path: "destination_number" }]);
    expect(
      problemIn(await request("PATCH", `/v1/static_numbers/${one.id}`, { key, body: { number: "+1" } })).code,
    ).toBe("invalid_value");
  });

  it("given up drains and leaves the list; now=true goes straight to quarantine", async () => {
    const one = await made({ drain_s: 120 });
    expect((await request("DELETE", `/v1/static_numbers/${one.id}`, { key })).statusCode).toBe(204);
    expect(schedule.checks.at(-1)).toMatchObject({ e164: one.number, delayMs: 120_000 });
    expect((await request("GET", `/v1/static_numbers/${one.id}`, { key })).json()).toMatchObject({
      state: "draining",
      ended_at: expect.any(String),
    });
    const { data } = (await request("GET", "/v1/static_numbers", { key })).json();
    expect(data.map(({ id }: { id: string }) => id)).not.toContain(one.id);
    expect(problemIn(await request("DELETE", `/v1/static_numbers/${one.id}`, { key })).code).toBe("conflict");
    const two = await made();
    await request("DELETE", `/v1/static_numbers/${two.id}?now=true`, { key });
    const state = (await request("GET", `/v1/static_numbers/${two.id}`, { key })).json().state;
    expect(state).toBe("quarantined");
  });

  it("refuses what makes no sense", async () => {
    const bad = [
      { ...BODY },
      { ...BODY, number: "+18885550100", number_type: "toll_free" },
      { ...BODY, number_type: "local" },
      { ...BODY, number_type: "toll_free", npa: "888" },
      { ...BODY, number_type: "toll_free", source: {} },
      { ...BODY, number_type: "toll_free", source: { name: "x", unknown: "y" } },
      { ...BODY, number_type: "toll_free", drain_s: 259_201 },
      { ...BODY, number_type: "toll_free", destination_number: "+18005550188" },
    ];
    for (const body of bad) {
      expect(problemIn(await request("POST", "/v1/static_numbers", { key, body })).code).toBe("invalid_value");
    }
    expect(
      problemIn(await request("POST", "/v1/static_numbers", { body: { ...BODY, number_type: "toll_free" } })).errors,
    ).toMatchObject([{ path: "account_id" }]);
  });

  it("is not there for another account", async () => {
    const one = await made();
    for (const method of ["GET", "DELETE"] as const) {
      expect(problemIn(await request(method, `/v1/static_numbers/${one.id}`, { key: foreignKey })).code).toBe(
        "not_found",
      );
    }
    expect(problemIn(await request("PATCH", `/v1/static_numbers/${one.id}`, { key: foreignKey, body: {} })).code).toBe(
      "not_found",
    );
    expect((await request("GET", "/v1/static_numbers", { key: foreignKey })).json().data).toEqual([]);
  });

  it("keeps the destination it leads to", async () => {
    await made();
    const response = await request("DELETE", `/v1/destinations/${destination.id}`, { key });
    expect(problemIn(response)).toMatchObject({ code: "conflict", detail: expect.stringContaining("static numbers") });
  });
});
