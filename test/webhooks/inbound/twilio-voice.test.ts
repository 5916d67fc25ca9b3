import { afterAll, describe, expect, it } from "vitest";
import { quarantineNumber } from "../../../src/pool/number-moves.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import { until } from "../../support/until.js";
import { freshDatabase, rows } from "../../support/database.js";
import { allocationFor, makeWorld, type World } from "../../support/world.js";
import { CALLER } from "../support/caller.js";
import { attribute, dialled, incomingCall, type Params, REJECTED } from "../support/twilio-stand-in.js";
import { PUBLIC_URL, putTwilio, recordOf, settledRecord, startWebhooks } from "../support/webhook-service.js";

const { db } = await freshDatabase();
const credentialId = await putTwilio(db);
const service = await startWebhooks(db);
const { twilio } = service;
afterAll(() => service.stop());

const record = (call: Params) => settledRecord(db, { service, credentialId, call });

async function presented(world: World): Promise<{ promoNumber: string; visitorId: string }> {
  const [got] = await presentBatch(db, [allocationFor(world)], null);
  if (got?.kind !== "presented") throw new Error(`not presented: ${JSON.stringify(got)}`);
  return got;
}

describe("a call to a number just presented", () => {
  it("is told to ring the business and belongs to the visitor", async () => {
    const { promoNumber, visitorId } = await presented(await makeWorld(db, 2));
    const call = incomingCall(promoNumber);
    const answer = await twilio.voice(call);
    expect(answer).toMatchObject({ status: 200, contentType: "text/xml; charset=utf-8" });
    expect(dialled(answer)).toBe("+18005550100");
    expect(attribute(answer, "answerOnBridge")).toBe("true");
    expect(attribute(answer, "timeout")).toBe("30");
    expect(attribute(answer, "action")).toMatch(`${PUBLIC_URL}/webhooks/twilio/dial?`);
    expect(attribute(answer, "statusCallbackEvent")).toBe("ringing answered completed");
    expect(await record(call)).toMatchObject({
      ingress: "twilio",
      ingressCallId: call["CallSid"],
      promoNumber,
      disposition: "routed",
      status: "ringing",
      destinationNumber: "+18005550100",
      caller: { last4: CALLER.slice(-4) },
      verstat: null,
      attribution: { outcome: "matched", visitorId, late: false },
    });
  });

  it("notes the attempt", async () => {
    const { promoNumber } = await presented(await makeWorld(db, 1));
    const call = incomingCall(promoNumber);
    await twilio.voice(call);
    await expect
      .poll(async () => (await record(call)).progress.attempts)
      .toMatchObject([{ target: "+18005550100", sipStatus: null, cause: null }]);
  });

  it("never has the caller's number in the answer", async () => {
    const { promoNumber } = await presented(await makeWorld(db, 1));
    const answer = await twilio.voice(incomingCall(promoNumber));
    expect(answer.text).not.toContain(CALLER.slice(1));
    expect(answer.text).not.toContain("callerId");
  });

  it("rings the business by number, though it has a sip_uri, for as long as the destination says", async () => {
    const world = await makeWorld(db, 1);
    await rows(db, "update destination set ring_timeout_s = 17 where id = $1", [world.destination.id]);
    const answer = await twilio.voice(incomingCall(world.numbers[0] as string));
    expect(dialled(answer)).toBe("+18005550100");
    expect(attribute(answer, "timeout")).toBe("17");
  });
});

describe("numbers that ring no business", () => {
  const quarantined = async (): Promise<string> => {
    const world = await makeWorld(db, 1);
    const e164 = world.numbers[0] as string;
    const why = { reason: "test", actor: "test" };
    await quarantineNumber({ db, schedule: world.schedule }, { e164, accountId: world.account.id, ...why });
    return e164;
  };

  it("are rejected and logged as intercepts", async () => {
    const number = await quarantined();
    const call = incomingCall(number);
    expect((await twilio.voice(call)).text).toMatch(REJECTED);
    const { id, ...seen } = await record(call);
    expect(seen).toMatchObject({ disposition: "intercepted", status: "intercepted", destinationNumber: null });
    const intercepts = await rows(db, "select call_id, counted, ingress from intercept where promo_number = $1", [
      number,
    ]);
    expect(intercepts).toEqual([{ call_id: id, counted: true, ingress: "twilio" }]);
  });

  it("are announced as not in service when the credential says so", async () => {
    const world = await makeWorld(db, 1);
    const announcing = await putTwilio(db, { accountId: world.account.id, tokens: ["t"], intercept: "announce" });
    const e164 = world.numbers[0] as string;
    const why = { reason: "test", actor: "test" };
    await quarantineNumber({ db, schedule: world.schedule }, { e164, accountId: world.account.id, ...why });
    const call = incomingCall(e164);
    const answer = await service.twilioWith("t").voice(call);
    expect(answer.text).toMatch(/<Say[^>]*>[^<]*not in service[^<]*<\/Say><Hangup\/>/);
    expect(await recordOf(db, announcing, call)).toMatchObject({ disposition: "intercepted" });
  });

  it("are refused politely, on the platform's credential, when they are not ours", async () => {
    const call = incomingCall("+18887770099");
    const answer = await twilio.voice(call);
    expect(answer.status).toBe(200);
    expect(answer.text).toMatch(REJECTED);
    expect(await record(call)).toMatchObject({ disposition: "unknown_number", status: "failed", accountId: null });
  });

  it.each(["sip:+18885550100@acme.sip.example.com", "client:alice", "911", "+1", "+12345678901234567890", "日本 語"])(
    "are recorded as dialled when they are no numbers at all: %s",
    async (to) => {
      const call = incomingCall(to);
      const answer = await twilio.voice(call);
      expect(answer.status).toBe(200);
      expect(answer.text).toMatch(REJECTED);
      expect(await record(call)).toMatchObject({ disposition: "unknown_number" });
    },
  );
});

