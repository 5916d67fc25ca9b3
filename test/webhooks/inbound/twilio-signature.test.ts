import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { quarantineNumber, releaseNumber } from "../../../src/pool/number-moves.js";
import { freshDatabase, rows } from "../../support/database.js";
import { makeWorld, type World } from "../../support/world.js";
import {
  dialled,
  incomingCall,
  type Params,
  postForm,
  REJECTED,
  type TwilioAnswer,
} from "../support/twilio-stand-in.js";
import {
  PLATFORM_TOKEN,
  PUBLIC_URL,
  putTwilio,
  recordOf,
  startWebhooks,
  storedRows,
} from "../support/webhook-service.js";

const { db } = await freshDatabase();
const service = await startWebhooks(db);
const { twilio } = service;
afterAll(() => service.stop());

const VOICE = "/webhooks/twilio/voice";
const why = { reason: "test", actor: "test" };
const firstOf = (world: World): string => world.numbers[0] as string;

describe("a request that is not signed by the number's credential", () => {
  let call: Params;
  let before = 0;
  let refusedBefore = 0;
  let answers: TwilioAnswer[] = [];
  beforeEach(async () => {
    await putTwilio(db);
    call = incomingCall(firstOf(await makeWorld(db, 1)));
    before = await storedRows(db);
    refusedBefore = await service.counted("bad_signature");
    answers = [];
  });
  afterEach(async () => {
    expect(answers).not.toEqual([]);
    for (const answer of answers) {
      expect(answer).toMatchObject({
        status: 403,
        contentType: expect.stringContaining("application/problem+json") as string,
      });
      expect(JSON.parse(answer.text)).toMatchObject({ code: "bad_signature", status: 403 });
    }
    expect(await storedRows(db)).toBe(before);
    expect((await service.counted("bad_signature")) - refusedBefore).toBe(answers.length);
  });

  it("is refused unsigned, on every route", async () => {
    for (const kind of ["voice", "dial?attempt=0", "status"]) {
      answers.push(await twilio.post(`/webhooks/twilio/${kind}`, { ...call, DialCallStatus: "busy" }, { token: null }));
    }
  });

  it("is refused with a signature that is none", async () => {
    for (const signature of ["x", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "é".repeat(14)]) {
      const headers = { "x-twilio-signature": Buffer.from(signature, "utf8").toString("latin1") };
      answers.push(await twilio.voice(call, { token: null, headers }));
    }
  });

  it("is refused with a changed, an added or a missing field", async () => {
    const { CallStatus: _, ...shorter } = call;
    for (const sent of [{ ...call, From: "+14150000000" }, { ...call, Extra: "1" }, shorter]) {
      answers.push(await twilio.voice(sent, { signedParams: call }));
    }
  });

  it("is refused at another URL than the signed one", async () => {
    for (const path of [`${VOICE}?x=1`, "/webhooks/twilio/status", "/webhooks/twilio/dial?attempt=1"]) {
      answers.push(await twilio.post(path, call, { signedUrl: PUBLIC_URL + VOICE }));
    }
    const signed = `${PUBLIC_URL}/webhooks/twilio/dial?attempt=0`;
    answers.push(await twilio.post("/webhooks/twilio/dial?attempt=1", call, { signedUrl: signed }));
  });

  it("is refused when the signed URL is what Host or X-Forwarded-* say instead of PUBLIC_BASE_URL", async () => {
    answers.push(await twilio.voice(call, { signedUrl: service.server + VOICE }));
    const headers = { "x-forwarded-host": "evil.example.com", "x-forwarded-proto": "https" };
    answers.push(await twilio.voice(call, { signedUrl: `https://evil.example.com${VOICE}`, headers }));
  });

  it("is refused when it is signed by another account's credential, or by the platform's while its account has one", async () => {
    const world = await makeWorld(db, 1);
    const other = await makeWorld(db, 1);
    await putTwilio(db, { accountId: world.account.id, tokens: ["own token"] });
    await putTwilio(db, { accountId: other.account.id, tokens: ["other token"] });
    answers.push(await service.twilioWith("other token").voice(incomingCall(firstOf(world))));
    answers.push(await twilio.voice(incomingCall(firstOf(world))));
  });

  it("is refused when it is signed with an empty token", async () => {
    const world = await makeWorld(db, 1);
    await putTwilio(db, { accountId: world.account.id, tokens: ["", "t"] });
    const empty = await service.twilioWith("").voice(incomingCall(firstOf(world)), { token: "" });
    answers.push(empty);
  });

  it("is refused for a number we don't know unless the platform's credential signed it", async () => {
    const world = await makeWorld(db, 1);
    await putTwilio(db, { accountId: world.account.id, tokens: ["own token"] });
    answers.push(await service.twilioWith("own token").voice(incomingCall("+18887770000")));
  });

  it("is refused when it names its called number only where a callback's URL may, without signing that URL", async () => {
    const called = encodeURIComponent(firstOf(await makeWorld(db, 1)));
    const path = `/webhooks/twilio/status?called=${called}`;
    answers.push(await twilio.post(path, call, { signedUrl: `${PUBLIC_URL}/webhooks/twilio/status` }));
  });

  it("is refused when nobody may sign for the number", async () => {
    await rows(db, "delete from carrier_credential where account_id is null");
    answers.push(await twilio.voice(call));
  });
});

