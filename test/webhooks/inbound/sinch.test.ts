/** What is Sinch's own: its signature, SVAML, the promo number's way through events that do not name it, and the ends `dice` tells. */
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { CarrierCredential } from "../../../src/account/carrier-credentials.store.js";
import type { Outcome, SpokenCall, SpokenRequest } from "../../../src/dev/carrier-voices/carrier-voice.js";
import { sinchVoice } from "../../../src/dev/carrier-voices/sinch-voice.js";
import { systemRandom } from "../../../src/kernel/random.js";
import { quarantineNumber } from "../../../src/pool/number-moves.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import type { AttemptPlan, CarrierRequest } from "../../../src/webhooks/inbound/carrier-adapter.js";
import { SIGNED_MS_MAX, sinch } from "../../../src/webhooks/inbound/sinch.js";
import { freshDatabase, rows } from "../../support/database.js";
import { allocationFor, makeWorld } from "../../support/world.js";
import { CALLER } from "../support/caller.js";
import { type Speaker, speakAs } from "../support/speaking.js";
import { PUBLIC_URL, startWebhooks, storedRows } from "../support/webhook-service.js";

const { db } = await freshDatabase();
const service = await startWebhooks(db);
afterAll(() => service.stop());
const speaker = await speakAs({ db, service, voice: sinchVoice });

type Fields = Readonly<Record<string, unknown>>;

async function presented(): Promise<{ world: Awaited<ReturnType<typeof makeWorld>>; number: string }> {
  const world = await makeWorld(db, 1);
  const [got] = await presentBatch(db, [allocationFor(world)], null);
  if (got?.kind !== "presented") throw new Error("not presented");
  return { world, number: got.promoNumber };
}

const calling = async (changes: Partial<SpokenCall> = {}): Promise<SpokenCall> =>
  speaker.call((await presented()).number, changes);

/** A request of the voice with other fields; null takes one out. */
function changed(request: SpokenRequest | null, changes: Fields, path = "voice"): SpokenRequest {
  if (request === null) throw new Error("nothing to change");
  const fields = { ...(JSON.parse(request.body.toString()) as Fields), ...changes };
  const body = JSON.stringify(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)));
  return { ...request, url: `${PUBLIC_URL}/webhooks/sinch/${path}`, body };
}

const ring = (call: SpokenCall, changes: Fields = {}, as: Speaker = speaker) =>
  as.send(changed(sinchVoice.voice(call, PUBLIC_URL), changes));
const HEARD = { kind: "dial", target: "+18005550100", ringTimeoutS: 30 } as const;
const NO_URLS = { dialUrl: null, statusUrl: null, whisperUrl: null, isRecorded: false, announcement: null };
const ace = (call: SpokenCall, changes: Fields = {}) =>
  changed(
    sinchVoice.progress(call, { heard: { ...HEARD, ...NO_URLS }, state: "answered", baseUrl: PUBLIC_URL }),
    changes,
  );
const dice = (call: SpokenCall, outcome: Outcome, changes: Fields = {}) =>
  changed(sinchVoice.dialEnded(call, { heard: { ...HEARD, ...NO_URLS }, outcome, baseUrl: PUBLIC_URL }), changes);
const BUSY: Outcome = { kind: "busy" };
const TALKED: Outcome = { kind: "answered", talkS: 42, releasedBy: "callee" };
const CONTINUE = { action: { name: "continue" } };

function credentialOf(secrets: Fields): CarrierCredential {
  const id = "crd_1" as CarrierCredential["id"];
  return { id, carrier: "sinch", accountId: null, secrets, intercept: "reject" };
}

