import { describe, expect, it } from "vitest";
import { readNumberFacts } from "../../src/attribution/match.store.js";
import { insertCalls } from "../../src/attribution/new-calls.store.js";
import { erasePerson, repeatErasures } from "../../src/attribution/privacy/erase-person.js";
import type { Queryable } from "../../src/db/database.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { foldEvents } from "../../src/routing/fold-events.js";
import { decideCall, newRecord, type OpenedCall, openCall } from "../../src/routing/open-call.js";
import { freshDatabase, rows } from "../support/database.js";
import { everythingStored } from "../support/everything-stored.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets, tollFreeNumbers, type World } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf, lines } = makeHttpWorld(db);

const deps = { db, secrets, ids };
/** Every text that would name the visitor. */
const CLICK = "CLICKCLICKCLICK";
const PAGE = "https://example.com/private-page";

async function present(world: World, visitorId: string): Promise<{ number: string; presentationId: string }> {
  const view = {
    ...allocationFor(world, visitorId),
    touch: { utm_source: "google", gclid: CLICK },
    customData: { email_hash: CLICK },
    context: { url: PAGE, referrer: PAGE, consent: { ad_storage: "granted" } },
  };
  const [outcome] = await presentBatch(db, [view]);
  if (outcome === undefined || !("promoNumber" in outcome)) throw new Error("no number was presented");
  return { number: outcome.promoNumber, presentationId: outcome.presentationId };
}

async function call(number: string, caller: string | null, diversion: string | null = null): Promise<OpenedCall> {
  const inbound = inboundCall(number, { caller, callerName: caller === null ? null : "JOHN QUARTZ", diversion });
  const opened = await openCall(deps, { call: inbound, callId: ids.next("call"), late: null });
  const ended = { kind: "ended", status: "completed", releasedBy: "caller", cause: "200", authority: 1 } as const;
  const events = [{ ...ended, talkMs: null, at: opened.ref.receivedAt + 1000 }];
  await db.transaction((tx) => foldEvents(tx, [{ ref: opened.ref, events }]));
  return opened;
}

const erase = (body: object, key?: string) =>
  request("POST", "/v1/erasures", key === undefined ? { body } : { body, key });
const get = async (id: string) => (await request("GET", `/v1/calls/${id}`)).json();

describe("POST /v1/erasures of a caller", () => {
  it("empties the caller's calls of that account, whatever came of them, and no others", async () => {
    const [mine, theirs] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const [caller, other] = ["+14155550201", "+14155550202"];
    const [first = ""] = mine.numbers;
    const made = [await call(first, caller, "+12125550203"), await call(first, caller)];
    const kept = [await call(first, other), await call(theirs.numbers[0] ?? "", caller)];
    await request("POST", `/v1/calls/${made[0]?.ref.callId}/corrections`, { body: { revenue: 5 } });
    const { updated_at: before } = await get(made[1]?.ref.callId ?? "");
    const response = await erase({ account_id: mine.account.id, caller, reason: "asked for it" });
    expect(response.statusCode).toBe(201);
    expect(response.json()).toMatchObject({ kind: "caller", calls: 2, reason: "asked for it" });
    for (const { ref } of made) {
      const { caller: shown, diversion, status } = await get(ref.callId);
      expect([shown, diversion, status]).toEqual([{ number: null, last4: null, name: null }, null, "completed"]);
    }
    for (const { ref } of kept) expect((await get(ref.callId)).caller.last4).toMatch(/^020[12]$/);
    expect((await get(made[1]?.ref.callId ?? "")).updated_at > before).toBe(true);
    // Sealed or hashed, it is in no row but the tombstone's, and those of the other account.
    const hash = secrets.hash(mine.account.id, caller).toString("hex");
    const found = (await everythingStored(db)).filter((line) => line.includes(hash));
    expect(found.map((line) => line.split(":")[0])).toEqual(["erasure"]);
  });

  it("empties intercepts of numbers that the account held last, with their calls", async () => {
    const world = await makeWorld(db, 1);
    const [number = ""] = world.numbers;
    await request("DELETE", `/v1/pools/${world.pool.id}/numbers/${encodeURIComponent(number)}?now=true`);
    const caller = "+14155550211";
    const { ref } = await call(number, caller);
    const result = (await erase({ account_id: world.account.id, caller })).json();
    expect(result).toMatchObject({ calls: 0, intercepts: 1 });
    expect((await get(ref.callId)).caller).toEqual({ number: null, last4: null, name: null });
    const [intercept] = (await request("GET", `/v1/intercepts?number=${encodeURIComponent(number)}`)).json().data;
    expect(intercept).toMatchObject({ caller: { number: null, last4: null }, counted: true });
  });

  it("what comes in late is erased too; a call after the erasure is not", async () => {
    const world = await makeWorld(db, 1);
    const [number = ""] = world.numbers;
    const caller = "+14155550221";
    await rows(db, "select pg_sleep(0.01)");
    const at = Date.now();
    const { id } = (await erase({ account_id: world.account.id, caller })).json();
    const spooled = inboundCall(number, { caller });
    const late = await openCall(deps, { call: spooled, callId: ids.next("call"), late: at - 5 });
    const after = await call(number, caller);
    expect(await repeatErasures(deps)).toBe(1);
    expect((await get(late.ref.callId)).caller.last4).toBeNull();
    expect((await get(after.ref.callId)).caller.last4).toBe("0221");
    expect((await request("GET", `/v1/erasures/${id}`)).json()).toMatchObject({ calls: 1 });
    expect(await repeatErasures(deps)).toBe(0);
  });

  it("one that was cut off is taken up", async () => {
    const world = await makeWorld(db, 1);
    const caller = "+14155550231";
    const { ref } = await call(world.numbers[0] ?? "", caller);
    const broken = {
      ...deps,
      db: { ...db, transaction: () => Promise.reject(new Error("the process ends here")) },
    };
    const asked = {
      accountId: world.account.id,
      subject: { kind: "caller", number: caller },
      actor: "t",
      reason: null,
    };
    await expect(erasePerson(broken, asked as Parameters<typeof erasePerson>[1])).rejects.toThrow("ends here");
    const key = await keyOf(world.account.id, ["read"]);
    const list = async () => (await request("GET", "/v1/erasures", { key })).json().data;
    expect((await list())[0].completed_at).toBeNull();
    await repeatErasures(deps);
    expect((await list())[0]).toMatchObject({ calls: 1, completed_at: expect.any(String) });
    expect((await get(ref.callId)).caller.last4).toBeNull();
  });
});

