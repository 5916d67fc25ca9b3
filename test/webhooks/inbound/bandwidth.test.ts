/** What is Bandwidth's own: HTTP Basic, BXML with a login that is never stored, and what the two legs' events tell together. */
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { CarrierCredential } from "../../../src/account/carrier-credentials.store.js";
import { bandwidthVoice } from "../../../src/dev/carrier-voices/bandwidth-voice.js";
import type {
  Dialled,
  Outcome,
  SpokenAnswer,
  SpokenCall,
  SpokenRequest,
} from "../../../src/dev/carrier-voices/carrier-voice.js";
import { attributesOf, elementOf, textOf } from "../../../src/dev/carrier-voices/read-xml.js";
import { systemRandom } from "../../../src/kernel/random.js";
import { quarantineNumber } from "../../../src/pool/number-moves.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import { bandwidth } from "../../../src/webhooks/inbound/bandwidth.js";
import { transferBxml, withCallbackLogin } from "../../../src/webhooks/inbound/documents/bxml.js";
import type { AttemptPlan, CarrierRequest } from "../../../src/webhooks/inbound/carrier-adapter.js";
import { freshDatabase, rows } from "../../support/database.js";
import { until } from "../../support/until.js";
import { allocationFor, makeWorld, type World } from "../../support/world.js";
import { tablesHolding } from "../support/leaks.js";
import { CALLER } from "../support/caller.js";
import { speakAs } from "../support/speaking.js";
import { PUBLIC_URL, startWebhooks, storedRows } from "../support/webhook-service.js";

const { db } = await freshDatabase();
const service = await startWebhooks(db);
afterAll(() => service.stop());
const speaker = await speakAs({ db, service, voice: bandwidthVoice });

type Fields = Readonly<Record<string, unknown>>;

const BUSINESS = "+18005550100";
const SECOND = "+18005550122";
const SIP = "sip:desk@pbx.example.com";
const TALKED: Outcome = { kind: "answered", talkS: 42, releasedBy: "callee" };
const HANGUP = /<Response><Hangup\/><\/Response>$/;
const NOTHING = /<Response><Tag>ringmatch<\/Tag><\/Response>$/;

interface Ringing {
  readonly world: World;
  readonly call: SpokenCall;
  readonly answer: SpokenAnswer;
  readonly heard: Dialled;
}

async function presented(changes: Fields = {}): Promise<{ world: World; number: string }> {
  const world = await makeWorld(db, 1);
  for (const [column, value] of Object.entries(changes))
    await rows(db, `update destination set ${column} = $2 where id = $1`, [world.destination.id, value]);
  const [got] = await presentBatch(db, [allocationFor(world)], null);
  if (got?.kind !== "presented") throw new Error("not presented");
  return { world, number: got.promoNumber };
}

/** A call that rings the business, whose columns in the database are changed before. */
async function ringing(changes: Fields = {}, event: Fields = {}): Promise<Ringing> {
  const { world, number } = await presented(changes);
  const call = speaker.call(number);
  const answer = await speaker.send(changed(bandwidthVoice.voice(call, PUBLIC_URL), event));
  const heard = bandwidthVoice.hear(answer, call);
  if (heard.kind !== "dial") throw new Error(`not connected: ${answer.text}`);
  return { world, call, answer, heard };
}

/** A request of the voice with other fields; null takes one out. */
function changed(request: SpokenRequest | null, changes: Fields, path?: string): SpokenRequest {
  if (request === null) throw new Error("nothing to change");
  const fields = { ...(JSON.parse(request.body.toString()) as Fields), ...changes };
  const body = JSON.stringify(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)));
  return { ...request, ...(path === undefined ? {} : { url: `${PUBLIC_URL}/webhooks/bandwidth/${path}` }), body };
}

