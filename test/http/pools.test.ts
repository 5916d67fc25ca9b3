import { describe, expect, it } from "vitest";
import { presentBatch } from "../../src/pool/presentations.store.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase } from "../support/database.js";
import {
  addInventory,
  allocationFor,
  makeAccount,
  makeDestination,
  makeWorld,
  tollFreeNumbers,
} from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf, schedule } = makeHttpWorld(db);

async function accountWithDestination(number = "+18005550100") {
  const account = await makeAccount(db);
  const destination = await makeDestination(db, account, number);
  const key = await keyOf(account.id, ["read", "write"]);
  return { account, destination, key };
}

let exchange = 200;

/** Local numbers of one area code that no other test takes. */
function localNumbers(npa: string, count: number): E164[] {
  exchange++;
  return Array.from({ length: count }, (_, i) => `+1${npa}${exchange}${String(1000 + i)}` as E164);
}

describe("POST /v1/pools", () => {
  it("an automatic pool takes its type from the destination, fills a tenth beside the overflow number, and has the defaults", async () => {
    const { account, key } = await accountWithDestination();
    await addInventory(db, tollFreeNumbers(4));
    const body = { name: "Main", kind: "automatic", destination_number: "+18005550100", max_size: 20 };
    const created = await request("POST", "/v1/pools", { key, body });
    expect(created.statusCode).toBe(201);
    const pool = created.json();
    expect(pool).toMatchObject({
      account_id: account.id,
      kind: "automatic",
      campaign: null,
      number_type: "toll_free",
      npa: null,
      session_lifetime_s: 1800,
      retention_s: 259_200,
      drain_s: 259_200,
      overflow: "overflow_number",
      autoscale: null,
      size: 3,
      locked: 0,
    });
    expect(pool.overflow_number).toMatch(/^\+1888/);
    expect((await request("GET", `/v1/pools/${pool.id}`, { key })).json()).toEqual(pool);
    const listed = await request("GET", `/v1/numbers?pool_id=${pool.id}`, { key });
    expect(listed.json().data.map((n: { role: string }) => n.role)).toEqual(["pool", "pool", "overflow"]);
    // The lowest numbers first, and the overflow number last.
    expect(listed.json().data.at(-1).number).toBe(pool.overflow_number);
  });

  it("an automatic pool of a destination without area code holds its country's numbers, and moves within it alone", async () => {
    const { account, key } = await accountWithDestination("+442079460018");
    await addInventory(db, ["+33170189119", "+442079460119", "+442079460120", "+442079460121"] as E164[]);
    const body = { name: "London", kind: "automatic", destination_number: "+442079460018", fill_immediately: true };
    const created = await request("POST", "/v1/pools", { key, body: { ...body, max_size: 3 } });
    expect(created.statusCode).toBe(201);
    const pool = created.json();
    expect(pool).toMatchObject({ size: 3, number_type: "local", npa: null, overflow_number: "+442079460121" });
    await makeDestination(db, account, "+33170189118");
    await makeDestination(db, account, "+441614960118");
    const move = (to: string) => request("PATCH", `/v1/pools/${pool.id}`, { key, body: { destination_number: to } });
    expect(problemIn(await move("+33170189118"))).toMatchObject({ status: 409, code: "conflict" });
    expect((await move("+441614960118")).json()).toMatchObject({ destination_number: "+441614960118", size: 3 });
  });

  it("a second automatic pool of one destination is 409", async () => {
    const { key } = await accountWithDestination();
    const body = { name: "Main", kind: "automatic", destination_number: "+18005550100" };
    expect((await request("POST", "/v1/pools", { key, body })).statusCode).toBe(201);
    expect(problemIn(await request("POST", "/v1/pools", { key, body }))).toMatchObject({ code: "already_exists" });
  });

  it("a campaign pool takes type and area code from the body and fills at once when asked to", async () => {
    const { key } = await accountWithDestination();
    await addInventory(db, localNumbers("415", 6));
    const autoscale = { enabled: true, min_size: 2 };
    const body = {
      name: "Spring",
      kind: "campaign",
      campaign: "spring_sale",
      destination_number: "+18005550100",
      number_type: "local",
      npa: "415",
      max_size: 5,
      fill_immediately: true,
      overflow: "original_number",
      session_lifetime_s: 60,
      retention_s: 60,
      autoscale,
    };
    const created = await request("POST", "/v1/pools", { key, body });
    expect(created.json()).toMatchObject({
      size: 5,
      npa: "415",
      number_type: "local",
      campaign: "spring_sale",
      overflow_number: null,
      autoscale: { ...autoscale, growth_percent: 20, max_step: 50, interval_s: 300 },
    });
    const again = problemIn(await request("POST", "/v1/pools", { key, body }));
    expect(again).toMatchObject({ status: 409, code: "already_exists" });
  });

  it("an automatic pool of a local destination takes its area code, and naming the same one is fine", async () => {
    const { key } = await accountWithDestination("+12125550100");
    await addInventory(db, localNumbers("212", 1));
    const body = {
      name: "NY",
      kind: "automatic",
      destination_number: "+12125550100",
      number_type: "local",
      npa: "212",
    };
    const created = await request("POST", "/v1/pools", { key, body });
    expect(created.json()).toMatchObject({ number_type: "local", npa: "212", size: 1 });
  });

  it.each([
    ["session_lifetime_s", { session_lifetime_s: 61, retention_s: 60 }],
    ["session_lifetime_s", { session_lifetime_s: 0 }],
    ["retention_s", { retention_s: 259_201 }],
    ["drain_s", { drain_s: -1 }],
    ["max_size", { max_size: 0 }],
    ["overflow", { overflow: "none" }],
    ["autoscale.enabled", { autoscale: {} }],
    ["autoscale.min_size", { autoscale: { enabled: true, min_size: 3 } }],
    ["campaign", { campaign: "x" }],
    ["number_type", { number_type: "local" }],
    ["npa", { npa: "415" }],
    ["npa", { npa: "1" }],
    ["destination_number", { destination_number: "+18005550199" }],
    ["destination_number", { destination_number: "800-555-0100" }],
    ["campaign", { kind: "campaign", number_type: "toll_free" }],
    ["number_type", { kind: "campaign", campaign: "x" }],
    ["npa", { kind: "campaign", campaign: "x", number_type: "local" }],
    ["npa", { kind: "campaign", campaign: "x", number_type: "toll_free", npa: "415" }],
    ["name", { name: undefined }],
    ["colour", { colour: "red" }],
  ])("refuses, naming %s, %j", async (path, changes) => {
    const { key } = await accountWithDestination();
    const body = { name: "Main", kind: "automatic", destination_number: "+18005550100", ...changes };
    const problem = problemIn(await request("POST", "/v1/pools", { key, body }));
    expect(problem.status).toBe(422);
    expect(problem.errors?.map((error) => error.path)).toEqual([path]);
    expect((await request("GET", "/v1/pools", { key })).json().data).toEqual([]);
  });

  it("a destination that is not tracked gets no pool", async () => {
    const { key, destination } = await accountWithDestination();
    await request("PATCH", `/v1/destinations/${destination.id}`, { key, body: { status: "ignored" } });
    const body = { name: "Main", kind: "automatic", destination_number: "+18005550100" };
    const problem = problemIn(await request("POST", "/v1/pools", { key, body }));
    expect(problem).toMatchObject({ status: 422, errors: [{ path: "destination_number" }] });
  });
});

