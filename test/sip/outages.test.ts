import { afterAll, describe, expect, it } from "vitest";
import { openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { freshDatabase } from "../support/database.js";
import { startLink } from "../support/severable-link.js";
import { nothingLeft, placeOf, presentedNumber, recordOf, startSipWorld, targetAt } from "../support/sip-world.js";
import { sipp } from "../support/sipp.js";
import { until } from "../support/until.js";
import { callTexts, rawPeer, respondTo, SDP } from "./edge/support/raw-peer.js";

const { db, url } = await freshDatabase();
const link = await startLink(url);
const throughLink = openDatabase({ url: link.url, log: silentLog });
const sip = await startSipWorld(db, { routingDb: throughLink });
afterAll(async () => {
  await sip.stop();
  await throughLink.close();
  await link.close();
});

async function presented(target: string) {
  const { number, visitorId } = await presentedNumber(db, [target]);
  await until(
    "the routing table knows the number",
    () => sip.routing.table.find(number)?.destination?.sipUri === target,
  );
  return { promoNumber: number, visitorId };
}

describe("with PostgreSQL away", () => {
  it.each(["cut", "silence"] as const)(
    "(%s) the phone rings from the routing table, and the record is written and attributed afterwards",
    async (how) => {
      const callee = await sipp({ scenario: "uas-answer" });
      const { promoNumber, visitorId } = await presented(`sip:business@127.0.0.1:${callee.port}`);
      link[how]();
      const caller = await sipp({ scenario: "uac-answered", remote: sip.address, service: promoNumber });
      await Promise.all([caller.done, callee.done]);
      expect(sip.routing.spooled()).not.toContain("4155550123");
      link.mend();
      const record = await recordOf(db, promoNumber, "completed");
      expect(record).toMatchObject({
        attribution: "matched",
        visitor_id: visitorId,
        late: true,
        released_by: "caller",
        caller_last4: "0123",
      });
      expect(record["talk_ms"]).toBeGreaterThanOrEqual(200);
      expect(sip.service.liveCalls).toBe(0);
    },
  );
});

it("a call that its carrier tries again while PostgreSQL is away ends as the second try did", async () => {
  const business = await rawPeer(placeOf(sip));
  const contact = targetAt(business.port);
  const { promoNumber } = await presented(contact);
  const caller = await rawPeer(placeOf(sip));
  const call = callTexts(caller, placeOf(sip), promoNumber);
  caller.send(call.invite());
  business.send(respondTo(await business.request("INVITE"), 486, "Busy Here", { tag: "first" }));
  caller.send(call.ack(await caller.response(486)));
  await business.request("ACK");
  await recordOf(db, promoNumber, "busy");
  link.silence();
  caller.send(call.invite({ branch: "z9hG4bKsecondtry", cseq: 2 }));
  business.send(respondTo(await business.request("INVITE"), 200, "OK", { tag: "second", contact, body: SDP }));
  const ok = await caller.response(200, "INVITE");
  caller.send(call.ack(ok));
  await business.request("ACK");
  caller.send(call.inDialog("BYE", ok, 3));
  business.send(respondTo(await business.request("BYE"), 200, "OK"));
  link.mend();
  expect(await recordOf(db, promoNumber, "completed")).toMatchObject({ released_by: "caller" });
  await nothingLeft(sip);
});

describe("with the link to the edge lost in a call", () => {
  it("the record is closed as ended by the system, and calls go on when the link is back", async () => {
    const callee = await sipp({ scenario: "uas-answer" });
    const { promoNumber } = await presented(`sip:business@127.0.0.1:${callee.port}`);
    const caller = await sipp({ scenario: "uac-callee-hangs-up", remote: sip.address, service: promoNumber });
    await recordOf(db, promoNumber, "in_progress");
    sip.link.cut();
    const record = await recordOf(db, promoNumber, "completed");
    expect(record).toMatchObject({ released_by: "system", hangup_cause: "link_lost" });
    // The edge hangs up for the app that left; drachtio-server leaves both phones on the line.
    if (sip.edge === null) for (const phone of [caller, callee]) phone.stop();
    await Promise.all([caller.done, callee.done]);
    await nothingLeft(sip);
    sip.link.mend();
    await until("the link is back", () => sip.service.isUp);
    const again = await sipp({ scenario: "uas-answer" });
    const next = await presented(`sip:business@127.0.0.1:${again.port}`);
    await (await sipp({ scenario: "uac-answered", remote: sip.address, service: next.promoNumber })).done;
    expect(await recordOf(db, next.promoNumber, "completed")).toMatchObject({ attribution: "matched" });
  });
});
