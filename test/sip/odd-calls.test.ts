/** Calls as odd equipment makes and takes them: bodies that are not SDP alone, a business that says nothing at all, requests of calls that never were. */
import { afterAll, describe, expect, it } from "vitest";
import { freshDatabase } from "../support/database.js";
import { itOnEdge } from "../support/drachtio-server.js";
import { nothingLeft, placeOf, presentedNumber, recordOf, startSipWorld, targetAt } from "../support/sip-world.js";
import { callTexts, field, rawPeer, respondTo, SDP } from "./edge/support/raw-peer.js";

const { db } = await freshDatabase();
const sip = await startSipWorld(db);
afterAll(() => sip.stop());
const edge = placeOf(sip);

const MULTIPART = "multipart/mixed;boundary=unique";
const ISUP_CALL = [
  "--unique",
  "Content-Type: application/sdp",
  "",
  SDP,
  "--unique",
  "Content-Type: application/ISUP;version=nxv3;base=etsi121",
  "Content-Disposition: signal;handling=optional",
  "",
  "0001",
  "--unique--",
  "",
].join("\r\n");

describe("a body that is not SDP alone", () => {
  it("reaches the business as it is, with its type, and so does what the business says before it answers", async () => {
    const business = await rawPeer(edge);
    const { number } = await presentedNumber(db, [targetAt(business.port)]);
    const caller = await rawPeer(edge);
    const call = callTexts(caller, edge, number);
    caller.send(
      call.invite({ body: ISUP_CALL }).replace("application/sdp\r\nContent-Length", `${MULTIPART}\r\nContent-Length`),
    );
    const invite = await business.request("INVITE");
    expect(field(invite, "Content-Type")).toBe(MULTIPART);
    expect(invite.slice(invite.indexOf("\r\n\r\n") + 4)).toBe(ISUP_CALL);
    const ring = respondTo(invite, 183, "Session Progress", { tag: "desk", body: ISUP_CALL });
    business.send(ring.replace("application/sdp\r\nContent-Length", `${MULTIPART}\r\nContent-Length`));
    expect(field(await caller.response(183), "Content-Type")).toBe(MULTIPART);
    business.send(respondTo(invite, 415, "Unsupported Media Type", { tag: "desk" }));
    await business.request("ACK");
    const refused = await caller.response(503);
    caller.send(call.ack(refused));
    expect(await recordOf(db, number, "failed")).toMatchObject({ attempts: [{ sipStatus: 415, cause: "sip_415" }] });
  });
});