describe("callers", () => {
  it.each([
    "anonymous",
    "Anonymous",
    "Restricted",
    "",
    "+",
    "+266696687",
    "+7378742833",
    "+2562533",
    "+8656696",
    "+86282452253",
    "sip:bob@example.com",
  ])("from %j are anonymous, and the call is routed all the same", async (From) => {
    const { promoNumber } = await presented(await makeWorld(db, 1));
    const call = incomingCall(promoNumber, { From, Caller: From });
    expect(dialled(await twilio.voice(call))).toBe("+18005550100");
    expect(await record(call)).toMatchObject({
      caller: { enc: null, hash: null, last4: null },
      attribution: { outcome: "matched" },
    });
  });

  it("bring their STIR/SHAKEN verdict along", async () => {
    const { promoNumber } = await presented(await makeWorld(db, 1));
    const call = incomingCall(promoNumber, { StirVerstat: "TN-Validation-Passed-A" });
    await twilio.voice(call);
    expect(await record(call)).toMatchObject({ verstat: "TN-Validation-Passed-A" });
  });

  it("have no verdict when it is none", async () => {
    const { promoNumber } = await presented(await makeWorld(db, 1));
    const call = incomingCall(promoNumber, { StirVerstat: "\u0000<b>" });
    expect((await twilio.voice(call)).status).toBe(200);
    expect(await record(call)).toMatchObject({ verstat: null });
  });
});

describe("a delivery that is repeated", () => {
  it("gets the same answer, also when the destination has changed meanwhile", async () => {
    const world = await makeWorld(db, 1);
    const call = incomingCall(world.numbers[0] as string);
    const first = await twilio.voice(call);
    await rows(db, "update destination set ring_timeout_s = 99 where id = $1", [world.destination.id]);
    expect(await twilio.voice({ ...call, ErrorCode: "11205" })).toEqual(first);
    expect(await service.counted("replayed")).toBe(1);
  });

  it("50 times at the same moment has one record and one answer", async () => {
    const { promoNumber, visitorId } = await presented(await makeWorld(db, 1));
    const call = incomingCall(promoNumber);
    // Who is not matched in time, on a busy machine, is routed by the table.
    await until(
      "the routing table knows where it goes",
      () => service.routing.deps.table.find(promoNumber)?.isRouted === true,
    );
    const answers = await Promise.all(Array.from({ length: 50 }, () => twilio.voice(call)));
    expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
    expect(answers.every((answer) => answer.status === 200)).toBe(true);
    expect(dialled(answers[0] as (typeof answers)[0])).toBe("+18005550100");
    await service.routing.callLog.replayNow();
    const records = await rows(db, "select id, visitor_id from call where ingress_call_id = $1", [call["CallSid"]]);
    expect(records).toMatchObject([{ visitor_id: visitorId }]);
    const stored = await rows(db, "select answer from webhook_delivery where delivery_key like $1", [
      `%${call["CallSid"] ?? ""}`,
    ]);
    expect(stored).toEqual([{ answer: answers[0]?.text }]);
  });
});

describe("without PUBLIC_BASE_URL", () => {
  it("signatures and callbacks are on the listening address", async () => {
    const local = await startWebhooks(db, { publicBaseUrl: null });
    try {
      const { promoNumber } = await presented(await makeWorld(db, 1));
      const answer = await local.twilio.voice(incomingCall(promoNumber));
      expect(attribute(answer, "action")).toMatch(`${local.server}/webhooks/twilio/dial?`);
    } finally {
      await local.stop();
    }
  });
});
