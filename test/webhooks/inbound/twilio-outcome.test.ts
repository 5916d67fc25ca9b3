import { afterAll, describe, expect, it } from "vitest";
import { quarantineNumber } from "../../../src/pool/number-moves.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../../support/database.js";
import { until } from "../../support/until.js";
import { allocationFor, ids, makeWorld, type World } from "../../support/world.js";
import { attribute, dialled, EMPTY, HANGUP, incomingCall, type Params } from "../support/twilio-stand-in.js";
import { putTwilio, recordOf, settledRecord, startWebhooks } from "../support/webhook-service.js";

const { db } = await freshDatabase();
const credentialId = await putTwilio(db);
const service = await startWebhooks(db);
const { twilio } = service;
afterAll(() => service.stop());

const BUSINESS = "+18005550100";
const SECOND = "+18005550122";
const THIRD = "sip:desk@pbx.example.com";

/** A number presented to one visitor, whose business has these further targets. */
async function ringing(failover: readonly string[] = []): Promise<{ world: World; call: Params; visitorId: string }> {
  const world = await makeWorld(db, 1);
  await rows(db, "update destination set failover = $2 where id = $1", [world.destination.id, failover]);
  const [got] = await presentBatch(db, [allocationFor(world)], null);
  return {
    world,
    call: incomingCall(world.numbers[0] as string),
    visitorId: got?.kind === "presented" ? got.visitorId : "",
  };
}

const record = (call: Params) => settledRecord(db, { service, credentialId, call });
const attemptsOf = async (call: Params) => (await record(call)).progress.attempts;
/** What a callback brings may be written after it was answered, when a phone is to ring next. */
const soon = (call: Params) => expect.poll(() => record(call), { timeout: 10_000 });
const soonAttempts = (call: Params) => expect.poll(() => attemptsOf(call), { timeout: 10_000 });

const completed = { DialCallStatus: "completed", DialCallDuration: "42", DialCallSid: "CAleg", DialBridged: "true" };
const failed = (DialCallStatus: string, more: Params = {}): Params => ({
  DialCallStatus,
  DialCallSid: "CAleg",
  ...more,
});

