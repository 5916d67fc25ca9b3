/** What the database itself writes down to be told: every change that an endpoint wants to hear of, in its own transaction, once. */
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { CallRef } from "../../src/attribution/calls.store.js";
import { quarantineNumber, releaseNumber } from "../../src/pool/number-moves.js";
import { scalePool } from "../../src/pool/scale-pool.js";
import { addExhaustions } from "../../src/pool/pool-scaling.store.js";
import { openCall } from "../../src/routing/open-call.js";
import type { CallEvent } from "../../src/telephony/call-event.js";
import { freshDatabase, rows } from "../support/database.js";
import { startRouting } from "../support/routing.js";
import { addInventory, ids, inboundCall, makeWorld, secrets, tollFreeNumbers } from "../support/world.js";

const { db } = await freshDatabase();
const { callLog, stop } = await startRouting(db);
afterAll(stop);
const never = new AbortController().signal;
const CALLS = ["call.received", "call.routed", "call.completed", "call.updated"];

interface Told {
  readonly id: number;
  readonly type: string;
  readonly at: number;
  readonly account_id: string | null;
  readonly call_id: string | null;
  readonly data: Record<string, unknown> | null;
}

beforeEach(async () => {
  await rows(db, "truncate outbox, outgoing_delivery, webhook_endpoint");
});

async function listen(accountId: string | null, events: readonly string[], enabled = true): Promise<string> {
  const id = ids.next("whk");
  await rows(
    db,
    `insert into webhook_endpoint (id, account_id, url, events, secret_enc, enabled, disabled_at, disabled_reason)
     values ($1, $2, 'https://example.com', $3, '', $4, case when not $4 then now() end, case when not $4 then 'asked' end)`,
    [id, accountId, events, enabled],
  );
  return id;
}

async function told(): Promise<Told[]> {
  return rows<Told>(db, "select id, type, at, account_id, call_id, data from outbox order by id");
}

async function toldOf(ref: CallRef): Promise<string[]> {
  return (await told()).filter(({ call_id: id }) => id === ref.callId).map(({ type }) => type);
}

async function open(number: string): Promise<CallRef> {
  return (await callLog.open({ call: inboundCall(number), callId: ids.next("call"), signal: never })).ref;
}

function events(at: number): Record<"attempt" | "ringing" | "answered" | "ended" | "better" | "retried", CallEvent> {
  const end = { kind: "ended", cause: "16", talkMs: null, at: at + 300 } as const;
  return {
    attempt: { kind: "attempt_started", index: 0, target: "sip:a", at },
    ringing: { kind: "ringing", at: at + 100 },
    answered: { kind: "answered", at: at + 200 },
    ended: { ...end, status: "completed", releasedBy: "caller", authority: 1 },
    better: { ...end, status: "busy", releasedBy: "callee", authority: 2 },
    retried: { kind: "retried", at: at + 1_000 },
  };
}

