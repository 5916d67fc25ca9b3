import { afterAll, afterEach, describe, expect, it } from "vitest";
import { quarantineNumber } from "../../../src/pool/number-moves.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../../support/database.js";
import { until } from "../../support/until.js";
import { allocationFor, makeWorld, type World } from "../../support/world.js";
import { CALLER } from "../support/caller.js";
import { dialled, EMPTY, HANGUP, incomingCall, REJECTED } from "../support/twilio-stand-in.js";
import { putTwilio, recordOf, startLinkedWebhooks } from "../support/webhook-service.js";

const { db, url } = await freshDatabase();
const credentialId = await putTwilio(db);
const { service, link, stop } = await startLinkedWebhooks(url);
const { twilio, routing } = service;
afterEach(() => link.mend());
afterAll(stop);

const record = (call: Parameters<typeof recordOf>[2]) => recordOf(db, credentialId, call);
const replayed = () =>
  until("the spool is replayed", async () => {
    await routing.callLog.replayNow();
    return routing.spool.isEmpty;
  });

/** A number that has had a call, so that its credential is remembered, and a visitor. */
async function calledBefore(): Promise<{ world: World; number: string; visitorId: string }> {
  const world = await makeWorld(db, 1);
  const number = world.numbers[0] as string;
  await until("the routing table knows the number", () => routing.table.find(number)?.destination);
  const [got] = await presentBatch(db, [allocationFor(world)], null);
  const call = incomingCall(number);
  await twilio.voice(call);
  await until("its first call is noted", async () => (await record(call))?.progress.attempts.length === 1);
  return { world, number, visitorId: got?.kind === "presented" ? got.visitorId : "" };
}

describe.each(["cut", "silence"] as const)("with PostgreSQL away (%s)", (how) => {
  it("a call still rings the business within a second, and its record follows, matched and marked late", async () => {
    const { number, visitorId } = await calledBefore();
    link[how]();
    const call = incomingCall(number);
    const startedAt = performance.now();
    const answer = await twilio.voice(call);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(dialled(answer)).toBe("+18005550100");
    expect(await twilio.voice(call)).toEqual(answer);
    expect(await record(call)).toBe(null);
    link.mend();
    await replayed();
    expect(await record(call)).toMatchObject({
      disposition: "routed",
      attribution: { outcome: "matched", visitorId, late: true },
      caller: { last4: CALLER.slice(-4) },
    });
    expect(await rows(db, "select 1 from call where ingress_call_id = $1", [call["CallSid"]])).toHaveLength(1);
  });

  it("what is spooled has no caller in it", async () => {
    const { number } = await calledBefore();
    link[how]();
    await twilio.voice(incomingCall(number));
    const text = routing.spooled();
    expect(text).toContain(number);
    expect(text).not.toContain(CALLER.slice(1));
    link.mend();
    await replayed();
  });

  it("a call that began before goes on to the next target, and completes", async () => {
    const { world, number } = await calledBefore();
    await rows(db, "update destination set failover = '{+18005550122}' where id = $1", [world.destination.id]);
    await until("the table knows the failover", () => routing.table.find(number)?.destination?.failover.length === 1);
    const call = incomingCall(number);
    const first = await twilio.voice(call);
    link[how]();
    const second = await twilio.dialEnded(first, call, { DialCallStatus: "busy", DialCallSid: "1" });
    expect(dialled(second)).toBe("+18005550122");
    const last = await twilio.dialEnded(second, call, {
      DialCallStatus: "completed",
      DialCallSid: "2",
      DialCallDuration: "3",
    });
    expect(last.text).toMatch(HANGUP);
    expect((await twilio.status(call, { CallStatus: "completed", CallDuration: "9" })).text).toMatch(EMPTY);
    link.mend();
    await until("the record is complete", async () => {
      await routing.callLog.replayNow();
      return (await record(call))?.status === "completed";
    });
    expect(await record(call)).toMatchObject({ talkMs: 3_000, attribution: { outcome: "matched", late: false } });
    await until(
      "both attempts are noted",
      async () => (await record(call))?.progress.attempts[1]?.target === "+18005550122",
    );
    expect((await record(call))?.progress.attempts).toMatchObject([{ cause: "busy" }, { cause: null }]);
  });

  it("a whole call, voice to status, becomes one record afterwards", async () => {
    const { number, visitorId } = await calledBefore();
    link[how]();
    const call = incomingCall(number);
    const answer = await twilio.voice(call);
    await twilio.dialEnded(answer, call, { DialCallStatus: "completed", DialCallDuration: "12" });
    await twilio.status(call, { CallStatus: "completed", CallDuration: "14" });
    link.mend();
    await until("the record is complete", async () => {
      await routing.callLog.replayNow();
      return (await record(call))?.status === "completed";
    });
    expect(await record(call)).toMatchObject({ talkMs: 12_000, attribution: { visitorId, late: true } });
    expect(await rows(db, "select 1 from call where ingress_call_id = $1", [call["CallSid"]])).toHaveLength(1);
  });

  it("a quarantined number is still intercepted, and the intercept is logged afterwards", async () => {
    const { world, number } = await calledBefore();
    const why = { reason: "test", actor: "test" };
    await quarantineNumber({ db, schedule: world.schedule }, { e164: number, accountId: world.account.id, ...why });
    await until("the table knows it is quarantined", () => routing.table.find(number)?.isRouted === false);
    link[how]();
    const call = incomingCall(number);
    expect((await twilio.voice(call)).text).toMatch(REJECTED);
    link.mend();
    await replayed();
    const seen = await record(call);
    expect(seen).toMatchObject({ disposition: "intercepted", attribution: { outcome: "quarantined", late: true } });
    expect(await rows(db, "select 1 from intercept where call_id = $1", [seen?.id])).toHaveLength(1);
  });

  it("a number that was never called before rings as well", async () => {
    const number = (await makeWorld(db, 1)).numbers[0] as string;
    await until("the routing table knows the number", () => routing.table.find(number)?.destination);
    link[how]();
    const call = incomingCall(number);
    expect(dialled(await twilio.voice(call))).toBe("+18005550100");
    link.mend();
    await until("the call and its attempt are noted", async () => {
      await routing.callLog.replayNow();
      return (await record(call))?.progress.attempts.length === 1;
    });
  });

  it("a number that memory does not know either is left to the carrier's fallback", async () => {
    link[how]();
    const answer = await twilio.voice(incomingCall("+18887770098"));
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.text)).toMatchObject({ code: "database_unavailable" });
  });

  it("a wrong signature is still wrong", async () => {
    const { number } = await calledBefore();
    link[how]();
    for (const token of ["another", null]) {
      const call = incomingCall(number);
      expect((await twilio.voice(call, { token })).status).toBe(403);
      expect(routing.spooled()).not.toContain(call["CallSid"]);
    }
  });
});
