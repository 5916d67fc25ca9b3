/** What is Vonage's own: its NCCOs, its legs, its events. What all carriers have in common is in contract-calls.test.ts. */
import { afterAll, describe, expect, it } from "vitest";
import type { Dialled, SpokenCall } from "../../../src/dev/carrier-voices/carrier-voice.js";
import { vonageGetVoice, vonageVoice } from "../../../src/dev/carrier-voices/vonage-voice.js";
import { vonage } from "../../../src/webhooks/inbound/vonage.js";
import { freshDatabase, rows } from "../../support/database.js";
import { makeWorld, type World } from "../../support/world.js";
import { speakAs } from "../support/speaking.js";
import { PUBLIC_URL, startWebhooks } from "../support/webhook-service.js";

const { db } = await freshDatabase();
const service = await startWebhooks(db);
afterAll(() => service.stop());
const speaker = await speakAs({ db, service, voice: vonageVoice });

const BUSINESS = "+18005550100";
const SECOND = "+14155550111";
const DESK = "sip:desk@pbx.example.com;transport=tls";
const EVENT_URL = `${PUBLIC_URL}/webhooks/vonage/status`;

type Fields = Readonly<Record<string, unknown>>;

const post = (url: string, fields: Fields) =>
  speaker.send({ method: "POST", url, contentType: "application/json", body: JSON.stringify(fields) });

async function world(columns: Fields = {}): Promise<World> {
  const made = await makeWorld(db, 1);
  for (const [column, value] of Object.entries(columns))
    await rows(db, `update destination set ${column} = $2 where id = $1`, [made.destination.id, value]);
  return made;
}

async function ringing(columns: Fields = {}): Promise<{ call: SpokenCall; heard: Dialled }> {
  const call = speaker.call((await world(columns)).numbers[0] as string);
  return { call, heard: await speaker.ringThrough(call) };
}

const dialUrl = ({ dialUrl: url }: Dialled): string => url ?? "";
/** An event of the business's leg, at the URL that we gave the connect. */
const legEvent = (call: SpokenCall, heard: Dialled, fields: Fields) =>
  post(dialUrl(heard), {
    ...{ conversation_uuid: call.id, uuid: "leg-1", direction: "outbound" },
    ...{ from: call.to.slice(1), to: "18005550100", timestamp: new Date().toISOString() },
    ...fields,
  });
/** An event of the caller's leg, at the application's event_url. */
const callerEvent = (call: SpokenCall, fields: Fields) =>
  post(EVENT_URL, {
    ...{ conversation_uuid: call.id, uuid: "leg-0", direction: "inbound" },
    ...{ from: "14156739823", to: call.to.slice(1), timestamp: new Date().toISOString() },
    ...fields,
  });
const callsOf = (call: SpokenCall) => rows(db, "select id from call where promo_number = $1", [call.to]);