describe("a call", () => {
  it("is received, routed when it first rings, completed, and updated by what changes afterwards", async () => {
    const { account, numbers } = await makeWorld(db, 1);
    await listen(account.id, CALLS);
    const ref = await open(numbers[0] as string);
    const e = events(ref.receivedAt);
    await callLog.record(ref, [e.attempt]);
    expect(await toldOf(ref)).toEqual(["call.received"]);
    await callLog.record(ref, [e.ringing]);
    await callLog.record(ref, [e.answered]);
    expect(await toldOf(ref)).toEqual(["call.received", "call.routed"]);
    await callLog.record(ref, [e.ended]);
    await callLog.record(ref, [e.ended]);
    expect(await toldOf(ref)).toEqual(["call.received", "call.routed", "call.completed"]);
    await callLog.record(ref, [e.better]);
    const all = ["call.received", "call.routed", "call.completed", "call.updated"];
    expect(await toldOf(ref)).toEqual(all);
    const [received, routed, completed] = await told();
    expect(received).toMatchObject({ at: ref.receivedAt, account_id: account.id });
    expect(routed?.at).toBe(ref.receivedAt + 100);
    expect(completed?.at).toBe(ref.receivedAt + 300);
  });

  it("whose whole life is written at once is still told in order", async () => {
    const { numbers } = await makeWorld(db, 1);
    await listen(null, CALLS);
    const ref = await open(numbers[0] as string);
    const e = events(ref.receivedAt);
    await callLog.record(ref, [e.attempt, e.ringing, e.answered, e.ended]);
    expect(await toldOf(ref)).toEqual(["call.received", "call.routed", "call.completed"]);
  });

  it("that rings nowhere is never routed; one heard to have rung only after its end is updated", async () => {
    const { numbers } = await makeWorld(db, 1);
    await listen(null, CALLS);
    const ref = await open(numbers[0] as string);
    const e = events(ref.receivedAt);
    await callLog.record(ref, [{ ...e.ended, status: "failed" } as CallEvent]);
    await callLog.record(ref, [e.ringing]);
    expect(await toldOf(ref)).toEqual(["call.received", "call.completed", "call.updated"]);
  });

  it("that its carrier tries again after its end is completed once; the rest are updates", async () => {
    const { numbers } = await makeWorld(db, 1);
    await listen(null, CALLS);
    const ref = await open(numbers[0] as string);
    const e = events(ref.receivedAt);
    await callLog.record(ref, [{ ...e.ended, status: "failed" } as CallEvent]);
    await callLog.record(ref, [e.retried]);
    await callLog.record(ref, [{ kind: "answered", at: ref.receivedAt + 1_100 }]);
    await callLog.record(ref, [{ ...e.ended, at: ref.receivedAt + 2_000 }]);
    const seen = await toldOf(ref);
    expect(seen).toEqual(["call.received", "call.completed", "call.updated", "call.routed", "call.updated"]);
  });

  it("is updated by each correction, also while it is up", async () => {
    const { numbers } = await makeWorld(db, 1);
    await listen(null, CALLS);
    const ref = await open(numbers[0] as string);
    await rows(db, "update call set revision = 1, updated_at = now() where id = $1", [ref.callId]);
    await callLog.record(ref, [events(ref.receivedAt).ended]);
    await rows(db, "update call set revision = 2, updated_at = now() where id = $1", [ref.callId]);
    await rows(db, "update call set updated_at = now() where id = $1", [ref.callId]);
    expect(await toldOf(ref)).toEqual(["call.received", "call.updated", "call.completed", "call.updated"]);
  });

  it("that loses what names its caller, or is erased, is told to nobody", async () => {
    const { numbers } = await makeWorld(db, 1);
    await listen(null, CALLS);
    const ref = await open(numbers[0] as string);
    await callLog.record(ref, [events(ref.receivedAt).ended]);
    await rows(db, "update call set caller_enc = null, caller_last4 = null, updated_at = now() where id = $1", [
      ref.callId,
    ]);
    await db.transaction(async (tx) => {
      await tx.query({ name: "", text: "select set_config('ringmatch.erasing', 'on', true)" });
      await tx.query({ name: "", text: "update call set landing_page = 'x', updated_at = now()" });
    });
    expect(await toldOf(ref)).toEqual(["call.received", "call.completed"]);
  });

  it("that reaches nobody is received and completed, an intercepted one is told as such too", async () => {
    const world = await makeWorld(db, 1);
    const e164 = world.numbers[0] as string;
    await quarantineNumber({ db, schedule: world.schedule }, { e164, accountId: null, reason: "test", actor: "test" });
    await listen(null, [...CALLS, "number.intercepted"]);
    await listen(world.account.id, [...CALLS, "number.intercepted"]);
    const intercepted = await open(e164);
    await open("+18885559999");
    const seen = await told();
    expect(seen.map(({ type }) => type)).toEqual([
      "call.received",
      "call.completed",
      "number.intercepted",
      "call.received",
      "call.completed",
    ]);
    const formerly = { number: e164, call_id: intercepted.callId, counted: true, former_account_id: world.account.id };
    expect(seen[2]).toMatchObject({ account_id: world.account.id, call_id: null, data: formerly });
    expect(JSON.stringify(seen)).not.toContain("4155550123");
  });

  it("that went through the spool, twice even, is told once and in order", async () => {
    const { numbers } = await makeWorld(db, 1);
    await listen(null, CALLS);
    const call = inboundCall(numbers[0] as string);
    const ref = { callId: ids.next("call"), receivedAt: Date.now() };
    const e = events(ref.receivedAt);
    callLog.openLate({ call, ...ref });
    callLog.openLate({ call, ...ref });
    await callLog.record(ref, [e.ringing, e.answered]);
    await callLog.record(ref, [e.answered, e.ended]);
    await callLog.replayNow();
    expect(await toldOf(ref)).toEqual(["call.received", "call.routed", "call.completed"]);
  });

  it("opened in a batch, some of it seen before, is told once each", async () => {
    const { numbers } = await makeWorld(db, 3);
    await listen(null, CALLS);
    const calls = numbers.map((number) => inboundCall(number));
    await Promise.all(
      [...calls, ...calls].map((call) => callLog.open({ call, callId: ids.next("call"), signal: never })),
    );
    await callLog.written();
    expect((await told()).map(({ type }) => type)).toEqual(["call.received", "call.received", "call.received"]);
  });

  it("that is written when it has ended already is told in order, too", async () => {
    const { numbers } = await makeWorld(db, 6);
    await listen(null, CALLS);
    const opened = await Promise.all(
      numbers.map((number) => callLog.open({ call: inboundCall(number), callId: ids.next("call"), signal: never })),
    );
    const [ended, rings, refused] = opened.map(({ ref }) => ref) as [CallRef, CallRef, CallRef];
    const e = events(ended.receivedAt);
    void callLog.record(ended, [e.attempt, e.ringing, e.answered, e.ended]);
    void callLog.record(rings, [e.attempt, e.ringing]);
    void callLog.record(refused, [e.attempt, { ...e.ended, status: "busy" } as CallEvent]);
    await callLog.written();
    expect(await toldOf(ended)).toEqual(["call.received", "call.routed", "call.completed"]);
    expect(await toldOf(rings)).toEqual(["call.received", "call.routed"]);
    expect(await toldOf(refused)).toEqual(["call.received", "call.completed"]);
    await callLog.record(rings, [e.answered, e.ended]);
    expect(await toldOf(rings)).toEqual(["call.received", "call.routed", "call.completed"]);
    const at = (await told()).filter(({ call_id: id }) => id === ended.callId).map((one) => one.at);
    expect(at).toEqual([ended.receivedAt, ended.receivedAt + 100, ended.receivedAt + 300]);
  });

  it("that was rolled back was never told, nor what others changed with it", async () => {
    const { numbers } = await makeWorld(db, 1);
    await listen(null, CALLS);
    const rolledBack = db.transaction(async (tx) => {
      const within = { db: { ...db, query: tx.query.bind(tx) }, secrets, ids };
      const late = { call: inboundCall(numbers[0] as string), callId: ids.next("call"), late: Date.now() };
      await openCall(within, late);
      expect(await tx.query({ name: "", text: "select type from outbox" })).toEqual([{ type: "call.received" }]);
      throw new Error("undone");
    });
    await expect(rolledBack).rejects.toThrow("undone");
    expect(await told()).toEqual([]);
  });

  it("is written down only where an enabled endpoint of its account, or of the platform, asked for that event", async () => {
    const { account, numbers } = await makeWorld(db, 1);
    const other = await makeWorld(db, 1);
    await listen(account.id, ["call.completed"]);
    await listen(account.id, ["call.received"], false);
    await listen(other.account.id, ["call.received"]);
    const ref = await open(numbers[0] as string);
    await callLog.record(ref, [events(ref.receivedAt).ringing, events(ref.receivedAt).ended]);
    expect(await toldOf(ref)).toEqual(["call.completed"]);
  });
});

