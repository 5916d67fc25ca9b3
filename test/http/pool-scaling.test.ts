import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { ExhaustionCounter } from "../../src/pool/exhaustion-counter.js";
import { addExhaustions } from "../../src/pool/pool-scaling.store.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { nextMillisecond } from "../support/next-millisecond.js";
import { addInventory, allocationFor, makeAccount, makeWorld, tollFreeNumbers } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const woken: string[] = [];
const scaling = { canBuy: true, soon: (poolIds: readonly string[]) => woken.push(...poolIds), decided: () => {} };
const { request, keyOf } = makeHttpWorld(db);
const buying = makeHttpWorld(db, { scaling });
const autoscale = { enabled: true, growthPercent: 20, maxStep: 50, intervalS: 300, minSize: 1 };

async function exhausted() {
  const world = await makeWorld(db, 10, { maxSize: 100, autoscale });
  await rows(db, "update promo_number set state = 'retired' where state = 'available'");
  await addExhaustions(db, [{ poolId: world.pool.id, count: 4, isUrgent: true }]);
  return { ...world, key: await keyOf(world.account.id, ["read", "write"]), url: `/v1/pools/${world.pool.id}` };
}

describe("POST /v1/pools/:id/autoscale", () => {
  it("a dry run says what would be done, with inputs and reason, and writes nothing", async () => {
    const { key, url, pool } = await exhausted();
    await addInventory(db, tollFreeNumbers(3));
    const answer = await request("POST", `${url}/autoscale`, { key, body: { dry_run: true } });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({
      dry_run: true,
      decision: {
        id: null,
        pool_id: pool.id,
        trigger: "asked",
        wanted: 2,
        added: 2,
        removed: 0,
        size_before: 10,
        size_after: 12,
        outcome: "done",
        code: "need",
        reason: expect.stringMatching(/^4 visitors found no free number since 20/),
        inputs: { exhaustions: 4, locked: 0, available: 3, max_size: 100, number_limit: null },
      },
    });
    expect((await request("GET", `${url}/scale_decisions`, { key })).json()).toEqual({ data: [], next_cursor: null });
    expect((await request("GET", url, { key })).json().size).toBe(10);
  });

  it("does it, within the interval's limit, and stores both decisions", async () => {
    const { key, url } = await exhausted();
    await addInventory(db, tollFreeNumbers(3));
    const done = await request("POST", `${url}/autoscale`, { key, body: {} });
    expect(done.json()).toMatchObject({ dry_run: false, decision: { added: 2, size_after: 12, outcome: "done" } });
    expect((await request("GET", url, { key })).json().size).toBe(12);
    await addExhaustions(db, [{ poolId: done.json().decision.pool_id, count: 1, isUrgent: true }]);
    await nextMillisecond();
    const soon = await request("POST", `${url}/autoscale`, { key, body: {} });
    expect(soon.json().decision).toMatchObject({ outcome: "nothing", code: "too_soon", added: 0 });
    const listed = (await request("GET", `${url}/scale_decisions`, { key })).json();
    expect(listed.data).toEqual([soon.json().decision, done.json().decision]);
  });

  it("of a pool that does not scale itself says so, and stores that it was asked", async () => {
    const { pool } = await makeWorld(db, 1);
    const answer = await request("POST", `/v1/pools/${pool.id}/autoscale`, { body: {} });
    expect(answer.json().decision).toMatchObject({ outcome: "nothing", code: "off" });
    expect((await request("GET", `/v1/pools/${pool.id}/scale_decisions`)).json().data).toHaveLength(1);
  });

  it("leaves the buying to the job, and wakes it", async () => {
    const { key, url, pool } = await exhausted();
    const dry = await buying.request("POST", `${url}/autoscale`, { key, body: { dry_run: true } });
    expect(dry.json().decision).toMatchObject({ wanted: 2, added: 0, ordered: 2, outcome: "on_order" });
    expect(woken).toEqual([]);
    const answer = await buying.request("POST", `${url}/autoscale`, { key, body: {} });
    expect(answer.json().decision).toMatchObject({ ordered: 2, on_order: 2, outcome: "on_order", size_after: 10 });
    expect(woken).toEqual([pool.id]);
  });

  it.each([[{ dry_run: "yes" }], [{ dryrun: true }], [[]]])("refuses %j", async (body) => {
    const { url } = await exhausted();
    expect(problemIn(await request("POST", `${url}/autoscale`, { body })).status).toBe(422);
  });

  it("another account's pool is none, for all of it", async () => {
    const { url } = await exhausted();
    const key = await keyOf((await makeAccount(db)).id, ["read", "write"]);
    for (const response of [
      await request("POST", `${url}/autoscale`, { key, body: {} }),
      await request("POST", `${url}/scale`, { key, body: { size: 1 } }),
      await request("GET", `${url}/scale_decisions`, { key }),
    ]) {
      expect(problemIn(response).code).toBe("not_found");
    }
    const reader = await keyOf((await makeAccount(db)).id, ["read"]);
    expect(problemIn(await request("POST", `${url}/autoscale`, { key: reader, body: {} })).code).toBe("forbidden");
  });
});