describe("a business's machine that says nothing at all", () => {
  it("costs the caller its ring timeout and no more, and the next target answers", async () => {
    const silent = await rawPeer(edge);
    const business = await rawPeer(edge);
    const { number } = await presentedNumber(db, [targetAt(silent.port), targetAt(business.port)], 1);
    const caller = await rawPeer(edge);
    const call = callTexts(caller, edge, number);
    caller.send(call.invite({ body: SDP }));
    await silent.request("INVITE");
    const invite = await business.request("INVITE");
    business.send(
      respondTo(invite, 200, "OK", { tag: "desk", contact: `sip:desk@127.0.0.1:${business.port}`, body: SDP }),
    );
    const ok = await caller.response(200);
    caller.send(call.ack(ok));
    caller.send(call.inDialog("BYE", ok, 2));
    business.send(respondTo(await business.request("BYE"), 200, "OK", { tag: "desk" }));
    const record = await recordOf(db, number, "completed");
    expect(record.attempts).toMatchObject([{ cause: "ring_timeout" }, { sipStatus: 200 }]);
    const [first, second] = record.attempts as unknown as { startedAt: number }[];
    // Not the 5 s that a machine had for its 487.
    expect((second?.startedAt ?? 0) - (first?.startedAt ?? 0)).toBeLessThan(3_000);
  });

  it("does not hold up the record of a caller who gave up", async () => {
    const silent = await rawPeer(edge);
    const { number } = await presentedNumber(db, [targetAt(silent.port)]);
    const caller = await rawPeer(edge);
    const call = callTexts(caller, edge, number);
    caller.send(call.invite({ body: SDP }));
    await silent.request("INVITE");
    caller.send(call.cancel());
    caller.send(call.ack(await caller.response(487, "INVITE")));
    const record = await recordOf(db, number, "canceled");
    const took = (record["ended_at"] as number) - (record["received_at"] as number);
    expect(took).toBeLessThan(3_000);
    // The machine wakes up: it is told that nobody waits, and nothing is left of the call.
    const invite = silent.inbox.find((text) => text.startsWith("INVITE")) ?? (await silent.request("INVITE"));
    silent.send(respondTo(invite, 180, "Ringing", { tag: "late" }));
    const cancel = await silent.request("CANCEL");
    silent.send(respondTo(cancel, 200, "OK", { tag: "late" }));
    silent.send(respondTo(invite, 487, "Request Terminated", { tag: "late" }));
    await silent.request("ACK");
    await nothingLeft(sip);
  });

  it("to our BYE: the record is closed before that leg is given up", async () => {
    const business = await rawPeer(edge);
    const { number } = await presentedNumber(db, [targetAt(business.port)]);
    const caller = await rawPeer(edge);
    const call = callTexts(caller, edge, number);
    caller.send(call.invite({ body: SDP }));
    const invite = await business.request("INVITE");
    business.send(respondTo(invite, 200, "OK", { tag: "desk", contact: targetAt(business.port), body: SDP }));
    const ok = await caller.response(200);
    caller.send(call.ack(ok));
    await business.request("ACK");
    caller.send(call.inDialog("BYE", ok, 2));
    const bye = await business.request("BYE");
    expect(await recordOf(db, number, "completed")).toMatchObject({ released_by: "caller" });
    expect(sip.service.liveCalls).toBe(1);
    business.send(respondTo(bye, 200, "OK", { tag: "desk" }));
    await nothingLeft(sip);
  });
});

itOnEdge(
  "a business whose port refuses the connection was not reached, on the record too",
  "says 503 with a To tag, as a phone",
  async () => {
    const business = await rawPeer(edge);
    // Nobody's port: no server of these tests may be given it.
    const { number } = await presentedNumber(db, ["sip:business@127.0.0.1:1;transport=tcp", targetAt(business.port)]);
    const caller = await rawPeer(edge);
    const call = callTexts(caller, edge, number);
    caller.send(call.invite());
    business.send(respondTo(await business.request("INVITE"), 503, "Service Unavailable", { tag: "desk" }));
    caller.send(call.ack(await caller.response(503)));
    const record = await recordOf(db, number, "failed");
    expect(record.attempts).toMatchObject([
      { sipStatus: null, cause: "transport: not reachable" },
      { sipStatus: 503, cause: "sip_503" },
    ]);
    await nothingLeft(sip);
  },
);

itOnEdge(
  "a business that names no Contact is hung up where it was rung, and the next target rings",
  "forgets it",
  async () => {
    const business = await rawPeer(edge);
    const next = await rawPeer(edge);
    const { number } = await presentedNumber(db, [targetAt(business.port), targetAt(next.port)]);
    const caller = await rawPeer(edge);
    const call = callTexts(caller, edge, number);
    caller.send(call.invite());
    business.send(respondTo(await business.request("INVITE"), 200, "OK", { tag: "desk", body: SDP }));
    await business.request("ACK");
    const bye = await business.request("BYE");
    expect(bye).toMatch(new RegExp(`^BYE ${targetAt(business.port)} `));
    business.send(respondTo(bye, 200, "OK"));
    const contact = `sip:desk@127.0.0.1:${next.port}`;
    next.send(respondTo(await next.request("INVITE"), 200, "OK", { tag: "next", contact, body: SDP }));
    const ok = await caller.response(200, "INVITE");
    caller.send(call.ack(ok));
    await next.request("ACK");
    caller.send(call.inDialog("BYE", ok, 2));
    next.send(respondTo(await next.request("BYE"), 200, "OK"));
    expect((await recordOf(db, number, "completed")).attempts).toMatchObject([{ sipStatus: 500 }, { sipStatus: 200 }]);
    await nothingLeft(sip);
  },
);