describe("the signature", () => {
  // The example of developers.sinch.com/docs/voice/api-reference/authentication/callback-signed-request
  const documented: CarrierRequest = {
    method: "POST",
    url: "https://callbacks.yourdomain.com/sinch/callback/ace",
    headers: {
      "content-type": "application/json",
      "x-timestamp": "2014-09-24T10:59:41Z",
      authorization: "application 669E367E-6BBA-48AB-AF15-266871C28135:Tg6fMyo8mj9pYfWQ9ssbx3Tc1BNC87IEygAfLbJqZb4=",
    },
    rawBody: Buffer.from(
      `{"event":"ace","callid":"822aa4b7-05b4-4d83-87c7-1f835ee0b6f6_257","timestamp":"2014-09-24T10:59:41Z","version":1}`,
    ),
  };
  const key = "669E367E-6BBA-48AB-AF15-266871C28135";
  const credential = credentialOf({ key, secret: "BeIukql3pTKJ8RGL5zo0DA==" });
  const sentAt = Date.parse("2014-09-24T10:59:41Z");
  const isGood = (changes: Partial<CarrierRequest>, now = sentAt, by = credential): boolean =>
    sinch.verify({ ...documented, ...changes }, { credential: by, now }) !== null;
  const withHeaders = (headers: CarrierRequest["headers"]) => ({ headers: { ...documented.headers, ...headers } });

  it("of the vendor's documentation is good, and has no nonce", () => {
    expect(sinch.verify(documented, { credential, now: sentAt })).toEqual({ nonce: null });
  });

  it("is good with any spelling of the scheme, and with a query, which is not signed", () => {
    const authorization = String(documented.headers.authorization).replace("application", "Application");
    expect(isGood(withHeaders({ authorization }))).toBe(true);
    expect(isGood({ url: `${documented.url}?attempt=0` })).toBe(true);
  });

  it("counts as long as its time is near", () => {
    for (const by of [-SIGNED_MS_MAX, SIGNED_MS_MAX]) {
      expect(isGood({}, sentAt + by)).toBe(true);
      expect(isGood({}, sentAt + by + Math.sign(by))).toBe(false);
    }
  });

  it("is refused with a time that was not signed, is none or is no UTC", () => {
    for (const time of ["2014-09-24T10:59:42Z", "2014-09-24T10:59:41+00:00", "2014-09-24 10:59:41", "now", ""])
      expect(isGood(withHeaders({ "x-timestamp": time })), time).toBe(false);
    expect(isGood(withHeaders({ "x-timestamp": undefined }))).toBe(false);
  });

  it("is refused for another path, method, media type, host's path or body", () => {
    expect(isGood({ url: "https://callbacks.yourdomain.com/sinch/callback/acf" })).toBe(false);
    expect(isGood({ url: "https://callbacks.yourdomain.com/x/sinch/callback/ace" })).toBe(false);
    expect(isGood({ method: "GET" })).toBe(false);
    expect(isGood(withHeaders({ "content-type": "application/json; charset=utf-8" }))).toBe(false);
    expect(isGood({ rawBody: Buffer.alloc(0) })).toBe(false);
  });

  it("is refused by another key or secret, and good by the set that is being replaced", () => {
    const other = { key, secret: "AAAAql3pTKJ8RGL5zo0DAA==" };
    expect(isGood({}, sentAt, credentialOf(other))).toBe(false);
    expect(isGood({}, sentAt, credentialOf({ ...credential.secrets, key: key.toLowerCase() }))).toBe(false);
    expect(isGood({}, sentAt, credentialOf({ ...other, previous: credential.secrets }))).toBe(true);
    expect(isGood({}, sentAt, credentialOf({ previous: { key } }))).toBe(false);
  });

  it("can be made by nobody when the stored secret is no base64", () => {
    const keys = sinchVoice.makeKeys(systemRandom);
    const request: SpokenRequest = {
      method: "POST",
      url: `${PUBLIC_URL}/x`,
      contentType: "application/json",
      body: "{}",
    };
    const { key: own } = keys.credential as { key: string };
    const empty = { ...sinchVoice.makeKeys({ ...systemRandom, bytes: () => Buffer.alloc(0), uuid: () => own }) };
    const { headers } = empty.sign(request, { nowMs: sentAt, random: systemRandom });
    const sent = { method: "POST", url: request.url, rawBody: Buffer.from("{}") } as const;
    const carried = { ...sent, headers: { ...headers, "content-type": "application/json" } };
    expect(sinch.verify(carried, { credential: credentialOf({ key: own, secret: "!!" }), now: sentAt })).toBe(null);
  });

  it("is refused with any byte of the body, the path, the time or itself changed", () => {
    const change = (text: string, at: number, by: number): string => {
      const bytes = Buffer.from(text, "latin1");
      const index = at % bytes.length;
      bytes[index] = ((bytes[index] as number) ^ by) & 0xff;
      return bytes.toString("latin1");
    };
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 127 }), (at, by) => {
        const rawBody = Buffer.from(change(documented.rawBody.toString("latin1"), at, by), "latin1");
        expect(isGood({ rawBody })).toBe(false);
        const [, signature = ""] = String(documented.headers.authorization).split(":");
        expect(isGood(withHeaders({ authorization: `application ${key}:${change(signature, at, by)}` }))).toBe(false);
        expect(isGood(withHeaders({ authorization: `application ${change(key, at, by)}:${signature}` }))).toBe(false);
        const path = change("sinch/callback/ace", at, by);
        // A query and a fragment are no part of the path.
        if (!/[?#]/.test(path)) expect(isGood({ url: `https://callbacks.yourdomain.com/${path}` })).toBe(false);
      }),
    );
  });

  it("is of one independent computation with the voice's", () => {
    const bytes = fc.string({ unit: "binary", maxLength: 200 });
    fc.assert(
      fc.property(bytes, fc.webPath(), (body, path) => {
        const keys = sinchVoice.makeKeys(systemRandom);
        const url = `https://calls.example.com/prefix${path}`;
        const request: SpokenRequest = { method: "POST", url, contentType: "application/json; charset=utf-8", body };
        const { headers } = keys.sign(request, { nowMs: sentAt, random: systemRandom });
        const carried = { method: "POST", url: new URL(url).href, rawBody: Buffer.from(body) } as const;
        const sent = { ...carried, headers: { ...headers, "content-type": request.contentType } };
        expect(sinch.verify(sent, { credential: credentialOf(keys.credential), now: sentAt })).not.toBe(null);
      }),
    );
  });
});

