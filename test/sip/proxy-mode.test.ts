/** Calls of a trunk in mode `proxy`: relayed by the edge alone, recorded from what it tells. Real packets on both sides. */
import { afterAll, describe, expect, it } from "vitest";
import { listTrunks, putTrunk } from "../../src/account/trunks.store.js";
import { openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { freshDatabase } from "../support/database.js";
import {
  nothingLeft,
  placeOf,
  presentedNumber,
  recordOf,
  startSipWorld,
  type SipWorld,
  targetAt,
} from "../support/sip-world.js";
import { until } from "../support/until.js";
import { callTexts, field, type RawPeer, rawPeer, respondTo, SDP } from "./edge/support/raw-peer.js";

const { db, url } = await freshDatabase();

async function proxyWorld(): Promise<SipWorld> {
  const world = await startSipWorld(db);
  const [trunk] = await listTrunks(db);
  if (trunk === undefined) throw new Error("no trunk");
  await putTrunk(db, { ...trunk, mode: "proxy" });
  await world.service.reloadTrunks();
  return world;
}

const sip = await proxyWorld();
afterAll(() => sip.stop());

async function callTo(number: string, world = sip) {
  const peer = await rawPeer(placeOf(world));
  const call = callTexts(peer, placeOf(world), number);
  peer.send(call.invite());
  return { peer, call };
}

const desk = (world = sip): Promise<RawPeer> => rawPeer(placeOf(world));

function answer(business: RawPeer, invite: string): string {
  const contact = `sip:desk@${business.host}:${business.port}`;
  return respondTo(invite, 200, "OK", {
    tag: "desk",
    contact,
    headers: [`Record-Route: ${field(invite, "Record-Route")}`],
    body: SDP,
  });
}

/** Up: INVITE, 200 and ACK have passed through. */
async function connected(world = sip) {
  const business = await desk(world);
  const { number } = await presentedNumber(db, [targetAt(business.port)]);
  const { peer, call } = await callTo(number, world);
  const invite = await business.request("INVITE");
  business.send(answer(business, invite));
  const ok = await peer.response(200, "INVITE");
  peer.send(call.ack(ok));
  await business.request("ACK");
  await recordOf(db, number, "in_progress");
  return { business, number, peer, call, invite, ok };
}

describe("a call relayed by the edge", () => {
  it("reaches the business as the caller sent it; the caller's BYE passes through, and the record knows who and how long", async () => {
    const { business, number, peer, call, invite, ok } = await connected();
    expect(field(invite, "Call-ID")).toBe(call.callId);
    expect(invite.split("\r\n\r\n")[1]).toBe(SDP);
    expect(field(invite, "From")).toContain("+14155550100");
    expect(invite).toMatch(new RegExp(`^INVITE ${targetAt(business.port)} `));
    const route = `Route: ${field(ok, "Record-Route")}`;
    expect(route).toContain(String(placeOf(sip).port));
    peer.send(call.inDialog("BYE", ok, 2, [route]));
    business.send(respondTo(await business.request("BYE"), 200, "OK"));
    await peer.response(200, "BYE");
    const record = await recordOf(db, number, "completed");
    expect(record).toMatchObject({
      released_by: "caller",
      hangup_cause: "normal_clearing",
      attribution: "matched",
      attempts: [{ target: targetAt(business.port), sipStatus: null }],
    });
    expect(record["talk_ms"]).toBeGreaterThanOrEqual(0);
    await nothingLeft(sip);
  });

  it("is hung up by the business: the record says so", async () => {
    const { business, number, peer, call, invite, ok } = await connected();
    const bye = [
      `BYE sip:caller@${peer.host}:${peer.port} SIP/2.0`,
      `Via: SIP/2.0/UDP ${business.host}:${business.port};rport;branch=z9hG4bKdeskbye${business.port}`,
      "Max-Forwards: 70",
      `Route: ${field(invite, "Record-Route")}`,
      `From: ${field(ok, "To")}`,
      `To: ${field(ok, "From")}`,
      `Call-ID: ${call.callId}`,
      "CSeq: 1 BYE",
      "Content-Length: 0",
      "",
      "",
    ];
    business.send(bye.join("\r\n"));
    peer.send(respondTo(await peer.request("BYE"), 200, "OK"));
    await business.response(200, "BYE");
    expect(await recordOf(db, number, "completed")).toMatchObject({ released_by: "callee" });
    await nothingLeft(sip);
  });

  it("that finds the first target busy goes to the next; each attempt is on the record", async () => {
    const [busy, free] = [await desk(), await desk()];
    const { number } = await presentedNumber(db, [targetAt(busy.port), targetAt(free.port)]);
    const { peer, call } = await callTo(number);
    busy.send(respondTo(await busy.request("INVITE"), 486, "Busy Here", { tag: "busy" }));
    free.send(answer(free, await free.request("INVITE")));
    const ok = await peer.response(200, "INVITE");
    peer.send(call.ack(ok));
    await free.request("ACK");
    peer.send(call.inDialog("BYE", ok, 2));
    free.send(respondTo(await free.request("BYE"), 200, "OK"));
    await peer.response(200, "BYE");
    const record = await recordOf(db, number, "completed");
    expect(record.attempts).toMatchObject([
      { target: targetAt(busy.port), sipStatus: 486 },
      { target: targetAt(free.port), sipStatus: null },
    ]);
    await nothingLeft(sip);
  });

  it("that rings in vain goes to the next target after the destination's ring timeout", async () => {
    const [silent, free] = [await desk(), await desk()];
    const { number } = await presentedNumber(db, [targetAt(silent.port), targetAt(free.port)], 5);
    const { peer, call } = await callTo(number);
    const invite = await silent.request("INVITE");
    silent.send(respondTo(invite, 180, "Ringing", { tag: "silent" }));
    await peer.response(180);
    const cancel = await silent.next("CANCEL", (text) => text.startsWith("CANCEL "), 10_000);
    silent.send(respondTo(cancel, 200, "OK"));
    silent.send(respondTo(invite, 487, "Request Terminated", { tag: "silent" }));
    free.send(respondTo(await free.request("INVITE"), 486, "Busy Here", { tag: "free" }));
    const final = await peer.next("a final answer", (text) => /^SIP\/2\.0 [3-6]/.test(text));
    peer.send(call.ack(final));
    const record = await recordOf(db, number, "busy");
    expect(record.attempts.map(({ sipStatus }) => sipStatus)).toEqual([408, 486]);
    await nothingLeft(sip);
  });

  it("redirected by the business is not followed: the caller hears a refusal without the address", async () => {
    const [redirecting, elsewhere] = [await desk(), await desk()];
    const { number } = await presentedNumber(db, [targetAt(redirecting.port)]);
    const { peer, call } = await callTo(number);
    const contact = targetAt(elsewhere.port);
    redirecting.send(respondTo(await redirecting.request("INVITE"), 302, "Moved", { tag: "moved", contact }));
    const final = await peer.next("a final answer", (text) => /^SIP\/2\.0 [3-6]/.test(text));
    peer.send(call.ack(final));
    expect(await recordOf(db, number, "failed")).toMatchObject({ attempts: [{ sipStatus: 302 }] });
    expect(elsewhere.inbox).toEqual([]);
    await nothingLeft(sip);
  });

  it("given up by the caller: the business is cancelled, and the record says so", async () => {
    const business = await desk();
    const { number } = await presentedNumber(db, [targetAt(business.port)]);
    const { peer, call } = await callTo(number);
    const invite = await business.request("INVITE");
    business.send(respondTo(invite, 180, "Ringing", { tag: "desk" }));
    await peer.response(180);
    peer.send(call.cancel());
    business.send(respondTo(await business.request("CANCEL"), 200, "OK"));
    business.send(respondTo(invite, 487, "Request Terminated", { tag: "desk" }));
    peer.send(call.ack(await peer.response(487)));
    expect(await recordOf(db, number, "canceled")).toMatchObject({ released_by: "caller" });
    await nothingLeft(sip);
  });
});

describe("a number that is nobody's", () => {
  it("is refused as in any mode", async () => {
    const business = await desk();
    const { number, world } = await presentedNumber(db, [targetAt(business.port)]);
    const move = { e164: number, accountId: null, reason: "test", actor: "test" };
    await quarantineNumber({ db, schedule: world.schedule }, move);
    const { peer, call } = await callTo(number);
    peer.send(call.ack(await peer.response(404)));
    await recordOf(db, number, "intercepted");
    expect(business.inbox).toEqual([]);
  });
});

describe("a service that goes", () => {
  it("waits for relayed calls while it drains, and closes their records when it loses the edge; the call itself goes on", async () => {
    const world = await proxyWorld();
    try {
      const { business, number, peer, call, ok } = await connected(world);
      expect(world.service.liveCalls).toBe(1);
      world.link.cut();
      const record = await recordOf(db, number, "completed");
      expect(record).toMatchObject({
        released_by: "system",
        hangup_cause: expect.stringContaining("link_lost") as string,
      });
      peer.send(call.inDialog("BYE", ok, 2));
      business.send(respondTo(await business.request("BYE"), 200, "OK"));
      await peer.response(200, "BYE");
    } finally {
      await world.stop();
    }
  });
});

describe("a caller who hangs up while the call is still being matched", () => {
  it("leaves a cancelled record, and nobody's phone rings", async () => {
    const slow = openDatabase({ url, log: silentLog });
    const held: (() => void)[] = [];
    const routingDb = {
      ...slow,
      query: async (query: { name: string; text: string }, values?: readonly unknown[]) => {
        if (query.name === "match_number") await new Promise<void>((resolve) => held.push(resolve));
        return slow.query<never>(query, values);
      },
    };
    const world = await startSipWorld(db, { routingDb });
    try {
      const business = await desk(world);
      const { number } = await presentedNumber(db, [targetAt(business.port)]);
      await until(
        "the table knows",
        () => world.routing.table.find(number)?.destination?.sipUri === targetAt(business.port),
      );
      const { peer, call } = await callTo(number, world);
      await until("the match is held", () => held.length > 0);
      peer.send(call.cancel());
      peer.send(call.ack(await peer.response(487)));
      for (const resume of held) resume();
      await recordOf(db, number, "canceled");
      expect(business.inbox.filter((text) => text.startsWith("INVITE"))).toEqual([]);
    } finally {
      await world.stop();
      await slow.close();
    }
  });
});