const complete = ({ call, heard }: Ringing, cause: string, changes: Fields = {}) => {
  const outcome: Outcome = cause === "hangup" ? TALKED : { kind: "busy" };
  return speaker.send(
    changed(bandwidthVoice.dialEnded(call, { heard, outcome, baseUrl: PUBLIC_URL }), { cause, ...changes }),
  );
};
const legEnded = ({ call, heard }: Ringing, cause: string, changes: Fields = {}) => {
  const outcome: Outcome = { kind: "canceled" };
  return speaker.send(
    changed(bandwidthVoice.dialEnded(call, { heard, outcome, baseUrl: PUBLIC_URL }), { cause, ...changes }),
  );
};
const legAnswered = ({ call, heard }: Ringing, changes: Fields = {}, path?: string) =>
  speaker.send(
    changed(bandwidthVoice.progress(call, { heard, state: "answered", baseUrl: PUBLIC_URL }), changes, path),
  );
const disconnected = ({ call }: Ringing, changes: Fields) =>
  speaker.send(changed(bandwidthVoice.callEnded(call, { outcome: TALKED, baseUrl: PUBLIC_URL }), changes));
const ended = (ring: Ringing) => speaker.recordWhen(ring.call, ({ endedAt }) => endedAt !== null);
const attemptsOf = (ring: Ringing, count: number) =>
  until("the attempts are noted", async () => {
    const { attempts } = (await speaker.record(ring.call)).progress;
    return attempts.length === count && attempts.every((attempt) => attempt !== null && attempt.target !== "")
      ? attempts
      : null;
  });

function credentialOf(secrets: Fields): CarrierCredential {
  const id = "crd_1" as CarrierCredential["id"];
  return { id, carrier: "bandwidth", accountId: null, secrets, intercept: "reject" };
}

describe("HTTP Basic", () => {
  const isGood = (
    authorization: string | undefined,
    secrets: Fields = { username: "user", password: "pässword:1" },
  ) => {
    const headers = authorization === undefined ? {} : { authorization };
    const request: CarrierRequest = { method: "POST", url: `${PUBLIC_URL}/x`, headers, rawBody: Buffer.from("{}") };
    return bandwidth.verify(request, { credential: credentialOf(secrets), now: 0 }) !== null;
  };
  const basic = (login: string): string => `Basic ${Buffer.from(login).toString("base64")}`;

  it("is good with the credential's login, however the scheme is spelled", () => {
    for (const scheme of ["Basic", "basic", "BASIC"])
      expect(isGood(basic("user:pässword:1").replace("Basic", scheme))).toBe(true);
    // RFC 7617 §2: the example of the specification.
    const example = { username: "Aladdin", password: "open sesame" };
    expect(isGood("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", example)).toBe(true);
  });

  it("is refused with another login, also one that differs in length, case or its end alone", () => {
    for (const login of [
      "user:pässword:2",
      "User:pässword:1",
      "user:pässword:1 ",
      "user:pässword:",
      "user",
      ":",
      "",
      "user:",
    ])
      expect(isGood(basic(login)), login).toBe(false);
  });

  it("is refused when the header is none, or malformed", () => {
    const encoded = Buffer.from("user:pässword:1").toString("base64");
    const malformed = [
      "",
      "Basic",
      "Basic ",
      encoded,
      `Bearer ${encoded}`,
      `Basic ${encoded} x`,
      `Basic ${encoded}, Basic x`,
    ];
    for (const header of [undefined, ...malformed, `Basic${encoded}`, `Basic !${encoded}`, "Basic user:pässword:1"])
      expect(isGood(header), header).toBe(false);
  });

  it("is good with the set that is being replaced, and refused with halves of the two", () => {
    const secrets = { username: "new", password: "n", previous: { username: "old", password: "o" } };
    for (const [login, good] of [
      ["new:n", true],
      ["old:o", true],
      ["new:o", false],
      ["old:n", false],
    ] as const)
      expect(isGood(basic(login), secrets)).toBe(good);
    expect(isGood(basic(":"), { username: "", password: "" })).toBe(false);
    expect(isGood(basic("undefined:undefined"), {})).toBe(false);
  });

  it("is refused with any character of the header changed", () => {
    const good = basic("user:pässword:1");
    fc.assert(
      fc.property(fc.nat({ max: good.length - 7 }), fc.constantFrom(..."AZaz09+/=-_ ,"), (at, character) => {
        const index = 6 + at;
        const header = `${good.slice(0, index)}${character}${good.slice(index + 1)}`;
        expect(isGood(header)).toBe(header === good);
      }),
    );
  });

  it("is the same computation as any client's", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(text, text, (username, password) => {
        expect(isGood(basic(`${username}:${password}`), { username, password })).toBe(true);
        expect(isGood(basic(`${username}:${password}x`), { username, password })).toBe(false);
      }),
    );
  });
});

