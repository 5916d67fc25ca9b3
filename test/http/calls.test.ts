import { describe, expect, it } from "vitest";
import { createSecrets } from "../../src/kernel/secrets.js";
import { systemRandom } from "../../src/kernel/random.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { type OpenedCall, openCall } from "../../src/routing/open-call.js";
import { nextMillisecond } from "../support/next-millisecond.js";
import { freshDatabase, rows } from "../support/database.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets, type World } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf, lines } = makeHttpWorld(db);
const CALLER = "+14155550123";

function call(number: string, caller: string | null = CALLER): Promise<OpenedCall> {
  return openCall(
    { db, secrets, ids },
    { call: inboundCall(number, { caller }), callId: ids.next("call"), late: null },
  );
}

async function presented(world: World): Promise<{ number: string; presentationId: string; visitorId: string }> {
  const [outcome] = await presentBatch(db, [
    { ...allocationFor(world), touch: { utm_source: "google" }, customData: { plan: "pro" } },
  ]);
  if (outcome?.kind !== "presented") throw new Error("no number was presented");
  return { number: outcome.promoNumber, presentationId: outcome.presentationId, visitorId: outcome.visitorId };
}

describe("GET /v1/calls", () => {
  it("shows a matched call with its visitor's touch", async () => {
    const world = await makeWorld(db, 1);
    const { number, presentationId, visitorId } = await presented(world);
    const { ref } = await call(number);
    const record = (await request("GET", `/v1/calls/${ref.callId}`)).json();
    expect(record).toMatchObject({
      id: ref.callId,
      account_id: world.account.id,
      pool_id: world.pool.id,
      ingress: "sip",
      promo_number: number,
      disposition: "routed",
      status: "ringing",
      destination_number: "+18005550100",
      attempts: [],
      attribution: {
        outcome: "matched",
        presentation_id: presentationId,
        visitor_id: visitorId,
        touch: { utm_source: "google" },
        custom_data: { plan: "pro" },
      },
      matched_seq: 1,
      late: false,
      released_by: null,
    });
    expect(record.attribution.age_ms).toBeGreaterThanOrEqual(0);
    expect((await request("GET", "/v1/calls?limit=1")).json().data).toEqual([record]);
  });

  it("filters", async () => {
    const world = await makeWorld(db, 2);
    const key = await keyOf(world.account.id, ["read"]);
    const { number } = await presented(world);
    const matched = (await call(number)).ref.callId;
    const unseen = world.numbers.find((other) => other !== number) ?? "";
    const never = (await call(unseen)).ref.callId;
    const unknown = (await call("+14155550000")).ref.callId;
    const list = async (query: string, as: string | undefined = key) => {
      const response = await request("GET", `/v1/calls?${query}`, as === undefined ? {} : { key: as });
      return response.json().data.map((row: { id: string }) => row.id);
    };
    expect(await list("")).toEqual([never, matched]);
    expect(await list("attribution=matched")).toEqual([matched]);
    expect(await list(`promo_number=${unseen}`)).toEqual([never]);
    expect(await list(`pool_id=${world.pool.id}`)).toEqual([never, matched]);
    expect(await list("pool_id=pool_none")).toEqual([]);
    expect(await list("disposition=intercepted")).toEqual([]);
    const { body } = await request("GET", "/v1/calls?disposition=unknown_number&promo_number=%2B14155550000");
    expect(JSON.parse(body).data.map((row: { id: string }) => row.id)).toEqual([unknown]);
    const { received_at: at, updated_at: updated } = (await request("GET", `/v1/calls/${never}`)).json();
    expect(await list(`from=${at}`)).toEqual([never]);
    expect(await list(`to=${at}`)).toEqual([matched]);
    expect(await list(`updated_since=${updated}`)).toEqual([never]);
    expect(await list("to=2020-01-01")).toEqual([]);
  });

  it("pages are stable while calls arrive", async () => {
    const world = await makeWorld(db, 1);
    const key = await keyOf(world.account.id, ["read"]);
    const [number = ""] = world.numbers;
    const made: string[] = [];
    for (let i = 0; i < 7; i++) {
      made.unshift((await call(number)).ref.callId);
      await nextMillisecond();
    }
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const page = (await request("GET", `/v1/calls?limit=2${query}`, { key })).json();
      seen.push(...page.data.map((row: { id: string }) => row.id));
      cursor = page.next_cursor;
      await call(number);
    }
    expect(seen).toEqual(made);
  });

  it("a cursor that is broken or of another list is 422", async () => {
    const world = await makeWorld(db, 1);
    for (let i = 0; i < 2; i++) await call(world.numbers[0] ?? "");
    const { next_cursor: mine } = (await request("GET", "/v1/calls?limit=1")).json();
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const attempts = [
      ["/v1/pools", mine],
      ["/v1/calls", `${mine}x`],
      ["/v1/calls", "!"],
      ["/v1/calls", encode({})],
      ["/v1/calls", encode(["calls"])],
      ["/v1/calls", encode(["calls", "now", "call_1"])],
      ["/v1/calls", encode(["calls", 1e300, "call_1"])],
      ["/v1/calls", encode(["calls", 1, "call_\0"])],
      ["/v1/calls", encode(["calls", 1, "call_1", "more"])],
      ["/v1/presentations", encode(["presentations", "2026-02-30T00:00:00.000000Z", "x"])],
      ["/v1/presentations", encode(["presentations", "0000-01-01T00:00:00.000000Z", "x"])],
      ["/v1/calls", "a".repeat(1_000)],
    ];
    for (const [url, cursor] of attempts) {
      const problem = problemIn(await request("GET", `${url}?cursor=${encodeURIComponent(cursor)}`));
      expect([cursor, problem.status, problem.errors?.[0]?.path]).toEqual([cursor, 422, "cursor"]);
    }
  });

  it("another account's call, and one of no account, do not exist", async () => {
    const [mine, theirs] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const key = await keyOf(mine.account.id, ["read"]);
    for (const number of [theirs.numbers[0] ?? "", "+14155550000"]) {
      const { ref } = await call(number);
      for (const suffix of ["", "/explanation"]) {
        expect(problemIn(await request("GET", `/v1/calls/${ref.callId}${suffix}`, { key })).code).toBe("not_found");
      }
    }
    expect((await request("GET", "/v1/calls", { key })).json().data).toEqual([]);
  });
});