describe("NCCOs", () => {
  it("a number is connected from the promo number, which is Vonage's own, and its end asked for", async () => {
    const call = speaker.call((await world({ ring_timeout_s: 17 })).numbers[0] as string);
    const { text, contentType } = await speaker.send(vonageVoice.voice(call, PUBLIC_URL));
    expect(contentType).toBe("application/json; charset=utf-8");
    expect(JSON.parse(text)).toEqual([
      {
        action: "connect",
        endpoint: [{ type: "phone", number: BUSINESS.slice(1) }],
        from: call.to.slice(1),
        timeout: 17,
        eventType: "synchronous",
        eventUrl: [expect.stringMatching(`^${PUBLIC_URL}/webhooks/vonage/dial\\?attempt=0&called=%2B1888`)],
        eventMethod: "POST",
      },
    ]);
  });

  it("a SIP target is dialled by its URI, as the next NCCO", async () => {
    const { call, heard } = await ringing({ failover: [DESK] });
    const next = await legEvent(call, heard, { status: "busy" });
    expect(JSON.parse(next.text)).toMatchObject([{ action: "connect", endpoint: [{ type: "sip", uri: DESK }] }]);
    expect(next.text).toContain("attempt=1");
  });

  it("whisper and recording: announced and begun once, the whisper spoken to the business alone", async () => {
    const { call, heard } = await ringing({
      whisper: 'Call from "print"',
      record_announcement: "This call is recorded.",
      failover: [SECOND],
    });
    expect(heard).toMatchObject({ isRecorded: true, announcement: "This call is recorded." });
    const asked = { uuid: "leg-1", conversation_uuid: "CON-other", from: call.to.slice(1), to: BUSINESS.slice(1) };
    for (const method of ["GET", "POST"] as const) {
      const query = new URLSearchParams(asked).toString();
      const url = method === "GET" ? `${heard.whisperUrl ?? ""}&${query}` : (heard.whisperUrl ?? "");
      const body = method === "GET" ? "" : JSON.stringify(asked);
      const whisper = await speaker.send({ method, url, contentType: "application/json", body });
      expect(JSON.parse(whisper.text)).toEqual([{ action: "talk", text: 'Call from "print"', language: "en-US" }]);
    }
    const next = await legEvent(call, heard, { status: "timeout" });
    expect(vonageVoice.hear({ ...next, commands: [] }, call)).toMatchObject({ isRecorded: false, announcement: null });
  });

  it("a recording's own event is taken, though it names no number", async () => {
    const { call } = await ringing();
    const record = { start_time: "2026-01-01T12:00:00Z", recording_url: "https://api.nexmo.com/v1/files/f", size: 1 };
    const url = `${EVENT_URL}?attempt=0&called=${encodeURIComponent(call.to)}`;
    expect(await post(url, { ...record, conversation_uuid: call.id })).toMatchObject({ status: 200, text: "" });
    expect(await speaker.record(call)).toMatchObject({ status: "ringing" });
  });

  it("refusals end the call, for there is no verb that rejects", () => {
    const call = { carrierCallId: "c", handle: null };
    expect(vonage.renderRefusal("reject", call).text).toBe("[]");
    expect(vonage.renderRefusal("busy", call).text).toBe("[]");
    expect(JSON.parse(vonage.renderRefusal("announce", call).text)).toMatchObject([{ action: "talk" }]);
    expect(vonage.renderEmpty()).toEqual({ contentType: "text/plain; charset=utf-8", text: "" });
  });

  it("the fallback NCCO rings the business and needs nothing of ours", () => {
    const { text } = vonage.renderFallback?.({ number: BUSINESS as never, ringTimeoutS: 30 }) ?? { text: "" };
    const endpoint = [{ type: "phone", number: BUSINESS.slice(1) }];
    expect(JSON.parse(text)).toEqual([{ action: "connect", endpoint, randomFromNumber: true, timeout: 30 }]);
  });
});

describe("asked by GET", () => {
  it("answers as by POST, and a repetition by either gets the stored answer", async () => {
    const byGet = await speakAs({ db, service, voice: vonageGetVoice, keys: speaker.keys });
    const call = byGet.call((await world()).numbers[0] as string);
    const asked = vonageGetVoice.voice(call, PUBLIC_URL);
    expect(asked.method).toBe("GET");
    const first = await byGet.send(asked);
    const replayed = await service.counted("replayed");
    const again = await byGet.send(vonageVoice.voice(call, PUBLIC_URL));
    expect([again.status, again.text]).toEqual([200, first.text]);
    expect(await service.counted("replayed")).toBe(replayed + 1);
    expect((await byGet.record(call)).caller.last4).toBe("9823");
  });

  it("a query that is no UTF-8 is unreadable, one without a called number refused", async () => {
    const get = (query: string) =>
      speaker.send({ method: "GET", url: `${PUBLIC_URL}/webhooks/vonage/voice?${query}`, contentType: "", body: "" });
    expect((await get("to=%ff")).status).toBe(400);
    expect((await get("from=14155550100")).status).toBe(422);
  });
});

