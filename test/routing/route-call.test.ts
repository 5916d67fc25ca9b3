import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { CallRecord } from "../../src/attribution/call-record.js";
import { getCall } from "../../src/attribution/calls.store.js";
import { readNumberFacts } from "../../src/attribution/match.store.js";
import { openDatabase } from "../../src/db/database.js";
import { databaseNow } from "../../src/db/database-now.js";
import { closeFormerLife } from "../../src/jobs/housekeeping.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { CallLog } from "../../src/routing/call-log.js";
import type { InboundCall } from "../../src/routing/inbound-call.js";
import { openCall } from "../../src/routing/open-call.js";
import { DatabaseClock } from "../../src/db/database-clock.js";
import { MATCH_LIMIT_MS, routeCall } from "../../src/routing/route-call.js";
import { RoutingTable } from "../../src/routing/routing-table.js";
import { CallJournal } from "../../src/routing/call-journal.js";
import { Spool } from "../../src/routing/spool.js";
import type { OpenedLater, SpooledEvents, SpoolEntry } from "../../src/routing/spooled-call.js";
import type { CallEvent } from "../../src/telephony/call-event.js";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets, type World } from "../support/world.js";

const { db, url } = await freshDatabase();
const CALLER = "+14155550187";
const MINUTE = 60_000;
/** How much later than the limit a decision may come on a busy machine. */
const MARGIN_MS = 150;

const toStop: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

/** What a process of the service holds, with a database that can be taken away from it alone. */
const CONNECTIONS = 4;

async function makeNode() {
  const proxy = await CuttableProxy.start(url);
  toStop.push(() => proxy.stop());
  const database = openDatabase({ url: proxy.url, log: silentLog, connectionsMax: CONNECTIONS });
  toStop.push(() => database.close());
  // A call has 150 ms: on a busy machine a connection that is still to be made takes most of that.
  await Promise.all(Array.from({ length: CONNECTIONS }, () => readNumberFacts(database, "+18887770000")));
  const dir = mkdtempSync(join(tmpdir(), "ringmatch-node-"));
  toStop.push(() => rmSync(dir, { recursive: true, force: true }));
  const spool = new Spool<SpoolEntry>(dir);
  const table = new RoutingTable({ database, log: silentLog, onChange: () => undefined });
  await table.start();
  toStop.push(() => table.stop());
  const journal = new CallJournal<OpenedLater>(dir, (path) => spool.adopt(path));
  const eventJournal = new CallJournal<SpooledEvents>(dir, (path) => spool.adoptLast(path), "events");
  const journals = { journal, eventJournal };
  const shared = { db: database, openingDb: database, secrets, ids, ...journals, clock: systemClock, log: silentLog };
  const callLog = new CallLog({ ...shared, spool });
  toStop.push(() => callLog.stop());
  const deps = { ...shared, table, callLog, databaseClock: new DatabaseClock(systemClock) };
  return { proxy, callLog, table, spool, spoolFile: join(dir, "calls.ndjson"), deps };
}

const recordOf = (id: string): Promise<CallRecord> => getCall(db, { id, accountId: null });

async function recordOfKey(key: string): Promise<CallRecord> {
  const [row] = await rows<{ call_id: string }>(db, "select call_id from call_key where ingress_key = $1", [key]);
  return recordOf(row?.call_id ?? "none");
}

async function present(
  world: World,
  agoMs: number,
): Promise<{ e164: string; visitorId: string; presentationId: string }> {
  const [outcome] = await presentBatch(db, [allocationFor(world)], Date.now() - agoMs);
  if (outcome?.kind !== "presented") throw new Error("no number");
  return { e164: outcome.promoNumber, visitorId: outcome.visitorId, presentationId: outcome.presentationId };
}

/** On a busy machine a call may take longer than a match has; that one is matched from the log, which is another test's. */
function matchedInTime(node: Awaited<ReturnType<typeof makeNode>>, callNow: () => InboundCall) {
  return until("a call is matched in time", async () => {
    const call = callNow();
    const routed = await routeCall(node.deps, call);
    return routed.isLate ? null : { call, routed };
  });
}

