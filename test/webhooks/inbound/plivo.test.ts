/** What is Plivo's own: its XML, its events, its spellings. What all carriers have in common is in contract-calls.test.ts. */
import { afterAll, describe, expect, it } from "vitest";
import type { Dialled, SpokenCall } from "../../../src/dev/carrier-voices/carrier-voice.js";
import { plivoVoice } from "../../../src/dev/carrier-voices/plivo-voice.js";
import { attributesOf, textOf } from "../../../src/dev/carrier-voices/read-xml.js";
import { plivo } from "../../../src/webhooks/inbound/plivo.js";
import { freshDatabase, rows } from "../../support/database.js";
import { makeWorld, type World } from "../../support/world.js";
import { speakAs } from "../support/speaking.js";
import { PUBLIC_URL, startWebhooks } from "../support/webhook-service.js";

const { db } = await freshDatabase();
const service = await startWebhooks(db);
afterAll(() => service.stop());
const speaker = await speakAs({ db, service, voice: plivoVoice });

const BUSINESS = "+18005550100";
const SECOND = "+14155550111";
const DESK = "sip:desk@pbx.example.com;transport=tls";

type Params = Readonly<Record<string, string>>;

const post = (url: string, params: Params) =>
  speaker.send({
    method: "POST",
    url,
    contentType: "application/x-www-form-urlencoded",
    body: new URLSearchParams(params).toString(),
  });
const at = (kind: string) => `${PUBLIC_URL}/webhooks/plivo/${kind}`;
const fields = (call: SpokenCall): Params => ({ CallUUID: call.id, From: "14156739823", To: call.to.slice(1) });

async function world(columns: Readonly<Record<string, unknown>> = {}): Promise<World> {
  const made = await makeWorld(db, 1);
  for (const [column, value] of Object.entries(columns))
    await rows(db, `update destination set ${column} = $2 where id = $1`, [made.destination.id, value]);
  return made;
}

async function ringing(columns: Readonly<Record<string, unknown>> = {}): Promise<{ call: SpokenCall; heard: Dialled }> {
  const call = speaker.call((await world(columns)).numbers[0] as string);
  return { call, heard: await speaker.ringThrough(call) };
}

const dialUrl = ({ dialUrl: url }: Dialled): string => url ?? "";
const legEvent = (call: SpokenCall, heard: Dialled, params: Params) =>
  post(heard.statusUrl ?? "", {
    ...fields(call),
    DialALegUUID: call.id,
    DialBLegUUID: "leg-b",
    DialBLegTo: heard.target,
    ...params,
  });
const action = (call: SpokenCall, heard: Dialled, params: Params) =>
  post(dialUrl(heard), { ...fields(call), DialALegUUID: call.id, DialBLegUUID: "", ...params });