describe("a credential", () => {
  it("may have two tokens while one replaces the other", async () => {
    const world = await makeWorld(db, 1);
    const accountId = world.account.id;
    const signed = async (token: string) =>
      (await service.twilioWith(token).voice(incomingCall(firstOf(world)))).status;
    const id = await putTwilio(db, { accountId, tokens: ["old token", "new token"] });
    expect([await signed("old token"), await signed("new token"), await signed("third token")]).toEqual([
      200, 200, 403,
    ]);
    expect(await putTwilio(db, { accountId, tokens: ["new token"] })).toBe(id);
    expect([await signed("old token"), await signed("new token")]).toEqual([403, 200]);
  });

  it("of the account that lost a number speaks for it through quarantine and for its next owner", async () => {
    await putTwilio(db);
    const former = await makeWorld(db, 1);
    const number = firstOf(former);
    const hosted = await putTwilio(db, { accountId: former.account.id, tokens: ["former token"] });
    const signed = async (token: string) => service.twilioWith(token).voice(incomingCall(number));

    await quarantineNumber({ db, schedule: former.schedule }, { e164: number, accountId: former.account.id, ...why });
    expect((await signed("former token")).text).toMatch(REJECTED);
    expect((await signed(PLATFORM_TOKEN)).status).toBe(403);

    await releaseNumber({ db, schedule: former.schedule }, { e164: number, force: true, ...why });
    const next = await makeWorld(db, 1, { maxSize: 2 });
    await rows(
      db,
      `update promo_number set state = 'assigned', role = 'static', account_id = $2, pool_id = $3, ownership_epoch = ownership_epoch + 1
       where e164 = $1 and state = 'available'`,
      [number, next.account.id, next.pool.id],
    );
    await putTwilio(db, { accountId: next.account.id, tokens: ["next token"] });
    const call = incomingCall(number);
    expect(dialled(await service.twilioWith("former token").voice(call))).toBe("+18005550100");
    expect(await recordOf(db, hosted, call)).toMatchObject({ accountId: next.account.id, disposition: "routed" });
    expect((await signed("next token")).status).toBe(403);
  });

  it("that a number names goes before its account's", async () => {
    const [one, two] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    await putTwilio(db, { accountId: one.account.id, tokens: ["own token"] });
    const named = await putTwilio(db, { accountId: two.account.id, tokens: ["named token"] });
    await rows(db, "update promo_number set credential_id = $2 where e164 = $1", [firstOf(one), named]);
    const signed = async (token: string) => (await service.twilioWith(token).voice(incomingCall(firstOf(one)))).status;
    expect([await signed("named token"), await signed("own token")]).toEqual([200, 403]);
  });

  it("that is put for the first time is the one that counts from the next request on", async () => {
    await putTwilio(db);
    const world = await makeWorld(db, 1);
    const signed = async (token: string) =>
      (await service.twilioWith(token).voice(incomingCall(firstOf(world)))).status;
    expect([await signed(PLATFORM_TOKEN), await signed("own token")]).toEqual([200, 403]);
    await putTwilio(db, { accountId: world.account.id, tokens: ["own token"] });
    expect([await signed(PLATFORM_TOKEN), await signed("own token")]).toEqual([403, 200]);
  });
});

describe("what is signed", () => {
  it("is the request target as it came, whatever it looks like", async () => {
    await putTwilio(db);
    const world = await makeWorld(db, 1);
    for (const query of ["?a=%27b%27&c=d+e", "?a='b'", "?", "?x=%zz", "?%E0%A4%A", "?a[]=1&a[]=2#"]) {
      const answer = await twilio.post(VOICE + query.replace("#", ""), incomingCall(firstOf(world)));
      expect([query, answer.status]).toEqual([query, 200]);
    }
  });

  it("never fails the service when the target is an absolute URL", async () => {
    const target = `http://a:b${VOICE}`;
    const headers = { "x-twilio-signature": "x" };
    const answer = await postForm({ server: service.server, target, body: "To=%2B18885550100", headers });
    expect([400, 403, 404]).toContain(answer.status);
  });
});