describe("a page whose pool has no free number", () => {
  it("is answered as ever, and the pool is due, with the visitors it could not serve for a reason", async () => {
    const world = await makeWorld(db, 1, { maxSize: 9, autoscale });
    const exhaustions = new ExhaustionCounter({ db, clock: systemClock, log: silentLog, onUrgent: scaling.soon });
    const pages = makeHttpWorld(db, { exhaustions });
    const body = { tag_key: world.account.tagKey, numbers: ["+18005550100"], page: { url: "https://a.example/" } };
    const present = async () =>
      (await pages.request("POST", "/v1/presentations", { key: null, body })).json().presentations[0].outcome as string;
    expect([await present(), await present(), await present()]).toEqual(["presented", "original", "original"]);
    await exhaustions.stop();
    expect(woken).toContain(world.pool.id);
    const foreseen = await request("POST", `/v1/pools/${world.pool.id}/autoscale`, { body: { dry_run: true } });
    expect(foreseen.json().decision.inputs).toMatchObject({ exhaustions: 2, locked: 1, usable: 1 });
  });
});

describe("POST /v1/pools/:id/scale", () => {
  it("stores what was asked: done, refused, and ordered when asked to buy", async () => {
    const { key, url } = await exhausted();
    const scale = async (body: object) => {
      await nextMillisecond();
      return buying.request("POST", `${url}/scale`, { key, body });
    };
    expect(problemIn(await scale({ size: 12 })).code).toBe("inventory_short");
    expect((await scale({ size: 8 })).json().size).toBe(8);
    expect((await scale({ size: 9, buy: true })).json().size).toBe(8);
    const listed = (await request("GET", `${url}/scale_decisions`, { key })).json();
    expect(listed.data).toMatchObject([
      { trigger: "asked", wanted: 1, ordered: 1, on_order: 1, outcome: "on_order" },
      { trigger: "asked", wanted: -2, removed: 2, outcome: "done", size_after: 8 },
      { trigger: "asked", wanted: 2, outcome: "nothing", code: "inventory_short", size_after: 10 },
    ]);
    const [by] = listed.data.map((decision: { actor: string }) => decision.actor);
    expect(by).toMatch(/^key:key_/);
  });
});

