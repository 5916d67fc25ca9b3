/** Calls to numbers that nobody holds, with INTERCEPT_URI: what becomes of the announcement's leg. */
import { expect, it, onTestFinished } from "vitest";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { freshDatabase } from "../support/database.js";
import { nothingLeft, placeOf, presentedNumber, recordOf, startSipWorld } from "../support/sip-world.js";
import { until } from "../support/until.js";
import { callTexts, field, rawPeer, respondTo, SDP } from "./edge/support/raw-peer.js";

const { db } = await freshDatabase();

async function quarantined(): Promise<string> {
  const { world, number } = await presentedNumber(db, []);
  const move = { e164: number, accountId: null, reason: "test", actor: "test" };
  await quarantineNumber({ db, schedule: world.schedule }, move);
  return number;
}

it("a caller who gives up while the announcement's answer is on its way leaves no leg behind", async () => {
  const announcement = await rawPeer({ host: "127.0.0.1", port: 0 });
  const world = await startSipWorld(db, { interceptUri: `sip:announcement@127.0.0.1:${announcement.port}` });
  onTestFinished(() => world.stop());
  const number = await quarantined();
  const peer = await rawPeer(placeOf(world));
  const texts = callTexts(peer, placeOf(world), number);
  peer.send(texts.invite());
  const invite = await announcement.request("INVITE");
  const contact = `sip:announcement@127.0.0.1:${announcement.port}`;
  const held = world.link.hold();
  announcement.sendTo(placeOf(world), respondTo(invite, 200, "OK", { tag: "a", contact, body: SDP }));
  await until("the service answers both", () => held.text.includes("SIP/2.0 200 OK"));
  peer.send(texts.cancel());
  peer.send(texts.ack(await peer.response(487)));
  held.letGo();
  await announcement.request("ACK");
  const bye = await announcement.request("BYE");
  expect(field(bye, "Call-ID")).toBe(field(invite, "Call-ID"));
  announcement.sendTo(placeOf(world), respondTo(bye, 200, "OK"));
  await recordOf(db, number, "intercepted");
  await nothingLeft(world);
});