describe("an answer", () => {
  const json = (text: string): unknown => JSON.parse(text);
  const plan: AttemptPlan = {
    target: { kind: "number", number: "+18005550100" },
    ringTimeoutS: 17,
    promoNumber: "+18885550100",
    carrierCallId: "c",
    handle: null,
    dialUrl: "https://calls.example.com/d",
    statusUrl: "https://calls.example.com/s",
    whisperUrl: null,
    recording: { announcement: "This call is recorded." },
  };

  it("connects without a cli, remembers the promo number, and neither announces nor makes a recording", () => {
    const { contentType, text } = sinch.renderAttempt(plan);
    expect(contentType).toBe("application/json; charset=utf-8");
    expect(json(text)).toEqual({
      instructions: [{ name: "setCookie", key: "ringmatch-called", value: "+18885550100" }],
      action: { name: "connectPstn", number: "+18005550100", dialTimeout: 17 },
    });
    expect(sinch.renderWhisper).toBe(null);
  });

  it.each([
    ["sip:desk@pbx.example.com", "desk@pbx.example.com", "udp"],
    ["sip:desk@pbx.example.com:5070;transport=TCP", "desk@pbx.example.com:5070", "tcp"],
    ["sips:desk@pbx.example.com", "desk@pbx.example.com", "tls"],
    [
      "sip:+14155550100;phone-context=x@pbx.example.com;transport=tcp",
      "+14155550100;phone-context=x@pbx.example.com",
      "tcp",
    ],
  ])("connects %s", (uri, endpoint, transport) => {
    const { text } = sinch.renderAttempt({ ...plan, target: { kind: "sip", uri } });
    expect(json(text)).toMatchObject({
      action: { name: "connectSip", destination: { type: "sip", endpoint }, transport },
    });
  });

  it("for the fallback URL asks for no callbacks, which it could not answer", () => {
    const fallback = sinch.renderFallback?.({ number: "+18005550100" as never, ringTimeoutS: 20 });
    const action = { name: "connectPstn", number: "+18005550100", dialTimeout: 20, suppressCallbacks: true };
    expect(json(fallback?.text ?? "")).toEqual({ action });
  });

  it("refuses by hanging up; what is announced is said first", () => {
    const call = { carrierCallId: "c", handle: null };
    for (const refusal of ["reject", "busy"] as const)
      expect(json(sinch.renderRefusal(refusal, call).text)).toEqual({ action: { name: "hangup" } });
    expect(json(sinch.renderRefusal("announce", call).text)).toEqual({
      instructions: [{ name: "say", text: "The number you have dialed is not in service.", locale: "en-US" }],
      action: { name: "hangup" },
    });
  });
});