describe("a document", () => {
  const plan: AttemptPlan = {
    target: { kind: "number", number: BUSINESS },
    ringTimeoutS: 17,
    promoNumber: "+18885550100",
    carrierCallId: "c",
    handle: null,
    dialUrl: "https://calls.example.com/d?attempt=0&called=%2B1",
    statusUrl: "https://calls.example.com/s?attempt=0&called=%2B1",
    whisperUrl: null,
    recording: null,
  };

  it("transfers to one number, without a caller ID, and asks at our URLs", () => {
    const { contentType, text } = transferBxml(plan);
    expect(contentType).toBe("application/xml; charset=utf-8");
    const login = { username: "", password: "" };
    expect(attributesOf(text, "Transfer")).toEqual({
      callTimeout: "17",
      tag: "ringmatch",
      transferCompleteUrl: plan.dialUrl,
      transferCompleteMethod: "POST",
      ...login,
    });
    expect(attributesOf(text, "PhoneNumber")).toEqual({
      transferAnswerUrl: plan.statusUrl,
      transferAnswerMethod: "POST",
      transferDisconnectUrl: plan.statusUrl,
      transferDisconnectMethod: "POST",
      ...login,
    });
    expect(textOf(text, "PhoneNumber")).toBe(BUSINESS);
    expect(text.match(/<PhoneNumber/g)).toHaveLength(1);
  });

  it("transfers to a SIP URI, whatever is in it", () => {
    const uri = `sip:desk&"<x>@pbx.example.com;transport=tls`;
    const { text } = transferBxml({ ...plan, target: { kind: "sip", uri } });
    expect(textOf(text, "SipUri")).toBe(uri);
    expect(elementOf(text, "PhoneNumber")).toBe(null);
  });

  it("announces, then records both sides, then transfers; later attempts announce nothing", () => {
    const first = transferBxml({ ...plan, recording: { announcement: "Recorded & kept." } }).text;
    expect(first).toMatch(
      /<Response><SpeakSentence locale="en_US">Recorded &amp; kept\.<\/SpeakSentence><StartRecording multiChannel="true"\/><Transfer /,
    );
    const second = transferBxml({ ...plan, recording: { announcement: null } }).text;
    expect(second).toMatch(/<Response><StartRecording multiChannel="true"\/><Transfer /);
  });

  it("asks the whisper's URL when the business answers", () => {
    const whisperUrl = "https://calls.example.com/w";
    const { text } = transferBxml({ ...plan, whisperUrl });
    expect(attributesOf(text, "PhoneNumber")).toMatchObject({
      transferAnswerUrl: whisperUrl,
      transferDisconnectUrl: plan.statusUrl,
    });
  });

  it("gets its login when it is sent, and never by what somebody wrote into it", () => {
    const blank = `username="" password=""`;
    const announcement = `${blank} and ${blank} username='' password='' &quot; <A ${blank}/>`;
    const { text } = transferBxml({ ...plan, recording: { announcement } });
    const login = { username: `a&"<$&`, password: "$1 $$ p" };
    const sent = withCallbackLogin(text, login);
    expect(textOf(sent, "SpeakSentence")).toBe(announcement);
    for (const name of ["Transfer", "PhoneNumber"]) expect(attributesOf(sent, name)).toMatchObject(login);
    expect(withCallbackLogin(sent, { username: "x", password: "y" })).toBe(sent);
  });

  it("refuses unanswered, or says so first; a fallback needs no callbacks", () => {
    const call = { carrierCallId: "c", handle: null };
    for (const refusal of ["reject", "busy"] as const)
      expect(bandwidth.renderRefusal(refusal, call).text).toMatch(HANGUP);
    expect(bandwidth.renderRefusal("announce", call).text).toMatch(
      /<Response><SpeakSentence locale="en_US">The number you have dialed is not in service\.<\/SpeakSentence><Hangup\/><\/Response>$/,
    );
    const fallback = bandwidth.renderFallback?.({ number: BUSINESS as never, ringTimeoutS: 20 }).text ?? "";
    expect(fallback).toMatch(
      /<Response><Transfer callTimeout="20"><PhoneNumber>\+18005550100<\/PhoneNumber><\/Transfer><\/Response>$/,
    );
  });
});

