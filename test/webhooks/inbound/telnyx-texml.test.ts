/** What is TeXML's own: its causes, durations, verdicts and limits. The rest: contract-calls.test.ts, signatures: telnyx-signature.test.ts. */
import { afterAll, describe, expect, it } from "vitest";
import { attributesOf } from "../../../src/dev/carrier-voices/read-xml.js";
import { telnyxTexmlVoice as voice } from "../../../src/dev/carrier-voices/telnyx-texml-voice.js";
import type { Dialled, Outcome, SpokenCall, SpokenRequest } from "../../../src/dev/carrier-voices/carrier-voice.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import { telnyxTexml } from "../../../src/webhooks/inbound/telnyx-texml.js";
import { freshDatabase, rows } from "../../support/database.js";
import { allocationFor, makeWorld } from "../../support/world.js";
import { speakAs } from "../support/speaking.js";
import { PUBLIC_URL, startWebhooks } from "../support/webhook-service.js";

const SECOND = "+14155550111";
const { db } = await freshDatabase();
const service = await startWebhooks(db);
afterAll(() => service.stop());
const speaker = await speakAs({ db, service, voice });

async function incoming(changes: Partial<SpokenCall> = {}, ringTimeoutS = 30): Promise<SpokenCall> {
  const world = await makeWorld(db, 1);
  const change = "update destination set failover = $2, ring_timeout_s = $3 where id = $1";
  await rows(db, change, [world.destination.id, [SECOND], ringTimeoutS]);
  await presentBatch(db, [allocationFor(world)], null);
  return speaker.call(world.numbers[0] as string, changes);
}

/** The spoken form with other fields. */
function changed(request: SpokenRequest, fields: Record<string, string>): SpokenRequest {
  const form = new URLSearchParams(request.body.toString());
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  return { ...request, body: form.toString() };
}

const ended = (call: SpokenCall, heard: Dialled, outcome: Outcome, fields: Record<string, string> = {}) =>
  speaker.send(changed(voice.dialEnded(call, { heard, outcome, baseUrl: PUBLIC_URL }), fields));

describe("TeXML", () => {
  it("rings no longer and no shorter than Telnyx takes, also in the fallback document", async () => {
    for (const [given, taken] of [
      [2, 5],
      [300, 120],
    ] as const) {
      expect((await speaker.ringThrough(await incoming({}, given))).ringTimeoutS).toBe(taken);
      const fallback = telnyxTexml.renderFallback?.({ number: SECOND as never, ringTimeoutS: given });
      expect(attributesOf(fallback?.text ?? "", "Dial")).toEqual({ answerOnBridge: "true", timeout: String(taken) });
    }
  });

  it("takes the time between answer and end for talk, not the call's duration, which has the ringing in it", async () => {
    const call = await incoming();
    const heard = await speaker.ringThrough(call);
    const times = { AnsweredTime: "2026-01-15T10:30:15Z", EndTime: "2026-01-15T10:31:00.500Z" };
    const outcome: Outcome = { kind: "answered", talkS: 70, releasedBy: "callee" };
    await ended(call, heard, outcome, { ...times, CallStatus: "completed" });
    const record = await speaker.recordWhen(call, ({ status }) => status === "completed");
    expect(record).toMatchObject({ talkMs: 45_500, releasedBy: "callee" });
  });

  it("hunts on after a timeout, whose SIP status is Telnyx's own cancel and whose CallStatus may be the leg's", async () => {
    const call = await incoming();
    const heard = await speaker.ringThrough(call);
    const answer = await ended(call, heard, { kind: "no_answer" }, { CallStatus: "no-answer" });
    expect(voice.hear(answer, call)).toMatchObject({ kind: "dial", target: SECOND });
  });

  it("has answered the caller before it rings anybody, which is no answer of the business's", async () => {
    const call = await incoming();
    const outcome: Outcome = { kind: "no_answer" };
    const first = await speaker.ringThrough(call);
    const over = voice.callEnded(call, { outcome, baseUrl: PUBLIC_URL });
    if (over === null) throw new Error("TeXML tells how the caller's leg goes");
    await speaker.send(changed(over, { CallStatus: "in-progress", SequenceNumber: "1" }));
    expect(await speaker.record(call)).toMatchObject({ status: "ringing", answeredAt: null });
    const second = voice.hear(await ended(call, first, outcome), call);
    await ended(call, second as Dialled, outcome);
    await speaker.send(over);
    const record = await speaker.recordWhen(call, ({ endedAt }) => endedAt !== null);
    expect(record).toMatchObject({ status: "no_answer", answeredAt: null, talkMs: null });
  });

  it("takes the end of the business's leg for the call's, as Telnyx's example names the two", async () => {
    const call = await incoming();
    const heard = await speaker.ringThrough(call);
    const leg = "v3:the-leg-of-the-business";
    await ended(call, heard, { kind: "busy" }, { CallSid: leg, DialCallSid: leg, ParentCallSid: call.id });
    const record = await speaker.recordWhen(call, ({ progress }) => progress.attempts.length === 2);
    expect(record.progress.attempts).toMatchObject([{ cause: "busy" }, { target: SECOND, cause: null }]);
    expect(await rows(db, "select 1 from call where ingress_call_id = $1", [leg])).toEqual([]);
  });

  it("hunts no further when somebody declined, or the caller is gone", async () => {
    const declined = await incoming();
    const first = await speaker.ringThrough(declined);
    const no = await ended(
      declined,
      first,
      { kind: "failed" },
      { HangupCause: "call_rejected", SipHangupCause: "603" },
    );
    expect(voice.hear(no, declined)).toEqual({ kind: "hangup" });
    const gone = await incoming();
    const second = await speaker.ringThrough(gone);
    const over = await ended(gone, second, { kind: "no_answer" }, { HangupCause: "originator_cancel" });
    expect(voice.hear(over, gone)).toEqual({ kind: "hangup" });
    expect(await speaker.recordWhen(gone, (one) => one.endedAt !== null)).toMatchObject({ status: "canceled" });
  });

  it("keeps the verdict, good or bad", async () => {
    for (const [validated, verstat] of [
      ["true", "TN-Validation-Passed-B"],
      ["false", "TN-Validation-Failed-B"],
    ] as const) {
      const call = await incoming();
      const fields = { ShakenStirAttestation: "B", ShakenStirValidated: validated };
      await speaker.send(changed(voice.voice(call, PUBLIC_URL), fields));
      expect((await speaker.record(call)).verstat).toBe(verstat);
    }
  });

  it("takes a name for one, and the number in its place for none", async () => {
    for (const callerName of ["Ada Lovelace", null]) {
      const { method, url, body } = voice.voice(await incoming({ callerName }), PUBLIC_URL);
      const read = telnyxTexml.parseVoice({ method, url, headers: {}, rawBody: Buffer.from(body) });
      expect(read.callerName).toBe(callerName);
    }
  });

  it("and Call Control are told apart by their media types at the same address", async () => {
    const call = await incoming();
    const asJson = { ...voice.voice(call, PUBLIC_URL), contentType: "application/json" };
    const answer = await speaker.send(asJson);
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([400, { code: "unreadable_body" }]);
  });
});