describe("a conversation", () => {
  it("completes the record with the talk time the carrier measured", async () => {
    const { call, visitorId } = await ringing();
    const answer = await twilio.voice(call);
    const ended = await twilio.dialEnded(answer, call, { ...completed, CallStatus: "in-progress" });
    expect(ended.text).toMatch(HANGUP);
    const seen = await record(call);
    expect(seen).toMatchObject({ status: "completed", talkMs: 42_000, releasedBy: "callee", hangupCause: null });
    expect(seen.attribution).toMatchObject({ outcome: "matched", visitorId });
    expect(seen.attribution.confidence).toBeGreaterThan(0.9);
    expect(seen.endedAt).toBeGreaterThanOrEqual(seen.answeredAt as number);
    expect(seen.answeredAt).toBeGreaterThanOrEqual(seen.receivedAt);
  });

  it("was ended by the caller when the caller's leg is over by then", async () => {
    const { call } = await ringing();
    await twilio.dialEnded(await twilio.voice(call), call, { ...completed, CallStatus: "completed" });
    await soon(call).toMatchObject({ status: "completed", releasedBy: "caller" });
  });

  it("has its delays from the business's leg", async () => {
    const { call } = await ringing();
    const answer = await twilio.voice(call);
    await until("the attempt is noted", async () => (await attemptsOf(call)).length === 1);
    expect((await twilio.legStatus(answer, call, { CallStatus: "ringing", SequenceNumber: "1" })).text).toMatch(EMPTY);
    await soon(call).toMatchObject({ status: "ringing", answeredAt: null });
    await twilio.legStatus(answer, call, { CallStatus: "in-progress", SequenceNumber: "2" });
    await soon(call).toMatchObject({ status: "in_progress", endedAt: null });
    await twilio.legStatus(answer, call, { CallStatus: "completed", SequenceNumber: "3", CallDuration: "7" });
    const seen = await record(call);
    expect(seen).toMatchObject({ status: "completed", talkMs: 7_000 });
    const [attempt] = seen.progress.attempts;
    expect(seen.progress.ringingAt).toBeGreaterThanOrEqual(attempt?.startedAt ?? Infinity);
    expect(seen.pddMs).toBe((seen.progress.ringingAt as number) - (attempt?.startedAt as number));
    expect(seen.ringMs).toBe((seen.answeredAt as number) - (seen.progress.ringingAt as number));
    expect(
      await rows(db, "select 1 from call where ingress_call_id like $1", [`${call["CallSid"] ?? ""}%`]),
    ).toHaveLength(1);
  });

  it("keeps the answer time that was seen when the duration says a second less or more", async () => {
    const { call } = await ringing();
    const answer = await twilio.voice(call);
    await twilio.legStatus(answer, call, { CallStatus: "in-progress" });
    const { answeredAt } = await record(call);
    await twilio.dialEnded(answer, call, { ...completed, DialCallDuration: "1" });
    await soon(call).toMatchObject({ answeredAt, talkMs: 1_000 });
  });

  it("is not moved by what comes late, twice or in another order", async () => {
    const { call } = await ringing();
    const answer = await twilio.voice(call);
    await twilio.dialEnded(answer, call, completed);
    const before = await record(call);
    await twilio.legStatus(answer, call, { CallStatus: "ringing" });
    await twilio.legStatus(answer, call, { CallStatus: "no-answer" });
    await twilio.dialEnded(answer, call, completed);
    await twilio.dialEnded(answer, call, failed("busy"));
    for (const CallStatus of ["completed", "completed", "ringing", "in-progress", "busy", "canceled"]) {
      expect((await twilio.status(call, { CallStatus, CallDuration: "44" })).text).toMatch(EMPTY);
    }
    const { endedAt, status, talkMs } = await record(call);
    expect({ endedAt, status, talkMs }).toEqual({ endedAt: before.endedAt, status: "completed", talkMs: 42_000 });
  });

  it("is known to have ended long ago when the callback was held up", async () => {
    const { call } = await ringing();
    const answer = await twilio.voice(call);
    const { receivedAt } = await record(call);
    await rows(db, "update call set received_at = received_at - interval '1 hour' where ingress_call_id = $1", [
      call["CallSid"],
    ]);
    await rows(
      db,
      "update call_key set received_at = received_at - interval '1 hour' where call_id = (select id from call where ingress_call_id = $1)",
      [call["CallSid"]],
    );
    const Timestamp = new Date(receivedAt - 1_800_000).toUTCString().replace("GMT", "+0000");
    await twilio.legStatus(answer, call, { CallStatus: "ringing", Timestamp });
    expect((await record(call)).progress.ringingAt).toBe(Math.floor((receivedAt - 1_800_000) / 1000) * 1000);
  });
});

describe("the caller's leg", () => {
  it("ringing says nothing of the business's phone", async () => {
    const { call } = await ringing();
    await twilio.voice(call);
    await twilio.status(call, { CallStatus: "ringing" });
    await soon(call).toMatchObject({ status: "ringing", progress: { ringingAt: null } });
  });

  it("is answered only when the business answers", async () => {
    const { call } = await ringing();
    await twilio.voice(call);
    await twilio.status(call, { CallStatus: "in-progress" });
    await soon(call).toMatchObject({ status: "in_progress" });
  });

  it.each([
    ["busy", "busy"],
    ["no-answer", "no_answer"],
    ["failed", "failed"],
    ["canceled", "canceled"],
    ["completed", "completed"],
  ])("ending as %s ends the record as %s until the business's leg knows better", async (CallStatus, status) => {
    const { call } = await ringing();
    const answer = await twilio.voice(call);
    await twilio.status(call, { CallStatus, CallDuration: "5" });
    await soon(call).toMatchObject({ status, talkMs: status === "completed" ? 5_000 : null });
    const { answeredAt, endedAt } = await record(call);
    // Who talked was answered, though no report of the answer came.
    expect(answeredAt).toEqual(status === "completed" ? expect.any(Number) : null);
    expect(endedAt).toBeGreaterThanOrEqual(answeredAt ?? 0);
    await twilio.dialEnded(answer, call, completed);
    await soon(call).toMatchObject({ status: "completed", talkMs: 42_000, hangupCause: null });
  });
});