describe("a request that says nothing yet", () => {
  it.each(["voice", "dial", "status", "whisper"])("of %s is told which credentials are wanted", async (kind) => {
    const url = `${service.server}/webhooks/bandwidth/${kind}`;
    const before = await service.counted("bad_signature");
    for (const headers of [{}, { "content-type": "application/json" }]) {
      const probe = await fetch(url, { method: "POST", headers: { ...headers } });
      expect([probe.status, probe.headers.get("www-authenticate")]).toEqual([
        401,
        'Basic realm="ringmatch", charset="UTF-8"',
      ]);
    }
    // What says something, or brings a login, is judged by that.
    const event = { method: "POST", headers: { "content-type": "application/json" }, body: '{"to":"+18885550100"}' };
    expect((await fetch(url, event)).status).toBe(403);
    const empty = await fetch(url, { method: "POST", headers: { authorization: "Basic eDp5" } });
    expect([400, 403]).toContain(empty.status);
    expect(await service.counted("bad_signature")).toBeGreaterThanOrEqual(before + 3);
  });
});

describe("the login of callbacks", () => {
  it("is the credential's own, in the answer and in a repeated one, and in no table", async () => {
    const { world, number } = await presented();
    const keys = bandwidthVoice.makeKeys(systemRandom);
    const own = await speakAs({ db, service, voice: bandwidthVoice, accountId: world.account.id, keys });
    const request = bandwidthVoice.voice(own.call(number), PUBLIC_URL);
    const first = await own.send(request);
    for (const { text } of [first, await own.send(request)]) {
      expect(attributesOf(text, "Transfer")).toMatchObject(keys.credential);
      expect(attributesOf(text, "PhoneNumber")).toMatchObject(keys.credential);
    }
    expect(await tablesHolding(db, String(keys.credential["password"]))).toEqual([]);
    // While a new set is taken into use, a repeated answer carries that.
    const fresh = bandwidthVoice.makeKeys(systemRandom).credential;
    const credential = { ...fresh, previous: keys.credential };
    await speakAs({ db, service, voice: bandwidthVoice, accountId: world.account.id, keys, credential });
    expect(attributesOf((await own.send(request)).text, "Transfer")).toMatchObject(fresh);
  });
});