describe("documents", () => {
  it("a number is dialled with the caller's own number shown, the end and every event told by POST", async () => {
    const { text, contentType } = await speaker.send(
      plivoVoice.voice(speaker.call((await world({ ring_timeout_s: 17 })).numbers[0] as string), PUBLIC_URL),
    );
    expect(contentType).toBe("text/xml; charset=utf-8");
    expect(text).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?><Response><Dial /);
    const dial = attributesOf(text, "Dial") ?? {};
    expect(Object.keys(dial).sort()).toEqual(["action", "callbackMethod", "callbackUrl", "method", "timeout"]);
    expect(dial).toMatchObject({ method: "POST", callbackMethod: "POST", timeout: "17" });
    expect(dial["action"]).toMatch(`${PUBLIC_URL}/webhooks/plivo/dial?attempt=0&called=%2B1888`);
    expect(textOf(text, "Number")).toBe(BUSINESS);
  });

  it("a SIP target is a <User>", async () => {
    const { call, heard } = await ringing({ failover: [DESK] });
    const next = await action(call, heard, { DialStatus: "busy", DialHangupCause: "USER_BUSY" });
    expect(textOf(next.text, "User")).toBe(DESK);
    expect(next.text).not.toContain("<Number");
    expect(attributesOf(next.text, "Dial")?.["action"]).toContain("attempt=1");
  });

  it("whisper and recording: announced once, recorded from the business's answer on, the whisper fetched and spoken", async () => {
    const { call, heard } = await ringing({
      whisper: 'Call from "print" & <TV>',
      record_announcement: "This call is recorded.",
      failover: [SECOND],
    });
    expect(heard).toMatchObject({ isRecorded: true, announcement: "This call is recorded." });
    const whisper = await post(heard.whisperUrl ?? "", { ...fields(call), Event: "DialConfirmSound" });
    expect(plivoVoice.hear({ ...whisper, commands: [] }, call)).toEqual({
      kind: "announce",
      text: 'Call from "print" & <TV>',
    });
    expect(whisper.text).not.toContain("<Hangup");
    const next = await action(call, heard, { DialStatus: "no-answer", DialHangupCause: "NO_ANSWER" });
    expect(plivoVoice.hear({ ...next, commands: [] }, call)).toMatchObject({ isRecorded: true, announcement: null });
    expect(attributesOf(next.text, "Record")).toEqual({
      startOnDialAnswer: "true",
      redirect: "false",
      maxLength: "14400",
    });
  });

  it("refusals", () => {
    const call = { carrierCallId: "c", handle: null };
    const inner = (refusal: "reject" | "busy" | "announce") =>
      /<Response>(.*)<\/Response>/.exec(plivo.renderRefusal(refusal, call).text)?.[1];
    expect(inner("reject")).toBe('<Hangup reason="rejected"/>');
    expect(inner("busy")).toBe('<Hangup reason="busy"/>');
    expect(inner("announce")).toMatch(/^<Speak language="en-US">The number .* not in service\.<\/Speak><Hangup\/>$/);
  });

  it("the fallback document rings the business and needs nothing of ours", () => {
    const { text } = plivo.renderFallback?.({ number: BUSINESS as never, ringTimeoutS: 30 }) ?? { text: "" };
    expect(text).toContain(`<Response><Dial timeout="30"><Number>${BUSINESS}</Number></Dial></Response>`);
    expect(text).not.toContain("http");
  });
});

describe("the business's leg", () => {
  it("picks up, is connected and hangs up: talk time and who released are the leg's own", async () => {
    const { call, heard } = await ringing();
    await legEvent(call, heard, { Event: "DialAnswer", DialAction: "answer", DialBLegStatus: "answer" });
    expect(await speaker.recordWhen(call, ({ status }) => status === "in_progress")).toMatchObject({ endedAt: null });
    await legEvent(call, heard, { Event: "DialConnected", DialAction: "connected" });
    await post(at("status"), { ...fields(call), CallStatus: "completed", Duration: "30", HangupSource: "Unknown" });
    await legEvent(call, heard, {
      ...{ Event: "DialHangup", DialAction: "hangup", DialBLegDuration: "11", DialBLegBillDuration: "60" },
      ...{ DialBLegHangupCause: "NORMAL_CLEARING", DialBLegHangupSource: "Call recipient" },
    });
    await action(call, heard, { DialStatus: "completed", DialBLegUUID: "leg-b", CallStatus: "in-progress" });
    const record = await speaker.recordWhen(call, ({ talkMs }) => talkMs === 11_000);
    expect(record).toMatchObject({ status: "completed", releasedBy: "callee", hangupCause: null });
    expect(await rows(db, "select id from call where ingress_call_id = $1", [call.id])).toHaveLength(1);
  });

  it("that ends unanswered is one attempt of the hunt, not the call's end", async () => {
    const { call, heard } = await ringing({ failover: [SECOND] });
    await legEvent(call, heard, {
      ...{ Event: "DialHangup", DialAction: "hangup", DialBLegDuration: "0", DialBLegHangupCause: "NO_ANSWER" },
    });
    const record = await speaker.recordWhen(call, ({ progress }) => progress.attempts[0]?.cause === "no_answer");
    expect(record).toMatchObject({ status: "ringing", endedAt: null });
    const next = await action(call, heard, { DialStatus: "no-answer", DialHangupCause: "NO_ANSWER" });
    expect(textOf(next.text, "Number")).toBe(SECOND);
  });

  it.each([
    ["a person declines", { DialStatus: "failed", DialHangupCause: "CALL_REJECTED" }, "failed"],
    ["the number does not exist", { DialStatus: "failed", DialHangupCause: "UNALLOCATED_NUMBER" }, "failed"],
    ["the caller hangs up", { DialStatus: "cancel", DialHangupCause: "ORIGINATOR_CANCEL" }, "canceled"],
    ["the caller's leg is over by then", { DialStatus: "timeout", CallStatus: "completed" }, "canceled"],
    ["nobody says more than the cause", { DialStatus: "failed", DialHangupCause: "ORIGINATOR_CANCEL" }, "canceled"],
  ])("%s: nobody else is tried", async (_what, params, status) => {
    const { call, heard } = await ringing({ failover: [SECOND] });
    const answer = await action(call, heard, { CallStatus: "ringing", ...params });
    expect(answer.text).toContain("<Response><Hangup/></Response>");
    expect(await speaker.recordWhen(call, ({ endedAt }) => endedAt !== null)).toMatchObject({ status, talkMs: null });
  });

  it.each(["busy", "timeout", "no-answer", "failed"])("%s: the next one is tried", async (DialStatus) => {
    const { call, heard } = await ringing({ failover: [SECOND] });
    const answer = await action(call, heard, { DialStatus, CallStatus: "in-progress" });
    expect(textOf(answer.text, "Number")).toBe(SECOND);
  });

  it("a status that Plivo does not document is refused, and asked again gets the next answer", async () => {
    const { call, heard } = await ringing({ failover: [SECOND] });
    const { status, text } = await action(call, heard, { DialStatus: "vanished" });
    expect([status, JSON.parse(text)]).toMatchObject([422, { errors: [{ path: "DialStatus" }] }]);
    expect((await action(call, heard, { DialStatus: "busy" })).status).toBe(200);
  });
});

