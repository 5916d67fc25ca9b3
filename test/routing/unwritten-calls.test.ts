import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { CallRecord } from "../../src/attribution/call-record.js";
import { getCall } from "../../src/attribution/calls.store.js";
import type { Database } from "../../src/db/database.js";
import { AppError } from "../../src/kernel/errors.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import type { InboundCall } from "../../src/routing/inbound-call.js";
import { openCall } from "../../src/routing/open-call.js";
import { routeCall, type RoutedCall } from "../../src/routing/route-call.js";
import type { CallEvent } from "../../src/telephony/call-event.js";
import { freshDatabase, rows } from "../support/database.js";
import { presentTo } from "../support/judged.js";
import { recordingLog } from "../support/recording-log.js";
import { startRouting, type TestRouting } from "../support/routing.js";
import { until } from "../support/until.js";
import { ids, inboundCall, makeWorld, secrets, type World } from "../support/world.js";

const { db } = await freshDatabase();

const toStop: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

/** A database that takes no transaction until it is let: what is gathered stays with the process. */
function heldBack() {
  let go: () => void = () => undefined;
  let refusal: Error | null = null;
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  const database: Database = {
    ...db,
    transaction: async (work) => {
      await held;
      if (refusal !== null) throw refusal;
      return db.transaction(work);
    },
  };
  const refuse = (error: Error | null): void => {
    refusal = error;
    go();
  };
  return { database, go, refuse };
}

async function startNode(database: Database, dir?: string): Promise<TestRouting> {
  const node = await startRouting(database, undefined, dir);
  toStop.push(() => node.stop());
  return node;
}

/** So many that a record does not come first, each presented to a visitor of its own. */
const MANY = 12;

async function presentedWorld(): Promise<{ world: World; numbers: string[]; visitors: string[] }> {
  const world = await makeWorld(db, MANY);
  const visitors = world.numbers.map(() => ids.next("vis"));
  const numbers: string[] = [];
  for (const visitor of visitors) numbers.push(await presentTo(db, world, visitor));
  return { world, numbers, visitors };
}

/** On a busy machine a match may not come in time; then the calls are others. */
function ringTogether(
  node: TestRouting,
  make: () => InboundCall[],
): Promise<{ calls: InboundCall[]; routed: RoutedCall[] }> {
  return until("all calls are matched in time", async () => {
    const calls = make();
    const routed = await Promise.all(calls.map((call) => routeCall(node.deps, call)));
    return routed.some(({ isLate }) => isLate) ? null : { calls, routed };
  });
}

const recordOf = (id: string): Promise<CallRecord> => getCall(db, { id, accountId: null });

async function recordOfKey(ingressKey: string): Promise<CallRecord> {
  const [row] = await rows<{ call_id: string }>(db, "select call_id from call_key where ingress_key = $1", [
    ingressKey,
  ]);
  return recordOf(row?.call_id ?? "none");
}

const countOf = async (calls: readonly InboundCall[]): Promise<number> => {
  const found = await rows(db, "select 1 from call_key where ingress_key = any ($1)", [calls.map((c) => c.ingressKey)]);
  return found.length;
};

function lifeOf(at: number): CallEvent[] {
  return [
    { kind: "attempt_started", index: 0, target: "sip:business@127.0.0.1:5090", at },
    { kind: "ringing", at: at + 10 },
    { kind: "answered", at: at + 20 },
    {
      kind: "ended",
      status: "completed",
      releasedBy: "caller",
      cause: "sip_bye",
      authority: 2,
      talkMs: null,
      at: at + 5_020,
    },
  ];
}