describe("an incoming call", () => {
  it.each([
    ["TN-Validation-Passed", "TN-Validation-Passed"],
    ["TN-Verification-Passed", "TN-Verification-Passed"],
    ["TN-Validation-Failed", "TN-Validation-Failed"],
    ["x".repeat(65), null],
    ["no<verdict>", null],
    [1, null],
  ])("with the verdict %j has %j", async (verstat, expected) => {
    const { call } = await ringing({}, { stirShaken: { verstat, attestationIndicator: "A" } });
    expect(await speaker.record(call)).toMatchObject({ verstat: expected });
  });

  it("has who forwarded it", async () => {
    const diversion = { origTo: "+12128884444", reason: "unavailable", privacy: "off", unknown: "x" };
    const { call } = await ringing({}, { diversion });
    expect((await speaker.record(call)).diversion?.last4).toBe("4444");
    for (const odd of [{ origTo: "sip:a@b" }, { origTo: "+266696687" }, { origTo: 1 }, {}, "x", null])
      expect((await speaker.record((await ringing({}, { diversion: odd })).call)).diversion).toBe(null);
  });

  it.each(["Restricted", "Anonymous", "Private", "Unavailable", "+266696687", "sip:a@b.example", ""])(
    "from %j has no caller",
    async (from) => {
      const { call } = await ringing({}, { from });
      expect((await speaker.record(call)).caller).toEqual({ enc: null, hash: null, last4: null });
    },
  );

  it("is one whichever path it comes by, and its media type may name a charset or none", async () => {
    const { call, answer } = await ringing();
    for (const path of ["voice", "dial", "status"])
      for (const contentType of ["application/json", "application/json; charset=utf-8"]) {
        const again = changed(bandwidthVoice.voice(call, PUBLIC_URL), { eventTime: "2030-01-01T00:00:00.000Z" }, path);
        expect((await speaker.send({ ...again, contentType })).text).toBe(answer.text);
      }
    expect(await rows(db, "select id from call where ingress_call_id = $1", [call.id])).toHaveLength(1);
  });

  it("that names no number, no id or no event is refused", async () => {
    const { number } = await presented();
    const before = await storedRows(db);
    const bad: Fields[] = [
      { to: null },
      { to: "" },
      { to: 1 },
      { to: {} },
      { callId: null },
      { callId: "" },
      { callId: "a b" },
    ];
    for (const changes of [
      ...bad,
      { callId: "x".repeat(257) },
      { eventType: null },
      { from: 1 },
      { parentCallId: {} },
    ]) {
      const request = changed(bandwidthVoice.voice(speaker.call(number), PUBLIC_URL), changes);
      expect(await speaker.send(request), JSON.stringify(changes)).toMatchObject({ status: 422 });
    }
    expect(await storedRows(db)).toBe(before);
  });
});

