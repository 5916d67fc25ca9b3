/** What is changed holds for what comes later: locks already given, and records already written, stay as they were. */
import { describe, expect, it } from "vitest";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase, rows } from "../support/database.js";
import {
  addInventory,
  ids,
  inboundCall,
  makeAccount,
  makeDestination,
  makeWorld,
  secrets,
  tollFreeNumbers,
} from "../support/world.js";
import { makeHttpWorld } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request } = makeHttpWorld(db);
const DESTINATION = "+18005550100";

interface Shown {
  readonly presentation_id: string | null;
  readonly promo_number: string | null;
  readonly outcome: string;
  readonly locked_until: string | null;
}

async function present(tagKey: string, numbers: readonly string[] = [DESTINATION], visitorId?: string) {
  const body = { tag_key: tagKey, numbers, page: { url: "https://shop.example/" }, visitor_id: visitorId };
  const answer = (await request("POST", "/v1/presentations", { key: null, body })).json();
  return { visitorId: answer.visitor_id as string, shown: answer.presentations as [Shown, ...Shown[]] };
}

async function callTo(e164: string) {
  const opening = { call: inboundCall(e164), callId: ids.next("call"), late: null };
  const { ref } = await openCall({ db, ids, secrets }, opening);
  return async () => {
    const [record] = await rows(
      db,
      "select destination_number, disposition, attribution, visitor_id from call where id = $1",
      [ref.callId],
    );
    return record as Record<string, unknown>;
  };
}

const inS = (at: string | null) => Math.round((Date.parse(at ?? "") - Date.now()) / 1000);
const patch = (path: string, body: object) => request("PATCH", path, { body });

describe("PATCH of a pool", () => {
  it("changes lifetime and retention for later presentations; locks already given keep theirs", async () => {
    const { account, pool, numbers } = await makeWorld(db, 2, { sessionLifetimeS: 600, retentionS: 3_600 });
    const a = await present(account.tagKey);
    expect(inS(a.shown[0].locked_until)).toBe(600);
    expect((await patch(`/v1/pools/${pool.id}`, { session_lifetime_s: 60, retention_s: 120 })).statusCode).toBe(200);
    const [kept] = await rows<{ locked_until: number; retained_until: number }>(
      db,
      "select locked_until, retained_until from promo_number where e164 = $1",
      [numbers[0]],
    );
    expect(kept?.locked_until).toBe(Date.parse(a.shown[0].locked_until ?? ""));
    expect(((kept?.retained_until ?? 0) - Date.now()) / 1000).toBeGreaterThan(3_500);
    const b = await present(account.tagKey);
    expect(b.shown[0].promo_number).toBe(numbers[1]);
    expect(inS(b.shown[0].locked_until)).toBe(60);
    // A comes back under the new settings: the lock they were given is not shortened.
    const again = await present(account.tagKey, [DESTINATION], a.visitorId);
    expect(again.shown[0]).toMatchObject({ outcome: "renewed", locked_until: a.shown[0].locked_until });
  });

  it("changes what an exhausted pool does from the next visitor on", async () => {
    const { account, pool, numbers } = await makeWorld(db, 1);
    await present(account.tagKey);
    expect((await present(account.tagKey)).shown[0].outcome).toBe("original");
    await patch(`/v1/pools/${pool.id}`, { overflow: "reuse_oldest" });
    expect((await present(account.tagKey)).shown[0]).toMatchObject({ outcome: "presented", promo_number: numbers[0] });
    await patch(`/v1/pools/${pool.id}`, { overflow: "original_number" });
    expect((await present(account.tagKey)).shown[0].outcome).toBe("original");
  });

  it("to another destination moves later calls, and leaves old records and whose they are", async () => {
    const { account, pool, numbers } = await makeWorld(db, 1);
    await makeDestination(db, account, "+18775550100");
    const a = await present(account.tagKey);
    const before = await callTo(numbers[0] as string);
    await patch(`/v1/pools/${pool.id}`, { destination_number: "+18775550100" });
    const after = await callTo(numbers[0] as string);
    const matched = { disposition: "routed", attribution: "matched", visitor_id: a.visitorId };
    expect(await before()).toEqual({ ...matched, destination_number: DESTINATION });
    expect(await after()).toEqual({ ...matched, destination_number: "+18775550100" });
    expect((await present(account.tagKey)).shown[0].outcome).toBe("original");
    expect((await present(account.tagKey, ["+18775550100"], a.visitorId)).shown[0].promo_number).toBe(numbers[0]);
  });

  it("npa_fallback is kept as it was given, changed, and refused for toll-free pools", async () => {
    const account = await makeAccount(db);
    await makeDestination(db, account, "+12065550100");
    await makeDestination(db, account, "+18005550199");
    const base = { account_id: account.id, name: "P", kind: "automatic" };
    const local = { ...base, destination_number: "+12065550100", npa_fallback: ["same_state", "toll_free"] };
    const created = await request("POST", "/v1/pools", { body: local });
    expect(created.statusCode).toBe(201);
    const { id, npa_fallback: first } = created.json();
    expect(first).toEqual(["same_state", "toll_free"]);
    for (const npa_fallback of ["wait", ["same_state", "wait"], ["toll_free"], null]) {
      expect((await patch(`/v1/pools/${id}`, { npa_fallback })).json()).toMatchObject({ npa_fallback });
    }
    expect((await patch(`/v1/pools/${id}`, { npa_fallback: "same_state" })).json().npa_fallback).toEqual([
      "same_state",
    ]);
    for (const npa_fallback of [[], ["nearby"], ["wait", "toll_free"], ["toll_free", "toll_free"], 7]) {
      expect((await patch(`/v1/pools/${id}`, { npa_fallback })).statusCode).toBe(422);
    }
    const tollFree = { ...base, destination_number: "+18005550199" };
    expect((await request("POST", "/v1/pools", { body: { ...tollFree, npa_fallback: "wait" } })).statusCode).toBe(422);
    const plain = (await request("POST", "/v1/pools", { body: tollFree })).json();
    expect(plain.npa_fallback).toBeNull();
    expect((await patch(`/v1/pools/${plain.id}`, { npa_fallback: ["toll_free"] })).statusCode).toBe(422);
  });
});