describe("POST /v1/erasures of a visitor", () => {
  it("leaves nothing that names them anywhere, and every call counted", async () => {
    const world = await makeWorld(db, 2);
    const visitorId = ids.next("vis");
    const { number } = await present(world, visitorId);
    await present(world, visitorId);
    const { ref } = await call(number, "+14155550301");
    const moved = await call(world.numbers.find((one) => one !== number) ?? "", null);
    await request("POST", `/v1/calls/${moved.ref.callId}/corrections`, {
      body: { attribution: { visitor_id: visitorId } },
    });
    const stored = (await everythingStored(db)).filter((line) => line.includes(visitorId) || line.includes(CLICK));
    expect(new Set(stored.map((line) => line.split(":")[0]))).toEqual(
      new Set(["call", "call_correction", "presentation", "promo_number", "visitor"]),
    );
    const { id, calls, presentations } = (await erase({ account_id: world.account.id, visitor_id: visitorId })).json();
    expect([calls, presentations]).toEqual([2, 2]);
    const left = await everythingStored(db);
    for (const text of [visitorId, CLICK, PAGE]) expect(left.filter((line) => line.includes(text))).toEqual([]);
    expect(await get(ref.callId)).toMatchObject({
      attribution: { outcome: "matched", visitor_id: `erased_${id}`, touch: {}, custom_data: {} },
      caller: { last4: "0301" },
    });
    const explanation = (await request("GET", `/v1/calls/${ref.callId}/explanation`)).json();
    expect(explanation.candidates).toMatchObject([{ visitor_id: `erased_${id}`, chosen: true }]);
  });

  it("their number stays locked while the page may show it, and is theirs no more", async () => {
    const world = await makeWorld(db, 1);
    const visitorId = ids.next("vis");
    const { number, presentationId } = await present(world, visitorId);
    await erase({ account_id: world.account.id, visitor_id: visitorId });
    const [other] = await presentBatch(db, [allocationFor(world)]);
    expect(other?.kind).toBe("exhausted");
    const body = { tag_key: world.account.tagKey, visitor_id: visitorId, presentation_ids: [presentationId] };
    const renewed = (await request("POST", "/v1/presentations/renew", { body, key: null })).json();
    expect(renewed.presentations[0].outcome).toBe("lost");
    expect(await rows(db, "select held_by from promo_number where e164 = $1", [number])).toEqual([{ held_by: null }]);
  });

  it("is taken from the number's row also when the log has them no more", async () => {
    const world = await makeWorld(db, 1);
    const visitorId = ids.next("vis");
    await present(world, visitorId);
    await rows(db, "delete from presentation where visitor_id = $1", [visitorId]);
    await erase({ account_id: world.account.id, visitor_id: visitorId });
    const left = await everythingStored(db);
    for (const text of [visitorId, CLICK]) expect(left.filter((line) => line.includes(text))).toEqual([]);
  });

  it("a call that was matched before and is written after it says nothing of them", async () => {
    const world = await makeWorld(db, 1);
    const visitorId = ids.next("vis");
    const { number } = await present(world, visitorId);
    const { facts } = await readNumberFacts(db, number);
    const { id, at } = (await erase({ account_id: world.account.id, visitor_id: visitorId })).json();
    const callId = ids.next("call");
    const opening = { call: inboundCall(number), callId };
    const matched = decideCall(opening, { now: Date.parse(at) + 1, facts, isLate: false });
    await insertCalls(db, [newRecord(deps, matched)]);
    expect(await repeatErasures(deps)).toBe(1);
    expect(await get(callId)).toMatchObject({
      attribution: { visitor_id: `erased_${id}`, touch: {}, custom_data: {} },
    });
    expect((await everythingStored(db)).filter((line) => line.includes(visitorId))).toEqual([]);
  });

  it("a page view that comes while it begins carries nothing of before on", async () => {
    const world = await makeWorld(db, 2);
    const visitorId = ids.next("vis");
    await present(world, visitorId);
    const looking = (tx: Queryable): Queryable => ({
      query: async (query, values) => {
        const found = await tx.query(query, values);
        // A page without campaign or fields, as the first thing after the tombstone is written.
        if (query.name === "erasure_insert") await presentBatch(db, [allocationFor(world, visitorId)]);
        return found as never;
      },
    });
    const racing = {
      ...db,
      ...looking(db),
      transaction: <T>(work: (tx: Queryable) => Promise<T>) => db.transaction((tx) => work(looking(tx))),
    };
    const subject = { kind: "visitor", visitorId } as const;
    await erasePerson({ ...deps, db: racing }, { accountId: world.account.id, subject, actor: "test", reason: null });
    await repeatErasures(deps);
    expect((await everythingStored(db)).filter((line) => line.includes(CLICK))).toEqual([]);
  });

  it("another account's visitor is not touched", async () => {
    const [mine, theirs] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const visitorId = ids.next("vis");
    await present(theirs, visitorId);
    const result = (await erase({ account_id: mine.account.id, visitor_id: visitorId })).json();
    expect(result).toMatchObject({ calls: 0, presentations: 0, completed_at: expect.any(String) });
    expect((await everythingStored(db)).some((line) => line.startsWith("visitor:") && line.includes(visitorId))).toBe(
      true,
    );
  });
});