describe("a conversation", () => {
  it("is in progress when the business answered, which is told to go on", async () => {
    const ring = await ringing();
    for (const path of [undefined, "voice", "dial"]) {
      const answer = await legAnswered(ring, {}, path);
      expect([answer.status, NOTHING.test(answer.text)]).toEqual([200, true]);
    }
    expect(await speaker.record(ring.call)).toMatchObject({ status: "in_progress", ingressCallId: ring.call.id });
    expect(await rows(db, "select id from call where ingress_call_id like $1", [`${ring.call.id}%`])).toHaveLength(1);
  });

  it("has the talk of the business's leg, not the longer one of the caller's, in whichever order they come", async () => {
    const answerTime = "2099-06-20T15:54:40.500Z";
    const told = { answerTime, endTime: "2099-06-20T15:55:00.250Z" };
    const events = [
      (ring: Ringing) => complete(ring, "hangup"),
      (ring: Ringing) => legEnded(ring, "hangup", told),
      // Answered with the announcement.
      (ring: Ringing) =>
        disconnected(ring, { answerTime: "2099-06-20T15:54:22.000Z", endTime: told.endTime, cause: "hangup" }),
    ];
    for (const order of [
      [0, 1, 2],
      [1, 0, 2],
      [0, 2, 1],
      [2, 1, 0],
      [2, 0, 1],
    ]) {
      const ring = await ringing();
      for (const index of order) expect((await events[index]?.(ring))?.status).toBe(200);
      const record = await speaker.recordWhen(ring.call, ({ releasedBy }) => releasedBy !== null);
      expect(record).toMatchObject({ status: "completed", talkMs: 19_750, releasedBy: "callee", hangupCause: null });
      expect(record.answeredAt).not.toBe(null);
    }
  });

  it("that the caller ended is told by the business's leg alone", async () => {
    const ring = await ringing();
    await legEnded(ring, "hangup", { answerTime: "2099-06-20T15:54:40.000Z", endTime: "2099-06-20T15:54:45.000Z" });
    expect(await ended(ring)).toMatchObject({ status: "completed", talkMs: 5_000, releasedBy: null });
  });

  it("has the caller's leg's time for its talk only when that leg was never transferred", async () => {
    for (const [tag, talkMs] of [
      [null, 42_000],
      ["other", 42_000],
      ["ringmatch", null],
    ] as const) {
      const ring = await ringing();
      await disconnected(ring, { cause: "hangup", tag });
      expect(await ended(ring)).toMatchObject({ status: "completed", talkMs });
    }
  });

  it("keeps the answer that was seen", async () => {
    const ring = await ringing();
    await legAnswered(ring);
    const { answeredAt } = await speaker.record(ring.call);
    await legEnded(ring, "hangup", { answerTime: "2099-06-20T15:54:40.000Z", endTime: "2099-06-20T15:54:40.900Z" });
    expect(await ended(ring)).toMatchObject({ answeredAt, talkMs: 900 });
  });

  it("has the time Bandwidth says when the report was held up", async () => {
    const ring = await ringing();
    const { receivedAt } = await speaker.record(ring.call);
    const answerTime = new Date(receivedAt - 60_000).toISOString();
    const hour = "interval '1 hour'";
    await rows(db, `update call set received_at = received_at - ${hour} where ingress_call_id = $1`, [ring.call.id]);
    const ofCall = "call_id = (select id from call where ingress_call_id = $1)";
    await rows(db, `update call_key set received_at = received_at - ${hour} where ${ofCall}`, [ring.call.id]);
    await legAnswered(ring, { answerTime });
    expect((await speaker.record(ring.call)).answeredAt).toBe(Date.parse(answerTime));
  });

  it("of a call that we first hear of at its end is matched as of its beginning", async () => {
    const { number } = await presented();
    const call = speaker.call(number);
    const times = { tag: null, startTime: "2099-06-20T15:54:22.000Z", answerTime: "2099-06-20T15:54:25.000Z" };
    const over = bandwidthVoice.callEnded(call, { outcome: TALKED, baseUrl: PUBLIC_URL });
    await speaker.send(changed(over, { ...times, endTime: "2099-06-20T15:55:25.000Z" }));
    const record = await speaker.recordWhen(call, ({ status }) => status === "completed");
    expect(record.talkMs).toBe(60_000);
    expect((record.endedAt as number) - record.receivedAt).toBeGreaterThanOrEqual(0);
  });
});