describe("what comes before its voice webhook", () => {
  it("a dial callback opens the record, and the voice webhook finds it", async () => {
    const { world, call, visitorId } = await ringing();
    const path = `/webhooks/twilio/dial?attempt=0&called=${encodeURIComponent(world.numbers[0] as string)}`;
    const ended = await twilio.post(path, { ...call, ...completed, DialCallDuration: "0" });
    expect(ended.text).toMatch(HANGUP);
    await soon(call).toMatchObject({ status: "completed", attribution: { outcome: "matched", visitorId } });
    expect(dialled(await twilio.voice(call))).toBe(BUSINESS);
    await until("the attempt is noted", async () => (await attemptsOf(call))[0]?.target === BUSINESS);
    await soon(call).toMatchObject({ status: "completed" });
    expect(await rows(db, "select 1 from call where ingress_call_id = $1", [call["CallSid"]])).toHaveLength(1);
  });

  it("a final status opens the record too, matched as of the call's arrival", async () => {
    const world = await makeWorld(db, 1, { sessionLifetimeS: 60 });
    const number = world.numbers[0] as string;
    await rows(
      db,
      "update number_event set at = at - interval '1 hour' where number_id = (select id from promo_number where e164 = $1)",
      [number],
    );
    const then = ids.next("vis");
    await presentBatch(db, [allocationFor(world, then)], Date.now() - 600_000);
    await presentBatch(db, [allocationFor(world)], Date.now() - 10_000);
    const call = incomingCall(number);
    await twilio.status(call, { CallStatus: "completed", CallDuration: "60" });
    const seen = await record(call);
    expect(seen).toMatchObject({
      status: "completed",
      talkMs: 60_000,
      attribution: { outcome: "matched", visitorId: then, late: true },
    });
    expect((seen.endedAt as number) - seen.receivedAt).toBeGreaterThan(59_000);
  });

  it("a duration from before the number was anybody's is no reason to forget its visitor", async () => {
    const { call, visitorId } = await ringing();
    await twilio.status(call, { CallStatus: "completed", CallDuration: "60" });
    await soon(call).toMatchObject({ status: "completed", attribution: { outcome: "matched", visitorId } });
    expect(dialled(await twilio.voice(call))).toBe(BUSINESS);
  });

  it("a status of a number that is not ours leaves nothing", async () => {
    const call = incomingCall("+18887770055");
    expect((await twilio.status(call, { CallStatus: "completed" })).text).toMatch(EMPTY);
    expect(await recordOf(db, credentialId, call)).toBe(null);
  });

  it("all at the same moment have one record", async () => {
    const { world, call } = await ringing();
    const path = `/webhooks/twilio/dial?attempt=0&called=${encodeURIComponent(world.numbers[0] as string)}`;
    await Promise.all([
      twilio.status(call, { CallStatus: "completed", CallDuration: "0" }),
      twilio.post(path, { ...call, ...completed }),
      twilio.voice(call),
      twilio.status(call, { CallStatus: "ringing" }),
      twilio.voice(call),
    ]);
    await service.routing.callLog.replayNow();
    await soon(call).toMatchObject({ status: "completed", talkMs: 42_000 });
    expect(await rows(db, "select 1 from call where ingress_call_id = $1", [call["CallSid"]])).toHaveLength(1);
  });
});