describe("calls on a busy node", () => {
  it("ring before their records are written, sealed on the disk meanwhile, and have them a moment later", async () => {
    const { numbers, visitors } = await presentedWorld();
    const held = heldBack();
    const node = await startNode(held.database);
    const { calls, routed } = await ringTogether(node, () => numbers.map((number) => inboundCall(number)));
    expect(await countOf(calls)).toBe(0);
    expect(routed.map(({ decision, isRepeat }) => [decision.kind, isRepeat])).toEqual(
      calls.map(() => ["route", false]),
    );
    for (const { ingressKey } of calls) expect(node.spooled()).toContain(ingressKey);
    expect(node.spooled()).not.toContain("4155550123");
    held.go();
    await node.callLog.written();
    for (const [index, { ref, presentationId }] of routed.entries())
      expect(await recordOf(ref.callId)).toMatchObject({
        receivedAt: ref.receivedAt,
        status: "ringing",
        promoNumber: numbers[index],
        attribution: { outcome: "matched", visitorId: visitors[index], presentationId, late: false },
      });
    expect(node.spooled()).toBe("");
  });

  it("are recorded, with all that has happened by then, as calls whose records came first", async () => {
    const { numbers } = await presentedWorld();
    const plain = await startNode(db);
    const first = await Promise.all(
      numbers
        .slice(0, 1)
        .map((number) => openCall(plain.deps, { call: inboundCall(number), callId: ids.next("call"), late: null })),
    );
    for (const { ref } of first) await plain.callLog.record(ref, lifeOf(ref.receivedAt));
    const held = heldBack();
    const node = await startNode(held.database);
    const { routed } = await ringTogether(node, () => numbers.map((number) => inboundCall(number, { caller: null })));
    for (const { ref } of routed) void node.callLog.record(ref, lifeOf(ref.receivedAt));
    held.go();
    await node.callLog.written();
    const expected = await recordOf(first[0]?.ref.callId ?? "");
    const { status, talkMs, ringMs, pddMs, hangupCause, releasedBy, touch } = comparable(expected);
    expect(status).toBe("completed");
    for (const { ref } of routed) {
      const record = await recordOf(ref.callId);
      expect(comparable(record)).toMatchObject({
        status,
        talkMs,
        ringMs,
        pddMs,
        hangupCause,
        releasedBy,
        touch,
      });
      expect(record.attribution.confidence).toBeGreaterThan(0.9);
      expect(record.answeredAt).toBe(ref.receivedAt + 20);
    }
    const [judged] = await rows(
      db,
      "select count(*)::int as n from call where id = any ($1) and judged_at is not null and finished_at is not null",
      [routed.map(({ ref }) => ref.callId)],
    );
    expect(judged).toEqual({ n: routed.length });
  });

  it("of one caller know of one another in the order in which they came, also of those that still ring", async () => {
    const { numbers } = await presentedWorld();
    const caller = "+14155550177";
    const held = heldBack();
    const node = await startNode(held.database);
    const { routed } = await ringTogether(node, () => numbers.map((number) => inboundCall(number, { caller })));
    const order = routed
      .map(({ ref }) => ref)
      .sort((a, b) => a.receivedAt - b.receivedAt || (a.callId < b.callId ? -1 : 1));
    for (const [index, ref] of order.entries()) if (index !== 1) void node.callLog.record(ref, lifeOf(ref.receivedAt));
    held.go();
    await node.callLog.written();
    const known = await Promise.all(
      order.map(async ({ callId }) => {
        const [row] = await rows(
          db,
          "select previous_call_id as previous, calls_before as before from call where id = $1",
          [callId],
        );
        return row;
      }),
    );
    // Tries that were not all matched in time came before.
    const { before: earlier = 0, previous } = known[0] as { before: number | null; previous: string | null };
    expect(known).toEqual(
      order.map((_ref, index) => {
        if (index === 0) return { previous, before: earlier };
        return index === 1
          ? { previous: null, before: null }
          : { previous: order[index - 1]?.callId, before: (earlier ?? 0) + index };
      }),
    );
  });

  it("have one record each when they come twice, and a further try goes on from what the first has left", async () => {
    const { numbers } = await presentedWorld();
    const held = heldBack();
    const node = await startNode(held.database);
    const { calls, routed } = await ringTogether(node, () => numbers.map((number) => inboundCall(number)));
    const [call] = calls as [InboundCall];
    const [first] = routed as [RoutedCall];
    const at = first.ref.receivedAt;
    void node.callLog.record(first.ref, [
      { kind: "attempt_started", index: 0, target: "sip:business@127.0.0.1:5090", at },
      { kind: "attempt_failed", index: 0, sipStatus: 486, cause: "sip_486", at: at + 5 },
    ]);
    const again = routeCall(node.deps, call);
    held.go();
    expect(await again).toMatchObject({ ref: first.ref, isRepeat: true, attemptsBefore: 1, isLate: false });
    expect(await routeCall(node.deps, call)).toMatchObject({ ref: first.ref, isRepeat: true });
    expect(await countOf(calls)).toBe(calls.length);
  });

  it("that come twice in one moment are one call", async () => {
    const { numbers } = await presentedWorld();
    const node = await startNode(db);
    const { calls, routed } = await ringTogether(node, () => {
      const once = numbers.map((number) => inboundCall(number));
      return [...once, ...once];
    });
    const half = calls.length / 2;
    expect(routed.map(({ isRepeat }) => isRepeat)).toEqual(calls.map((_call, index) => index >= half));
    expect(routed.slice(half).map(({ ref }) => ref)).toEqual(routed.slice(0, half).map(({ ref }) => ref));
    await node.callLog.written();
    expect(
      await rows(db, "select 1 from call where ingress_call_id = any ($1)", [calls.map((c) => c.ingressCallId)]),
    ).toHaveLength(half);
  });

  it("that another node opened at the same moment have that node's record, and what happened here stands in it", async () => {
    const { numbers } = await presentedWorld();
    const held = heldBack();
    const node = await startNode(held.database);
    const { calls, routed } = await ringTogether(node, () => numbers.map((number) => inboundCall(number)));
    const [call] = calls as [InboundCall];
    const [mine] = routed as [RoutedCall];
    const { ref: theirs } = await openCall({ db, ids, secrets }, { call, callId: ids.next("call"), late: null });
    void node.callLog.record(mine.ref, lifeOf(theirs.receivedAt), call.ingressKey);
    held.go();
    await node.callLog.written();
    await node.callLog.replayNow();
    expect(await recordOfKey(call.ingressKey)).toMatchObject({ id: theirs.callId, status: "completed", talkMs: 5_000 });
    expect(await countOf(calls)).toBe(calls.length);
    expect(node.spool.isEmpty).toBe(true);
  });
});

