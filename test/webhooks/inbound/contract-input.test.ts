/** What no carrier's webhook may be talked into, in each carrier's language: forged, replayed, damaged and oversized requests leave nothing behind. */
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SignedRequest, SpokenRequest } from "../../../src/dev/carrier-voices/carrier-voice.js";
import { CARRIER_VOICES } from "../../../src/dev/carrier-voices/carrier-voices.js";
import { systemRandom } from "../../../src/kernel/random.js";
import { WEBHOOK_BYTES_MAX } from "../../../src/webhooks/inbound/inbound-route.js";
import { makeWorld } from "../../support/world.js";
import { type Sending, speakAs, startSpeaking } from "../support/speaking.js";
import { PUBLIC_URL, storedRows } from "../support/webhook-service.js";

const HOUR_MS = 3_600_000;

describe.each(CARRIER_VOICES)("$name", (voice) => {
  const setUp = async () => {
    const speaking = await startSpeaking(voice);
    const [number = ""] = (await makeWorld(speaking.db, 1)).numbers;
    return { ...speaking, number };
  };
  const started = setUp();
  afterAll(async () => (await started).service.stop());

  const voiceOf = async (): Promise<SpokenRequest> => {
    const { speaker, number } = await started;
    return voice.voice(speaker.call(number), PUBLIC_URL);
  };

  describe("leaves nothing behind:", () => {
    let before = 0;
    beforeEach(async () => {
      before = await storedRows((await started).db);
    });
    afterEach(async () => {
      expect(await storedRows((await started).db)).toBe(before);
    });

    const refused = async (sending: Sending, request?: SpokenRequest): Promise<void> => {
      const { speaker, service } = await started;
      const counted = await service.counted("bad_signature");
      const answer = await speaker.send(request ?? (await voiceOf()), sending);
      expect(answer.status).toBe(403);
      expect(answer.contentType).toMatch("application/problem+json");
      expect(JSON.parse(answer.text)).toMatchObject({ code: "bad_signature" });
      expect(await service.counted("bad_signature")).toBe(counted + 1);
    };

    it("unsigned", () => refused({ keys: null }));

    it("signed by another's keys, also for a number that nobody knows", async () => {
      const { speaker } = await started;
      const keys = voice.makeKeys(systemRandom);
      await refused({ keys });
      await refused({ keys }, voice.voice(speaker.call("+18887770099"), PUBLIC_URL));
    });

    it("headers damaged: every one cut, emptied, doubled or of another alphabet", async () => {
      const { speaker } = await started;
      const signed = speaker.keys.sign(await voiceOf(), { nowMs: Date.now(), random: systemRandom });
      for (const name of Object.keys(signed.headers)) {
        const value = signed.headers[name] ?? "";
        for (const damaged of [value.slice(0, -2), "", `${value}${value}`, "ÿ", "x".repeat(5_000)]) {
          const tamper = (now: SignedRequest) => ({ ...now, headers: { ...now.headers, [name]: damaged } });
          await refused({ tamper });
        }
      }
    });

    it("tampered with after it was signed", async () => {
      // Credentials in the clear sign nothing: there TLS alone keeps the body.
      if (!voice.signsBody) return;
      const { number } = await started;
      const digits = number.slice(1);
      const other = digits.replace(/\d$/, (last) => String((Number(last) + 1) % 10));
      const change = (text: string | Buffer): string => text.toString().replaceAll(digits, other);
      await refused({ tamper: (signed) => ({ ...signed, url: change(signed.url), body: change(signed.body) }) });
    });

    it("signed an hour ago, or an hour ahead", async () => {
      if (!voice.signsTime) return;
      for (const by of [-HOUR_MS, HOUR_MS]) await refused({ nowMs: Date.now() + by });
    });

    it("over 64 kB", async () => {
      const { speaker } = await started;
      const request = await voiceOf();
      if (request.method === "GET") return;
      const body = `${request.body.toString()}${" ".repeat(WEBHOOK_BYTES_MAX)}`;
      const answer = await speaker.send({ ...request, body });
      expect(answer.status).toBe(413);
    });

    it("of another media type", async () => {
      const { speaker } = await started;
      const request = await voiceOf();
      if (request.method === "GET") return;
      const answer = await speaker.send({ ...request, contentType: "application/xml" });
      expect(answer.status).toBe(415);
    });

    it("no text in UTF-8, cut off, or empty", async () => {
      const { speaker } = await started;
      const request = await voiceOf();
      if (request.method === "GET") return;
      const text = request.body.toString();
      const bytes = Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0xfe])]);
      // Half a form is a form.
      const cut = request.contentType.startsWith("application/json") ? [text.slice(0, text.length / 2)] : [];
      for (const body of [bytes, ...cut, "", "null", "[]", "{}"]) {
        const { status } = await speaker.send({ ...request, body });
        expect(status, body.toString()).toBeGreaterThanOrEqual(400);
        expect(status, body.toString()).toBeLessThan(500);
      }
    });
  });

  it("takes either secret while one is being rotated, and not the old one afterwards", async () => {
    const { db, service } = await started;
    const world = await makeWorld(db, 1);
    const accountId = world.account.id;
    const [old, fresh] = [voice.makeKeys(systemRandom), voice.makeKeys(systemRandom)];
    const put = (credential: Readonly<Record<string, unknown>>) =>
      speakAs({ db, service, voice, accountId, keys: fresh, credential });
    const speaker = await put(rotating(fresh.credential, old.credential));
    for (const keys of [old, fresh]) {
      const request = voice.voice(speaker.call(world.numbers[0] as string), PUBLIC_URL);
      expect((await speaker.send(request, { keys })).status).toBe(200);
    }
    await put(fresh.credential);
    const request = voice.voice(speaker.call(world.numbers[0] as string), PUBLIC_URL);
    expect((await speaker.send(request, { keys: old })).status).toBe(403);
    expect((await speaker.send(request, { keys: fresh })).status).toBe(200);
  });

  it("a credential of another account speaks for no number of this one", async () => {
    const { db, service, number } = await started;
    const stranger = await makeWorld(db, 1);
    const speaker = await speakAs({ db, service, voice, accountId: stranger.account.id });
    const before = await storedRows(db);
    expect((await speaker.send(voice.voice(speaker.call(number), PUBLIC_URL))).status).toBe(403);
    expect(await storedRows(db)).toBe(before);
  });

  it("the same bytes again get the stored answer, and no second record", async () => {
    const { db, speaker, service } = await started;
    const signed = speaker.keys.sign(await voiceOf(), { nowMs: Date.now(), random: systemRandom });
    const tamper = (): SignedRequest => signed;
    const first = await speaker.send(signed, { tamper });
    const stored = await storedRows(db);
    const replayed = await service.counted("replayed");
    const again = await speaker.send(signed, { tamper });
    expect(first.status).toBe(200);
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    expect(await storedRows(db)).toBe(stored);
    expect(await service.counted("replayed")).toBe(replayed + 1);
  });

  it("a nonce signs one delivery: with another it is refused", async () => {
    if (!voice.signsNonce) return;
    const { speaker } = await started;
    const drawn = systemRandom.bytes(64);
    const random = {
      bytes: (count: number) => Buffer.from(drawn.subarray(0, count)),
      uuid: () => drawn.toString("hex", 0, 16),
    };
    expect((await speaker.send(await voiceOf(), { random })).status).toBe(200);
    expect((await speaker.send(await voiceOf(), { random })).status).toBe(403);
  });
});

/** As PUT /v1/carriers takes two secrets. */
function rotating(
  fresh: Readonly<Record<string, unknown>>,
  old: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const [tokens, oldTokens] = [fresh["auth_tokens"], old["auth_tokens"]];
  if (Array.isArray(tokens) && Array.isArray(oldTokens)) return { ...fresh, auth_tokens: [...tokens, ...oldTokens] };
  const { api_key: _apiKey, ...previous } = old;
  return { ...fresh, previous };
}
