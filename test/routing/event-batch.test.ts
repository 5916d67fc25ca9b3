import { describe, expect, it } from "vitest";
import { getCall } from "../../src/attribution/calls.store.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { EventBatch, type GatheredEvents } from "../../src/routing/event-batch.js";
import { foldEvents } from "../../src/routing/fold-events.js";
import { openCall } from "../../src/routing/open-call.js";
import { routeCall } from "../../src/routing/route-call.js";
import type { CallEvent } from "../../src/telephony/call-event.js";
import { freshDatabase } from "../support/database.js";
import { startRouting } from "../support/routing.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets } from "../support/world.js";

const { db } = await freshDatabase();

async function openCalls(count: number) {
  const world = await makeWorld(db, count);
  await presentBatch(
    db,
    world.numbers.map(() => allocationFor(world)),
  );
  return Promise.all(
    world.numbers.map(async (number) => {
      const opening = { call: inboundCall(number), callId: ids.next("call"), late: null };
      return (await openCall({ db, ids, secrets }, opening)).ref;
    }),
  );
}

const ringing = (at: number): CallEvent => ({ kind: "ringing", at });
const answered = (at: number): CallEvent => ({ kind: "answered", at });
const ended = (at: number, cause = "normal_clearing"): CallEvent => ({
  kind: "ended",
  status: "completed",
  releasedBy: "caller",
  cause,
  authority: 2,
  talkMs: null,
  at,
});

describe("what happens to calls within a moment", () => {
  it("is written together: one transaction, one update a call, everything of a call in its order", async () => {
    const refs = await openCalls(3);
    const batches: GatheredEvents[][] = [];
    const batch = new EventBatch(async (some) => {
      batches.push([...some]);
      await db.transaction((tx) => foldEvents(tx, some));
    });
    const written = refs.flatMap((ref) => [
      batch.add(ref, [ringing(ref.receivedAt + 10)], null),
      batch.add(ref, [answered(ref.receivedAt + 20), ended(ref.receivedAt + 5_020)], null),
    ]);
    await Promise.all(written);
    expect(batches.map((some) => some.length)).toEqual([3]);
    expect(batches[0]?.[0]?.events.map(({ kind }) => kind)).toEqual(["ringing", "answered", "ended"]);
    for (const { callId } of refs) {
      const record = await getCall(db, { id: callId, accountId: null });
      expect(record).toMatchObject({ status: "completed", ringMs: 10, talkMs: 5_000 });
      expect(record.attribution.confidence).toBeGreaterThan(0);
    }
  });

  it("comes after what is being written of the same call, never beside it", async () => {
    const [ref] = await openCalls(1);
    if (ref === undefined) throw new Error("no call");
    const log: string[] = [];
    let finish: () => void = () => undefined;
    const batch = new EventBatch(async (some) => {
      const kinds = some.flatMap(({ events }) => events.map(({ kind }) => kind)).join();
      log.push(`begin ${kinds}`);
      if (kinds === "ringing")
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
      log.push(`end ${kinds}`);
    });
    const first = batch.add(ref, [ringing(1)], null);
    const flushed = batch.flush();
    const second = batch.add(ref, [answered(2)], null);
    finish();
    await Promise.all([first, second, flushed]);
    expect(log).toEqual(["begin ringing", "end ringing", "begin answered", "end answered"]);
  });
});

describe("what is held of a call", () => {
  it("is waited for also while somebody else's wait has it written already", async () => {
    const [first, second] = await openCalls(2);
    if (first === undefined || second === undefined) throw new Error("no calls");
    let finish: () => void = () => undefined;
    const batch = new EventBatch(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    void batch.add(first, [ringing(1)], null);
    void batch.add(second, [ringing(1)], null);
    const settled: string[] = [];
    const waits = [
      batch.settle(first.callId).then(() => settled.push("first")),
      batch.settle(second.callId).then(() => settled.push("second")),
    ];
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toEqual([]);
    finish();
    await Promise.all(waits);
    await batch.settle(first.callId);
  });
});

describe("the call log", () => {
  it("lets a further try of a call go on from what it still holds of the first", async () => {
    const world = await makeWorld(db, 1);
    const routing = await startRouting(db);
    try {
      const call = inboundCall(world.numbers[0] ?? "");
      const first = await routeCall(routing.deps, call);
      const at = first.arrivedAt;
      void routing.callLog.record(first.ref, [
        { kind: "attempt_started", index: 0, target: "sip:business@127.0.0.1:5090", at },
        { kind: "attempt_failed", index: 0, sipStatus: 486, cause: "sip_486", at },
      ]);
      expect(await routeCall(routing.deps, call)).toMatchObject({ isRepeat: true, attemptsBefore: 1 });
    } finally {
      await routing.stop();
    }
  });

  it("writes the others when the database refuses the events of one, and keeps that one's for a person", async () => {
    const refs = await openCalls(5);
    const routing = await startRouting(db);
    try {
      await Promise.all(
        refs.map((ref, index) =>
          routing.callLog.record(ref, [
            answered(ref.receivedAt),
            ended(ref.receivedAt + 1_000, index === 2 ? "not \u0000 storable" : "normal_clearing"),
          ]),
        ),
      );
      const statuses = await Promise.all(
        refs.map(async ({ callId }) => (await getCall(db, { id: callId, accountId: null })).status),
      );
      expect(statuses).toEqual(refs.map((_ref, index) => (index === 2 ? "ringing" : "completed")));
      await routing.callLog.replayNow();
      expect(routing.spool.isEmpty).toBe(true);
      expect(routing.spooled()).toContain(refs[2]?.callId);
    } finally {
      await routing.stop();
    }
  });
});
