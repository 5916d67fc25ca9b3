import { describe, expect, it } from "vitest";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { foldEvents } from "../../src/routing/fold-events.js";
import { type OpenedCall, openCall } from "../../src/routing/open-call.js";
import { freshDatabase, rows } from "../support/database.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets, type World } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf, lines } = makeHttpWorld(db);

/** Long enough that the lock is over and the number free for others. */
const AN_HOUR_MS = 3_600_000;

async function presentTo(world: World, agoMs = 0): Promise<{ number: string; prs: string; vis: string }> {
  const view = { ...allocationFor(world), touch: { utm_source: "google" }, customData: { plan: "pro" } };
  const [outcome] = await presentBatch(db, [view], agoMs === 0 ? null : Date.now() - agoMs);
  if (outcome === undefined || !("promoNumber" in outcome)) throw new Error("no number was presented");
  return { number: outcome.promoNumber, prs: outcome.presentationId, vis: outcome.visitorId };
}

async function call(number: string): Promise<OpenedCall> {
  const opening = { call: inboundCall(number), callId: ids.next("call"), late: null };
  return openCall({ db, secrets, ids }, opening);
}

async function end({ ref }: OpenedCall): Promise<void> {
  const ended = { kind: "ended", status: "completed", releasedBy: "caller", cause: "200", authority: 1 } as const;
  await db.transaction((tx) =>
    foldEvents(tx, [{ ref, events: [{ ...ended, talkMs: null, at: ref.receivedAt + 1000 }] }]),
  );
}

/** A call that is over, of a visitor whose lock is over too. */
async function finishedCall(): Promise<{ world: World; id: string; number: string; prs: string; vis: string }> {
  const world = await makeWorld(db, 1);
  const presented = await presentTo(world, AN_HOUR_MS);
  const opened = await call(presented.number);
  await end(opened);
  return { world, id: opened.ref.callId, ...presented };
}

const correct = (id: string, body: object, key?: string) =>
  request("POST", `/v1/calls/${id}/corrections`, key === undefined ? { body } : { body, key });
const get = async (id: string) => (await request("GET", `/v1/calls/${id}`)).json();
const explain = async (id: string) => (await request("GET", `/v1/calls/${id}/explanation`)).json();