describe("the hunt", () => {
  it("goes on to the next targets, each with its own index, and ends with a hang-up", async () => {
    const first = await ringing({ failover: [SECOND, SIP] });
    await legEnded(first, "busy");
    const second = await complete(first, "busy");
    expect(textOf(second.text, "PhoneNumber")).toBe(SECOND);
    const heard = bandwidthVoice.hear(second, first.call);
    if (heard.kind !== "dial") throw new Error("hunt is over");
    expect(heard.dialUrl).toContain("attempt=1");
    const third = await complete({ ...first, heard }, "timeout");
    expect(textOf(third.text, "SipUri")).toBe(SIP);
    const last = bandwidthVoice.hear(third, first.call);
    if (last.kind !== "dial") throw new Error("hunt is over");
    expect((await complete({ ...first, heard: last }, "timeout")).text).toMatch(HANGUP);
    expect(await ended(first)).toMatchObject({ status: "no_answer", talkMs: null });
    expect(await attemptsOf(first, 3)).toMatchObject([
      { target: BUSINESS, cause: "busy" },
      { target: SECOND, cause: "no_answer" },
      { target: SIP, cause: "no_answer" },
    ]);
  });

  it.each([
    ["busy", true],
    ["timeout", true],
    ["error", true],
    ["callback-error", true],
    ["node-capacity-exceeded", true],
    ["whatever-comes-next", true],
    ["rejected", false],
    ["cancel", false],
    ["hangup", false],
  ])("after %s goes on: %s", async (cause, goesOn) => {
    const answer = await complete(await ringing({ failover: [SECOND] }), cause);
    expect([answer.status, answer.text.includes(SECOND)]).toEqual([200, goesOn]);
    if (!goesOn) expect(answer.text).toMatch(HANGUP);
  });

  it.each([
    ["busy", "busy"],
    ["timeout", "no_answer"],
    ["rejected", "failed"],
    ["cancel", "canceled"],
    ["unknown", "failed"],
  ])("ends after %s as %s, whatever the caller's leg says", async (cause, status) => {
    const ring = await ringing();
    await disconnected(ring, { cause: "hangup" });
    await complete(ring, cause);
    expect(await speaker.recordWhen(ring.call, (record) => record.status === status)).toMatchObject({ talkMs: null });
    expect(await attemptsOf(ring, 1)).toMatchObject([{ cause: status }]);
  });

  it("a business's leg that failed does not end the call, and one whose caller gave up does", async () => {
    const ring = await ringing({ failover: [SECOND] });
    await legEnded(ring, "timeout");
    expect(await attemptsOf(ring, 1)).toMatchObject([{ cause: "no_answer" }]);
    expect(await speaker.record(ring.call)).toMatchObject({ status: "ringing", endedAt: null });
    const gone = await ringing({ failover: [SECOND] });
    await legEnded(gone, "cancel");
    await disconnected(gone, { cause: "hangup" });
    expect(await ended(gone)).toMatchObject({ status: "canceled", releasedBy: "caller", talkMs: null });
  });

  it("a repeated question gets the same next target", async () => {
    const ring = await ringing({ failover: [SECOND, SIP] });
    const answers = [await complete(ring, "busy"), await complete(ring, "busy")];
    await rows(db, "update destination set failover = '{}' where id = $1", [ring.world.destination.id]);
    answers.push(await complete(ring, "busy"));
    expect(answers.map(({ text }) => textOf(text, "PhoneNumber"))).toEqual([SECOND, SECOND, SECOND]);
    await attemptsOf(ring, 2);
  });

  it("stops when the number was taken from the business during the call", async () => {
    const ring = await ringing({ failover: [SECOND] });
    const why = { reason: "test", actor: "test" };
    const e164 = ring.call.to;
    await quarantineNumber({ db, schedule: ring.world.schedule }, { e164, accountId: ring.world.account.id, ...why });
    expect((await complete(ring, "busy")).text).toMatch(HANGUP);
    expect(await ended(ring)).toMatchObject({ status: "busy", disposition: "routed" });
  });
});

describe("the caller's leg", () => {
  it.each([
    [{ cause: "hangup" }, "completed"],
    [{ cause: "hangup", answerTime: null }, "no_answer"],
    [{ cause: "cancel", answerTime: null }, "canceled"],
    [{ cause: "timeout", answerTime: null }, "no_answer"],
    [{ cause: "busy", answerTime: null }, "busy"],
    [{ cause: "invalid-bxml" }, "failed"],
  ])("ending with %j is %s until a business's leg knows better", async (told, status) => {
    const ring = await ringing();
    expect((await disconnected(ring, told)).text).toMatch(NOTHING);
    expect(await ended(ring)).toMatchObject({ status });
    await legEnded(ring, "hangup", { answerTime: "2099-06-20T15:54:40.000Z", endTime: "2099-06-20T15:54:47.000Z" });
    expect(await speaker.recordWhen(ring.call, ({ talkMs }) => talkMs === 7_000)).toMatchObject({
      status: "completed",
    });
  });
});

