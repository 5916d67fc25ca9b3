/** What carriers and phones do on bad days, through the whole service: real packets in, the business called, the record checked, nothing left. */
import { afterAll, describe, expect, it } from "vitest";
import { listTrunks, putTrunk } from "../../src/account/trunks.store.js";
import { openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { startLink } from "../support/severable-link.js";
import { recordOf, setTargets, type SipWorld, startSipWorld } from "../support/sip-world.js";
import { sipp } from "../support/sipp.js";
import { until } from "../support/until.js";
import { allocationFor, makeWorld } from "../support/world.js";
import { lossyRelay } from "./edge/support/lossy-relay.js";
import { startPhone } from "./edge/support/phone.js";
import { callTexts, field, rawPeer } from "./edge/support/raw-peer.js";

const { db, url } = await freshDatabase();
const sip = await startSipWorld(db);
/** 64*T1 of 6.4 s. */
const QUICKER = { t1Ms: 100, t2Ms: 400, t4Ms: 500, timerDMs: 6_400 };
const quick = await startSipWorld(db, { timers: QUICKER });
afterAll(async () => {
  await sip.stop();
  await quick.stop();
});

/** A number just presented to a visitor, whose business is reached at the given targets. */
async function presented(targets: readonly string[]) {
  const world = await makeWorld(db, 1);
  await setTargets(db, world.destination.id, targets);
  const [outcome] = await presentBatch(db, [allocationFor(world)]);
  if (outcome?.kind !== "presented") throw new Error("nothing was presented");
  return { world, number: outcome.promoNumber };
}

const uriOf = (port: number) => `sip:business@127.0.0.1:${port}`;
const placeOf = (world: SipWorld) => ({ host: "127.0.0.1", port: Number(world.address.split(":")[1]) });

/** A caller made of single packets. */
async function caller(number: string, world: SipWorld = sip) {
  const place = placeOf(world);
  const peer = await rawPeer(place);
  return { peer, call: callTexts(peer, place, number) };
}

async function recordCount(number: string): Promise<number> {
  return (await rows(db, "select 1 from call where promo_number = $1", [number])).length;
}

async function nothingLeft(world: SipWorld = sip): Promise<void> {
  await until("no call is left", () => world.service.liveCalls === 0 && world.edge.activeDialogs() === 0);
  expect(world.edge.counters()["internal_errors"]).toBe(0);
}

describe("a call between sipp and sipp", () => {
  it.each([
    ["early media in 183 is passed on", "uac-early-media", "uas-early-media", "completed"],
    ["cancelled before it rings", "uac-cancel-early", "uas-silent", "canceled"],
    ["hold and resume are passed to the business, and its answers back", "uac-hold", "uas-held", "completed"],
    ["without an offer in its INVITE", "uac-no-offer", "uas-offer", "completed"],
  ])("%s", async (_name, uac, uas, status) => {
    const business = await sipp({ scenario: uas });
    const { number } = await presented([uriOf(business.port)]);
    const call = await sipp({ scenario: uac, remote: sip.address, service: number });
    await Promise.all([call.done, business.done]);
    const record = await recordOf(db, number, status);
    expect(record).toMatchObject({ attribution: "matched", released_by: "caller" });
    await nothingLeft();
  });

  it("over TCP: hold and resume", async () => {
    const business = await sipp({ scenario: "uas-held" });
    const { number } = await presented([uriOf(business.port)]);
    const call = await sipp({ scenario: "uac-hold", remote: sip.address, service: number, transport: "t1" });
    await Promise.all([call.done, business.done]);
    await recordOf(db, number, "completed");
    await nothingLeft();
  });

  it("302 from the business ends the hunt: nobody is called at an address that the destination does not name", async () => {
    const redirecting = await sipp({ scenario: "uas-redirect" });
    let calls = 0;
    const second = await startPhone((call) => {
      calls += 1;
      call.answer();
    });
    const { number } = await presented([uriOf(redirecting.port), second.uri]);
    const { peer, call } = await caller(number);
    peer.send(call.invite());
    const final = await peer.next("a final answer", (text) => /^SIP\/2\.0 [3-6]/.test(text), 10_000);
    peer.send(call.ack(final));
    await redirecting.done;
    // Contract §6: neither busy nor unanswered, so 503; a 302 without Contact would say nothing, one with it would send the carrier anywhere.
    expect(final).toMatch(/^SIP\/2\.0 503 /);
    expect(final).not.toContain("192.0.2.1");
    expect(await recordOf(db, number, "failed")).toMatchObject({ attempts: [{ sipStatus: 302 }] });
    expect(calls).toBe(0);
    await nothingLeft();
  });
});

describe("lost and repeated packets", () => {
  it("a 200 that the caller did not get comes again, and the call goes on", async () => {
    const desk = await startPhone((call) => call.answer());
    const { number } = await presented([desk.uri]);
    const { peer, call } = await caller(number);
    peer.send(call.invite());
    const lost = await peer.response(200, "INVITE");
    const again = await peer.response(200, "INVITE");
    expect(again).toBe(lost);
    peer.send(call.ack(again));
    await recordOf(db, number, "in_progress");
    peer.send(call.inDialog("BYE", again, 2));
    await peer.response(200, "BYE");
    expect(await recordOf(db, number, "completed")).toMatchObject({ released_by: "caller" });
    await nothingLeft();
  });

  it("the business that did not get our ACK gets it again for every 200 it repeats", async () => {
    const place = placeOf(sip);
    const desk = await rawPeer(place);
    const { number } = await presented([uriOf(desk.port)]);
    const { peer, call } = await caller(number);
    peer.send(call.invite());
    const invite = await desk.request("INVITE");
    const answer = answerTo(invite, desk.port);
    for (const _time of ["first", "second", "third"]) {
      desk.send(answer);
      expect(field(await desk.request("ACK"), "CSeq")).toBe(field(invite, "CSeq").replace("INVITE", "ACK"));
    }
    const ok = await peer.response(200, "INVITE");
    peer.send(call.ack(ok));
    peer.send(call.inDialog("BYE", ok, 2));
    const bye = await desk.request("BYE");
    desk.send(plainOk(bye));
    await peer.response(200, "BYE");
    await recordOf(db, number, "completed");
    await nothingLeft();
  });

  it("a caller whose ACK never comes: both legs end, and the record says that it was the system", async () => {
    const ends: string[] = [];
    const desk = await startPhone((call) => {
      call.answer();
      call.onEnd((by) => ends.push(by));
    });
    const { number } = await presented([desk.uri]);
    const { peer, call } = await caller(number, quick);
    peer.send(call.invite());
    await peer.response(200, "INVITE");
    const bye = await peer.next("BYE", (text) => text.startsWith("BYE "), 15_000);
    peer.send(plainOk(bye));
    expect(await recordOf(db, number, "completed")).toMatchObject({ released_by: "system" });
    await nothingLeft(quick);
    expect(ends).toEqual(["remote"]);
  });

  it("an INVITE sent three times is one call and one record", async () => {
    let calls = 0;
    const desk = await startPhone((call) => {
      calls += 1;
      call.ring();
    });
    const { number } = await presented([desk.uri]);
    const { peer, call } = await caller(number);
    for (const _time of ["first", "second", "third"]) peer.send(call.invite());
    await peer.response(180);
    peer.send(call.invite());
    await until("all absorbed", () => (sip.edge.counters()["retransmissions_absorbed"] ?? 0) >= 3);
    peer.send(call.cancel());
    peer.send(call.ack(await peer.response(487)));
    const record = await recordOf(db, number, "canceled");
    expect(record.attempts).toHaveLength(1);
    expect([calls, await recordCount(number)]).toEqual([1, 1]);
    await nothingLeft();
  });

  it("the same INVITE over a second path is answered 482, and the first goes on undisturbed", async () => {
    const desk = await startPhone((call) => {
      call.ring();
      setTimeout(() => call.answer(), 200);
    });
    const { number } = await presented([desk.uri]);
    const { peer, call } = await caller(number);
    peer.send(call.invite());
    await peer.response(180);
    peer.send(call.invite({ branch: "z9hG4bKanotherpath" }));
    await peer.response(482);
    const ok = await peer.response(200, "INVITE");
    peer.send(call.ack(ok));
    peer.send(call.inDialog("BYE", ok, 2));
    await peer.response(200, "BYE");
    await recordOf(db, number, "completed");
    expect(await recordCount(number)).toBe(1);
    await nothingLeft();
  });

  it("a new INVITE of the same call after a final failure is a further attempt on the same record", async () => {
    let calls = 0;
    const desk = await startPhone((call) => {
      calls += 1;
      if (calls === 1) call.reject(486, "Busy Here");
      else call.answer();
    });
    const { number } = await presented([desk.uri]);
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
    expect(record.attempts.map((attempt) => attempt.sipStatus)).toEqual([486, null]);
    expect(await recordCount(number)).toBe(1);
    await nothingLeft();
  });

  it("50 calls at once with 5 % packet loss on both sides all come through, one record each", async () => {
    const desk = await startPhone(
      (call) => {
        call.ring();
        call.answer();
      },
      { timers: QUICKER },
    );
    const phone = await startPhone(undefined, { timers: QUICKER });
    const far = await lossyRelay({ edge: placeOf(quick), phone: desk, loss: 0.05, seed: 5 });
    const near = await lossyRelay({ edge: placeOf(quick), phone, loss: 0.05, seed: 50 });
    const { number } = await presented([uriOf(far.phoneSide.port)]);
    const targetUri = `sip:${number}@127.0.0.1:${near.edgeSide.port}`;
    const results = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const result = await phone.phone.call({ targetUri, fromUser: "+14155550123", ringTimeoutMs: 15_000 });
        if (result.kind === "answered") await result.call.hangUp();
        return result.kind;
      }),
    );
    expect(results.filter((kind) => kind !== "answered")).toEqual([]);
    expect(near.lost() + far.lost()).toBeGreaterThan(10);
    await nothingLeft(quick);
    await until("all records are closed", async () => {
      const states = await rows<{ status: string }>(db, "select status from call where promo_number = $1", [number]);
      return states.length === 50 && states.every(({ status }) => status === "completed");
    });
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
      const { number } = await presented([desk.uri]);
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
    await nothingLeft();
  });

  it("while the database is silent and the call is still being matched: 487, and no phone rings", async () => {
    const link = await startLink(url);
    const slow = openDatabase({ url: link.url, log: silentLog });
    const world = await startSipWorld(db, { routingDb: slow });
    try {
      let calls = 0;
      const desk = await startPhone(() => (calls += 1));
      const { number } = await presented([desk.uri]);
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
    const { number } = await presented([]);
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
    const { number } = await presented([desk.uri]);
    const { peer, call } = await caller(number);
    peer.send(call.invite().replace(/^From: .*(?=;tag)/m, 'From: "Anonymous" <sip:anonymous@anonymous.invalid>'));
    const busy = await peer.response(486);
    peer.send(call.ack(busy).replace(/^From: .*(?=\r)/m, `From: ${field(busy, "From")}`));
    expect(await recordOf(db, number, "busy")).toMatchObject({ caller_last4: null });
    expect(seen).toContain("anonymous@");
  });
});