describe("POST /v1/calls/:id/corrections", () => {
  it("adds a row that replaces the call in lists and leaves it as it was", async () => {
    const { world, id } = await finishedCall();
    const before = await get(id);
    const response = await correct(id, { conversion: true, revenue: 129.9, reason: "sold" });
    expect(response.statusCode).toBe(201);
    const row = response.json();
    expect(row).toMatchObject({
      call_id: id,
      revision: 1,
      conversion: true,
      revenue: 129.9,
      currency: "USD",
      corrected_by_id: null,
      correction: { kind: "correction", corrects_id: id, reason: "sold", actor: "key:admin" },
      attribution: before.attribution,
    });
    expect(row.id).not.toBe(id);
    expect(await get(id)).toEqual({ ...before, corrected_by_id: row.id, updated_at: row.updated_at });
    expect(await get(row.id)).toEqual(row);
    const key = await keyOf(world.account.id, ["read", "calls:pii"]);
    expect((await request("GET", "/v1/calls", { key })).json().data).toEqual([row]);
    const since = (at: string) => request("GET", `/v1/calls?updated_since=${at}`, { key });
    expect((await since(row.updated_at)).json().data).toEqual([row]);
    expect(row.updated_at > before.updated_at).toBe(true);
  });

  it("goes on from the newest row, whichever row's id was given, and keeps the chain", async () => {
    const { id } = await finishedCall();
    const first = (await correct(id, { revenue: 10 })).json();
    const second = (await correct(id, { conversion: true })).json();
    const third = (await correct(first.id, { revenue: null })).json();
    const chain = (await request("GET", `/v1/calls/${second.id}/revisions`)).json().data;
    expect(chain.map((row: { id: string }) => row.id)).toEqual([id, first.id, second.id, third.id]);
    expect(chain.map((row: { revenue: unknown; conversion: unknown }) => [row.revenue, row.conversion])).toEqual([
      [null, null],
      [10, null],
      [10, true],
      [null, true],
    ]);
    const page = (await request("GET", `/v1/calls/${id}/revisions?limit=3`)).json();
    const rest = await request("GET", `/v1/calls/${id}/revisions?limit=3&cursor=${page.next_cursor}`);
    expect([...page.data, ...rest.json().data]).toEqual(chain);
  });

  it("gives the call to another visitor of the number, by presentation or by visitor", async () => {
    const world = await makeWorld(db, 1);
    const right = await presentTo(world, AN_HOUR_MS);
    const wrong = await presentTo(world);
    expect(wrong.number).toBe(right.number);
    const opened = await call(wrong.number);
    await end(opened);
    const id = opened.ref.callId;
    expect((await get(id)).attribution.visitor_id).toBe(wrong.vis);
    for (const attribution of [{ presentation_id: right.prs }, { visitor_id: right.vis, outcome: "matched" }]) {
      const row = (await correct(id, { attribution })).json();
      expect(row.attribution).toMatchObject({
        outcome: "matched",
        presentation_id: right.prs,
        visitor_id: right.vis,
        touch: { utm_source: "google" },
        custom_data: { plan: "pro" },
        confidence: null,
      });
      expect(row.attribution.age_ms).toBeGreaterThanOrEqual(0);
      expect(await explain(row.id)).toMatchObject({
        reason: expect.stringContaining("correction says so"),
        confidence: null,
        candidates: [
          { visitor_id: wrong.vis, chosen: false },
          { visitor_id: right.vis, chosen: true },
        ],
      });
    }
    const nobody = (await correct(id, { attribution: { outcome: "unattributable" } })).json();
    expect(nobody.attribution).toMatchObject({ outcome: "unattributable", presentation_id: null, touch: null });
    expect(await explain(nobody.id)).toMatchObject({ reason: expect.stringContaining("correction says so") });
    expect((await explain(id)).reason).toContain("latest visitor");
    const sold = (await correct(id, { attribution: { visitor_id: wrong.vis }, revenue: 5 })).json();
    expect((await explain(sold.id)).reason).toContain("latest visitor");
    await correct(id, { attribution: { outcome: "unattributable" } });
    const key = await keyOf(world.account.id, ["read"]);
    const found = async (outcome: string) =>
      (await request("GET", `/v1/calls?attribution=${outcome}`, { key })).json().data.length;
    expect([await found("matched"), await found("unattributable")]).toEqual([0, 1]);
    expect((await get(id)).attribution.visitor_id).toBe(wrong.vis);
  });

  it("refuses a presentation that came after the call, of another number or account, and one that is none", async () => {
    const { world, id } = await finishedCall();
    // Presented within the millisecond of an arrival counts as before it.
    await rows(db, "select pg_sleep(0.003)");
    const later = await presentTo(world);
    const foreign = await presentTo(await makeWorld(db, 1));
    for (const presentation_id of [later.prs, foreign.prs, "prs_none"]) {
      const problem = problemIn(await correct(id, { attribution: { presentation_id } }));
      expect([problem.status, problem.errors?.[0]?.path]).toEqual([422, "attribution.presentation_id"]);
    }
    const problem = problemIn(await correct(id, { attribution: { visitor_id: foreign.vis } }));
    expect(problem.errors?.[0]?.path).toBe("attribution.visitor_id");
  });

  it("touch is replaced and custom data added to; what the call said stays in its row", async () => {
    const { id } = await finishedCall();
    const row = (await correct(id, { touch: { utm_source: "bing" }, custom_data: { deal: 7 } })).json();
    expect(row.attribution).toMatchObject({ touch: { utm_source: "bing" }, custom_data: { plan: "pro", deal: 7 } });
    const next = (await correct(id, { conversion: true })).json();
    expect(next.attribution).toEqual(row.attribution);
    expect((await get(id)).attribution).toMatchObject({
      touch: { utm_source: "google" },
      custom_data: { plan: "pro" },
    });
  });

  it("custom data are added to up to a hundred fields; what is there may still be changed", async () => {
    const { id } = await finishedCall();
    const fields = (prefix: string, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`${prefix}${n}`, n]));
    for (const prefix of ["a", "b", "c"])
      expect((await correct(id, { custom_data: fields(prefix, 25) })).statusCode).toBe(201);
    const problem = problemIn(await correct(id, { custom_data: fields("d", 25) }));
    expect([problem.status, problem.errors?.[0]?.path]).toEqual([422, "custom_data"]);
    const full = (await correct(id, { custom_data: fields("d", 24) })).json();
    expect(Object.keys(full.attribution.custom_data)).toHaveLength(100);
    const changed = (await correct(id, { custom_data: { plan: "basic" } })).json();
    expect(changed.attribution.custom_data).toEqual({ ...full.attribution.custom_data, plan: "basic" });
  });

  it("whom a call belongs to is corrected when it is over; its outcome at any time", async () => {
    const world = await makeWorld(db, 1);
    const opened = await call((await presentTo(world)).number);
    const id = opened.ref.callId;
    expect(problemIn(await correct(id, { attribution: { outcome: "overflow" } })).status).toBe(409);
    expect((await correct(id, { conversion: true })).statusCode).toBe(201);
    await end(opened);
    const [row] = (await request("GET", `/v1/calls?pool_id=${world.pool.id}`)).json().data;
    expect(row).toMatchObject({ conversion: true, status: "completed", attribution: { outcome: "matched" } });
    expect(row.attribution.confidence).toBeGreaterThan(0);
  });

  it.each([
    [{}, ""],
    [{ corrects_id: "x" }, ""],
    [{ currency: "USD" }, ""],
    [{ revenue: 1e10 }, "revenue"],
    [{ revenue: "1" }, "revenue"],
    [{ revenue: 1, currency: "EUR" }, "currency"],
    [{ reason: "" }, "reason"],
    [{ reason: "x", unknown: 1 }, "unknown"],
    [{ attribution: {} }, "attribution"],
    [{ attribution: { outcome: "matched" } }, "attribution"],
    [{ attribution: { outcome: "overflow", visitor_id: "vis_1" } }, "attribution"],
    [{ attribution: { outcome: "else" } }, "attribution.outcome"],
  ])("%j is refused", async (body, path) => {
    const { id } = await finishedCall();
    const problem = problemIn(await correct(id, body));
    expect([problem.status, problem.errors?.[0]?.path ?? ""]).toEqual([422, path]);
    expect((await get(id)).corrected_by_id).toBeNull();
  });

  it("a row that was replaced meanwhile is a conflict when the sender names it", async () => {
    const { id } = await finishedCall();
    const first = (await correct(id, { revenue: 1, corrects_id: id })).json();
    expect(problemIn(await correct(id, { revenue: 2, corrects_id: id })).code).toBe("conflict");
    expect((await correct(id, { revenue: 2, corrects_id: first.id })).statusCode).toBe(201);
  });

  it("corrections at once make one chain", async () => {
    const { id } = await finishedCall();
    const made = await Promise.all(Array.from({ length: 12 }, (_, i) => correct(id, { revenue: i })));
    expect(made.map((response) => response.statusCode)).toEqual(made.map(() => 201));
    const chain = (await request("GET", `/v1/calls/${id}/revisions`)).json().data;
    expect(chain.map((row: { revision: number }) => row.revision)).toEqual(made.map((_, i) => i).concat(made.length));
    for (const [i, row] of chain.entries()) {
      expect(row.corrected_by_id).toBe(chain[i + 1]?.id ?? null);
      expect(row.correction?.corrects_id).toBe(chain[i - 1]?.id);
    }
  });

  it("needs the scope write, and an account's key reaches its own calls only", async () => {
    const { world, id } = await finishedCall();
    const other = await makeWorld(db, 1);
    expect((await correct(id, { revenue: 1 }, await keyOf(world.account.id, ["read"]))).statusCode).toBe(403);
    expect((await correct(id, { revenue: 1 }, await keyOf(other.account.id, ["write"]))).statusCode).toBe(404);
    const row = (await correct(id, { revenue: 1 }, await keyOf(world.account.id, ["write"]))).json();
    expect(row.correction.actor).toMatch(/^key:key_/);
    const reader = await keyOf(other.account.id, ["read"]);
    expect((await request("GET", `/v1/calls/${row.id}`, { key: reader })).statusCode).toBe(404);
    expect((await request("GET", `/v1/calls/${id}/revisions`, { key: reader })).statusCode).toBe(404);
  });

  it("a call that nobody's number took has no account to correct it for", async () => {
    const opened = await call("+14155550000");
    expect(problemIn(await correct(opened.ref.callId, { revenue: 1 })).code).toBe("conflict");
  });

  it("rows of corrections and signals are never changed in the database", async () => {
    const { id } = await finishedCall();
    await correct(id, { revenue: 1 });
    await request("POST", "/v1/signals", { body: { call_id: id, name: "sale" } });
    for (const table of ["call_correction", "call_signal"]) {
      await expect(rows(db, `update ${table} set actor = 'x' where call_id = $1`, [id])).rejects.toThrow(
        "never changed",
      );
      await expect(rows(db, `delete from ${table} where call_id = $1`, [id])).rejects.toThrow("never changed");
    }
  });

  it("shows the caller only to keys that may see it", async () => {
    const { world, id } = await finishedCall();
    const key = await keyOf(world.account.id, ["write", "calls:pii"]);
    const row = (await correct(id, { reason: "looked at" }, key)).json();
    expect(row.caller.number).toBe("+14155550123");
    expect(lines.findLast(({ event }) => event === "pii.revealed")?.fields["callIds"]).toEqual([id]);
  });
});