/** Until the database, as seen by the node, has taken everything over. */
async function replayed(node: Awaited<ReturnType<typeof makeNode>>): Promise<void> {
  for (let i = 0; i < 200 && !node.spool.isEmpty; i++) {
    await node.callLog.replayNow();
    if (!node.spool.isEmpty) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const answeredAndEnded = (from: number): CallEvent[] => [
  { kind: "attempt_started", index: 0, target: "sip:business@127.0.0.1:5090", at: from },
  { kind: "ringing", at: from + 100 },
  { kind: "answered", at: from + 2_000 },
  {
    kind: "ended",
    status: "completed",
    releasedBy: "caller",
    cause: "Q.850 16",
    authority: 2,
    talkMs: null,
    at: from + 62_000,
  },
];

describe("routeCall", () => {
  it("matches, decides and records before the phone rings; events complete the record with its confidence", async () => {
    const node = await makeNode();
    const { e164, visitorId, presentationId } = await present(await makeWorld(db, 1), 5 * MINUTE);
    const { routed } = await matchedInTime(node, () => inboundCall(e164, { caller: CALLER }));
    expect(routed).toMatchObject({
      isRepeat: false,
      isLate: false,
      decision: {
        kind: "route",
        destinationNumber: "+18005550100",
        targets: [{ kind: "sip", uri: "sip:business@127.0.0.1:5090" }],
        callerId: "caller",
        passIds: false,
      },
      presentationId,
    });
    expect(await recordOf(routed.ref.callId)).toMatchObject({
      status: "ringing",
      disposition: "routed",
      receivedAt: routed.ref.receivedAt,
      caller: { last4: "0187" },
      attribution: { outcome: "matched", visitorId, presentationId, matchedSeq: 1, late: false, confidence: null },
    });
    await node.callLog.record(routed.ref, answeredAndEnded(routed.ref.receivedAt));
    const record = await recordOf(routed.ref.callId);
    expect(record).toMatchObject({
      status: "completed",
      pddMs: 100,
      ringMs: 1_900,
      talkMs: 60_000,
      releasedBy: "caller",
    });
    expect(record.attribution.confidence).toBeGreaterThan(0.9);
  });

  it("gives duplicates and retries of one ingress call one record", async () => {
    const node = await makeNode();
    const { e164 } = await present(await makeWorld(db, 1), MINUTE);
    const { call, routed } = await until("all are matched in time", async () => {
      const once = inboundCall(e164);
      const all = await Promise.all(Array.from({ length: 8 }, () => routeCall(node.deps, once)));
      return all.some(({ isLate }) => isLate) ? null : { call: once, routed: all };
    });
    expect(new Set(routed.map((r) => r.ref.callId)).size).toBe(1);
    expect(routed.filter((r) => !r.isRepeat)).toHaveLength(1);
    expect(await rows(db, "select count(*) from call where ingress_call_id = $1", [call.ingressCallId])).toEqual([
      { count: 1 },
    ]);
  });

  it("a further try after a failure counts its attempts on and reopens the record, at a time after the first", async () => {
    const node = await makeNode();
    const { e164 } = await present(await makeWorld(db, 1), MINUTE);
    const { call, routed: first } = await matchedInTime(node, () => inboundCall(e164));
    const from = first.arrivedAt;
    await node.callLog.record(first.ref, [
      { kind: "attempt_started", index: 0, target: "sip:a", at: from },
      { kind: "ended", status: "busy", releasedBy: "callee", cause: "busy", authority: 2, talkMs: null, at: from },
    ]);
    const { routed: second } = await matchedInTime(node, () => call);
    expect(second).toMatchObject({ ref: first.ref, isRepeat: true, attemptsBefore: 1 });
    expect(second.arrivedAt).toBeGreaterThan(from);
    await node.callLog.record(second.ref, [{ kind: "retried", at: second.arrivedAt }]);
    expect((await recordOf(first.ref.callId)).status).toBe("ringing");
    await node.callLog.record(second.ref, answeredAndEnded(second.arrivedAt));
    expect((await recordOf(first.ref.callId)).status).toBe("completed");
  });

  it("intercepts a quarantined number, and logs it once with the platform's hash", async () => {
    const node = await makeNode();
    const world = await makeWorld(db, 1);
    const { e164 } = await present(world, MINUTE);
    await quarantineNumber({ db, schedule: world.schedule }, { e164, accountId: null, reason: "test", actor: "test" });
    const call = inboundCall(e164, { caller: CALLER });
    const routed = await routeCall(node.deps, call);
    await routeCall(node.deps, call);
    expect(routed.decision).toEqual({ kind: "intercept" });
    expect(await recordOf(routed.ref.callId)).toMatchObject({
      disposition: "intercepted",
      status: "intercepted",
      accountId: null,
      attribution: { outcome: "quarantined", visitorId: null },
    });
    const logged = await rows<{ caller_hash: Buffer }>(
      db,
      "select caller_hash, former_account_id, counted, caller_last4 from intercept where call_id = $1",
      [routed.ref.callId],
    );
    expect(logged).toMatchObject([{ former_account_id: world.account.id, counted: true, caller_last4: "0187" }]);
    expect(logged[0]?.caller_hash).toEqual(secrets.hash("platform", CALLER));
  });

  it("records an unknown number without owner, and an anonymous caller as nobody", async () => {
    const node = await makeNode();
    const routed = await routeCall(node.deps, inboundCall("+18887770009", { caller: null }));
    expect(routed.decision).toEqual({ kind: "unknown" });
    expect(await recordOf(routed.ref.callId)).toMatchObject({
      disposition: "unknown_number",
      status: "failed",
      accountId: null,
      caller: { enc: null, hash: null, last4: null },
      attribution: { outcome: "unattributable" },
    });
  });
});

describe("with PostgreSQL away", () => {
  const ways = [
    ["refusing connections", (proxy: CuttableProxy) => proxy.cut()],
    ["hanging", (proxy: CuttableProxy) => proxy.hang()],
  ] as const;
  for (const [way, take] of ways) {
    it(`${way}: the table decides in time, and the record comes afterwards, late and right`, async () => {
      const node = await makeNode();
      const [worldA, worldB] = [await makeWorld(db, 1, { sessionLifetimeS: 60 }), await makeWorld(db, 1)];
      const seen = await present(worldA, 10 * MINUTE);
      const gone = await present(worldB, MINUTE);
      await quarantineNumber(
        { db, schedule: worldB.schedule },
        { e164: gone.e164, accountId: null, reason: "r", actor: "test" },
      );
      await routeCall(node.deps, inboundCall(seen.e164));
      await until("it came true", () => node.table.find(gone.e164)?.isRouted === false);
      take(node.proxy);

      const calls = [seen.e164, gone.e164, "+18887770010"].map((number) => inboundCall(number, { caller: CALLER }));
      const start = performance.now();
      const routed = await Promise.all(calls.map((call) => routeCall(node.deps, call)));
      expect(performance.now() - start).toBeLessThan(MATCH_LIMIT_MS + MARGIN_MS);
      expect(routed.map((r) => [r.decision.kind, r.isLate])).toEqual([
        ["route", true],
        ["intercept", true],
        ["unknown", true],
      ]);
      const [first] = routed as [(typeof routed)[number]];
      void node.callLog.record(first.ref, answeredAndEnded(first.arrivedAt), calls[0]?.ingressKey ?? null);
      // Somebody else is presented the number before the record is written: the call stays with who had it when it came.
      await until("it came true", () => Date.now() > first.arrivedAt + 5);
      const after = await present(worldA, 0);
      expect(after.e164).toBe(seen.e164);

      node.proxy.restore();
      await until("it came true", async () => {
        await replayed(node);
        return (
          (
            await rows(db, "select 1 from call where ingress_call_id = any ($1) and (status <> 'ringing')", [
              calls.map((c) => c.ingressCallId),
            ])
          ).length === 3
        );
      });
      const records = await Promise.all(calls.map((call) => recordOfKey(call.ingressKey)));
      expect(records).toMatchObject([
        {
          status: "completed",
          talkMs: 60_000,
          attribution: { outcome: "matched", visitorId: seen.visitorId, presentationId: seen.presentationId },
        },
        { status: "intercepted", attribution: { outcome: "quarantined" } },
        { disposition: "unknown_number", attribution: { outcome: "unattributable" } },
      ]);
      expect(records.map((r) => r.attribution.late)).toEqual([true, true, true]);
      expect(await rows(db, "select count(*) from intercept where call_id = $1", [records[1]?.id])).toEqual([
        { count: 1 },
      ]);
    });
  }

  it("the table knows what the business wants to be shown; the presentation is not known yet", async () => {
    const node = await makeNode();
    const world = await makeWorld(db, 1);
    const { e164 } = await present(world, MINUTE);
    const { id } = world.destination;
    await rows(db, "update destination set caller_id = 'promo_number', pass_ids = true where id = $1", [id]);
    const wanted = { callerId: "promo_number", passIds: true };
    expect(await routeCall(node.deps, inboundCall(e164))).toMatchObject({ decision: wanted, isLate: false });
    await until("it came true", () => node.table.find(e164)?.destination?.passIds === true);
    node.proxy.cut();
    const routed = await routeCall(node.deps, inboundCall(e164));
    expect(routed).toMatchObject({ decision: wanted, presentationId: null, isLate: true });
  });

  it("keeps the caller and who forwarded the call sealed on the disk, and opens them with the record", async () => {
    const node = await makeNode();
    const { e164 } = await present(await makeWorld(db, 1), MINUTE);
    node.proxy.cut();
    const call = inboundCall(e164, { caller: CALLER, diversion: "+12125550144" });
    await routeCall(node.deps, call);
    const text = readFileSync(node.spoolFile, "utf8");
    expect(text).toContain(call.ingressCallId);
    expect(text).not.toContain(CALLER.slice(2));
    expect(text).not.toContain("2125550144");
    node.proxy.restore();
    await replayed(node);
    const record = await recordOfKey(call.ingressKey);
    expect(secrets.open(record.caller.enc as Buffer)).toBe(CALLER);
    expect(secrets.open(record.diversion?.enc as Buffer)).toBe("+12125550144");
  });

  it("writes what happens to a call after what was spooled for it, in order", async () => {
    const node = await makeNode();
    const { e164 } = await present(await makeWorld(db, 1), MINUTE);
    const routed = await routeCall(node.deps, inboundCall(e164));
    const from = routed.arrivedAt;
    const busy: CallEvent = {
      kind: "ended",
      status: "busy",
      releasedBy: "callee",
      cause: "busy",
      authority: 2,
      talkMs: null,
      at: from + 10,
    };
    await node.callLog.record(routed.ref, [busy]);
    node.proxy.cut();
    await node.callLog.record(routed.ref, [{ kind: "retried", at: from + 20 }]);
    node.proxy.restore();
    await node.callLog.record(routed.ref, [{ ...busy, status: "no_answer", cause: "timeout", at: from + 30 }]);
    await replayed(node);
    expect(await recordOf(routed.ref.callId)).toMatchObject({ status: "no_answer", hangupCause: "timeout" });
  });
});

describe("replaying the spool", () => {
  it("twice changes nothing: one record, one intercept, the same times", async () => {
    const node = await makeNode();
    const world = await makeWorld(db, 1);
    const { e164 } = await present(world, MINUTE);
    await quarantineNumber({ db, schedule: world.schedule }, { e164, accountId: null, reason: "r", actor: "test" });
    const call = inboundCall(e164, { caller: CALLER });
    node.proxy.cut();
    await routeCall(node.deps, call);
    const file = readFileSync(node.spoolFile);
    node.proxy.restore();
    await replayed(node);
    const before = await recordOfKey(call.ingressKey);
    const dir = mkdtempSync(join(tmpdir(), "ringmatch-node-"));
    toStop.push(() => rmSync(dir, { recursive: true, force: true }));
    const again = new Spool<SpoolEntry>(dir);
    for (const line of file.toString("utf8").trim().split("\n")) again.append(JSON.parse(line) as SpoolEntry);
    const callLog = new CallLog({ ...node.deps, spool: again });
    await callLog.replayNow();
    expect(again.isEmpty).toBe(true);
    expect(await recordOfKey(call.ingressKey)).toEqual(before);
    expect(await rows(db, "select count(*) from intercept where promo_number = $1", [e164])).toEqual([{ count: 1 }]);
    await callLog.stop();
  });

  it("folds what became of calls that have their records under another id or time, all of them together and in order", async () => {
    const node = await makeNode();
    const { e164 } = await present(await makeWorld(db, 1), MINUTE);
    const calls = Array.from({ length: 20 }, () => inboundCall(e164));
    const routed = [];
    for (const call of calls) routed.push(await routeCall(node.deps, call));
    await node.callLog.written();
    for (const [i, { ref }] of routed.entries()) {
      const [tried, ...rest] = answeredAndEnded(ref.receivedAt);
      const ingressKey = calls[i]?.ingressKey ?? null;
      // Matched in time, answered too late: the record has the database's time. The other half's first try had an id of its own as well.
      const told = { callId: ref.callId, receivedAt: ref.receivedAt - 7 };
      const first = i % 2 === 0 ? told : { ...told, callId: ids.next("call") };
      node.spool.append({ kind: "events", ref: first, ingressKey, events: tried === undefined ? [] : [tried] });
      node.spool.append({ kind: "events", ref: told, ingressKey, events: rest });
    }
    const nobodys = { callId: ids.next("call"), receivedAt: Date.now() };
    node.spool.append({ kind: "events", ref: nobodys, ingressKey: "nobody's", events: answeredAndEnded(Date.now()) });
    const transactions = vi.spyOn(node.deps.db, "transaction");
    const log = { ...silentLog, error: vi.fn() };
    await new CallLog({ ...node.deps, log, spool: node.spool }).replayNow();
    expect(node.spool.isEmpty).toBe(true);
    expect(transactions.mock.calls.length).toBeLessThanOrEqual(2);
    for (const { ref } of routed) {
      const { progress } = await recordOf(ref.callId);
      expect(progress).toMatchObject({
        attempts: [{ target: expect.stringContaining("business") }],
        end: { status: "completed" },
      });
    }
    expect(log.error.mock.calls).toEqual([["call.events_without_record", { callId: nobodys.callId }]]);
  });

  it("is not tried any more once the call log has stopped: what is spooled then waits for the next start", async () => {
    const node = await makeNode();
    const errors: string[] = [];
    const log = { ...silentLog, error: (event: string) => void errors.push(event) };
    const callLog = new CallLog({ ...node.deps, spool: node.spool, log });
    callLog.start();
    node.proxy.cut();
    callLog.openLate({ call: inboundCall("+18887770001"), callId: ids.next("call"), receivedAt: Date.now() });
    await callLog.stop();
    const replay = vi.spyOn(node.spool, "replay");
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(replay).not.toHaveBeenCalled();
    expect([errors, node.spool.isEmpty]).toEqual([[], false]);
  });

  it("tells when what a former life left is written: a call whose end nobody saw is then closed", async () => {
    const former = await makeNode();
    const world = await makeWorld(db, 1);
    const { e164 } = await present(world, MINUTE);
    const call = { ...inboundCall(e164), node: "killed" };
    await until("it is known", () => former.table.find(e164)?.isRouted);
    former.proxy.cut();
    await routeCall(former.deps, call);
    const next = await makeNode();
    for (const line of readFileSync(former.spoolFile, "utf8").trim().split("\n"))
      next.spool.append(JSON.parse(line) as SpoolEntry);
    const before = await databaseNow(db);
    const life = { node: "killed", before };
    const deps = { db, callLog: next.callLog, log: silentLog };
    expect(await closeFormerLife(deps, life)).toBe(0);
    await new Promise<void>((caughtUp) => next.callLog.start(caughtUp));
    expect(await closeFormerLife(deps, life)).toBe(1);
    expect(await recordOfKey(call.ingressKey)).toMatchObject({
      status: "failed",
      releasedBy: "system",
      hangupCause: "ended_unknown",
    });
  });

  it("takes lines of a version that knew neither the caller's name nor who forwarded a call", async () => {
    const node = await makeNode();
    const { e164 } = await present(await makeWorld(db, 1), MINUTE);
    const { caller, callerName, diversion, ...call } = inboundCall(e164, { caller: CALLER });
    expect([callerName, diversion]).toEqual([null, null]);
    const callerSealed = secrets.seal(caller ?? "").toString("base64");
    node.spool.append({
      kind: "open",
      callId: ids.next("call"),
      receivedAt: Date.now(),
      call: { ...call, callerSealed },
    });
    await replayed(node);
    expect(await recordOfKey(call.ingressKey)).toMatchObject({
      caller: { last4: "0187" },
      callerName: null,
      diversion: null,
    });
  });

  it("writes calls together with what happened to them, once, and judges them as any other", async () => {
    const node = await makeNode();
    const world = await makeWorld(db, 1);
    const { e164, presentationId } = await present(world, MINUTE);
    const calls = Array.from({ length: 10 }, () => inboundCall(e164, { caller: CALLER }));
    node.proxy.cut();
    for (const call of calls) {
      const { ref } = await routeCall(node.deps, call);
      await node.callLog.record(ref, answeredAndEnded(ref.receivedAt), call.ingressKey);
    }
    node.proxy.restore();
    const transactions = vi.spyOn(node.deps.db, "transaction");
    await until("the database is there", async () => {
      transactions.mockClear();
      await replayed(node);
      return node.spool.isEmpty;
    });
    expect(transactions).toHaveBeenCalledOnce();
    const records = await Promise.all(calls.map((call) => recordOfKey(call.ingressKey)));
    for (const record of records)
      expect(record).toMatchObject({
        status: "completed",
        talkMs: 60_000,
        pddMs: 100,
        attribution: { outcome: "matched", presentationId, late: true, confidence: expect.closeTo(1, 1) },
      });
    const [written] = await rows(
      db,
      "select count(*)::int as n, count(judged_at)::int as judged, count(finished_at)::int as finished, sum(calls_before)::int as before from call where id = any ($1)",
      [records.map(({ id }) => id)],
    );
    // Each knows how many of its caller's came before it: 0 + 1 + … + 9.
    expect(written).toEqual({ n: 10, judged: 10, finished: 10, before: 45 });
  });

  it("sets aside the event that the database will never take, and not the call that it is of", async () => {
    const node = await makeNode();
    const { e164 } = await present(await makeWorld(db, 1), MINUTE);
    const calls = Array.from({ length: 3 }, () => inboundCall(e164));
    node.proxy.cut();
    for (const [index, call] of calls.entries()) {
      const { ref } = await routeCall(node.deps, call);
      const [started, ...rest] = answeredAndEnded(ref.receivedAt);
      const bad: CallEvent = { kind: "attempt_started", index: 0, target: "sip:\u0000", at: ref.receivedAt };
      await node.callLog.record(ref, [(index === 1 ? bad : started) as CallEvent, ...rest], call.ingressKey);
    }
    node.proxy.restore();
    await replayed(node);
    expect(node.spool.isEmpty).toBe(true);
    const records = await Promise.all(calls.map((call) => recordOfKey(call.ingressKey)));
    expect(records.map(({ status }) => status)).toEqual(["completed", "ringing", "completed"]);
    const aside = readFileSync(node.spoolFile.replace("calls.ndjson", "calls.refused.ndjson"), "utf8");
    expect(
      aside
        .trim()
        .split("\n")
        .map((line) => [JSON.parse(line).kind, JSON.parse(line).ref.callId]),
    ).toEqual([["events", records[1]?.id]]);
  });

  it("sets aside what the database will never take, and writes the rest", async () => {
    const node = await makeNode();
    const { e164 } = await present(await makeWorld(db, 1), MINUTE);
    node.proxy.cut();
    const bad = inboundCall(e164, { ingressCallId: "with \u0000 in it" });
    const good = inboundCall(e164);
    await routeCall(node.deps, bad);
    await routeCall(node.deps, good);
    node.proxy.restore();
    await replayed(node);
    expect(node.spool.isEmpty).toBe(true);
    expect((await recordOfKey(good.ingressKey)).attribution.late).toBe(true);
    const aside = readFileSync(node.spoolFile.replace("calls.ndjson", "calls.refused.ndjson"), "utf8");
    expect(aside).toContain(bad.ingressKey);
  });
});

describe("the caller", () => {
  it("stands nowhere in plain: not in calls, intercepts or any other table", async () => {
    const node = await makeNode();
    const world = await makeWorld(db, 2);
    const shown = await present(world, MINUTE);
    const e164 = world.numbers[1] as string;
    await quarantineNumber({ db, schedule: world.schedule }, { e164, accountId: null, reason: "r", actor: "test" });
    const caller = "+16175550142";
    for (const number of [shown.e164, e164]) {
      const routed = await routeCall(node.deps, inboundCall(number, { caller }));
      await node.callLog.record(routed.ref, answeredAndEnded(routed.arrivedAt));
    }
    const tables = await rows<{ name: string }>(
      db,
      "select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition",
    );
    expect(tables.length).toBeGreaterThan(12);
    for (const { name } of tables) {
      const found = await rows(db, `select 1 from ${name} t where t::text like '%6175550142%' limit 1`);
      expect([name, found]).toEqual([name, []]);
    }
  });

  it("has a hash of its own in each account, and the same one whatever the number within it", async () => {
    const [a, b] = [await makeWorld(db, 2), await makeWorld(db, 1)];
    const hashOf = async (number: string): Promise<string | undefined> => {
      const { ref } = await openCall(
        { db, secrets, ids },
        { call: inboundCall(number, { caller: CALLER }), callId: ids.next("call"), late: null },
      );
      return (await recordOf(ref.callId)).caller.hash?.toString("hex");
    };
    const [a1, a2, b1] = await Promise.all([a.numbers[0], a.numbers[1], b.numbers[0]].map((n) => hashOf(n as string)));
    expect(a1).toBe(a2);
    expect(a1).not.toBe(b1);
  });
});