describe("erasures", () => {
  it.each([{}, { caller: "+14155550123", visitor_id: "vis_1" }, { caller: "x" }, { visitor_id: "" }])(
    "%j is refused",
    async (body) => {
      const { account } = await makeWorld(db, 1);
      expect(problemIn(await erase({ account_id: account.id, ...body })).status).toBe(422);
    },
  );

  it("need write and calls:pii, and are seen by their account only", async () => {
    const [mine, theirs] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const body = { caller: "+14155550123" };
    expect((await erase(body, await keyOf(mine.account.id, ["write"]))).statusCode).toBe(403);
    expect((await erase(body, await keyOf(mine.account.id, ["read", "calls:pii"]))).statusCode).toBe(403);
    const { id } = (await erase(body, await keyOf(mine.account.id, ["write", "calls:pii"]))).json();
    const [own, foreign] = [await keyOf(mine.account.id, ["read"]), await keyOf(theirs.account.id, ["read"])];
    expect((await request("GET", `/v1/erasures/${id}`, { key: own })).statusCode).toBe(200);
    expect((await request("GET", `/v1/erasures/${id}`, { key: foreign })).statusCode).toBe(404);
    expect((await request("GET", "/v1/erasures", { key: foreign })).json().data).toEqual([]);
    expect(problemIn(await erase({ ...body, account_id: "acc_none" })).status).toBe(404);
    expect(JSON.stringify(lines)).not.toContain("4155550123");
  });
});

describe("GET /v1/pii_access", () => {
  it("names every key that was shown a caller, before the answer goes out", async () => {
    const world = await makeWorld(db, 1);
    const { ref } = await call(tollFreeNumbers(1)[0] ?? "", "+14155550401");
    const mine = await call(world.numbers[0] ?? "", "+14155550402");
    const key = await keyOf(world.account.id, ["read", "calls:pii"]);
    await request("GET", `/v1/calls/${mine.ref.callId}`, { key });
    await request("GET", `/v1/calls/${mine.ref.callId}`, { key: await keyOf(world.account.id, ["read"]) });
    const trail = (await request("GET", "/v1/pii_access", { key })).json().data;
    expect(trail).toEqual([
      {
        at: expect.any(String),
        key_id: expect.stringMatching(/^key_/),
        account_id: world.account.id,
        request_id: expect.any(String),
        call_ids: [mine.ref.callId],
      },
    ]);
    await get(ref.callId);
    const [newest] = (await request("GET", "/v1/pii_access?limit=1")).json().data;
    expect(newest).toMatchObject({ key_id: "admin", account_id: null, call_ids: [ref.callId] });
  });

  it("what cannot be written down is not shown", async () => {
    const world = await makeWorld(db, 1);
    const { ref } = await call(world.numbers[0] ?? "", "+14155550403");
    await rows(db, "alter table pii_access rename to pii_access_away");
    try {
      const response = await request("GET", `/v1/calls/${ref.callId}`);
      expect(response.statusCode).toBe(500);
      expect(response.body).not.toContain("4155550403");
    } finally {
      await rows(db, "alter table pii_access_away rename to pii_access");
    }
  });
});