describe("calls that are not taken", () => {
  it("beyond max_calls of the trunk: 503 with Retry-After, no record; taken again once a call has ended", async () => {
    const [trunk] = await listTrunks(db);
    if (trunk === undefined) throw new Error("there is no trunk");
    const desk = await startPhone((call) => call.ring());
    const { number } = await presented([desk.uri]);
    await putTrunk(db, { ...trunk, maxCalls: 1 });
    await sip.service.reloadTrunks();
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
      await nothingLeft();
      expect(await recordCount(number)).toBe(1);
      const third = await caller(number);
      third.peer.send(third.call.invite());
      await third.peer.response(180);
      third.peer.send(third.call.cancel());
      third.peer.send(third.call.ack(await third.peer.response(487)));
      await nothingLeft();
    } finally {
      await putTrunk(db, trunk);
      await sip.service.reloadTrunks();
    }
  });

  it("while draining: 503 with Retry-After for new ones, those that are up go on to their end", async () => {
    const world = await startSipWorld(db);
    try {
      const desk = await startPhone((call) => call.answer());
      const { number } = await presented([desk.uri]);
      const first = await caller(number, world);
      first.peer.send(first.call.invite());
      const ok = await first.peer.response(200, "INVITE");
      first.peer.send(first.call.ack(ok));
      await recordOf(db, number, "in_progress");
      const drained = world.service.drain();
      const second = await caller(number, world);
      second.peer.send(second.call.invite());
      const refusal = await second.peer.response(503);
      second.peer.send(second.call.ack(refusal));
      expect(Number(field(refusal, "Retry-After"))).toBeGreaterThan(0);
      first.peer.send(first.call.inDialog("BYE", ok, 2));
      await first.peer.response(200, "BYE");
      await drained;
      expect(await recordOf(db, number, "completed")).toMatchObject({ released_by: "caller" });
      expect(await recordCount(number)).toBe(1);
    } finally {
      await world.stop();
    }
  });

  it("to a quarantined number: with INTERCEPT_URI the caller hears the announcement, and no business is called", async () => {
    const announcement = await sipp({ scenario: "uas-answer" });
    const world = await startSipWorld(db, { interceptUri: uriOf(announcement.port) });
    try {
      let calls = 0;
      const desk = await startPhone(() => (calls += 1));
      const { number, world: cast } = await presented([desk.uri]);
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

/** The business's 200, written by hand. */
function answerTo(invite: string, port: number): string {
  const body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40002 RTP/AVP 0\r\n";
  return plainOk(invite)
    .replace(/^To: .*(?=\r)/m, "$&;tag=desk")
    .replace("Content-Length: 0\r\n\r\n", "")
    .concat(
      `Contact: <sip:desk@127.0.0.1:${port}>\r\nContent-Type: application/sdp\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
}

function plainOk(request: string): string {
  const copied = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${field(request, name)}`);
  return ["SIP/2.0 200 OK", ...copied, "Content-Length: 0", "", ""].join("\r\n");
}
