/** What is Call Control's own: commands instead of answers, legs told apart, hang-up causes, events in any order. The rest: contract-calls.test.ts. */
import { afterAll, describe, expect, it } from "vitest";
import {
  controlIdOf,
  telnyxCallControlVoice as voice,
} from "../../../src/dev/carrier-voices/telnyx-call-control-voice.js";
import type {
  Dialled,
  SpokenAnswer,
  SpokenCall,
  SpokenRequest,
} from "../../../src/dev/carrier-voices/carrier-voice.js";
import { quarantineNumber } from "../../../src/pool/number-moves.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import { telnyxCallControl } from "../../../src/webhooks/inbound/telnyx-call-control.js";
import { telnyxAttemptEnd } from "../../../src/webhooks/inbound/telnyx/telnyx-hangup.js";
import { freshDatabase, rows } from "../../support/database.js";
import { allocationFor, makeWorld } from "../../support/world.js";
import { CALLER } from "../support/caller.js";
import { speakAs } from "../support/speaking.js";
import { PUBLIC_URL, startWebhooks } from "../support/webhook-service.js";

const BUSINESS = "+18005550100";
const SECOND = "+14155550111";

const { db } = await freshDatabase();
const service = await startWebhooks(db);
afterAll(() => service.stop());
const speaker = await speakAs({ db, service, voice });

async function presentedNumber(settings: { failover?: string[]; recordAnnouncement?: string } = {}): Promise<string> {
  const world = await makeWorld(db, 1);
  const { failover = [SECOND], recordAnnouncement = null } = settings;
  const change = "update destination set failover = $2, record_announcement = $3 where id = $1";
  await rows(db, change, [world.destination.id, failover, recordAnnouncement]);
  await presentBatch(db, [allocationFor(world)], null);
  return world.numbers[0] as string;
}

type Payload = Record<string, unknown>;

/** The spoken request with other fields in its payload or event. */
function changed(request: SpokenRequest, payload: Payload, event: Payload = {}): SpokenRequest {
  const body = JSON.parse(request.body.toString()) as { data: { payload: Payload } };
  const data = { ...body.data, ...event, payload: { ...body.data.payload, ...payload } };
  return { ...request, body: JSON.stringify({ ...body, data }) };
}

/** An event of the caller's leg at the application's URL. */
function callerEvent(call: SpokenCall, type: string, payload: Payload = {}): SpokenRequest {
  const over = voice.callEnded(call, { outcome: { kind: "failed" }, baseUrl: PUBLIC_URL }) as SpokenRequest;
  const none = { hangup_cause: undefined, sip_hangup_cause: undefined, hangup_source: undefined };
  return changed(over, { ...none, ...payload }, { event_type: type, id: `${call.id}:${type}` });
}

function hungUp(call: SpokenCall, heard: Dialled, payload: Payload): SpokenRequest {
  return changed(voice.dialEnded(call, { heard, outcome: { kind: "failed" }, baseUrl: PUBLIC_URL }), payload);
}

/** As the adapter reads it. */
function read({ method, url, body }: SpokenRequest) {
  return telnyxCallControl.parseVoice({ method, url, headers: {}, rawBody: Buffer.from(body) });
}

const actions = ({ commands }: SpokenAnswer): string[] => commands.map(({ path }) => path.split("/").at(-1) ?? "");
const state = (text: unknown): Payload => JSON.parse(Buffer.from(String(text), "base64").toString()) as Payload;