describe("PATCH of a destination", () => {
  it("changes where later calls ring and what later pages show; records and running attributions stay", async () => {
    const { account, destination, numbers } = await makeWorld(db, 1);
    const a = await present(account.tagKey);
    const before = await callTo(numbers[0] as string);
    await patch(`/v1/destinations/${destination.id}`, { status: "ignored" });
    expect((await present(account.tagKey)).shown[0].outcome).toBe("original");
    const after = await callTo(numbers[0] as string);
    for (const record of [before, after]) {
      expect(await record()).toMatchObject({ disposition: "routed", attribution: "matched", visitor_id: a.visitorId });
    }
    await patch(`/v1/destinations/${destination.id}`, { status: "tracked" });
    expect((await present(account.tagKey, [DESTINATION], a.visitorId)).shown[0]).toMatchObject({
      outcome: "renewed",
      presentation_id: a.shown[0].presentation_id,
    });
  });

  it("with a pool cannot be deleted, it can be ignored; after its pool it is deleted, and pages keep its number", async () => {
    const { account, destination, pool } = await makeWorld(db, 1);
    const url = `/v1/destinations/${destination.id}`;
    const refused = await request("DELETE", url);
    expect(refused.statusCode).toBe(409);
    expect(refused.json().detail).toContain("ignored");
    expect((await patch(url, { status: "ignored" })).statusCode).toBe(200);
    expect((await present(account.tagKey)).shown[0].outcome).toBe("original");
    expect((await patch(url, { status: "tracked" })).statusCode).toBe(200);
    await request("DELETE", `/v1/pools/${pool.id}`);
    expect((await request("DELETE", url)).statusCode).toBe(204);
    expect((await present(account.tagKey)).shown[0].outcome).toBe("original");
  });
});