describe("POST /v1/signals", () => {
  const send = (body: object, key?: string) =>
    request("POST", "/v1/signals", key === undefined ? { body } : { body, key });

  it("adds a row with what came of the call, found by updated_since", async () => {
    const { id } = await finishedCall();
    const { updated_at: before } = await get(id);
    const response = await send({ call_id: id, name: "sale", revenue: 99.5, occurred_at: "2026-01-02T03:04:05.678Z" });
    expect(response.statusCode).toBe(201);
    const body = response.json();
    expect(body).toMatchObject({ call_id: id, revision: 1, signals: [{ name: "sale", value: true, is_new: true }] });
    const row = await get(body.record_id);
    expect(row).toMatchObject({
      conversion: true,
      revenue: 99.5,
      correction: { kind: "signal", corrects_id: id, reason: "signal: sale" },
      signals: [{ name: "sale", partner_unique_id: "", value: true, occurred_at: "2026-01-02T03:04:05.678Z" }],
    });
    expect(row.updated_at > before).toBe(true);
  });

  it("the same again is known; a changed one replaces the former", async () => {
    const { id } = await finishedCall();
    const first = (await send({ call_id: id, name: "sale", partner_unique_id: "A1", revenue: 10 })).json();
    const again = await send({ call_id: id, name: "sale", partner_unique_id: "A1", revenue: 10 });
    expect(again.statusCode).toBe(200);
    expect(again.json()).toEqual({ ...first, signals: [{ ...first.signals[0], is_new: false }] });
    const changed = (await send({ call_id: id, name: "sale", partner_unique_id: "A1", revenue: 12 })).json();
    expect(changed.signals[0].corrects_id).toBe(first.signals[0].id);
    await send({ call_id: id, name: "sale", partner_unique_id: "A2", revenue: 5 });
    const chain = (await request("GET", `/v1/calls/${id}/revisions`)).json().data;
    expect(chain.map((row: { revenue: number }) => row.revenue)).toEqual([null, 10, 12, 17]);
    expect(chain.map((row: { signals: unknown[] }) => row.signals.length)).toEqual([0, 1, 1, 2]);
  });

  it.each([0.1 + 0.2, 10.00005, 0.00001, -19.99995])(
    "an amount of %d is known again by its four decimals",
    async (revenue) => {
      const { id } = await finishedCall();
      const first = (await send({ call_id: id, name: "sale", revenue })).json();
      const again = await send({ call_id: id, name: "sale", revenue });
      expect([again.statusCode, again.json()]).toEqual([
        200,
        { ...first, signals: [{ ...first.signals[0], is_new: false }] },
      ]);
      expect(first.signals[0].revenue).toBeCloseTo(revenue, 3);
    },
  );

  it("several of one call make one row; the last of one name and id counts", async () => {
    const { id } = await finishedCall();
    const signals = [
      { name: "quote", value: false },
      { name: "sale", revenue: 0.1 },
      { name: "upsale", revenue: 0.2 },
      { name: "sale", revenue: 0.3 },
    ];
    const body = (await send({ call_id: id, signals })).json();
    expect(body.revision).toBe(1);
    expect(body.signals.map((one: { is_new: boolean }) => one.is_new)).toEqual([true, true, true, true]);
    expect(await get(body.record_id)).toMatchObject({ conversion: true, revenue: 0.5 });
    const again = await send({ call_id: id, signals });
    expect([again.statusCode, again.json().record_id]).toEqual([200, body.record_id]);
    const changed = (await send({ call_id: id, signals: [signals[3], signals[1]] })).json();
    expect(changed.signals.map((one: { is_new: boolean }) => one.is_new)).toEqual([false, true]);
  });

  it("what a correction says counts before signals, until it is taken back", async () => {
    const { id } = await finishedCall();
    await correct(id, { revenue: 100, conversion: false });
    const { record_id: second } = (await send({ call_id: id, name: "sale", revenue: 30 })).json();
    expect(await get(second)).toMatchObject({ revenue: 100, conversion: false });
    const row = (await correct(id, { revenue: null, conversion: null })).json();
    expect(row).toMatchObject({ revenue: 30, conversion: true });
    const { record_id: last } = (await send({ call_id: id, name: "sale", value: null })).json();
    expect(await get(last)).toMatchObject({ revenue: null, conversion: null });
  });

  it.each([
    [{ name: "x" }],
    [{ call_id: "c" }],
    [{ call_id: "c", name: "" }],
    [{ call_id: "c", name: "x", signals: [{ name: "y" }] }],
    [{ call_id: "c", signals: [] }],
    [{ call_id: "c", signals: Array.from({ length: 101 }, (_, i) => ({ name: `n${i}` })) }],
    [{ call_id: "c", name: "x", value: "yes" }],
    [{ call_id: "c", name: "x", occurred_at: "yesterday" }],
  ])("%j is refused", async (body) => {
    expect(problemIn(await send(body)).status).toBe(422);
  });

  it("of a call that is none, or another account's, is 404", async () => {
    const { id } = await finishedCall();
    const other = await keyOf((await makeWorld(db, 1)).account.id, ["write"]);
    expect((await send({ call_id: "call_none", name: "x" })).statusCode).toBe(404);
    expect((await send({ call_id: id, name: "x" }, other)).statusCode).toBe(404);
  });
});