describe("the hunt", () => {
  it("goes on to the next targets, numbers and SIP, and ends with the last one's failure", async () => {
    const { call } = await ringing([SECOND, THIRD]);
    const first = await twilio.voice(call);
    expect(dialled(first)).toBe(BUSINESS);
    const second = await twilio.dialEnded(first, call, failed("busy"));
    expect(dialled(second)).toBe(SECOND);
    expect(attribute(second, "action")).toContain("attempt=1");
    await soon(call).toMatchObject({ status: "ringing" });
    const third = await twilio.dialEnded(second, call, failed("failed"));
    expect(third.text).toMatch(/<Sip [^>]*statusCallback="[^"]*attempt=2[^"]*"[^>]*>sip:desk@pbx\.example\.com<\/Sip>/);
    expect((await twilio.dialEnded(third, call, failed("no-answer"))).text).toMatch(HANGUP);
    await soon(call).toMatchObject({ status: "no_answer", hangupCause: "no_answer", talkMs: null });
    await soonAttempts(call).toMatchObject([
      { target: BUSINESS, cause: "busy" },
      { target: SECOND, cause: "failed" },
      { target: THIRD, cause: "no_answer" },
    ]);
  });

  it("is over when a later target answers", async () => {
    const { call } = await ringing([SECOND]);
    const second = await twilio.dialEnded(await twilio.voice(call), call, failed("no-answer"));
    await twilio.legStatus(second, call, { CallStatus: "in-progress" });
    await twilio.dialEnded(second, call, completed);
    await soon(call).toMatchObject({ status: "completed", talkMs: 42_000 });
  });

  it("that reached nobody has no talk time and no other cause, whatever the caller's leg reports", async () => {
    for (const isStatusFirst of [false, true]) {
      const { call } = await ringing();
      const answer = await twilio.voice(call);
      const reports = [
        () => twilio.dialEnded(answer, call, failed("busy")),
        () => twilio.status(call, { CallStatus: "completed", CallDuration: "3" }),
      ];
      for (const report of isStatusFirst ? reports.reverse() : reports) await report();
      await soon(call).toMatchObject({ status: "busy", hangupCause: "busy", talkMs: null, answeredAt: null });
    }
  });

  it.each([
    ["busy", "busy"],
    ["no-answer", "no_answer"],
    ["failed", "failed"],
  ])("without a further target ends as %s", async (DialCallStatus, status) => {
    const { call } = await ringing();
    const answer = await twilio.voice(call);
    expect((await twilio.dialEnded(answer, call, failed(DialCallStatus))).text).toMatch(HANGUP);
    await soon(call).toMatchObject({ status, answeredAt: null, releasedBy: null });
  });

  it("gives a repeated callback the same next target", async () => {
    const { world, call } = await ringing([SECOND, THIRD]);
    const first = await twilio.voice(call);
    const answers = await Promise.all([1, 2, 3].map(() => twilio.dialEnded(first, call, failed("busy"))));
    await rows(db, "update destination set failover = '{}' where id = $1", [world.destination.id]);
    answers.push(await twilio.dialEnded(first, call, failed("busy")));
    expect(answers.map(dialled)).toEqual([SECOND, SECOND, SECOND, SECOND]);
    await soonAttempts(call).toHaveLength(2);
  });

  it("stops when the caller gave up", async () => {
    for (const result of [failed("canceled"), failed("no-answer", { CallStatus: "completed" })]) {
      const { call } = await ringing([SECOND]);
      const answer = await twilio.voice(call);
      expect((await twilio.dialEnded(answer, call, result)).text).toMatch(HANGUP);
      await soon(call).toMatchObject({ status: "canceled", releasedBy: "caller" });
      await soonAttempts(call).toMatchObject([{ cause: "canceled" }]);
    }
  });

  it("goes on after a SIP target that is busy and stops at one that declines", async () => {
    for (const [code, goesOn] of [
      ["486", true],
      ["503", true],
      ["603", false],
      ["404", false],
    ] as const) {
      const { call } = await ringing([SECOND]);
      const result = failed(code === "486" ? "busy" : "failed", { DialSipResponseCode: code });
      const answer = await twilio.dialEnded(await twilio.voice(call), call, result);
      expect([code, answer.text.includes(SECOND)]).toEqual([code, goesOn]);
      await soonAttempts(call).toMatchObject([{ sipStatus: Number(code) }, ...(goesOn ? [{ target: SECOND }] : [])]);
    }
  });

  it("stops when the number was taken from the business during the call", async () => {
    const { world, call } = await ringing([SECOND]);
    const answer = await twilio.voice(call);
    const e164 = world.numbers[0] as string;
    const accountId = world.account.id;
    await quarantineNumber({ db, schedule: world.schedule }, { e164, accountId, reason: "test", actor: "test" });
    expect((await twilio.dialEnded(answer, call, failed("busy"))).text).toMatch(HANGUP);
    await soon(call).toMatchObject({ status: "busy", disposition: "routed", accountId });
  });

  it("never goes to another business that the number belongs to by now", async () => {
    const { world, call } = await ringing([SECOND]);
    const answer = await twilio.voice(call);
    await rows(db, "update destination set number = '+18005550177' where id = $1", [world.destination.id]);
    expect((await twilio.dialEnded(answer, call, failed("busy"))).text).toMatch(HANGUP);
  });

  it("of a call to a quarantined number does not exist", async () => {
    const { world, call } = await ringing([SECOND]);
    const e164 = world.numbers[0] as string;
    await quarantineNumber(
      { db, schedule: world.schedule },
      { e164, accountId: world.account.id, reason: "test", actor: "test" },
    );
    await twilio.voice(call);
    await twilio.status(call, { CallStatus: "no-answer" });
    const path = `/webhooks/twilio/dial?attempt=0&called=${encodeURIComponent(e164)}&destination=${encodeURIComponent(BUSINESS)}`;
    expect((await twilio.post(path, { ...call, ...failed("busy") })).text).toMatch(HANGUP);
    await soon(call).toMatchObject({ status: "intercepted" });
  });
});