describe("a call", () => {
  it("is transferred with the caller's own number, and nothing of it is in what is stored", async () => {
    const call = speaker.call(await presentedNumber());
    const answer = await speaker.send(voice.voice(call, PUBLIC_URL));
    expect([answer.status, answer.text]).toEqual([200, ""]);
    expect(answer.commands).toHaveLength(1);
    const [{ path, body } = { path: "", body: {} }] = answer.commands;
    expect(path).toBe(`/v2/calls/${controlIdOf(call)}/actions/transfer`);
    expect(body).toMatchObject({ to: BUSINESS, from: CALLER, diversion: call.to, timeout_secs: 30 });
    expect(String(body["command_id"])).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(state(body["target_leg_client_state"])).toMatchObject({ leg: "business", handle: controlIdOf(call) });
    expect(String(body["webhook_url"])).toContain(`${PUBLIC_URL}/webhooks/telnyx/dial?`);
    const [stored] = await rows<{ commands: unknown }>(
      db,
      "select commands from webhook_delivery where delivery_key like $1",
      [`%${call.id}`],
    );
    expect(JSON.stringify(stored?.commands)).toContain("transfer");
    expect(JSON.stringify(stored?.commands)).not.toContain(CALLER.slice(1));
  });

  it("of a withheld caller shows the promo number, which is not taken for the caller afterwards", async () => {
    const call = speaker.call(await presentedNumber(), { from: null });
    const answer = await speaker.send(voice.voice(call, PUBLIC_URL));
    expect(Object.keys(answer.commands[0]?.body ?? {})).not.toContain("from");
    const late = speaker.call(await presentedNumber(), { from: null });
    const heard = voice.hear(answer, call) as Dialled;
    const dialUrl = String(heard.dialUrl).replace(encodeURIComponent(call.to), encodeURIComponent(late.to));
    await speaker.send(hungUp(late, { ...heard, dialUrl }, { hangup_cause: "user_busy" }));
    expect((await speaker.record(late)).caller).toEqual({ enc: null, hash: null, last4: null });
  });

  it("keeps what the network says of it: verdict, name, who diverted", async () => {
    const call = speaker.call(await presentedNumber(), { isVerified: true, callerName: "Ada Lovelace" });
    const sip_headers = [
      { name: "User-to-User", value: "x" },
      { name: "Diversion", value: '"Desk" <sip:+14155550199@carrier.example;user=phone>;reason=unconditional' },
    ];
    const request = changed(voice.voice(call, PUBLIC_URL), { sip_headers });
    expect(read(request)).toMatchObject({ callerName: "Ada Lovelace", diversion: "+14155550199", caller: CALLER });
    await speaker.send(request);
    expect(await speaker.record(call)).toMatchObject({ verstat: "TN-Validation-Passed-A" });
    // Without a name it gives the number again.
    const nameless = read(voice.voice({ ...call, callerName: null, isVerified: false }, PUBLIC_URL));
    expect(nameless).toMatchObject({ callerName: null, diversion: null, verstat: null });
    const withheld = [{ name: "Diversion", value: "<sip:+266696687@carrier.example>" }];
    expect(read(changed(request, { sip_headers: withheld }))).toMatchObject({ diversion: null });
  });

  it("sends the same commands again for the same call, and others for another", async () => {
    const [one, other] = [speaker.call(await presentedNumber()), speaker.call(await presentedNumber())];
    const ids = [];
    for (const call of [one, one, other]) {
      const { commands } = await speaker.send(voice.voice(call, PUBLIC_URL));
      ids.push(commands[0]?.body["command_id"]);
    }
    expect(ids[0]).toBe(ids[1]);
    expect(ids[0]).not.toBe(ids[2]);
  });

  it("talks as long as Telnyx's clock says between answer and hang-up", async () => {
    const call = speaker.call(await presentedNumber());
    const heard = await speaker.ringThrough(call);
    await speaker.record(call);
    await rows(db, "update call set received_at = received_at - interval '1 hour' where ingress_call_id = $1", [
      call.id,
    ]);
    await rows(
      db,
      "update call_key set received_at = received_at - interval '1 hour' where call_id = (select id from call where ingress_call_id = $1)",
      [call.id],
    );
    const at = (secondsAgo: number) => ({ occurred_at: new Date(Date.now() - secondsAgo * 1_000).toISOString() });
    const [answeredAt, endedAt] = [at(100), at(58)];
    const answered = voice.progress(call, { heard, state: "answered", baseUrl: PUBLIC_URL }) as SpokenRequest;
    await speaker.send(changed(answered, {}, answeredAt));
    const ended = { hangup_cause: "normal_clearing", sip_hangup_cause: "200", hangup_source: "callee" };
    const over = await speaker.send(changed(hungUp(call, heard, ended), {}, endedAt));
    expect(over.commands).toEqual([]);
    const record = await speaker.recordWhen(call, ({ status }) => status === "completed");
    expect(record.releasedBy).toBe("callee");
    expect(Math.abs((record.talkMs ?? 0) - 42_000)).toBeLessThan(100);
  });
});