describe("callers", () => {
  it("are shown by their last four digits, and whole only with calls:pii, which is logged", async () => {
    const world = await makeWorld(db, 1);
    const { ref } = await call(world.numbers[0] ?? "");
    const plain = await keyOf(world.account.id, ["read", "write", "admin"]);
    const pii = await keyOf(world.account.id, ["read", "calls:pii"]);
    const url = `/v1/calls/${ref.callId}`;
    lines.length = 0;
    expect((await request("GET", url, { key: plain })).json().caller).toEqual({
      number: null,
      last4: "0123",
      name: null,
    });
    expect(lines.filter(({ event }) => event === "pii.revealed")).toEqual([]);
    for (const [from, pick] of [
      [url, (json: { caller: unknown }) => json.caller],
      ["/v1/calls", (json: { data: [{ caller: unknown }] }) => json.data[0].caller],
    ] as const) {
      lines.length = 0;
      const json = (await request("GET", from, { key: pii })).json();
      expect(pick(json)).toEqual({ number: CALLER, last4: "0123", name: null });
      const [audit] = lines.filter(({ event }) => event === "pii.revealed");
      expect(audit?.fields).toMatchObject({ keyId: expect.stringMatching(/^key_/), callIds: [ref.callId] });
    }
    lines.length = 0;
    const masked = (await request("GET", "/v1/calls?callers=masked", { key: pii })).json();
    expect(masked.data[0].caller).toEqual({ number: null, last4: "0123", name: null });
    expect(lines.filter(({ event }) => event === "pii.revealed")).toEqual([]);
    expect(JSON.stringify(lines)).not.toContain(CALLER);
  });

  it("who forwarded the call is shown like the caller", async () => {
    const world = await makeWorld(db, 1);
    const forwarder = "+12125550144";
    const { ref } = await openCall(
      { db, secrets, ids },
      {
        call: inboundCall(world.numbers[0] ?? "", { caller: null, diversion: forwarder }),
        callId: ids.next("call"),
        late: null,
      },
    );
    const url = `/v1/calls/${ref.callId}`;
    const diversionTo = async (scopes: Parameters<typeof keyOf>[1]) =>
      (await request("GET", url, { key: await keyOf(world.account.id, scopes) })).json().diversion;
    lines.length = 0;
    expect(await diversionTo(["read"])).toEqual({ number: null, last4: "0144" });
    expect(lines.filter(({ event }) => event === "pii.revealed")).toEqual([]);
    expect(await diversionTo(["read", "calls:pii"])).toEqual({ number: forwarder, last4: "0144" });
    const [audit] = lines.filter(({ event }) => event === "pii.revealed");
    expect(audit?.fields).toMatchObject({ callIds: [ref.callId] });
    expect(JSON.stringify(lines)).not.toContain(forwarder);
    const stored = await rows(db, "select c::text as text from call c where id = $1", [ref.callId]);
    expect(JSON.stringify(stored)).not.toContain(forwarder.slice(2));
    const { ref: direct } = await call(world.numbers[0] ?? "");
    expect((await request("GET", `/v1/calls/${direct.callId}`)).json().diversion).toBeNull();
  });

  it("their names are shown with calls:pii alone, which is logged", async () => {
    const world = await makeWorld(db, 1);
    const name = "ZÖE QUARTZ-7";
    const named = async (changes: Parameters<typeof inboundCall>[1]) => {
      const call = inboundCall(world.numbers[0] ?? "", { callerName: name, ...changes });
      return (await openCall({ db, secrets, ids }, { call, callId: ids.next("call"), late: null })).ref.callId;
    };
    const callId = await named({});
    const callerTo = async (id: string, scopes: Parameters<typeof keyOf>[1]) =>
      (await request("GET", `/v1/calls/${id}`, { key: await keyOf(world.account.id, scopes) })).json().caller;
    lines.length = 0;
    expect(await callerTo(callId, ["read", "write"])).toEqual({ number: null, last4: "0123", name: null });
    expect(lines.filter(({ event }) => event === "pii.revealed")).toEqual([]);
    expect(await callerTo(callId, ["read", "calls:pii"])).toEqual({ number: CALLER, last4: "0123", name });
    const [audit] = lines.filter(({ event }) => event === "pii.revealed");
    expect(audit?.fields).toMatchObject({ callIds: [callId] });
    expect(JSON.stringify(lines)).not.toContain("QUARTZ");
    const withheld = await named({ caller: null });
    expect(await callerTo(withheld, ["read", "calls:pii"])).toEqual({ number: null, last4: null, name: null });
    const stored = await rows(db, "select c::text as text from call c where id = $1", [callId]);
    expect(JSON.stringify(stored)).not.toContain("QUARTZ");
    expect(JSON.stringify(stored)).not.toContain(Buffer.from("QUARTZ").toString("hex"));
    expect(await rows(db, "select caller_name_enc from call where id = $1", [withheld])).toEqual([
      { caller_name_enc: null },
    ]);
  });

  it("an anonymous caller is null, and nothing is revealed", async () => {
    const world = await makeWorld(db, 1);
    const { ref } = await call(world.numbers[0] ?? "", null);
    lines.length = 0;
    const { caller } = (await request("GET", `/v1/calls/${ref.callId}`)).json();
    expect(caller).toEqual({ number: null, last4: null, name: null });
    expect(lines.filter(({ event }) => event === "pii.revealed")).toEqual([]);
  });

  it("one sealed with a key that is gone hides its number, not the page", async () => {
    const world = await makeWorld(db, 1);
    const [number = ""] = world.numbers;
    const gone = createSecrets("another secret that is gone by now", systemRandom);
    const input = { call: inboundCall(number), callId: ids.next("call"), late: null };
    await openCall({ db, secrets: gone, ids }, input);
    await call(number);
    const { data } = (await request("GET", `/v1/calls?account_id=${world.account.id}`)).json();
    expect(data.map((row: { caller: { number: string | null } }) => row.caller.number)).toEqual([CALLER, null]);
    expect(lines.some(({ level, event }) => level === "error" && event === "pii.unreadable")).toBe(true);
  });
});