describe("whisper and recording", () => {
  it("tell the business and the caller, as the destination says", async () => {
    const whisper = "A call from <Google> & co.";
    const ring = await ringing({ whisper, record_announcement: "This call is recorded.", failover: [SECOND] });
    expect(ring.heard).toMatchObject({ isRecorded: true, announcement: "This call is recorded." });
    expect(ring.heard.whisperUrl).toContain("/webhooks/bandwidth/whisper?");
    const answer = await legAnswered(ring);
    expect(textOf(answer.text, "SpeakSentence")).toBe(whisper);
    expect(answer.text).not.toContain("Hangup");
    const next = bandwidthVoice.hear(await complete(ring, "busy"), ring.call);
    expect(next).toMatchObject({ kind: "dial", isRecorded: true, announcement: null });
    await rows(db, "update destination set whisper = null where id = $1", [ring.world.destination.id]);
    const silent = await legAnswered(ring, { parentCallId: `${ring.call.id}x` });
    expect(silent.text).toMatch(NOTHING);
  });
});

it("events that are nothing of ours are answered, and change nothing", async () => {
  const { call } = await ringing();
  const before = await speaker.recordWhen(call, ({ progress }) => progress.attempts.length === 1);
  const over = bandwidthVoice.callEnded(call, { outcome: TALKED, baseUrl: PUBLIC_URL });
  for (const eventType of [
    "answer",
    "recordingAvailable",
    "dtmf",
    "gather",
    "redirect",
    "transcriptionAvailable",
    "new",
    "__proto__",
  ])
    for (const path of ["voice", "dial", "status", "whisper"])
      expect((await speaker.send(changed(over, { eventType }, path))).text).toMatch(NOTHING);
  expect({ ...(await speaker.record(call)), updatedAt: null }).toEqual({ ...before, updatedAt: null });
});

it("no caller is stored in plain", async () => {
  const ring = await ringing({ failover: [SECOND] });
  await legAnswered(ring);
  await complete(ring, "busy");
  await disconnected(ring, { cause: "hangup" });
  await ended(ring);
  expect(await tablesHolding(db, CALLER.slice(1))).toEqual([]);
});

it("authenticated nonsense is answered, never with a 500", async () => {
  const { number } = await presented();
  const scalar = fc.oneof(
    fc.constantFrom("", number, "hangup", "cancel", "2026-01-01T00:00:00Z", "9999-99-99T99:99:99Z", -1, 1e308, null),
    fc.string({ unit: "binary", maxLength: 30 }),
    fc.double(),
    fc.boolean(),
  );
  const inner = fc.dictionary(fc.constantFrom("verstat", "origTo", "__proto__"), scalar, { maxKeys: 3 });
  const value = fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }), inner);
  const field = fc.constantFrom(
    ...["callId", "parentCallId", "from", "cause", "startTime", "answerTime", "endTime", "eventTime", "stirShaken"],
    ...["diversion", "__proto__", "constructor", "toString"],
  );
  const event = fc.constantFrom(
    "initiate",
    "transferAnswer",
    "transferComplete",
    "transferDisconnect",
    "disconnect",
    "gather",
  );
  const path = fc.constantFrom("voice", "dial?attempt=1&called=x", "status", "whisper?attempt=99");
  await fc.assert(
    fc.asyncProperty(event, path, fc.array(fc.tuple(field, value)), async (eventType, target, pairs) => {
      const fields = pairs.map(([key, content]) => `${JSON.stringify(key)}:${JSON.stringify(content)}`);
      const known = [`"eventType":"${eventType}"`, `"to":"${number}"`, `"callId":"c1"`, `"cause":"busy"`];
      const url = `${PUBLIC_URL}/webhooks/bandwidth/${target}`;
      const body = `{${[...known, ...fields].join(",")}}`;
      const sent = await speaker.send({ method: "POST", url, contentType: "application/json", body });
      expect([200, 422]).toContain(sent.status);
    }),
    { numRuns: 300 },
  );
});