describe("the business's leg", () => {
  it("rings, is answered and hangs up: talk time and who released are the leg's own", async () => {
    const { call, heard } = await ringing();
    for (const status of ["started", "ringing", "answered"])
      expect(await legEvent(call, heard, { status })).toMatchObject({ status: 200, text: "" });
    const record = await speaker.recordWhen(call, ({ status }) => status === "in_progress");
    expect(record.progress.ringingAt).not.toBeNull();
    await callerEvent(call, { status: "completed", duration: "30", disconnected_by: "platform" });
    await legEvent(call, heard, { status: "completed", duration: "11", disconnected_by: "user" });
    expect(await speaker.recordWhen(call, ({ talkMs }) => talkMs === 11_000)).toMatchObject({
      ...{ status: "completed", releasedBy: "callee", hangupCause: null },
    });
    expect(await callsOf(call)).toHaveLength(1);
  });

  it("ends once: what is told of it afterwards changes nothing, and the hunt goes on", async () => {
    const { call, heard } = await ringing({ failover: [SECOND] });
    const next = await legEvent(call, heard, { status: "timeout" });
    for (const late of [
      { status: "cancelled" },
      { status: "unanswered", sip_code: 487 },
      { status: "completed", duration: "0", start_time: null },
    ])
      expect((await legEvent(call, heard, late)).text).toBe(next.text);
    const hunting = vonageVoice.hear({ ...next, commands: [] }, call) as Dialled;
    expect(hunting.target).toBe(SECOND);
    expect(await speaker.record(call)).toMatchObject({ status: "ringing", endedAt: null });
    await legEvent(call, hunting, { uuid: "leg-2", status: "completed", duration: 5 });
    const record = await speaker.recordWhen(call, ({ status }) => status === "completed");
    expect(record.progress.attempts).toMatchObject([{ cause: "no_answer" }, { target: SECOND, cause: null }]);
    expect(record.talkMs).toBe(5_000);
  });

  it.each([
    ["a person declines", { status: "rejected", detail: "declined" }, "failed"],
    ["a phone declines", { status: "unanswered", sip_code: 603 }, "no_answer"],
    ["the number does not exist", { status: "failed", sip_code: "404" }, "failed"],
    ["the caller hangs up", { status: "cancelled" }, "canceled"],
    ["nothing but its end is told", { status: "completed", duration: "0" }, "canceled"],
  ])("%s: nobody else is tried", async (_what, fields, status) => {
    const { call, heard } = await ringing({ failover: [SECOND] });
    expect((await legEvent(call, heard, fields)).text).toBe("[]");
    expect(await speaker.recordWhen(call, ({ endedAt }) => endedAt !== null)).toMatchObject({ status, talkMs: null });
  });

  it.each([
    { status: "busy", sip_code: 486 },
    { status: "timeout" },
    { status: "unanswered", detail: "unavailable", sip_code: "487" },
    { status: "rejected", detail: "restricted" },
    { status: "failed", detail: "cannot_route", sip_code: 503 },
  ])("%o: the next one is tried", async (fields) => {
    const { call, heard } = await ringing({ failover: [SECOND] });
    expect(JSON.parse((await legEvent(call, heard, fields)).text)).toMatchObject([
      { endpoint: [{ number: SECOND.slice(1) }] },
    ]);
  });

  it("of another conversation, as long as it hears the whisper, is still of this call", async () => {
    const { call, heard } = await ringing({ whisper: "A call." });
    const apart = { conversation_uuid: "CON-apart" };
    await legEvent(call, heard, { ...apart, status: "ringing" });
    await legEvent(call, heard, { ...apart, status: "answered" });
    await legEvent(call, heard, { ...apart, status: "completed", duration: "8" });
    expect(await speaker.recordWhen(call, ({ status }) => status === "completed")).toMatchObject({ talkMs: 8_000 });
    expect(await callsOf(call)).toHaveLength(1);
  });

  it("that is heard of first opens the call's record for the promo number, and its number is not the caller", async () => {
    const call = speaker.call((await world()).numbers[0] as string);
    const fields = { conversation_uuid: call.id, uuid: "leg-1", direction: "outbound", status: "ringing" };
    expect((await post(EVENT_URL, { ...fields, from: call.to.slice(1), to: "18005550100" })).status).toBe(200);
    const record = await speaker.record(call);
    expect(record).toMatchObject({ promoNumber: call.to, caller: { last4: null } });
    await speaker.ringThrough(call);
    expect(await callsOf(call)).toHaveLength(1);
  });
});