describe("PATCH /v1/pools/:id", () => {
  it("changes settings and keeps the rest", async () => {
    const { pool } = await makeWorld(db, 2);
    const body = { name: "New", session_lifetime_s: 10, retention_s: 20, overflow: "reuse_oldest", drain_s: 0 };
    const changed = await request("PATCH", `/v1/pools/${pool.id}`, { body });
    expect(changed.json()).toMatchObject({ ...body, size: 2, max_size: 2 });
    const scaled = await request("PATCH", `/v1/pools/${pool.id}`, { body: { autoscale: { enabled: true } } });
    expect(scaled.json().autoscale).toMatchObject({ enabled: true, min_size: null });
    const off = await request("PATCH", `/v1/pools/${pool.id}`, { body: { autoscale: null } });
    expect(off.json()).toMatchObject({ ...body, autoscale: null });
  });

  it("another kind, campaign, type or area code is 409; the same is no change", async () => {
    const { pool } = await makeWorld(db, 1);
    for (const body of [{ kind: "campaign" }, { campaign: "x" }, { number_type: "local" }, { npa: "415" }]) {
      const problem = problemIn(await request("PATCH", `/v1/pools/${pool.id}`, { body }));
      expect(problem).toMatchObject({ status: 409, code: "conflict", errors: [{ path: Object.keys(body)[0] }] });
    }
    const same = { kind: "automatic", number_type: "toll_free", npa: null, campaign: null };
    expect((await request("PATCH", `/v1/pools/${pool.id}`, { body: same })).statusCode).toBe(200);
  });

  it("a lifetime above the retention is 422, also against the value it has", async () => {
    const { pool } = await makeWorld(db, 1);
    const problem = problemIn(await request("PATCH", `/v1/pools/${pool.id}`, { body: { retention_s: 60 } }));
    expect(problem).toMatchObject({ status: 422, errors: [{ path: "session_lifetime_s" }] });
  });

  it("moves to another tracked destination of the same type, and to no other", async () => {
    const { account, pool } = await makeWorld(db, 1);
    await makeDestination(db, account, "+18775550100");
    await makeDestination(db, account, "+12125550100");
    const move = (destination_number: string) =>
      request("PATCH", `/v1/pools/${pool.id}`, { body: { destination_number } });
    expect((await move("+18775550100")).json()).toMatchObject({ destination_number: "+18775550100" });
    expect(problemIn(await move("+12125550100")).code).toBe("conflict");
    expect(problemIn(await move("+18665550199")).code).toBe("invalid_value");
    const other = { account_id: account.id, name: "B", kind: "automatic", destination_number: "+18005550100" };
    const second = (await request("POST", "/v1/pools", { body: other })).json();
    const taken = await request("PATCH", `/v1/pools/${second.id}`, { body: { destination_number: "+18775550100" } });
    expect(problemIn(taken).code).toBe("already_exists");
  });

  it("a lower max_size drains what is too much", async () => {
    const { pool } = await makeWorld(db, 3);
    const changed = await request("PATCH", `/v1/pools/${pool.id}`, { body: { max_size: 1 } });
    expect(changed.json()).toMatchObject({ max_size: 1, size: 1 });
  });
});