describe("the hangup URL", () => {
  const hungUp = async (params: Params) => {
    const { call } = await ringing();
    await post(at("status"), { ...fields(call), Event: "Hangup", CallStatus: "completed", ...params });
    return speaker.recordWhen(call, ({ endedAt }) => endedAt !== null);
  };

  it.each([
    [{ Duration: "9", HangupCause: "NORMAL_CLEARING", HangupSource: "Caller" }, "completed", 9_000, "caller"],
    [{ Duration: "9", HangupCause: "NORMAL_CLEARING", HangupSource: "Callee" }, "completed", 9_000, "callee"],
    [{ Duration: "0", HangupCause: "ORIGINATOR_CANCEL", HangupSource: "Caller" }, "canceled", null, "caller"],
    [{ Duration: "0", HangupCause: "USER_BUSY", HangupSource: "Carrier" }, "busy", null, null],
    [{ Duration: "0", HangupCause: "NORMAL_CLEARING" }, "no_answer", null, null],
    [{ CallStatus: "busy", HangupCause: "USER_BUSY" }, "busy", null, null],
    [{ CallStatus: "failed", HangupCause: "NETWORK_OUT_OF_ORDER" }, "failed", null, null],
  ] as const)("%o", async (params, status, talkMs, releasedBy) => {
    expect(await hungUp(params)).toMatchObject({ status, talkMs, releasedBy });
  });

  it("knows less than the action: a busy business stays busy", async () => {
    const { call, heard } = await ringing();
    await post(at("status"), {
      ...fields(call),
      CallStatus: "completed",
      Duration: "4",
      HangupCause: "NORMAL_CLEARING",
    });
    await action(call, heard, { DialStatus: "busy", DialHangupCause: "USER_BUSY" });
    expect(await speaker.recordWhen(call, ({ status }) => status === "busy")).toMatchObject({ talkMs: null });
  });

  it("does not turn a call that was refused into another", async () => {
    const call = speaker.call("+18887770099");
    expect((await speaker.ring(call)).kind).toBe("reject");
    await post(at("status"), { ...fields(call), CallStatus: "completed", Duration: "0", HangupCause: "CALL_REJECTED" });
    expect(await speaker.record(call)).toMatchObject({ disposition: "unknown_number" });
  });
});