describe("several destinations on one page", () => {
  async function shop() {
    const account = await makeAccount(db);
    const pools: Record<string, string[]> = {};
    for (const [number, overflow] of [
      ["+18005550101", "overflow_number"],
      ["+18005550102", "original_number"],
      ["+18005550103", "reuse_oldest"],
    ] as const) {
      await makeDestination(db, account, number);
      const added = tollFreeNumbers(overflow === "overflow_number" ? 2 : 1);
      await addInventory(db, added);
      const body = {
        account_id: account.id,
        name: overflow,
        kind: "automatic",
        destination_number: number,
        max_size: added.length,
        fill_immediately: true,
        overflow,
      };
      const pool = (await request("POST", "/v1/pools", { body })).json();
      expect(pool.size).toBe(added.length);
      const held = (await request("GET", `/v1/numbers?pool_id=${pool.id}`)).json().data;
      pools[overflow] = held
        .sort((x: { role: string }, y: { role: string }) => y.role.localeCompare(x.role))
        .map(({ number: promo }: { number: string }) => promo);
    }
    return { account, pools, numbers: ["+18005550101", "+18005550102", "+18005550103"] };
  }

  it("each has a number of its own for one visitor, who keeps all of them; an exhausted pool does as it says", async () => {
    const { account, pools, numbers } = await shop();
    const [visitors, shared] = pools["overflow_number"] as [string, string];
    const [original] = pools["original_number"] as [string];
    const [reused] = pools["reuse_oldest"] as [string];
    const a = await present(account.tagKey, numbers);
    const own = [visitors, original, reused].map((promo_number) => ({ outcome: "presented", promo_number }));
    expect(a.shown).toMatchObject(own);

    const b = await present(account.tagKey, numbers);
    expect(b.visitorId).not.toBe(a.visitorId);
    expect(b.shown).toMatchObject([
      { outcome: "overflow", promo_number: shared, presentation_id: null, locked_until: null },
      { outcome: "original", promo_number: null, presentation_id: null, locked_until: null },
      { outcome: "presented", promo_number: reused },
    ]);

    // A comes back in another order, and with a number written twice: two pools still know them, the third gave A's number to B.
    const again = await present(account.tagKey, [...numbers].reverse().concat("(800) 555-0101"), a.visitorId);
    expect(again.visitorId).toBe(a.visitorId);
    expect(again.shown).toMatchObject([
      { outcome: "presented", promo_number: reused },
      { outcome: "renewed", promo_number: original, presentation_id: a.shown[1]?.presentation_id },
      { outcome: "renewed", promo_number: visitors, presentation_id: a.shown[0].presentation_id },
      { outcome: "renewed", promo_number: visitors, presentation_id: a.shown[0].presentation_id },
    ]);

    const of = async (e164: string) => (await callTo(e164))();
    expect(await of(visitors)).toMatchObject({
      attribution: "matched",
      visitor_id: a.visitorId,
      destination_number: numbers[0],
    });
    expect(await of(shared)).toMatchObject({
      attribution: "overflow",
      visitor_id: null,
      destination_number: numbers[0],
    });
    expect(await of(original)).toMatchObject({
      attribution: "matched",
      visitor_id: a.visitorId,
      destination_number: numbers[1],
    });
    // The latest who was presented the reused number.
    expect(await of(reused)).toMatchObject({
      attribution: "matched",
      visitor_id: a.visitorId,
      destination_number: numbers[2],
    });
  });

  it("one request renews the locks of all, and says which are lost", async () => {
    const { account, numbers } = await shop();
    const a = await present(account.tagKey, numbers);
    await present(account.tagKey, numbers);
    const body = {
      tag_key: account.tagKey,
      visitor_id: a.visitorId,
      presentation_ids: a.shown.map(({ presentation_id: id }) => id),
    };
    const renewed = (await request("POST", "/v1/presentations/renew", { key: null, body })).json().presentations;
    expect(renewed.map(({ outcome }: { outcome: string }) => outcome)).toEqual(["renewed", "renewed", "lost"]);
    const log = await rows(db, "select kind, count(*) from presentation where account_id = $1 group by 1", [
      account.id,
    ]);
    // Four presented to two visitors, and no row for what only renewed a lock.
    expect(log).toEqual([{ kind: "presented", count: 4 }]);
  });
});