describe("the caller's leg", () => {
  it("is answered before anybody rings: that is nobody's answer", async () => {
    const { call } = await ringing();
    for (const status of ["started", "ringing", "answered"]) await callerEvent(call, { status });
    expect(await speaker.record(call)).toMatchObject({ status: "ringing", answeredAt: null });
  });

  it.each([
    [{ status: "completed", duration: "9", disconnected_by: "user" }, "completed", 9_000, "caller"],
    [{ status: "completed", duration: 9, disconnected_by: "platform" }, "completed", 9_000, null],
    [{ status: "cancelled" }, "canceled", null, "caller"],
    [{ status: "failed" }, "failed", null, null],
  ] as const)("%o", async (fields, status, talkMs, releasedBy) => {
    const { call } = await ringing();
    await callerEvent(call, fields);
    expect(await speaker.recordWhen(call, ({ endedAt }) => endedAt !== null)).toMatchObject({
      ...{ status, talkMs, releasedBy },
    });
  });

  it("knows less than the business's: a busy business stays busy, a conversation keeps its length", async () => {
    const { call, heard } = await ringing();
    await callerEvent(call, { status: "completed", duration: "6" });
    await legEvent(call, heard, { status: "busy" });
    expect(await speaker.recordWhen(call, ({ status }) => status === "busy")).toMatchObject({ talkMs: null });
  });

  it("an event that was held up keeps the time it tells", async () => {
    const { call } = await ringing();
    await callerEvent(call, { status: "completed", duration: "1", timestamp: "2020-01-01T12:00:00.000Z" });
    const record = await speaker.recordWhen(call, ({ endedAt }) => endedAt !== null);
    // Not before the call itself, which is later than that.
    expect(record.endedAt).toBe(record.receivedAt);
  });
});

describe("spellings and odd requests", () => {
  it.each(["anonymous", "Unknown", "Restricted", "266696687", "", null, undefined])(
    "from %o is nobody",
    async (from) => {
      const call = speaker.call((await world()).numbers[0] as string);
      const asked = { to: call.to.slice(1), from, uuid: "u", conversation_uuid: call.id, from_user: "jane" };
      expect((await post(`${PUBLIC_URL}/webhooks/vonage/voice`, asked)).status).toBe(200);
      expect((await speaker.record(call)).caller).toEqual({ enc: null, hash: null, last4: null });
    },
  );

  it("say themselves what they are, whichever path they come by", async () => {
    const { call, heard } = await ringing({ failover: [SECOND] });
    const { search } = new URL(dialUrl(heard));
    const leg = { conversation_uuid: call.id, uuid: "leg-1", direction: "outbound", from: call.to.slice(1), to: "1" };
    const next = await post(`${EVENT_URL}${search}`, { ...leg, status: "busy" });
    expect(next.text).toContain(SECOND.slice(1));
    await post(dialUrl(heard), { ...leg, direction: "inbound", status: "completed", duration: "4" });
    expect(await speaker.recordWhen(call, ({ talkMs }) => talkMs === 4_000)).toMatchObject({ status: "completed" });
  });

  it("events that we know nothing of are taken and change nothing", async () => {
    const { call, heard } = await ringing();
    for (const fields of [
      { status: "machine", sub_state: "beep_start" },
      { status: "disconnected" },
      { status: "transfer", conversation_uuid_from: "CON-a", conversation_uuid_to: "CON-b" },
      { status: "teleported" },
    ]) {
      expect(await legEvent(call, heard, fields)).toMatchObject({ status: 200, text: "" });
      expect(await callerEvent(call, fields)).toMatchObject({ status: 200, text: "" });
    }
    expect(await speaker.record(call)).toMatchObject({ status: "ringing", endedAt: null });
  });

  it.each([
    ["conversation_uuid", { conversation_uuid: "a b" }],
    ["conversation_uuid", { conversation_uuid: "x".repeat(257) }],
    ["uuid", { conversation_uuid: "", uuid: "" }],
    ["from", { from: { number: "1" } }],
    ["status", { status: ["busy"] }],
  ])("%s: %o is refused by name", async (path, fields) => {
    const call = speaker.call((await world()).numbers[0] as string);
    const asked = { to: call.to.slice(1), from: "14156739823", uuid: "u", conversation_uuid: call.id, ...fields };
    const { status, text } = await post(`${PUBLIC_URL}/webhooks/vonage/voice`, asked);
    expect([status, JSON.parse(text)]).toMatchObject([422, { errors: [{ path }] }]);
  });

  it("an application without conversation ids is known by its legs'", async () => {
    const call = { ...speaker.call((await world()).numbers[0] as string), id: "leg-alone" };
    const asked = { to: call.to.slice(1), from: "14156739823", uuid: call.id };
    expect((await post(`${PUBLIC_URL}/webhooks/vonage/voice`, asked)).status).toBe(200);
    expect(await speaker.record(call)).toMatchObject({ ingressCallId: "leg-alone" });
  });
});
