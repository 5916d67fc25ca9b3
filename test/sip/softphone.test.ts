/** A real softphone on both ends: what sipp only plays, baresip does as phones do, with sound. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Baresip, startBaresip } from "../support/baresip.js";
import { freshDatabase } from "../support/database.js";
import { nothingLeft, presentedNumber, recordOf, type SipWorld, startSipWorld } from "../support/sip-world.js";
import { until } from "../support/until.js";

const { db } = await freshDatabase();
/** Of 250 in the 5 s until a phone first counts them. */
const PACKETS_MIN = 100;

describe("a call from baresip to baresip", () => {
  let sip: SipWorld;
  let caller: Baresip;
  let business: Baresip;
  const phones: Baresip[] = [];
  beforeAll(async () => {
    sip = await startSipWorld(db);
    caller = await startBaresip("+14155550123");
    phones.push(caller);
    business = await startBaresip("desk");
    phones.push(business);
  });
  afterAll(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await sip.stop();
  });

  /** Up, and RTP has arrived at both. @returns the promo number */
  async function callThatIsUp(): Promise<string> {
    const { number } = await presentedNumber(db, [business.uri]);
    caller.command("dial", `sip:${number}@${sip.address}`);
    await business.event("CALL_INCOMING");
    await caller.event("CALL_RINGING");
    business.command("accept");
    await Promise.all(phones.map((phone) => phone.event("CALL_ESTABLISHED")));
    await Promise.all(phones.map((phone) => phone.event("CALL_RTPESTAB")));
    return number;
  }

  it("carries sound both ways, is held and taken back by the caller, and ends when the business hangs up", async () => {
    const number = await callThatIsUp();
    await reinvite("hold", "a=sendonly", "a=recvonly");
    await reinvite("resume", "a=sendrecv", "a=sendrecv");
    for (const phone of phones) {
      const counted = await phone.event("CALL_RTCP", ({ rtcp_stats }) => (rtcp_stats?.rx.sent ?? 0) > PACKETS_MIN);
      expect(counted.rtcp_stats?.tx.sent).toBeGreaterThan(PACKETS_MIN);
    }
    business.command("hangup");
    await Promise.all(phones.map((phone) => phone.event("CALL_CLOSED")));
    expect(await recordOf(db, number, "completed")).toMatchObject({
      attribution: "matched",
      released_by: "callee",
      caller_last4: "0123",
    });
    await nothingLeft(sip);
  });

  it("ends at the business when the caller hangs up", async () => {
    const number = await callThatIsUp();
    caller.command("hangup");
    await Promise.all(phones.map((phone) => phone.event("CALL_CLOSED")));
    expect(await recordOf(db, number, "completed")).toMatchObject({ attribution: "matched", released_by: "caller" });
    await nothingLeft(sip);
  });

  it("given up while it rings stops ringing at the business", async () => {
    const { number } = await presentedNumber(db, [business.uri]);
    caller.command("dial", `sip:${number}@${sip.address}`);
    await business.event("CALL_INCOMING");
    await caller.event("CALL_RINGING");
    caller.command("hangup");
    await Promise.all(phones.map((phone) => phone.event("CALL_CLOSED")));
    expect(await recordOf(db, number, "canceled")).toMatchObject({ released_by: "caller" });
    await nothingLeft(sip);
  });

  /** The caller's offer reaches the business, and the answer to it the caller. */
  async function reinvite(command: string, offer: string, answer: string): Promise<void> {
    const [from, to] = [business.trace().length, caller.trace().length];
    caller.command(command);
    await until(`${offer} at the business`, () => business.trace().slice(from).includes(offer));
    await until(`${answer} at the caller`, () => caller.trace().slice(to).includes(answer));
  }
});