describe("an incoming call", () => {
  it("has its caller with or without a +, and who forwarded it", async () => {
    for (const cli of [CALLER, CALLER.slice(1)]) {
      const call = await calling();
      await ring(call, { cli, rdnis: "18005550177" });
      const record = await speaker.record(call);
      expect(record.caller.last4).toBe(CALLER.slice(-4));
      expect(record.diversion?.last4).toBe("0177");
      expect(record.verstat).toBe(null);
    }
  });

  it("whose number is withheld or none at all has no caller", async () => {
    for (const cli of ["private", "", "anonymous", "+0", "1234", "+266696687", "266696687"]) {
      const call = await calling();
      await ring(call, { cli });
      expect((await speaker.record(call)).caller).toEqual({ enc: null, hash: null, last4: null });
    }
  });

  it("is the same call however its number and id are spelled, and whichever path it comes by", async () => {
    const call = await calling();
    const first = await ring(call);
    const to = { type: "number", endpoint: call.to.slice(1), verified: null };
    const again = changed(sinchVoice.voice(call, PUBLIC_URL), { callid: null, callId: call.id, to }, "status");
    expect((await speaker.send(again)).text).toBe(first.text);
    expect(await rows(db, "select id from call where ingress_call_id = $1", [call.id])).toHaveLength(1);
  });

  it("to a SIP address is one to an unknown number", async () => {
    const call = speaker.call("+18887770098");
    const answer = await ring(call, { to: { type: "sip", endpoint: "sip:desk@pbx.example.com" } });
    expect(JSON.parse(answer.text)).toEqual({ action: { name: "hangup" } });
    expect(await speaker.record(call)).toMatchObject({ promoNumber: "sip:desk@pbx.example.com" });
  });

  it("that names no number, no id or no event is refused", async () => {
    const call = await calling();
    const before = await storedRows(db);
    const bad: Fields[] = [{ to: null }, { to: {} }, { to: "x" }, { to: { endpoint: 1 } }, { callid: null }];
    const worse: Fields[] = [
      { callid: "" },
      { callid: "a b" },
      { callid: "x".repeat(257) },
      { event: null },
      { cli: 1 },
    ];
    for (const changes of [...bad, ...worse])
      expect(await ring(call, changes), JSON.stringify(changes)).toMatchObject({ status: 422 });
    expect(await storedRows(db)).toBe(before);
  });
});

describe("an answered call", () => {
  it("goes on, and is in progress", async () => {
    const call = await calling();
    await ring(call);
    const answer = await speaker.send(ace(call));
    expect([answer.status, JSON.parse(answer.text)]).toEqual([200, CONTINUE]);
    expect(await speaker.record(call)).toMatchObject({ status: "in_progress" });
  });

  it("has the time Sinch says when the event was held up, else that of its arrival", async () => {
    const call = await calling();
    await ring(call);
    const { receivedAt } = await speaker.record(call);
    const hour = "interval '1 hour'";
    await rows(db, `update call set received_at = received_at - ${hour} where ingress_call_id = $1`, [call.id]);
    const ofCall = "call_id = (select id from call where ingress_call_id = $1)";
    await rows(db, `update call_key set received_at = received_at - ${hour} where ${ofCall}`, [call.id]);
    const timestamp = new Date(receivedAt - 1_800_000).toISOString();
    await speaker.send(ace(call, { timestamp }));
    expect((await speaker.record(call)).answeredAt).toBe(Date.parse(timestamp));
    const prompt = await calling();
    await ring(prompt);
    const from = Date.now();
    await speaker.send(ace(prompt, { timestamp: new Date(from - 2_000).toISOString() }));
    expect((await speaker.record(prompt)).answeredAt).toBeGreaterThan(from - 1_000);
  });

  it("is found without its number by the platform's credential, and goes on even when nobody knows it", async () => {
    const call = await calling();
    await ring(call);
    expect(JSON.parse((await speaker.send(ace(call, { cookies: null }))).text)).toEqual(CONTINUE);
    expect(await speaker.record(call)).toMatchObject({ status: "in_progress" });
    const before = await rows(db, "select id from call");
    const unknown = speaker.call("+18887770097");
    for (const cookies of [null, [], "x", [null, 1, { key: "other", value: "+1" }], [{ key: "ringmatch-called" }]])
      expect(JSON.parse((await speaker.send(ace(unknown, { cookies }))).text)).toEqual(CONTINUE);
    expect(await rows(db, "select id from call")).toHaveLength(before.length);
  });

  it("of a number with a credential of its own is found by our cookie, which no other credential may speak for", async () => {
    const { world, number } = await presented();
    const own = await speakAs({ db, service, voice: sinchVoice, accountId: world.account.id });
    const call = own.call(number);
    await ring(call, {}, own);
    expect((await own.send(ace(call))).status).toBe(200);
    expect(await own.record(call)).toMatchObject({ status: "in_progress" });
    // `to` is then the business.
    await own.send(dice(call, TALKED));
    expect(await own.recordWhen(call, ({ status }) => status === "completed")).toMatchObject({ talkMs: 42_000 });
    expect((await speaker.send(ace(call, { version: 2 }))).status).toBe(403);
  });
});