describe("numbers and pools", () => {
  const move = { reason: "test", actor: "test" };

  it("tell a quarantine and a release to the account that held the number, and nothing in between", async () => {
    const world = await makeWorld(db, 2);
    const [e164 = "", other = ""] = world.numbers;
    await listen(world.account.id, ["number.quarantined", "number.released"]);
    const deps = { db, schedule: world.schedule };
    await quarantineNumber(deps, { e164, accountId: null, ...move });
    await releaseNumber(deps, { e164, force: true, ...move });
    await rows(db, "truncate webhook_endpoint cascade");
    await quarantineNumber(deps, { e164: other, accountId: null, ...move });
    const seen = await told();
    expect(seen.map(({ type, account_id: id, data }) => [type, id, data?.["number"], data?.["state"]])).toEqual([
      ["number.quarantined", world.account.id, e164, "quarantined"],
      ["number.released", world.account.id, e164, "available"],
    ]);
  });

  it("tell the platform alone when a number goes back from the inventory", async () => {
    const world = await makeWorld(db, 1);
    const e164 = world.numbers[0] as string;
    const deps = { db, schedule: world.schedule };
    await quarantineNumber(deps, { e164, accountId: null, ...move });
    await releaseNumber(deps, { e164, force: true, ...move });
    await listen(world.account.id, ["number.quarantined"]);
    await quarantineNumber(deps, { e164, accountId: null, ...move });
    expect(await told()).toEqual([]);
  });

  it("tell an exhausted pool at most once in the interval", async () => {
    const { account, pool } = await makeWorld(db, 1);
    await listen(account.id, ["pool.exhausted"]);
    const exhausted = { poolId: pool.id, count: 3, isUrgent: false };
    await addExhaustions(db, [exhausted]);
    await addExhaustions(db, [exhausted]);
    expect((await told()).map(({ type, data }) => [type, data?.["pool_id"], data?.["exhausted"]])).toEqual([
      ["pool.exhausted", pool.id, 3],
    ]);
    await rows(db, "update pool_scaling set exhaustion_told_at = now() - interval '301 seconds' where pool_id = $1", [
      pool.id,
    ]);
    await addExhaustions(db, [exhausted]);
    expect((await told()).map(({ data }) => data?.["newly_exhausted"])).toEqual([3, 3]);
  });

  it("tell a pool that was scaled, not one that stayed as it was", async () => {
    const world = await makeWorld(db, 1, { maxSize: 9 });
    await addInventory(db, tollFreeNumbers(5));
    await listen(world.account.id, ["pool.scaled"]);
    const deps = { db, ids, schedule: world.schedule, canBuy: false };
    await scalePool(deps, { poolId: world.pool.id, size: 3, buy: false, actor: "test" });
    await scalePool(deps, { poolId: world.pool.id, size: 3, buy: false, actor: "test" });
    const seen = await told();
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ type: "pool.scaled", data: { pool_id: world.pool.id, added: 2, size_after: 3 } });
  });
});
