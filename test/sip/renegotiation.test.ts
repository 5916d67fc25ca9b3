/** Media changes of a call that is up, and answers that drachtio-srf has no name for. */
import { afterAll, expect, it } from "vitest";
import { freshDatabase } from "../support/database.js";
import { itOnEdge } from "../support/drachtio-server.js";
import { nothingLeft, placeOf, presentedNumber, recordOf, startSipWorld, targetAt } from "../support/sip-world.js";
import { callTexts, field, rawPeer, respondTo, SDP } from "./edge/support/raw-peer.js";

const { db } = await freshDatabase();
const sip = await startSipWorld(db);
afterAll(() => sip.stop());
const edge = placeOf(sip);

const HELD = SDP.replace("sendrecv", "sendonly").replace("o=- 1 1", "o=- 1 2");
const bodyOf = (text: string): string => text.slice(text.indexOf("\r\n\r\n") + 4);

async function ringing() {
  const business = await rawPeer(edge);
  const { number } = await presentedNumber(db, [targetAt(business.port)]);
  const caller = await rawPeer(edge);
  const call = callTexts(caller, edge, number);
  caller.send(call.invite());
  return { business, number, caller, call, invite: await business.request("INVITE") };
}

/** @param status what the business answers with */
async function callUp(status = 200) {
  const { business, number, caller, call, invite } = await ringing();
  const contact = `sip:desk@127.0.0.1:${business.port}`;
  business.send(respondTo(invite, status, "OK", { tag: "desk", contact, body: SDP }));
  const ok = await caller.response(200, "INVITE");
  caller.send(call.ack(ok));
  await business.request("ACK");
  const hangUp = async (cseq: number): Promise<void> => {
    caller.send(call.inDialog("BYE", ok, cseq));
    await caller.response(200, "BYE");
    business.send(respondTo(await business.request("BYE"), 200, "OK"));
    await recordOf(db, number, "completed");
    await nothingLeft(sip);
  };
  const contactHeader = `Contact: <sip:caller@127.0.0.1:${caller.port}>`;
  return { business, caller, call, ok, contact, number, hangUp, contactHeader };
}

it("provisional answer of an unusual number reaches the caller as what its class means", async () => {
  const { business, number, caller, call, invite } = await ringing();
  business.send(respondTo(invite, 188, "Odd", { tag: "desk" }));
  await caller.response(183);
  business.send(respondTo(invite, 486, "Busy Here", { tag: "desk" }));
  caller.send(call.ack(await caller.response(486)));
  await recordOf(db, number, "busy");
  await nothingLeft(sip);
});

itOnEdge("a 2xx that is not 200 answers the call", "says 202 to its app, and srf forgets the call", async () => {
  const { hangUp } = await callUp(202);
  await hangUp(2);
});

it("re-INVITE that the business refuses with 607 is refused", async () => {
  const { business, caller, call, ok, hangUp, contactHeader } = await callUp();
  caller.send(call.inDialog("INVITE", ok, 2, [contactHeader], HELD));
  const offered = await business.request("INVITE");
  business.send(respondTo(offered, 607, "Unwanted"));
  await business.request("ACK");
  const refused = await caller.response(600, "INVITE");
  caller.send(call.inDialog("ACK", ok, 2));
  expect(field(refused, "CSeq")).toBe("2 INVITE");
  await hangUp(3);
});

it("re-INVITE after a refused one is passed on", async () => {
  const { business, caller, call, ok, hangUp, contactHeader, contact } = await callUp();
  caller.send(call.inDialog("INVITE", ok, 2, [contactHeader], HELD));
  business.send(respondTo(await business.request("INVITE"), 488, "Not Acceptable Here"));
  await business.request("ACK");
  await caller.response(488, "INVITE");
  caller.send(call.inDialog("ACK", ok, 2));
  caller.send(call.inDialog("INVITE", ok, 3, [contactHeader], HELD));
  business.send(respondTo(await business.request("INVITE"), 200, "OK", { contact, body: SDP }));
  await business.request("ACK");
  await caller.response(200, "INVITE");
  caller.send(call.inDialog("ACK", ok, 3));
  await hangUp(4);
});

it("re-INVITE without an offer: the business's offer is answered in its ACK by what the caller says in theirs", async () => {
  const { business, caller, call, ok, hangUp, contactHeader, contact } = await callUp();
  caller.send(call.inDialog("INVITE", ok, 2, [contactHeader]));
  const asked = await business.request("INVITE");
  expect(bodyOf(asked)).toBe("");
  business.send(respondTo(asked, 200, "OK", { contact, body: HELD }));
  const offer = await caller.response(200, "INVITE");
  expect(bodyOf(offer)).toBe(HELD);
  const answer = SDP.replace("sendrecv", "recvonly");
  caller.send(call.inDialog("ACK", ok, 2, [], answer));
  expect(bodyOf(await business.request("ACK"))).toBe(answer);
  await hangUp(3);
});