describe("the end", () => {
  const ends = [
    [
      { result: "ANSWERED", reason: "CALLERHANGUP", duration: 5 },
      { status: "completed", releasedBy: "caller", talkMs: 5_000 },
    ],
    [
      { result: "ANSWERED", reason: "CALLEEHANGUP", duration: 0 },
      { status: "completed", releasedBy: "callee", talkMs: 0 },
    ],
    [
      { result: "ANSWERED", reason: "MANAGERHANGUP", duration: 3 },
      { status: "completed", releasedBy: "system" },
    ],
    [
      { result: "ANSWERED", reason: "N/A", duration: 3 },
      { status: "completed", releasedBy: null, hangupCause: null },
    ],
    [
      { result: "BUSY", reason: "N/A" },
      { status: "busy", releasedBy: null, hangupCause: "busy", talkMs: null },
    ],
    [
      { result: "NOANSWER", reason: "TIMEOUT" },
      { status: "no_answer", releasedBy: null, talkMs: null },
    ],
    [{ result: "N/A", reason: "TIMEOUT" }, { status: "no_answer" }],
    [
      { result: "NOANSWER", reason: "CANCEL", duration: 9 },
      { status: "canceled", releasedBy: "caller", talkMs: null },
    ],
    [
      { result: "N/A", reason: "CALLERHANGUP" },
      { status: "canceled", releasedBy: "caller" },
    ],
    [
      { result: "FAILED", reason: "GENERALERROR" },
      { status: "failed", hangupCause: "failed" },
    ],
    [{ result: "FAILED", reason: "BLOCKED" }, { status: "failed" }],
    [{ result: "N/A", reason: "WHATEVERCOMESNEXT" }, { status: "failed" }],
  ] as const;
  it.each(ends)("told as %j", async (told, expected) => {
    const call = await calling();
    await ring(call);
    expect((await speaker.send(dice(call, BUSY, { ...told }))).status).toBe(200);
    const record = await speaker.recordWhen(call, ({ endedAt }) => endedAt !== null);
    expect(record).toMatchObject(expected);
    const cause = expected.status === "completed" ? null : expected.status;
    expect(record.progress.attempts).toMatchObject([{ target: "+18005550100", cause }]);
  });

  it("without any result is refused", async () => {
    const call = await calling();
    await ring(call);
    expect(await speaker.send(dice(call, BUSY, { result: null, reason: null }))).toMatchObject({ status: 422 });
  });

  it("with a duration that is none has no talk time of Sinch's", async () => {
    for (const duration of [-1, 1e9, "12", null]) {
      const call = await calling();
      await ring(call);
      await speaker.send(dice(call, TALKED, { duration }));
      const record = await speaker.recordWhen(call, ({ status }) => status === "completed");
      expect(record).toMatchObject({ talkMs: null, answeredAt: null });
    }
  });

  it("tells the answer when its event was lost, and moves none that was seen", async () => {
    const lost = await calling();
    await ring(lost);
    await speaker.send(dice(lost, { ...TALKED, talkS: 0 }));
    const filled = await speaker.recordWhen(lost, ({ status }) => status === "completed");
    expect(filled.answeredAt).toBeGreaterThanOrEqual(filled.receivedAt);
    const seen = await calling();
    await ring(seen);
    await speaker.send(ace(seen));
    const { answeredAt } = await speaker.record(seen);
    await speaker.send(dice(seen, { ...TALKED, talkS: 1 }));
    await speaker.send(ace(seen));
    const record = await speaker.recordWhen(seen, ({ status }) => status === "completed");
    expect(record).toMatchObject({ answeredAt, talkMs: 1_000 });
  });

  it("never rings the next target, though there is one", async () => {
    const { world, number } = await presented();
    await rows(db, "update destination set failover = '{+18005550122}' where id = $1", [world.destination.id]);
    const call = speaker.call(number);
    await ring(call);
    expect((await speaker.send(dice(call, BUSY))).text).not.toContain("connect");
    const record = await speaker.recordWhen(call, ({ status }) => status === "busy");
    expect(record.progress.attempts).toHaveLength(1);
  });

  it("of a call that was intercepted leaves it so, and invents no attempt", async () => {
    const { world, number } = await presented();
    const why = { reason: "test", actor: "test" };
    await quarantineNumber({ db, schedule: world.schedule }, { e164: number, accountId: world.account.id, ...why });
    const call = speaker.call(number);
    await ring(call);
    await speaker.send(dice(call, { kind: "failed" }, { cookies: null, result: "FAILED", reason: "MANAGERHANGUP" }));
    expect(await speaker.recordWhen(call, ({ endedAt }) => endedAt !== null)).toMatchObject({
      status: "intercepted",
      progress: { attempts: [] },
    });
  });
});

