/** A trunk in mode `proxy`, through the whole service: raw packets on both sides, so that what is passed unchanged is seen; then the record. */
import { afterAll, describe, expect, it } from "vitest";
import { listTrunks, putTrunk, type Trunk } from "../../src/account/trunks.store.js";
import { openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { createProxiedCalls } from "../../src/sip/proxied-calls.js";
import type { SipRequest } from "../../src/sip/drachtio-types.js";
import { freshDatabase, rows } from "../support/database.js";
import { itOnEdge } from "../support/drachtio-server.js";
import { startLink } from "../support/severable-link.js";
import { placeOf, recordOf, setTargets, type SipWorld, startSipWorld } from "../support/sip-world.js";
import { until } from "../support/until.js";
import { allocationFor, makeWorld } from "../support/world.js";
import { answer, fields, fromDesk, routed, uriOf } from "./edge/support/proxied-call.js";
import { type CallTexts, callTexts, field, type RawPeer, rawPeer, respondTo, SDP } from "./edge/support/raw-peer.js";

/** Longer than the call that is waited for. */
const DRAIN_MS = 10_000;
const { db, url } = await freshDatabase();
const sip = await startSipWorld(db);
afterAll(() => sip.stop());
await useTrunk({ mode: "proxy" });

async function useTrunk(change: Partial<Trunk>, world: SipWorld = sip): Promise<void> {
  const [trunk] = await listTrunks(db);
  if (trunk === undefined) throw new Error("no trunk");
  await putTrunk(db, { ...trunk, ...change });
  await world.service.trunksChanged();
}

interface Scene {
  readonly number: string;
  readonly destinationId: string;
  readonly caller: RawPeer;
  readonly desks: readonly [RawPeer, RawPeer];
  readonly call: CallTexts;
}

/** A number just presented to a visitor, two phones of its business, and somebody about to call it. */
async function scene(options: { world?: SipWorld; ringTimeoutS?: number } = {}): Promise<Scene> {
  const place = placeOf(options.world ?? sip);
  const desks = [await rawPeer(place), await rawPeer(place)] as const;
  const world = await makeWorld(db, 1);
  await setTargets(db, world.destination.id, desks.map(uriOf), options.ringTimeoutS);
  const [outcome] = await presentBatch(db, [allocationFor(world)]);
  if (outcome?.kind !== "presented") throw new Error("nothing was presented");
  const number = outcome.promoNumber;
  const caller = await rawPeer(place);
  return { number, destinationId: world.destination.id, caller, desks, call: callTexts(caller, place, number) };
}

/** The first phone takes the call. @returns both ends' texts */
async function answered({ caller, call, desks: [desk], number }: Scene) {
  caller.send(call.invite());
  const invite = await desk.request("INVITE");
  desk.send(answer(desk, invite));
  const ok = await caller.response(200, "INVITE");
  caller.send(call.inDialog("ACK", ok, 1, routed(ok)));
  await desk.request("ACK");
  await recordOf(db, number, "in_progress");
  return { invite, ok };
}

async function callerHangsUp({ caller, call, desks: [desk] }: Scene, ok: string): Promise<void> {
  caller.send(call.inDialog("BYE", ok, 2, routed(ok)));
  desk.send(respondTo(await desk.request("BYE"), 200, "OK"));
  await caller.response(200, "BYE");
}

async function refuses(desk: RawPeer, status: number, tag: string, contact?: string): Promise<void> {
  const extra = contact === undefined ? {} : { contact };
  desk.send(respondTo(await desk.request("INVITE"), status, "No", { tag, ...extra }));
  await desk.request("ACK");
}

async function nothingLeft(world: SipWorld = sip): Promise<void> {
  await until(
    "no call is left",
    () => world.service.liveCalls === 0 && (world.edge?.counters()["active_proxied_calls"] ?? 0) === 0,
  );
  expect(world.edge?.counters()["internal_errors"] ?? 0).toBe(0);
}

describe("a proxied call that is answered", () => {
  it("arrives with its Call-ID, From and SDP as they were, our ids beside them, in one dialog", async () => {
    const one = await scene();
    await rows(db, "update destination set pass_ids = true where id = $1", [one.destinationId]);
    const { invite, ok } = await answered(one);
    expect(field(invite, "Call-ID")).toBe(one.call.callId);
    expect(field(invite, "From")).toContain(`;tag=${one.call.fromTag}`);
    expect(field(invite, "From")).toContain("+14155550100");
    expect(invite.slice(invite.indexOf("\r\n\r\n") + 4)).toBe(SDP);
    expect(fields(invite, "Record-Route")).toHaveLength(1);
    expect(field(invite, "X-Ringmatch-Hops")).toBe("1");
    const record = await recordOf(db, one.number, "in_progress");
    expect(field(invite, "X-Ringmatch-Call-ID")).toBe(record["id"]);
    await callerHangsUp(one, ok);
    await nothingLeft();
  });

  it.each(["caller", "callee"] as const)("and ended by the %s: completed, with who and how long", async (who) => {
    const one = await scene();
    const { invite, ok } = await answered(one);
    const { caller, desks } = one;
    const [desk] = desks;
    const record = await recordOf(db, one.number, "in_progress");
    await until("a while of talk", () => Date.now() - Number(record["answered_at"]) > 200);
    if (who === "caller") await callerHangsUp(one, ok);
    else {
      desk.send(fromDesk(desk, invite, "BYE", 1));
      caller.send(respondTo(await caller.request("BYE"), 200, "OK"));
      await desk.response(200, "BYE");
    }
    const closed = await recordOf(db, one.number, "completed");
    expect(closed).toMatchObject({ released_by: who, hangup_cause: "normal_clearing", attribution: "matched" });
    expect(closed["talk_ms"]).toBeGreaterThan(150);
    expect(closed["talk_ms"]).toBeLessThan(5_000);
    expect(closed.attempts).toMatchObject([{ target: uriOf(desk), sipStatus: 200 }]);
    await nothingLeft();
  });

  it("keeps its place among max_calls and max_concurrent_calls until its end", async () => {
    await useTrunk({ maxCalls: 1 });
    try {
      const one = await scene();
      const { ok } = await answered(one);
      const place = placeOf(sip);
      const second = callTexts(one.caller, place, one.number);
      one.caller.send(second.invite());
      one.caller.send(second.ack(await one.caller.response(503, "INVITE")));
      await callerHangsUp(one, ok);
      await nothingLeft();
    } finally {
      await useTrunk({ maxCalls: null });
    }
  });

  it("of a full destination goes to the failover target, the first is busy on the record", async () => {
    const one = await scene();
    await rows(db, "update destination set max_concurrent_calls = 1 where id = $1", [one.destinationId]);
    const { ok } = await answered(one);
    const second = callTexts(one.caller, placeOf(sip), one.number);
    one.caller.send(second.invite());
    const [, spare] = one.desks;
    await refuses(spare, 486, "spare");
    one.caller.send(second.ack(await one.caller.response(486, "INVITE")));
    const busy = await recordOf(db, one.number, "busy");
    expect(busy.attempts).toMatchObject([
      { sipStatus: 486, cause: "max_concurrent_calls" },
      { target: uriOf(spare), sipStatus: 486, cause: "sip_486" },
    ]);
    await callerHangsUp(one, ok);
    await nothingLeft();
  });

  it("outlives a lost link to the edge: its record is closed and says so", async () => {
    const world = await startSipWorld(db);
    try {
      const one = await scene({ world });
      const { ok } = await answered(one);
      world.link.cut();
      const closed = await recordOf(db, one.number, "completed");
      expect(closed).toMatchObject({ released_by: "system", hangup_cause: "link_lost" });
      expect(world.service.liveCalls).toBe(0);
      world.link.mend();
      await until("the link is back", () => world.service.isUp);
      // The phones never noticed.
      await callerHangsUp(one, ok);
      expect(await recordOf(db, one.number, "completed")).toMatchObject({ hangup_cause: "link_lost" });
      const next = await scene({ world });
      await callerHangsUp(next, (await answered(next)).ok);
      expect(await recordOf(db, next.number, "completed")).toMatchObject({ released_by: "caller" });
    } finally {
      await world.stop();
    }
  });

  it("is waited for by a drain", async () => {
    const world = await startSipWorld(db);
    try {
      const one = await scene({ world });
      const { ok } = await answered(one);
      let isDrained = false;
      const drained = world.service.drain(DRAIN_MS).then(() => (isDrained = true));
      const late = callTexts(one.caller, placeOf(world), one.number);
      one.caller.send(late.invite());
      one.caller.send(late.ack(await one.caller.response(503, "INVITE")));
      expect(isDrained).toBe(false);
      await callerHangsUp(one, ok);
      await drained;
      expect(await recordOf(db, one.number, "completed")).toMatchObject({ released_by: "caller" });
    } finally {
      await world.stop();
    }
  });
});

describe("the hunt of a proxied call", () => {
  it("goes on from a busy target to the next", async () => {
    const one = await scene();
    const { caller, call, desks } = one;
    const [first, second] = desks;
    caller.send(call.invite());
    await refuses(first, 486, "first");
    second.send(answer(second, await second.request("INVITE"), "second"));
    const ok = await caller.response(200, "INVITE");
    caller.send(call.inDialog("ACK", ok, 1, routed(ok)));
    await second.request("ACK");
    await callerHangsUp({ ...one, desks: [second, first] }, ok);
    const closed = await recordOf(db, one.number, "completed");
    expect(closed.attempts).toMatchObject([
      { target: uriOf(first), sipStatus: 486, cause: "sip_486" },
      { target: uriOf(second), sipStatus: 200 },
    ]);
    await nothingLeft();
  });

  itOnEdge("goes on from a target that rings past its time", "ignores the ring timeout", async () => {
    const one = await scene({ ringTimeoutS: 1 });
    const { caller, call, desks } = one;
    const [first, second] = desks;
    caller.send(call.invite());
    const rung = await first.request("INVITE");
    first.send(respondTo(rung, 180, "Ringing", { tag: "first" }));
    await caller.response(180);
    const cancel = await first.request("CANCEL");
    first.send(respondTo(cancel, 200, "OK"));
    first.send(respondTo(rung, 487, "Request Terminated", { tag: "first" }));
    second.send(answer(second, await second.request("INVITE"), "second"));
    const ok = await caller.response(200, "INVITE");
    caller.send(call.inDialog("ACK", ok, 1, routed(ok)));
    await second.request("ACK");
    await callerHangsUp({ ...one, desks: [second, first] }, ok);
    const closed = await recordOf(db, one.number, "completed");
    expect(closed.attempts).toMatchObject([
      { target: uriOf(first), sipStatus: null, cause: "ring_timeout" },
      { target: uriOf(second), cause: null },
    ]);
    await nothingLeft();
  });

  it("that nobody takes is busy when all are, and a further INVITE of the call goes on with its record", async () => {
    const { caller, call, desks, number } = await scene();
    caller.send(call.invite());
    await refuses(desks[0], 486, "first");
    await refuses(desks[1], 486, "second");
    caller.send(call.ack(await caller.response(486, "INVITE")));
    expect(await recordOf(db, number, "busy")).toMatchObject({ released_by: "callee", answered_at: null });
    await nothingLeft();
    caller.send(call.invite({ branch: "z9hG4bKsecondtry", cseq: 2 }));
    await refuses(desks[0], 486, "third");
    await refuses(desks[1], 500, "fourth");
    // 503 by the rules of the line; the best response, 486, from a drachtio-server.
    caller.send(call.ack(await caller.next("a failure", (text) => /^SIP\/2\.0 (503|486) /.test(text))));
    const record = await recordOf(db, number, "failed");
    expect(record.attempts.map(({ sipStatus }) => sipStatus)).toEqual([486, 486, 486, 500]);
    await nothingLeft();
  });

  it("follows no redirect of a business", async () => {
    const { caller, call, desks, number } = await scene();
    const elsewhere = await rawPeer(placeOf(sip));
    caller.send(call.invite());
    await refuses(desks[0], 486, "first");
    await refuses(desks[1], 302, "second", uriOf(elsewhere));
    caller.send(call.ack(await caller.next("a failure", (text) => /^SIP\/2\.0 [3-6]/.test(text))));
    const record = await recordOf(db, number, "failed");
    expect(record.attempts).toMatchObject([{ sipStatus: 486 }, { sipStatus: 302 }]);
    expect(elsewhere.inbox).toEqual([]);
    await nothingLeft();
  });

  itOnEdge(
    "passes over what cannot be reached, and says so",
    "lets the call hang at a name it cannot resolve",
    async () => {
      const { caller, call, desks, number, destinationId } = await scene();
      await setTargets(db, destinationId, ["sip:desk@nowhere.invalid", uriOf(desks[1])]);
      await until(
        "the table knows",
        () => sip.routing.table.find(number)?.destination?.sipUri === "sip:desk@nowhere.invalid",
      );
      caller.send(call.invite());
      await refuses(desks[1], 480, "second");
      caller.send(call.ack(await caller.next("a failure", (text) => /^SIP\/2\.0 48[06]/.test(text))));
      const record = await recordOf(db, number, "no_answer");
      expect(record.attempts).toMatchObject([
        { target: "sip:desk@nowhere.invalid", sipStatus: null, cause: "transport: not reachable" },
        { target: uriOf(desks[1]), sipStatus: 480 },
      ]);
      await nothingLeft();
    },
  );

  it("has nobody to call: 503", async () => {
    const { caller, call, number, destinationId } = await scene();
    await setTargets(db, destinationId, []);
    await until("the table knows", () => sip.routing.table.find(number)?.destination?.sipUri === null);
    caller.send(call.invite());
    caller.send(call.ack(await caller.response(503, "INVITE")));
    const record = await recordOf(db, number, "failed");
    expect(record.attempts).toMatchObject([{ cause: "the trunk has no outbound_uri for numbers" }]);
    await nothingLeft();
  });
});

describe("a caller of a proxied call who gives up", () => {
  it("while it rings: the phone is cancelled, the record canceled", async () => {
    const { caller, call, desks, number } = await scene();
    const [desk, spare] = desks;
    caller.send(call.invite());
    const invite = await desk.request("INVITE");
    desk.send(respondTo(invite, 180, "Ringing", { tag: "desk" }));
    await caller.response(180);
    caller.send(call.cancel());
    desk.send(respondTo(await desk.request("CANCEL"), 200, "OK"));
    desk.send(respondTo(invite, 487, "Request Terminated", { tag: "desk" }));
    caller.send(call.ack(await caller.response(487, "INVITE")));
    const record = await recordOf(db, number, "canceled");
    expect(record).toMatchObject({ released_by: "caller", answered_at: null });
    expect(record.attempts).toMatchObject([{ target: uriOf(desk), sipStatus: null, cause: null }]);
    expect(spare.inbox).toEqual([]);
    await nothingLeft();
  });

  it("while the call is still being matched: 487, and no phone rings", async () => {
    const link = await startLink(url);
    const slow = openDatabase({ url: link.url, log: silentLog });
    const world = await startSipWorld(db, { routingDb: slow });
    try {
      const { caller, call, desks, number } = await scene({ world });
      await until("the table knows", () => world.routing.table.find(number)?.destination?.sipUri === uriOf(desks[0]));
      link.silence();
      caller.send(call.invite());
      await until("the service has the call", () => world.service.liveCalls === 1);
      caller.send(call.cancel());
      caller.send(call.ack(await caller.response(487, "INVITE")));
      await until("the call is over", () => world.service.liveCalls === 0);
      link.mend();
      expect(await recordOf(db, number, "canceled")).toMatchObject({ released_by: "caller", late: true });
      expect(desks.flatMap((desk) => desk.inbox)).toEqual([]);
    } finally {
      await world.stop();
      await slow.close();
      await link.close();
    }
  });
});

describe("a trunk in mode proxy", () => {
  it("bridges a call whose number is withheld: a proxy could not hide it", async () => {
    const { caller, call, desks } = await scene();
    const [desk] = desks;
    caller.send(call.invite({ headers: ["Privacy: id", "P-Asserted-Identity: <sip:+14155550100@carrier>"] }));
    const invite = await desk.request("INVITE");
    expect(invite).not.toContain("+14155550100");
    expect(field(invite, "Call-ID")).not.toBe(call.callId);
    desk.send(respondTo(invite, 603, "Decline", { tag: "desk" }));
    caller.send(call.ack(await caller.response(603, "INVITE")));
    await nothingLeft();
  });

  it("bridges a call whose business is to see the promo number", async () => {
    const { caller, call, desks, number, destinationId } = await scene();
    const [desk] = desks;
    await rows(db, "update destination set caller_id = 'promo_number' where id = $1", [destinationId]);
    caller.send(call.invite());
    const invite = await desk.request("INVITE");
    expect(field(invite, "From")).toContain(number);
    desk.send(respondTo(invite, 603, "Decline", { tag: "desk" }));
    caller.send(call.ack(await caller.response(603, "INVITE")));
    await nothingLeft();
  });

  it.each([
    "X-Ringmatch-Call-ID: call_forged",
    "x-ringmatch-presentation-id: prs_forged",
    "X-Ringmatch-Promo-Number: +18885550666",
  ])("bridges a call that brings an id of ours along (%s): a proxy would pass it on as our word", async (forged) => {
    const { caller, call, desks } = await scene();
    const [desk] = desks;
    caller.send(call.invite({ headers: [forged] }));
    const invite = await desk.request("INVITE");
    expect(invite.toLowerCase()).not.toContain(forged.toLowerCase());
    expect(invite).toContain("+14155550100");
    desk.send(respondTo(invite, 603, "Decline", { tag: "desk" }));
    caller.send(call.ack(await caller.response(603, "INVITE")));
    await nothingLeft();
  });

  it("bridges a call whose asserted identity is not believed: the business would believe it of us", async () => {
    await useTrunk({ trustIdentity: false });
    try {
      const { caller, call, desks } = await scene();
      const [desk] = desks;
      caller.send(call.invite({ headers: ["P-Asserted-Identity: <sip:+14155550199@carrier>"] }));
      const invite = await desk.request("INVITE");
      expect(invite).not.toContain("+14155550199");
      expect(field(invite, "From")).toContain("+14155550100");
      desk.send(respondTo(invite, 603, "Decline", { tag: "desk" }));
      caller.send(call.ack(await caller.response(603, "INVITE")));
      await nothingLeft();
    } finally {
      await useTrunk({ trustIdentity: true });
    }
  });

  it("intercepts quarantined numbers and refuses unknown ones as ever", async () => {
    const place = placeOf(sip);
    const world = await makeWorld(db, 1);
    const [outcome] = await presentBatch(db, [allocationFor(world)]);
    if (outcome?.kind !== "presented") throw new Error("nothing was presented");
    const number = outcome.promoNumber;
    const move = { e164: number, accountId: null, reason: "test", actor: "test" };
    await quarantineNumber({ db, schedule: world.schedule }, move);
    const caller = await rawPeer(place);
    for (const called of [number, "+18885559999"]) {
      const call = callTexts(caller, place, called);
      caller.send(call.invite());
      caller.send(call.ack(await caller.response(404, "INVITE")));
    }
    expect(await recordOf(db, number, "intercepted")).toMatchObject({ disposition: "intercepted" });
    expect(await recordOf(db, "+18885559999", "failed")).toMatchObject({ disposition: "unknown_number" });
    await nothingLeft();
  });
});

it("no more proxied calls are watched than there may be, and a place is given back", () => {
  const calls = createProxiedCalls(1);
  const invite = { get: (name: string) => (name === "Call-ID" ? "one" : "<sip:a@b>;tag=t") } as unknown as SipRequest;
  const forget = calls.watch(invite, () => undefined);
  expect(calls.watch(invite, () => undefined)).toBeNull();
  forget?.();
  expect(calls.watch(invite, () => undefined)).not.toBeNull();
});