describe("a hunt", () => {
  it("goes on at the caller's leg, wherever the business's events are sent", async () => {
    const call = speaker.call(await presentedNumber());
    const heard = await speaker.ringThrough(call);
    const toApp = { ...hungUp(call, heard, { hangup_cause: "user_busy" }), url: `${PUBLIC_URL}/webhooks/telnyx/voice` };
    const answer = await speaker.send(toApp);
    expect(actions(answer)).toEqual(["transfer"]);
    expect(answer.commands[0]?.path).toContain(controlIdOf(call));
    expect(answer.commands[0]?.body).toMatchObject({ to: SECOND, from: CALLER });
    const attempts = async () => (await speaker.record(call)).progress.attempts;
    await expect.poll(attempts).toMatchObject([
      { target: BUSINESS, cause: "busy" },
      { target: SECOND, cause: null },
    ]);
  });

  it("ends with the last target: the caller is hung up on", async () => {
    const call = speaker.call(await presentedNumber({ failover: [] }));
    const heard = await speaker.ringThrough(call);
    const answer = await speaker.send(hungUp(call, heard, { hangup_cause: "timeout" }));
    expect(actions(answer)).toEqual(["hangup"]);
    expect(answer.commands[0]?.path).toContain(controlIdOf(call));
    await speaker.send(callerEvent(call, "call.hangup", { hangup_cause: "normal_clearing", hangup_source: "callee" }));
    expect(await speaker.recordWhen(call, (one) => one.endedAt !== null)).toMatchObject({ status: "no_answer" });
  });

  it("stops when somebody declined, and when the caller is gone", async () => {
    const declined = speaker.call(await presentedNumber());
    const first = await speaker.ringThrough(declined);
    const no = await speaker.send(hungUp(declined, first, { hangup_cause: "call_rejected", sip_hangup_cause: "603" }));
    expect(actions(no)).toEqual(["hangup"]);
    const gone = speaker.call(await presentedNumber());
    const second = await speaker.ringThrough(gone);
    const over = await speaker.send(hungUp(gone, second, { hangup_cause: "originator_cancel" }));
    expect(over.commands).toEqual([]);
    expect(await speaker.recordWhen(gone, (one) => one.endedAt !== null)).toMatchObject({
      status: "canceled",
      releasedBy: "caller",
    });
  });

  it.each<[string, string, ReturnType<typeof telnyxAttemptEnd>]>([
    ["normal_clearing", "200", { kind: "completed", isByLimit: false }],
    ["normal_clearing", "unspecified", { kind: "completed", isByLimit: false }],
    ["normal_clearing", "487", { kind: "canceled" }],
    ["normal_clearing", "480", { kind: "failed", failure: "no_answer", sipStatus: 480, huntsOn: true }],
    ["time_limit", "200", { kind: "completed", isByLimit: true }],
    ["user_busy", "486", { kind: "failed", failure: "busy", sipStatus: 486, huntsOn: true }],
    ["timeout", "487", { kind: "failed", failure: "no_answer", sipStatus: 487, huntsOn: true }],
    ["no_answer", "", { kind: "failed", failure: "no_answer", sipStatus: null, huntsOn: true }],
    ["call_rejected", "", { kind: "failed", failure: "failed", sipStatus: null, huntsOn: false }],
    ["call_rejected", "603", { kind: "failed", failure: "failed", sipStatus: 603, huntsOn: false }],
    ["call_rejected", "486", { kind: "failed", failure: "busy", sipStatus: 486, huntsOn: true }],
    ["not_found", "404", { kind: "failed", failure: "failed", sipStatus: 404, huntsOn: false }],
    ["unspecified", "503", { kind: "failed", failure: "failed", sipStatus: 503, huntsOn: true }],
    ["something new", "", { kind: "failed", failure: "failed", sipStatus: null, huntsOn: true }],
  ])("%s %s", (cause, sip, end) => {
    expect(telnyxAttemptEnd(cause, sip)).toEqual(end);
  });
});