describe("numbers of a pool", () => {
  it("are added by count and by name, all or none", async () => {
    const { account, pool } = await makeWorld(db, 1);
    const key = await keyOf(account.id, ["read", "write"]);
    const url = `/v1/pools/${pool.id}/numbers`;
    const [a = "", b = "", c = ""] = tollFreeNumbers(3);
    await addInventory(db, [a, b, c] as E164[]);
    const over = await request("POST", url, { key, body: { numbers: [a] } });
    expect(problemIn(over)).toMatchObject({ status: 409, code: "conflict" });
    await request("PATCH", `/v1/pools/${pool.id}`, { key, body: { max_size: 1000 } });

    const partly = await request("POST", url, { key, body: { numbers: [a, "+18889999999"] } });
    expect(problemIn(partly)).toMatchObject({ status: 404, errors: [{ path: "numbers.1" }] });
    expect((await request("GET", `/v1/pools/${pool.id}`, { key })).json().size).toBe(1);

    expect((await request("POST", url, { key, body: { numbers: [c, a] } })).json().size).toBe(3);
    const mine = await request("POST", url, { key, body: { numbers: [a] } });
    expect(problemIn(mine).code).toBe("illegal_transition");
    const short = await request("POST", url, { key, body: { count: 900 } });
    expect(problemIn(short)).toMatchObject({ status: 409, code: "inventory_short" });
    expect((await request("POST", url, { key, body: { count: 1 } })).json().size).toBe(4);
  });

  it.each([[{}], [{ count: 1, numbers: ["+18885550100"] }], [{ count: 0 }], [{ numbers: [] }], [{ numbers: ["x"] }]])(
    "refuses %j",
    async (body) => {
      const { pool } = await makeWorld(db, 1);
      expect(problemIn(await request("POST", `/v1/pools/${pool.id}/numbers`, { body })).status).toBe(422);
    },
  );

  it("a number of another type is no number for the pool", async () => {
    const { pool } = await makeWorld(db, 1);
    await request("PATCH", `/v1/pools/${pool.id}`, { body: { max_size: 5 } });
    const numbers = localNumbers("650", 1);
    await addInventory(db, numbers);
    const problem = problemIn(await request("POST", `/v1/pools/${pool.id}/numbers`, { body: { numbers } }));
    expect(problem).toMatchObject({ status: 409, code: "conflict" });
  });

  it("another account's number stays there: a conflict for the platform, no number at all for an account's key", async () => {
    const [holder, { pool, account }] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    await request("PATCH", `/v1/pools/${pool.id}`, { body: { max_size: 5 } });
    const add = (key?: string) =>
      request("POST", `/v1/pools/${pool.id}/numbers`, { body: { numbers: holder.numbers }, ...(key && { key }) });
    expect(problemIn(await add())).toMatchObject({ status: 409, code: "conflict" });
    expect(problemIn(await add(await keyOf(account.id, ["write"])))).toMatchObject({ status: 404, code: "not_found" });
    const [number = ""] = holder.numbers;
    expect((await request("GET", `/v1/numbers/${number}`)).json()).toMatchObject({ pool_id: holder.pool.id });
  });

  it("a removed one that nobody saw is quarantined at once; one that was presented drains, unless now=true", async () => {
    const world = await makeWorld(db, 3);
    await presentBatch(db, [allocationFor(world), allocationFor(world)]);
    const [first = "", second = "", third = ""] = world.numbers;
    const remove = (number: string, query = "") =>
      request("DELETE", `/v1/pools/${world.pool.id}/numbers/${number}${query}`);
    expect((await remove(third)).json()).toMatchObject({ state: "quarantined", pool_id: null, account_id: null });
    expect((await remove(first)).json()).toMatchObject({ state: "draining", pool_id: world.pool.id, quarantine: null });
    const now = (await remove(second, "?now=true")).json();
    expect(now.state).toBe("quarantined");
    expect(now.quarantine).toMatchObject({ intercepted_calls: 0, distinct_callers: 0, last_intercepted_at: null });
    expect(schedule.checks.map(({ e164 }) => e164)).toEqual(expect.arrayContaining([first, second, third]));
    expect(problemIn(await remove(second)).code).toBe("not_found");
    expect(problemIn(await remove(first, "?now=maybe")).code).toBe("invalid_value");
  });

  it("scales up and down to an exact size", async () => {
    const { pool } = await makeWorld(db, 2);
    await request("PATCH", `/v1/pools/${pool.id}`, { body: { max_size: 4 } });
    await addInventory(db, tollFreeNumbers(2));
    const scale = (size: unknown) => request("POST", `/v1/pools/${pool.id}/scale`, { body: { size } });
    expect((await scale(4)).json().size).toBe(4);
    expect((await scale(1)).json().size).toBe(1);
    expect(problemIn(await scale(5)).code).toBe("conflict");
    expect(problemIn(await scale(1.5)).code).toBe("invalid_value");
  });
});

describe("DELETE /v1/pools/:id", () => {
  it("drains the numbers and frees the destination for another pool", async () => {
    const world = await makeWorld(db, 2);
    await presentBatch(db, [allocationFor(world)]);
    const url = `/v1/pools/${world.pool.id}`;
    expect((await request("DELETE", url)).statusCode).toBe(204);
    expect(problemIn(await request("GET", url)).code).toBe("not_found");
    expect(problemIn(await request("DELETE", url)).code).toBe("not_found");
    const states = await Promise.all(
      world.numbers.map(async (n) => (await request("GET", `/v1/numbers/${n}`)).json().state),
    );
    expect(states.sort()).toEqual(["draining", "quarantined"]);
    const body = { account_id: world.account.id, name: "B", kind: "automatic", destination_number: "+18005550100" };
    expect((await request("POST", "/v1/pools", { body })).statusCode).toBe(201);
  });
});