describe("records come first, however busy the node,", () => {
  it("where somebody may ask for them as soon as the phone rings, and where no phone rings", async () => {
    const told = await presentedWorld();
    await rows(db, "update destination set pass_ids = true where id = $1", [told.world.destination.id]);
    const { numbers, world } = await presentedWorld();
    const [quarantined = ""] = numbers;
    await quarantineNumber(
      { db, schedule: world.schedule },
      { e164: quarantined, accountId: null, reason: "test", actor: "test" },
    );
    const held = heldBack();
    const node = await startNode({ ...held.database, transaction: (work) => db.transaction(work) });
    const record = vi.spyOn(node.journal, "append");
    const { calls } = await ringTogether(node, () => [
      ...told.numbers.map((number) => inboundCall(number)),
      ...numbers.map((number) => inboundCall(number, { node: null, ingress: "twilio" })),
      inboundCall(quarantined),
      inboundCall("+18885559999"),
    ]);
    expect(await countOf(calls)).toBe(calls.length);
    expect(record).not.toHaveBeenCalled();
    expect(await rows(db, "select 1 from intercept where promo_number = $1", [quarantined])).not.toEqual([]);
  });

  it("when the journal's disk is full", async () => {
    const { numbers } = await presentedWorld();
    const { log, events } = recordingLog();
    const node = await startRouting(db, log);
    toStop.push(() => node.stop());
    vi.spyOn(node.journal, "append").mockImplementation(() => {
      throw new Error("ENOSPC: no space left on device");
    });
    const { calls } = await ringTogether(node, () => numbers.map((number) => inboundCall(number)));
    expect(await countOf(calls)).toBe(calls.length);
    expect(events).toContain("error call.journal_failed");
  });

  it("where calls come one at a time", async () => {
    const { numbers } = await presentedWorld();
    const node = await startNode(db);
    const append = vi.spyOn(node.journal, "append");
    for (const number of numbers.slice(0, 6)) {
      const call = inboundCall(number);
      const { isLate } = await routeCall(node.deps, call);
      if (!isLate) expect(await countOf([call])).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    expect(append).not.toHaveBeenCalled();
  });
});

describe("calls that ring, and are not written", () => {
  it("are in the spool when the database is away by then, and get their records late, with all that happened", async () => {
    const { numbers, visitors } = await presentedWorld();
    const held = heldBack();
    const node = await startNode(held.database);
    const { calls, routed } = await ringTogether(node, () => numbers.map((number) => inboundCall(number)));
    for (const { ref } of routed) void node.callLog.record(ref, lifeOf(ref.receivedAt));
    held.refuse(new AppError("database_unavailable", "The database is away."));
    await node.callLog.written();
    expect(node.spool.isEmpty).toBe(false);
    expect(await countOf(calls)).toBe(0);
    held.refuse(null);
    await until("the spool is replayed", async () => {
      await node.callLog.replayNow();
      return node.spool.isEmpty;
    });
    for (const [index, { ref }] of routed.entries())
      expect(await recordOf(ref.callId)).toMatchObject({
        status: "completed",
        talkMs: 5_000,
        attribution: { outcome: "matched", visitorId: visitors[index], late: true },
      });
    expect(node.spooled()).toBe("");
  });

  it("are written by the next life when this one is killed", async () => {
    const { numbers, visitors } = await presentedWorld();
    const dir = mkdtempSync(join(tmpdir(), "ringmatch-killed-"));
    const held = heldBack();
    const killed = await startNode(held.database, dir);
    const { calls } = await ringTogether(killed, () => numbers.map((number) => inboundCall(number)));
    const next = await startNode(db, dir);
    await until("its calls are written", async () => (await countOf(calls)) === calls.length);
    for (const [index, { ingressKey }] of calls.entries())
      expect(await recordOfKey(ingressKey)).toMatchObject({
        status: "ringing",
        attribution: { outcome: "matched", visitorId: visitors[index], late: true },
      });
    expect(next.spool.isEmpty).toBe(true);
    held.go();
    await killed.callLog.written();
  });

  it("are over in the next life when they were over in the one that was killed", async () => {
    const { numbers, visitors } = await presentedWorld();
    const dir = mkdtempSync(join(tmpdir(), "ringmatch-killed-"));
    const held = heldBack();
    const killed = await startNode(held.database, dir);
    const { calls, routed } = await ringTogether(killed, () => numbers.map((number) => inboundCall(number)));
    // One more, of a database that was away: it stands in the spool, and what happens to it does not yet.
    const late = inboundCall(numbers[0] ?? "");
    const lateRef = { callId: ids.next("call"), receivedAt: (routed[0] as RoutedCall).ref.receivedAt };
    killed.callLog.openLate({ call: late, ...lateRef });
    for (const ref of [...routed.map(({ ref }) => ref), lateRef])
      for (const event of lifeOf(ref.receivedAt)) void killed.callLog.record(ref, [event], null);
    await until("it is on the disk", () => killed.spooled().split('"ended"').length > calls.length + 1);
    const next = await startNode(db, dir);
    await until("the spool is replayed", () => next.spool.isEmpty);
    for (const [index, { ingressKey }] of [...calls, late].entries())
      expect(await recordOfKey(ingressKey)).toMatchObject({
        status: "completed",
        talkMs: 5_000,
        attribution: { outcome: "matched", visitorId: visitors[index % MANY], late: true },
      });
    held.go();
    await killed.callLog.written();
  });

  it("cost the others nothing when the database refuses one of them", async () => {
    const { numbers } = await presentedWorld();
    const held = heldBack();
    const node = await startNode(held.database);
    const { routed } = await ringTogether(node, () =>
      numbers.map((number, index) => inboundCall(number, index === 4 ? { verstat: "not \u0000 storable" } : {})),
    );
    held.go();
    await node.callLog.written();
    await node.callLog.replayNow();
    const found = await rows<{ id: string }>(db, "select id from call where id = any ($1)", [
      routed.map(({ ref }) => ref.callId),
    ]);
    expect(found).toHaveLength(routed.length - 1);
    expect(found.map(({ id }) => id)).not.toContain(routed[4]?.ref.callId);
    // For a person: set aside, and out of everybody's way.
    expect(node.spool.isEmpty).toBe(true);
    expect(node.spooled()).toContain(routed[4]?.ref.callId);
  });
});

/** What two equal calls of different visitors have in common. */
function comparable({ status, talkMs, ringMs, pddMs, hangupCause, releasedBy, attribution }: CallRecord) {
  return { status, talkMs, ringMs, pddMs, hangupCause, releasedBy, touch: attribution.touch };
}