describe("spellings", () => {
  const recorded = async (params: Params) => {
    const call = speaker.call((await world()).numbers[0] as string);
    expect((await post(at("voice"), { ...fields(call), CallStatus: "ringing", ...params })).status).toBe(200);
    return speaker.record(call);
  };

  it.each(["anonymous", "Anonymous", "Restricted", "unavailable", "266696687", "sip:alice@phone.plivo.com", ""])(
    "%o is nobody's number",
    async (From) => {
      expect((await recorded({ From })).caller).toEqual({ enc: null, hash: null, last4: null });
    },
  );

  it("numbers with their + are the same numbers", async () => {
    const call = speaker.call((await world()).numbers[0] as string);
    await post(at("voice"), { ...fields(call), From: "+14156739823", To: call.to });
    expect(await speaker.record(call)).toMatchObject({ promoNumber: call.to, caller: { last4: "9823" } });
  });

  it.each([
    ["Verified", "Verified"],
    ["Not Verified", "Not-Verified"],
    ["Not Applicable", "Not-Applicable"],
    ["<none>", null],
  ])("STIR: %s", async (STIRVerification, verstat) => {
    expect((await recorded({ STIRVerification })).verstat).toBe(verstat);
  });

  it("who forwarded the call, and the caller's name", async () => {
    const report = plivo.parseVoice({
      ...{ method: "POST", url: at("voice"), headers: {} },
      rawBody: Buffer.from("CallUUID=c&To=18005550100&ForwardedFrom=14155550177&CallerName=%00Zo%C3%AB%0A"),
    });
    expect(report).toMatchObject({ diversion: "+14155550177", callerName: "Zoë", caller: null });
  });

  it("a called SIP endpoint is recorded as it was sent, and refused", async () => {
    const call = { ...speaker.call("+1"), to: "+sip:alice@phone.plivo.com" };
    expect((await speaker.ring(call)).kind).toBe("reject");
    expect(await speaker.record(call)).toMatchObject({ promoNumber: "sip:alice@phone.plivo.com" });
  });
});

describe("odd requests", () => {
  it("say themselves what they are, whichever path they come by", async () => {
    const { call, heard } = await ringing({ failover: [SECOND] });
    const busy = { ...fields(call), DialALegUUID: call.id, DialStatus: "busy", DialHangupCause: "USER_BUSY" };
    const query = new URL(dialUrl(heard)).search;
    expect(textOf((await post(`${at("status")}${query}`, busy)).text, "Number")).toBe(SECOND);
    const answered = { ...fields(call), DialALegUUID: call.id, DialBLegUUID: "leg-b", DialAction: "answer" };
    expect((await post(`${at("dial")}${query}`, answered)).text).toContain("<Response/>");
    await post(at("dial"), { ...fields(call), CallStatus: "completed", Duration: "5", HangupCause: "NORMAL_CLEARING" });
    expect(await speaker.recordWhen(call, ({ talkMs }) => talkMs === 5_000)).toMatchObject({ status: "completed" });
  });

  it("events that we know nothing of are taken and change nothing", async () => {
    const { call, heard } = await ringing();
    for (const params of [
      { Event: "DialDigitsMatch", DialAction: "digits", DialDigitsMatch: "1" },
      { Event: "RecordStop", RecordingID: "r", RecordUrl: "https://media.example.com/r.mp3" },
      { Event: "Teleported", CallStatus: "floating" },
    ])
      expect((await legEvent(call, heard, params)).status).toBe(200);
    expect(await speaker.record(call)).toMatchObject({ status: "ringing", endedAt: null });
  });

  it.each([
    ["CallUUID", { CallUUID: "" }],
    ["CallUUID", { CallUUID: "a b" }],
    ["CallUUID", { CallUUID: "x".repeat(257) }],
  ])("%s: %o is refused", async (path, params) => {
    const call = speaker.call((await world()).numbers[0] as string);
    const { status, text } = await post(at("voice"), { ...fields(call), ...params });
    expect([status, JSON.parse(text)]).toMatchObject([422, { errors: [{ path }] }]);
  });

  it("a field that comes twice is refused by name", async () => {
    const call = speaker.call((await world()).numbers[0] as string);
    const body = `${new URLSearchParams(fields(call)).toString()}&From=14150000000`;
    const answer = await speaker.send({
      ...{ method: "POST", url: at("voice"), contentType: "application/x-www-form-urlencoded", body },
    });
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([422, { errors: [{ path: "From" }] }]);
  });
});