describe("words for the caller", () => {
  const spoken = (call: SpokenCall, { commands }: SpokenAnswer, payload: Payload = {}): SpokenRequest => {
    const { client_state } = commands.find(({ path }) => path.endsWith("/speak"))?.body ?? {};
    // As Telnyx documents the event: it does not say who called whom.
    const unsaid = { from: undefined, to: undefined };
    return callerEvent(call, "call.speak.ended", { status: "completed", ...unsaid, client_state, ...payload });
  };

  it("are spoken to an answered call, which is hung up on when they ended", async () => {
    const world = await makeWorld(db, 1);
    const accountId = world.account.id;
    const number = world.numbers[0] as string;
    await quarantineNumber(
      { db, schedule: world.schedule },
      { e164: number, accountId, reason: "test", actor: "test" },
    );
    const announcing = await speakAs({ db, service, voice, accountId, intercept: "announce" });
    const call = announcing.call(number);
    const answer = await announcing.send(voice.voice(call, PUBLIC_URL));
    expect(actions(answer)).toEqual(["answer", "speak"]);
    const answered = await announcing.send(callerEvent(call, "call.answered"));
    expect([answered.status, answered.commands]).toEqual([200, []]);
    expect((await announcing.send(spoken(call, answer, { status: "call_hangup" }))).commands).toEqual([]);
    const ended = await announcing.send(changed(spoken(call, answer), {}, { id: "another-event" }));
    expect(actions(ended)).toEqual(["hangup"]);
    expect(await announcing.record(call)).toMatchObject({ status: "intercepted", answeredAt: null, talkMs: null });
  });

  it("of a recorded call come before the transfer, and only once", async () => {
    const call = speaker.call(await presentedNumber({ recordAnnouncement: "This call is recorded." }));
    const answer = await speaker.send(voice.voice(call, PUBLIC_URL));
    expect(actions(answer)).toEqual(["answer", "speak"]);
    expect(answer.commands[1]?.body).toMatchObject({ payload: "This call is recorded." });
    const transferred = await speaker.send(spoken(call, answer));
    expect(actions(transferred)).toEqual(["transfer"]);
    expect(transferred.commands[0]?.body).toMatchObject({ to: BUSINESS, record: "record-from-answer" });
    const heard = voice.hear(transferred, call) as Dialled;
    const next = await speaker.send(hungUp(call, heard, { hangup_cause: "user_busy" }));
    expect(actions(next)).toEqual(["transfer"]);
    expect(next.commands[0]?.body).toMatchObject({ to: SECOND, record: "record-from-answer" });
    expect((await speaker.record(call)).progress.attempts[0]).toMatchObject({ target: BUSINESS });
  });
});

describe("other events", () => {
  it.each(["call.cost", "call.machine.detection.ended", "call.something.new", "call.initiated"])(
    "%s of either leg changes nothing",
    async (type) => {
      const call = speaker.call(await presentedNumber());
      const heard = await speaker.ringThrough(call);
      await speaker.recordWhen(call, ({ progress }) => progress.attempts.length === 1);
      const ofBusiness = changed(hungUp(call, heard, { direction: "outgoing" }), {}, { event_type: type });
      const requests = type === "call.initiated" ? [ofBusiness] : [ofBusiness, callerEvent(call, type)];
      for (const request of requests) {
        const answer = await speaker.send(request);
        expect([answer.status, answer.text, answer.commands]).toEqual([200, "", []]);
      }
      const { status, progress } = await speaker.record(call);
      expect({ status, ended: progress.end }).toEqual({ status: "ringing", ended: null });
      expect(progress.attempts).toMatchObject([{ target: BUSINESS, cause: null }]);
    },
  );

  it("bridged counts as answered when the answer's own event is lost", async () => {
    const call = speaker.call(await presentedNumber());
    await speaker.ringThrough(call);
    await speaker.send(callerEvent(call, "call.bridged"));
    expect(await speaker.recordWhen(call, ({ status }) => status === "in_progress")).toMatchObject({ endedAt: null });
  });

  it.each<[string, Payload, Payload]>([
    ["no session", { call_session_id: undefined }, {}],
    ["a session of another type", { call_session_id: 7 }, {}],
    ["no leg", { call_control_id: "" }, {}],
    ["control characters in an id", { call_session_id: "a\nb" }, {}],
    ["an event without an id", {}, { id: "", event_type: "call.answered" }],
    ["no event type", {}, { event_type: undefined }],
    ["no called number", { to: undefined }, {}],
  ])("%s: refused as such", async (_name, payload, event) => {
    const call = speaker.call(await presentedNumber());
    const answer = await speaker.send(changed(voice.voice(call, PUBLIC_URL), payload, event));
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([422, { code: "invalid_value" }]);
  });

  it("somebody else's client_state is none", async () => {
    const call = speaker.call(await presentedNumber());
    const states = ["####", "e30=", Buffer.from('{"leg":"business"}').toString("base64")];
    for (const client_state of states) {
      const answer = await speaker.send(
        changed(voice.voice({ ...call, id: `${call.id}${client_state}` }, PUBLIC_URL), { client_state }),
      );
      expect(actions(answer)).toEqual(["transfer"]);
    }
  });
});