it("events that are nothing of ours are answered, and change nothing", async () => {
  const call = await calling();
  await ring(call);
  const before = await speaker.recordWhen(call, ({ progress }) => progress.attempts.length === 1);
  const events = [
    { event: "notify", type: "recording_finished" },
    { event: "notify", type: "recording_available", destination: "s3://bucket/x.mp3" },
    { event: "pie", menuResult: { type: "sequence", value: "1" } },
    { event: "ice2" },
    { event: "__proto__" },
  ];
  for (const event of events)
    for (const path of ["voice", "dial", "status", "whisper"]) {
      const answer = await speaker.send(changed(ace(call), event, path));
      expect([answer.status, JSON.parse(answer.text)]).toEqual([200, CONTINUE]);
    }
  const after = await speaker.record(call);
  expect({ ...after, updatedAt: null }).toEqual({ ...before, updatedAt: null });
});

it("signed nonsense is answered, never with a 500", async () => {
  const number = (await presented()).number;
  const scalar = fc.oneof(
    fc.constantFrom(
      "",
      number,
      "ANSWERED",
      "BUSY",
      "CANCEL",
      "2026-01-01T00:00:00Z",
      "9999-99-99T99:99:99Z",
      -1,
      1e308,
      null,
    ),
    fc.string({ unit: "binary", maxLength: 30 }),
    fc.double(),
    fc.boolean(),
  );
  const value = fc.oneof(
    scalar,
    fc.array(scalar, { maxLength: 3 }),
    fc.dictionary(fc.string({ maxLength: 8 }), scalar, { maxKeys: 3 }),
  );
  const field = fc.constantFrom(
    ...[
      "callid",
      "callId",
      "cli",
      "from",
      "to",
      "result",
      "reason",
      "duration",
      "timestamp",
      "cookies",
      "rdnis",
      "type",
    ],
    ...["__proto__", "constructor", "toString"],
  );
  const event = fc.constantFrom("ice", "ace", "dice", "notify", "pie");
  const path = fc.constantFrom("voice", "dial?attempt=1&called=x", "status", "whisper");
  await fc.assert(
    fc.asyncProperty(event, path, fc.array(fc.tuple(field, value)), async (name, target, pairs) => {
      const fields = pairs.map(([key, content]) => `${JSON.stringify(key)}:${JSON.stringify(content)}`);
      const to = `"to":{"type":"did","endpoint":"${number}"}`;
      const body = `{${[`"event":"${name}"`, to, `"callid":"c1"`, `"result":"BUSY"`, ...fields].join(",")}}`;
      const url = `${PUBLIC_URL}/webhooks/sinch/${target}`;
      const sent = await speaker.send({ method: "POST", url, contentType: "application/json", body });
      expect([200, 422]).toContain(sent.status);
    }),
    { numRuns: 300 },
  );
});