describe("GET /v1/calls/:id/explanation", () => {
  it("names every visitor considered, the choice, and the runner-up", async () => {
    const world = await makeWorld(db, 1, { sessionLifetimeS: 1, retentionS: 259_200 });
    const now = Date.now();
    const [first] = await presentBatch(db, [allocationFor(world)], now - 60_000);
    const [second] = await presentBatch(db, [allocationFor(world)], now - 30_000);
    if (first?.kind !== "presented" || second?.kind !== "presented") throw new Error("no number was presented");
    const { ref } = await call(second.promoNumber);
    const key = await keyOf(world.account.id, ["read"]);
    const explanation = (await request("GET", `/v1/calls/${ref.callId}/explanation`, { key })).json();
    expect(explanation).toMatchObject({
      call_id: ref.callId,
      outcome: "matched",
      candidates: [
        { presentation_id: second.presentationId, visitor_id: second.visitorId, chosen: true, seq: 2 },
        { presentation_id: first.presentationId, visitor_id: first.visitorId, chosen: false, seq: 1 },
      ],
      runner_up: { presentation_id: first.presentationId },
    });
    expect(explanation.reason).toMatch(/latest visitor/);
    const [chosen, other] = explanation.candidates;
    expect(chosen.probability).toBe(explanation.confidence);
    expect(chosen.probability).toBeGreaterThan(other.probability);
    expect(chosen.age_ms).toBeLessThan(other.age_ms);
  });

  it("says why there is none", async () => {
    const { ref } = await call("+14155550000");
    const explanation = (await request("GET", `/v1/calls/${ref.callId}/explanation`)).json();
    expect(explanation).toMatchObject({ outcome: "unattributable", candidates: [], runner_up: null, confidence: null });
    expect(problemIn(await request("GET", "/v1/calls/call_none/explanation")).code).toBe("not_found");
  });
});

