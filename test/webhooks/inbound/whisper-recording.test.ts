/** What a destination lets be said: to the business before it is connected, and to callers before they are recorded. Over Twilio's webhooks. */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { updateDestination } from "../../../src/account/destinations.store.js";
import { attributesOf, textOf } from "../../../src/dev/carrier-voices/read-xml.js";
import type { Dialled } from "../../../src/dev/carrier-voices/carrier-voice.js";
import { hearTwiml } from "../../../src/dev/carrier-voices/twiml-family-voice.js";
import { freshDatabase } from "../../support/database.js";
import { until } from "../../support/until.js";
import { makeWorld, type World } from "../../support/world.js";
import { tablesHolding } from "../support/leaks.js";
import { CALLER } from "../support/caller.js";
import { attribute, incomingCall } from "../support/twilio-stand-in.js";
import { PUBLIC_URL, putTwilio, startLinkedWebhooks } from "../support/webhook-service.js";

const FAILOVER = "+14155550111";
const WHISPER = 'Spring & "summer" <campaign>';
const CONSENT = "This call is recorded.";

const { db, url } = await freshDatabase();
await putTwilio(db);
const { service, link, stop } = await startLinkedWebhooks(url);
const { twilio, routing } = service;
afterEach(() => link.mend());
afterAll(stop);

type Changes = Parameters<typeof updateDestination>[2];

/** A number whose destination says so, also in the routing table. */
async function numberSaying(changes: Changes): Promise<{ world: World; number: string }> {
  const world = await makeWorld(db, 1);
  const number = world.numbers[0] as string;
  await say(world, { failover: [FAILOVER], ...changes });
  return { world, number };
}

async function say(world: World, changes: Changes): Promise<void> {
  const [number = ""] = world.numbers;
  const { whisper, recordAnnouncement } = await updateDestination(db, world.destination, {
    failover: [FAILOVER],
    ...changes,
  });
  await until("the routing table says so too", () => {
    const seen = routing.table.find(number)?.destination;
    return seen?.whisper === whisper && seen.recordAnnouncement === recordAnnouncement && seen.failover.length === 1;
  });
}

async function ring(number: string) {
  const call = incomingCall(number);
  const answer = await twilio.voice(call);
  return { call, answer, heard: heardIn(answer) };
}

function heardIn(answer: { text: string }): Dialled {
  const heard = hearTwiml(answer.text);
  if (heard.kind !== "dial") throw new Error(`not connected: ${answer.text}`);
  return heard;
}

describe("whisper", () => {
  it("is asked for when the business picks up, by a signed request, and spoken to it alone", async () => {
    const { number } = await numberSaying({ whisper: WHISPER });
    const { call, answer, heard } = await ring(number);
    expect(attributesOf(answer.text, "Number")?.["url"]).toBe(heard.whisperUrl);
    expect(attributesOf(answer.text, "Number")?.["method"]).toBe("POST");
    expect(heard.whisperUrl).toMatch(`${PUBLIC_URL}/webhooks/twilio/whisper?`);
    expect(heard).toMatchObject({ announcement: null, isRecorded: false });
    expect(answer.text).not.toContain("<Say");
    const asked = { ...call, CallSid: `${call["CallSid"]}-leg`, ParentCallSid: call["CallSid"] as string };
    const whispered = await twilio.post(heard.whisperUrl ?? "", asked);
    expect(whispered).toMatchObject({ status: 200, contentType: "text/xml; charset=utf-8" });
    expect(textOf(whispered.text, "Say")).toBe(WHISPER);
    expect(await twilio.post(heard.whisperUrl ?? "", asked)).toEqual(whispered);
    expect((await twilio.post(heard.whisperUrl ?? "", asked, { token: "another" })).status).toBe(403);
    expect((await twilio.post(heard.whisperUrl ?? "", asked, { token: null })).status).toBe(403);
  });

  it("changes and goes also for a call that rings already", async () => {
    const { world, number } = await numberSaying({ whisper: WHISPER });
    const [first, second] = [await ring(number), await ring(number)];
    await say(world, { whisper: "Autumn" });
    const changed = await twilio.post(attribute(first.answer, "url"), first.call);
    expect(textOf(changed.text, "Say")).toBe("Autumn");
    await say(world, { whisper: null });
    const gone = await twilio.post(attribute(second.answer, "url"), second.call);
    expect(gone).toMatchObject({ status: 200, text: expect.stringMatching(/<Response\/>$/) as string });
    expect((await ring(number)).heard.whisperUrl).toBeNull();
  });

  it("is asked for at every attempt of the hunt", async () => {
    const { number } = await numberSaying({ whisper: WHISPER });
    const { call, answer } = await ring(number);
    const next = heardIn(await twilio.dialEnded(answer, call, { DialCallStatus: "busy", DialCallSid: "1" }));
    expect(next.target).toBe(FAILOVER);
    expect(next.whisperUrl).toContain("attempt=1");
  });
});

describe("recording", () => {
  it("is off unless the destination has an announcement", async () => {
    const { number } = await numberSaying({});
    const { answer, heard } = await ring(number);
    expect(heard).toMatchObject({ isRecorded: false, announcement: null, whisperUrl: null });
    expect(answer.text).not.toContain("record");
  });

  it("is announced to the caller first, once, and goes on with the hunt", async () => {
    const { number } = await numberSaying({ recordAnnouncement: CONSENT });
    const { call, answer, heard } = await ring(number);
    expect(heard).toMatchObject({ isRecorded: true, announcement: CONSENT });
    expect(answer.text.indexOf("<Say")).toBeLessThan(answer.text.indexOf("<Dial"));
    const next = heardIn(await twilio.dialEnded(answer, call, { DialCallStatus: "no-answer", DialCallSid: "1" }));
    expect(next).toMatchObject({ target: FAILOVER, isRecorded: true, announcement: null });
  });

  it("switched on during a call it begins with the next one: nobody is recorded who was not told", async () => {
    const { world, number } = await numberSaying({});
    const { call, answer } = await ring(number);
    await say(world, { recordAnnouncement: CONSENT });
    const next = heardIn(await twilio.dialEnded(answer, call, { DialCallStatus: "busy", DialCallSid: "1" }));
    expect(next).toMatchObject({ target: FAILOVER, isRecorded: false, announcement: null });
    expect((await ring(number)).heard).toMatchObject({ isRecorded: true, announcement: CONSENT });
  });

  it("switched off during a call it ends with the next attempt", async () => {
    const { world, number } = await numberSaying({ recordAnnouncement: CONSENT });
    const { call, answer } = await ring(number);
    await say(world, { recordAnnouncement: null });
    const next = heardIn(await twilio.dialEnded(answer, call, { DialCallStatus: "busy", DialCallSid: "1" }));
    expect(next).toMatchObject({ isRecorded: false, announcement: null });
  });
});

describe("with PostgreSQL away", () => {
  it.each(["cut", "silence"] as const)("both are said all the same (%s)", async (how) => {
    const { number } = await numberSaying({ whisper: WHISPER, recordAnnouncement: CONSENT });
    await ring(number);
    link[how]();
    const { call, heard } = await ring(number);
    expect(heard).toMatchObject({ isRecorded: true, announcement: CONSENT });
    expect(textOf((await twilio.post(heard.whisperUrl ?? "", call)).text, "Say")).toBe(WHISPER);
  });

  it("nothing of it holds a caller in plain", async () => {
    await until("what was spooled is there", async () => {
      await routing.callLog.replayNow();
      return routing.spool.isEmpty;
    });
    expect(await tablesHolding(db, CALLER.slice(1))).toEqual([]);
  });
});