describe("GET /v1/pools/:id/scale_decisions", () => {
  it("pages, newest first", async () => {
    const { key, url } = await exhausted();
    for (const size of [9, 8, 7, 6, 5]) {
      await request("POST", `${url}/scale`, { key, body: { size } });
      await nextMillisecond();
    }
    const sizes: number[] = [];
    for (let cursor = ""; ; ) {
      const page = (await request("GET", `${url}/scale_decisions?limit=2${cursor}`, { key })).json();
      sizes.push(...page.data.map((decision: { size_after: number }) => decision.size_after));
      if (page.next_cursor === null) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    expect(sizes).toEqual([5, 6, 7, 8, 9]);
    expect(problemIn(await request("GET", `${url}/scale_decisions?cursor=x`, { key })).code).toBe("invalid_value");
  });
});

describe("limits of an account", () => {
  it("are set by the platform's admin alone, shown, and lifted with null", async () => {
    const body = {
      name: "Acme",
      number_limit: 5,
      monthly_number_cap: 3,
      billing_day: 15,
      time_zone: "America/New_York",
    };
    const account = (await request("POST", "/v1/accounts", { body })).json();
    expect(account).toMatchObject(body);
    const url = `/v1/accounts/${account.id}`;
    const changed = await request("PATCH", url, { body: { number_limit: 9 } });
    expect(changed.json()).toMatchObject({ ...body, number_limit: 9 });
    expect((await request("PATCH", url, { body: { number_limit: null } })).json()).toMatchObject({
      ...body,
      number_limit: null,
    });
    for (const scopes of [["read", "write"], ["admin"]] as const) {
      const key = await keyOf(account.id, [...scopes]);
      for (const change of [
        { number_limit: null },
        { monthly_number_cap: 99 },
        { billing_day: 1 },
        { time_zone: "UTC" },
      ]) {
        expect(problemIn(await request("PATCH", url, { key, body: change })).code).toBe("forbidden");
      }
      expect((await request("PATCH", url, { key, body: { name: "Ours" } })).json().monthly_number_cap).toBe(3);
    }
    const plain = (await request("POST", "/v1/accounts", { body: { name: "B" } })).json();
    expect(plain).toMatchObject({ number_limit: null, monthly_number_cap: null, billing_day: 1, time_zone: "UTC" });
  });

  it.each([
    [{ number_limit: -1 }],
    [{ monthly_number_cap: 1.5 }],
    [{ billing_day: 29 }],
    [{ billing_day: 0 }],
    [{ time_zone: "Mars/Olympus" }],
    [{ time_zone: "+05:30" }],
    [{ time_zone: "" }],
  ])("refuses %j", async (limits) => {
    const problem = problemIn(await request("POST", "/v1/accounts", { body: { name: "A", ...limits } }));
    expect(problem).toMatchObject({ status: 422, errors: [{ path: Object.keys(limits)[0] }] });
  });

  it("are a 409 for numbers asked for, and a partial fill for a new pool, with the reason in its decisions", async () => {
    const { account, key, url } = await exhausted();
    await request("PATCH", `/v1/accounts/${account.id}`, { body: { number_limit: 11 } });
    await addInventory(db, tollFreeNumbers(8));
    for (const response of [
      await request("POST", `${url}/numbers`, { key, body: { count: 2 } }),
      await request("POST", `${url}/scale`, { key, body: { size: 12 } }),
    ]) {
      const problem = problemIn(response);
      expect(problem).toMatchObject({ status: 409, code: "account_limit" });
      expect(problem.detail).toContain("holds 10 of at most 11 numbers");
    }
    const campaign = { kind: "campaign", campaign: "x", number_type: "toll_free", max_size: 5, fill_immediately: true };
    const created = await request("POST", "/v1/pools", {
      key,
      body: { name: "C", destination_number: "+18005550100", ...campaign },
    });
    expect(created.statusCode).toBe(201);
    expect(created.json().size).toBe(1);
    const [decision] = (await request("GET", `/v1/pools/${created.json().id}/scale_decisions`, { key })).json().data;
    expect(decision).toMatchObject({
      trigger: "created",
      wanted: 5,
      added: 1,
      outcome: "partial",
      code: "number_limit",
    });
  });
});

describe("PATCH /v1/pools/:id", () => {
  it("a smallest size above max_size is 422, also against the value it has", async () => {
    const { url } = await exhausted();
    await request("PATCH", url, { body: { autoscale: { enabled: true, min_size: 50 } } });
    const problem = problemIn(await request("PATCH", url, { body: { max_size: 40 } }));
    expect(problem).toMatchObject({ status: 422, errors: [{ path: "autoscale.min_size" }] });
  });

  it("changes later presentations only: a lock that was given stays, the next one is new", async () => {
    const world = await makeWorld(db, 2);
    const first = allocationFor(world);
    const [given] = await presentBatch(db, [first]);
    await request("PATCH", `/v1/pools/${world.pool.id}`, { body: { session_lifetime_s: 5, retention_s: 60 } });
    const [again, next] = [await presentBatch(db, [first]), await presentBatch(db, [allocationFor(world)])];
    const lockOf = (outcome: unknown) => (outcome as { lockedUntil: number }).lockedUntil;
    expect(again).toMatchObject([{ kind: "renewed", lockedUntil: lockOf(given) }]);
    expect(lockOf(next[0]) - Date.now()).toBeLessThanOrEqual(5_000);
  });

  it("a lower max_size takes the numbers that were presented longest ago, never one that somebody holds before those", async () => {
    const world = await makeWorld(db, 4, { overflow: "overflow_number" });
    for (const ago of [40, 30, 20, 10]) await presentBatch(db, [allocationFor(world)], Date.now() - ago * 60_000);
    await request("PATCH", `/v1/pools/${world.pool.id}`, { body: { max_size: 3 } });
    const states = await Promise.all(
      world.numbers.map(async (number) => (await request("GET", `/v1/numbers/${number}`)).json()),
    );
    expect(states.map(({ state }) => state)).toEqual(["draining", "draining", "assigned", "assigned"]);
    expect((await request("GET", `/v1/pools/${world.pool.id}`)).json()).toMatchObject({
      size: 3,
      overflow_number: world.pool.overflowNumber,
    });
  });
});