describe("GET /v1/intercepts", () => {
  it("lists calls on numbers that no business holds, newest first", async () => {
    const world = await makeWorld(db, 2);
    const [a = "", b = ""] = world.numbers;
    for (const number of [a, b]) {
      await request("DELETE", `/v1/pools/${world.pool.id}/numbers/${number}?now=true`);
    }
    await call(a);
    await call(a);
    await call(b, null);
    const list = async (query = "") => (await request("GET", `/v1/intercepts?${query}`)).json();
    const { data } = await list(`number=${a}`);
    expect(data).toMatchObject([
      {
        number: a,
        counted: false,
        not_counted_reason: "repeat_caller",
        former_account_id: world.account.id,
        ingress: "sip",
      },
      { number: a, counted: true, not_counted_reason: null, caller: { number: CALLER, last4: "0123" } },
    ]);
    const first = await list("limit=1");
    expect(first.data).toMatchObject([{ number: b, caller: { number: null, last4: null } }]);
    expect((await list(`limit=2&cursor=${first.next_cursor}`)).data).toEqual(data);
    const admin = await keyOf(null, ["admin"]);
    const masked = (await request("GET", `/v1/intercepts?number=${a}`, { key: admin })).json().data;
    expect(masked[0].caller).toEqual({ number: null, last4: "0123" });
    const stored = await rows(db, "select * from intercept");
    expect(JSON.stringify(stored)).not.toContain(CALLER);
  });
});