it("a caller who gave up rang until then, not until the business has confirmed it", async () => {
  const business = await rawPeer(edge);
  const { number } = await presentedNumber(db, [targetAt(business.port)]);
  const caller = await rawPeer(edge);
  const call = callTexts(caller, edge, number);
  caller.send(call.invite());
  const invite = await business.request("INVITE");
  business.send(respondTo(invite, 180, "Ringing", { tag: "desk" }));
  await caller.response(180);
  caller.send(call.cancel());
  caller.send(call.ack(await caller.response(487, "INVITE")));
  const record = await recordOf(db, number, "canceled");
  // A business that rang has half a second for its 487.
  expect(record["ring_ms"]).toBeLessThan(400);
  business.send(respondTo(await business.request("CANCEL"), 200, "OK", { tag: "desk" }));
  business.send(respondTo(invite, 487, "Request Terminated", { tag: "desk" }));
  await business.request("ACK");
  await nothingLeft(sip);
});

describe("a call without an offer", () => {
  const offered = async (contact?: "none") => {
    const business = await rawPeer(edge);
    const { number } = await presentedNumber(db, [targetAt(business.port)]);
    const caller = await rawPeer(edge);
    const call = callTexts(caller, edge, number);
    caller.send(call.invite({ body: "" }));
    const desk = contact === "none" ? {} : { contact: `sip:desk@127.0.0.1:${business.port}` };
    business.send(respondTo(await business.request("INVITE"), 200, "OK", { tag: "desk", ...desk, body: SDP }));
    const ok = await caller.response(200, "INVITE");
    return { business, number, caller, call, ok };
  };

  it("whose caller acknowledges the business's offer without an answer to it ends on both sides and on the record", async () => {
    const { business, number, caller, call, ok } = await offered();
    caller.send(call.ack(ok));
    await business.request("ACK");
    caller.send(respondTo(await caller.request("BYE"), 200, "OK"));
    business.send(respondTo(await business.request("BYE"), 200, "OK"));
    const record = await recordOf(db, number, "completed");
    expect(record).toMatchObject({ released_by: "system", hangup_cause: "no_answer_to_offer" });
    await nothingLeft(sip);
  });

  itOnEdge("and whose business names no Contact ends on both sides and on the record", "forgets it", async () => {
    const { business, number, caller, call, ok } = await offered("none");
    caller.send(call.inDialog("ACK", ok, 1, [], SDP));
    await business.request("ACK");
    business.send(respondTo(await business.request("BYE"), 200, "OK"));
    caller.send(respondTo(await caller.request("BYE"), 200, "OK"));
    expect(await recordOf(db, number, "completed")).toMatchObject({ released_by: "system" });
    await nothingLeft(sip);
  });
});

it("talk time ends with the caller's BYE, however long the business says nothing to its own", async () => {
  const business = await rawPeer(edge);
  const { number } = await presentedNumber(db, [targetAt(business.port)]);
  const caller = await rawPeer(edge);
  const call = callTexts(caller, edge, number);
  caller.send(call.invite());
  const contact = `sip:desk@127.0.0.1:${business.port}`;
  business.send(respondTo(await business.request("INVITE"), 200, "OK", { tag: "desk", contact, body: SDP }));
  const ok = await caller.response(200, "INVITE");
  caller.send(call.ack(ok));
  await business.request("ACK");
  caller.send(call.inDialog("BYE", ok, 2));
  const bye = await business.request("BYE");
  expect((await recordOf(db, number, "completed"))["talk_ms"]).toBeLessThan(1_500);
  business.send(respondTo(bye, 200, "OK"));
  await nothingLeft(sip);
});

/** What such a request would answer to. */
const NOBODYS = `To: <sip:+18005550100@${edge.host}>\r\nContact: <sip:nobody@${edge.host}>\r\n`;

describe("a request of a call that is over, or never was", () => {
  const isAnswered481 = async (method: string): Promise<void> => {
    const peer = await rawPeer(edge);
    peer.send(callTexts(peer, edge).inDialog(method, NOBODYS, 2));
    await peer.response(481, method);
  };
  it.each(["BYE", "INFO", "UPDATE"])("%s is answered 481", isAnswered481);
  itOnEdge("PRACK is answered 481", "says nothing", () => isAnswered481("PRACK"));
});
