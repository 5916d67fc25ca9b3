/** What no sipp scenario can play (sipp-scenarios/README.md), packet by packet through the whole service: the record is checked, nothing is left. */
import { afterAll, describe, expect, it } from "vitest";
import { listTrunks, putTrunk } from "../../src/account/trunks.store.js";
import { openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { freshDatabase, rows } from "../support/database.js";
import { startLink } from "../support/severable-link.js";
import {
  nothingLeft,
  placeOf,
  presentedNumber,
  recordOf,
  type SipWorld,
  startSipWorld,
  targetAt,
} from "../support/sip-world.js";
import { sipp } from "../support/sipp.js";
import { until } from "../support/until.js";
import { startPhone } from "./edge/support/phone.js";
import { callTexts, field, rawPeer, respondTo, SDP } from "./edge/support/raw-peer.js";

const { db, url } = await freshDatabase();
const sip = await startSipWorld(db);
afterAll(() => sip.stop());

/** A caller made of single packets. */
async function caller(number: string, world: SipWorld = sip) {
  const place = placeOf(world);
  const peer = await rawPeer(place);
  return { peer, call: callTexts(peer, place, number) };
}

async function recordCount(number: string): Promise<number> {
  return (await rows(db, "select 1 from call where promo_number = $1", [number])).length;
}

describe("a carrier that tries again", () => {
  it("a new INVITE of the same call after a final failure is a further attempt on the same record", async () => {
    let calls = 0;
    const desk = await startPhone((call) => {
      calls += 1;
      if (calls === 1) call.reject(486, "Busy Here");
      else call.answer();
    });
    const { number } = await presentedNumber(db, [desk.uri]);
    const { peer, call } = await caller(number);
    peer.send(call.invite());
    peer.send(call.ack(await peer.response(486)));
    await recordOf(db, number, "busy");
    peer.send(call.invite({ branch: "z9hG4bKsecondtry", cseq: 2 }));
    const ok = await peer.response(200, "INVITE");
    peer.send(call.ack(ok));
    peer.send(call.inDialog("BYE", ok, 3));
    await peer.response(200, "BYE");
    const record = await recordOf(db, number, "completed");
    expect(record.attempts.map((attempt) => attempt.sipStatus)).toEqual([486, 200]);
    expect(await recordCount(number)).toBe(1);
    await nothingLeft(sip);
  });

  it("right after its 487, while the business has not confirmed the CANCEL yet: a further attempt, no merged request", async () => {
    const desk = await rawPeer(placeOf(sip));
    const { number } = await presentedNumber(db, [targetAt(desk.port)]);
    const { peer, call } = await caller(number);
    peer.send(call.invite());
    const first = await desk.request("INVITE");
    desk.send(respondTo(first, 180, "Ringing", { tag: "desk" }));
    await peer.response(180);
    peer.send(call.cancel());
    peer.send(call.ack(await peer.response(487, "INVITE")));
    const cancel = await desk.request("CANCEL");
    peer.send(call.invite({ branch: "z9hG4bKatonce", cseq: 2 }));
    await peer.response(100);
    desk.send(respondTo(cancel, 200, "OK", { tag: "desk" }));
    desk.send(respondTo(first, 487, "Request Terminated", { tag: "desk" }));
    const second = await desk.request("INVITE");
    desk.send(respondTo(second, 486, "Busy Here", { tag: "desk2" }));
    await peer.response(486, "INVITE");
    const record = await recordOf(db, number, "busy");
    expect(record.attempts.map((attempt) => attempt.sipStatus)).toEqual([null, 486]);
    expect(await recordCount(number)).toBe(1);
    await nothingLeft(sip);
  });
});

describe("an UPDATE in a call that is up", () => {
  it("with an offer reaches the other side, whose answer comes back; without one it is answered here", async () => {
    const desk = await rawPeer(placeOf(sip));
    const { number } = await presentedNumber(db, [targetAt(desk.port)]);
    const contact = targetAt(desk.port);
    const { peer, call } = await caller(number);
    peer.send(call.invite());
    desk.send(respondTo(await desk.request("INVITE"), 200, "OK", { tag: "desk", contact, body: SDP }));
    const ok = await peer.response(200, "INVITE");
    peer.send(call.ack(ok));
    await desk.request("ACK");
    const ours = [`Contact: <sip:caller@127.0.0.1:${peer.port}>`];
    peer.send(call.inDialog("UPDATE", ok, 2, ours, SDP.replace("40000", "40002")));
    const offered = await desk.request("INVITE");
    expect(offered).toContain("m=audio 40002");
    desk.send(respondTo(offered, 200, "OK", { contact, body: SDP.replace("40000", "40004") }));
    expect(await peer.response(200, "UPDATE")).toContain("m=audio 40004");
    await desk.request("ACK");
    peer.send(call.inDialog("UPDATE", ok, 3, ours));
    expect(field(await peer.response(200, "UPDATE"), "Content-Length")).toBe("0");
    peer.send(call.inDialog("BYE", ok, 4));
    desk.send(respondTo(await desk.request("BYE"), 200, "OK"));
    await recordOf(db, number, "completed");
    await nothingLeft(sip);
  });
});

describe("a hasty caller", () => {
  it("whose hold is read together with the word that our 200 went out: the business is put on hold all the same", async () => {
    const desk = await rawPeer(placeOf(sip));
    const { number } = await presentedNumber(db, [targetAt(desk.port)]);
    const contact = targetAt(desk.port);
    const { peer, call } = await caller(number);
    peer.send(call.invite());
    const invite = await desk.request("INVITE");
    const toServer = sip.link.hold("server");
    desk.send(respondTo(invite, 200, "OK", { tag: "desk", contact, body: SDP }));
    await until("the service answers", () => toServer.text.includes("SIP/2.0 200 OK"));
    const toApp = sip.link.hold("app");
    toServer.letGo();
    const ok = await peer.response(200, "INVITE");
    peer.send(call.ack(ok));
    const onHold = SDP.replace("a=sendrecv", "a=sendonly");
    peer.send(call.inDialog("INVITE", ok, 2, [`Contact: <sip:caller@127.0.0.1:${peer.port}>`], onHold));
    await until("the hold is held back with the word of our 200", () => toApp.text.includes("a=sendonly"));
    toApp.letGo();
    const reinvite = await desk.request("INVITE");
    expect(reinvite).toContain("a=sendonly");
    const answer = SDP.replace("a=sendrecv", "a=recvonly");
    desk.send(respondTo(reinvite, 200, "OK", { contact, body: answer }));
    const held = await peer.next("200 to the hold", (text) => /^SIP\/2\.0 200 [^]*CSeq: 2 INVITE/.test(text));
    expect(held).toContain("a=recvonly");
    peer.send(call.ack(held));
    peer.send(call.inDialog("BYE", ok, 3));
    desk.send(respondTo(await desk.request("BYE"), 200, "OK"));
    expect(await recordOf(db, number, "completed")).toMatchObject({ released_by: "caller" });
    await nothingLeft(sip);
  });
});

describe("a caller who gives up", () => {
  it.each(["before", "after"] as const)("just %s the business answers: both agree on the end", async (when) => {
    const ended: Promise<unknown>[] = [];
    let answer: () => void = () => undefined;
    const desk = await startPhone((call) => {
      answer = () => call.answer();
      ended.push(new Promise((resolve) => call.onEnd(resolve)));
      call.ring();
    });
    for (let round = 0; round < 10; round++) {
      const { number } = await presentedNumber(db, [desk.uri]);
      const { peer, call } = await caller(number);
      peer.send(call.invite());
      await peer.response(180);
      if (when === "after") answer();
      peer.send(call.cancel());
      if (when === "before") answer();
      const final = await peer.next("a final answer", (text) => /^SIP\/2\.0 (200[^]*CSeq: 1 INVITE|487)/.test(text));
      peer.send(call.ack(final));
      const isAnswered = final.startsWith("SIP/2.0 200");
      if (isAnswered) {
        peer.send(call.inDialog("BYE", final, 2));
        await peer.response(200, "BYE");
      }
      const record = await recordOf(db, number, isAnswered ? "completed" : "canceled");
      expect(record).toMatchObject({ released_by: "caller" });
    }
    await Promise.all(ended);
    expect(ended).toHaveLength(10);
    await nothingLeft(sip);
  });

  it("while our answer is on its way to the edge: 487, the business is hung up, and the record says canceled", async () => {
    const ends: string[] = [];
    let answer: () => void = () => undefined;
    const desk = await startPhone((call) => {
      answer = () => call.answer();
      call.onEnd((by) => ends.push(by));
      call.ring();
    });
    const { number } = await presentedNumber(db, [desk.uri]);
    const { peer, call } = await caller(number);
    peer.send(call.invite());
    await peer.response(180);
    const held = sip.link.hold();
    answer();
    await until("the service answers", () => held.text.includes("SIP/2.0 200 OK"));
    peer.send(call.cancel());
    peer.send(call.ack(await peer.response(487)));
    held.letGo();
    expect(await recordOf(db, number, "canceled")).toMatchObject({ released_by: "caller", answered_at: null });
    await until("the business is hung up", () => ends.length === 1);
    expect(ends).toEqual(["remote"]);
    await nothingLeft(sip);
  });

  it("while the database is silent and the call is still being matched: 487, and no phone rings", async () => {
    const link = await startLink(url);
    const slow = openDatabase({ url: link.url, log: silentLog });
    const world = await startSipWorld(db, { routingDb: slow });
    try {
      let calls = 0;
      const desk = await startPhone(() => (calls += 1));
      const { number } = await presentedNumber(db, [desk.uri]);
      await until("the table knows", () => world.routing.table.find(number)?.destination?.sipUri === desk.uri);
      link.silence();
      const { peer, call } = await caller(number, world);
      peer.send(call.invite());
      await until("the service has the call", () => world.service.liveCalls === 1);
      peer.send(call.cancel());
      peer.send(call.ack(await peer.response(487)));
      await until("the call is over", () => world.service.liveCalls === 0);
      link.mend();
      expect(await recordOf(db, number, "canceled")).toMatchObject({ released_by: "caller", late: true });
      expect([calls, await recordCount(number)]).toEqual([0, 1]);
      await nothingLeft(world);
    } finally {
      await world.stop();
      await slow.close();
      await link.close();
    }
  });
});

describe("who calls", () => {
  it.each([
    [
      "P-Asserted-Identity of a trusted trunk goes before From",
      ["P-Asserted-Identity: <sip:+14155550177@carrier>"],
      "0177",
    ],
    ["Privacy hides the asserted number too", ["P-Asserted-Identity: <sip:+14155550177@carrier>", "Privacy: id"], null],
  ])("%s", async (_name, headers, last4) => {
    const { number } = await presentedNumber(db, []);
    const { peer, call } = await caller(number);
    peer.send(call.invite({ headers }));
    peer.send(call.ack(await peer.response(503)));
    expect(await recordOf(db, number, "failed")).toMatchObject({ caller_last4: last4 });
  });

  it("nobody, when From is anonymous; the business sees no more", async () => {
    let seen = "";
    const desk = await startPhone((call) => {
      seen = call.headers("from") ?? "";
      call.reject(486);
    });
    const { number } = await presentedNumber(db, [desk.uri]);
    const { peer, call } = await caller(number);
    peer.send(call.invite().replace(/^From: .*(?=;tag)/m, 'From: "Anonymous" <sip:anonymous@anonymous.invalid>'));
    const busy = await peer.response(486);
    peer.send(call.ack(busy).replace(/^From: .*(?=\r)/m, `From: ${field(busy, "From")}`));
    expect(await recordOf(db, number, "busy")).toMatchObject({ caller_last4: null });
    expect(seen).toContain("anonymous@");
  });
});

describe("calls that are not taken", () => {
  it("beyond max_calls of the trunk are taken again once a call has ended", async () => {
    const [trunk] = await listTrunks(db);
    if (trunk === undefined) throw new Error("there is no trunk");
    const desk = await startPhone((call) => call.ring());
    const { number } = await presentedNumber(db, [desk.uri]);
    await putTrunk(db, { ...trunk, maxCalls: 1 });
    await sip.service.trunksChanged();
    try {
      const first = await caller(number);
      first.peer.send(first.call.invite());
      await first.peer.response(180);
      const second = await caller(number);
      second.peer.send(second.call.invite());
      const refusal = await second.peer.response(503);
      expect(Number(field(refusal, "Retry-After"))).toBeGreaterThan(0);
      second.peer.send(second.call.ack(refusal));
      first.peer.send(first.call.cancel());
      first.peer.send(first.call.ack(await first.peer.response(487)));
      await nothingLeft(sip);
      expect(await recordCount(number)).toBe(1);
      const third = await caller(number);
      third.peer.send(third.call.invite());
      await third.peer.response(180);
      third.peer.send(third.call.cancel());
      third.peer.send(third.call.ack(await third.peer.response(487)));
      await nothingLeft(sip);
    } finally {
      await putTrunk(db, trunk);
      await sip.service.trunksChanged();
    }
  });

  it("to a quarantined number: with INTERCEPT_URI the caller hears the announcement, and no business is called", async () => {
    const announcement = await sipp({ scenario: "uas-answer" });
    const world = await startSipWorld(db, { interceptUri: targetAt(announcement.port) });
    try {
      let calls = 0;
      const desk = await startPhone(() => (calls += 1));
      const { number, world: cast } = await presentedNumber(db, [desk.uri]);
      const move = { e164: number, accountId: null, reason: "test", actor: "test" };
      await quarantineNumber({ db, schedule: cast.schedule }, move);
      const call = await sipp({ scenario: "uac-answered", remote: world.address, service: number });
      await Promise.all([call.done, announcement.done]);
      expect(await recordOf(db, number, "intercepted")).toMatchObject({ disposition: "intercepted", visitor_id: null });
      expect(await rows(db, "select 1 from intercept where promo_number = $1", [number])).toHaveLength(1);
      expect(calls).toBe(0);
      await nothingLeft(world);
    } finally {
      await world.stop();
    }
  });
});
