/** What is SignalWire's own: its signing key and header, ids and status fields. The rest: contract-calls.test.ts and contract-input.test.ts. */
import fc from "fast-check";
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import { afterAll, describe, expect, it } from "vitest";
import type { CarrierCredential } from "../../../src/account/carrier-credentials.store.js";
import { signalwireVoice as voice } from "../../../src/dev/carrier-voices/signalwire-voice.js";
import type { Dialled, SignedRequest, SpokenRequest } from "../../../src/dev/carrier-voices/carrier-voice.js";
import { systemRandom } from "../../../src/kernel/random.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import { signalwire } from "../../../src/webhooks/inbound/signalwire.js";
import { freshDatabase, rows } from "../../support/database.js";
import { allocationFor, makeWorld } from "../../support/world.js";
import { speakAs } from "../support/speaking.js";
import { PUBLIC_URL, startWebhooks } from "../support/webhook-service.js";

const { db } = await freshDatabase();
const service = await startWebhooks(db);
afterAll(() => service.stop());
const speaker = await speakAs({ db, service, voice });

const HEADER = "x-signalwire-signature";
const SECOND = "+14155550111";

async function incoming() {
  const world = await makeWorld(db, 1);
  await rows(db, "update destination set failover = $2 where id = $1", [world.destination.id, [SECOND]]);
  await presentBatch(db, [allocationFor(world)], null);
  return speaker.call(world.numbers[0] as string);
}

/** The status callback of the business's leg, with other fields. */
function legStatus(request: SpokenRequest | null, fields: Record<string, string>): SpokenRequest {
  const form = new URLSearchParams(request?.body.toString());
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  return { ...(request as SpokenRequest), body: form.toString() };
}

describe("the signature", () => {
  const keys = voice.makeKeys(systemRandom);
  const secrets = keys.credential;
  const credential = { id: "crd_1", carrier: "signalwire", accountId: null, intercept: "reject", secrets };
  const isGood = ({ url, body, headers }: SignedRequest): boolean => {
    const request = { method: "POST", url, headers, rawBody: Buffer.from(body) } as const;
    try {
      return signalwire.verify(request, { credential: credential as CarrierCredential, now: Date.now() }) !== null;
    } catch (error) {
      // Half an escape is no form at all.
      expect(error).toMatchObject({ code: "unreadable_body" });
      return false;
    }
  };
  const call = { id: "b3877c40-da60-4998-90ad-b792e98472ca", to: "+18885550100", from: "+14156739823" };
  const spoken = voice.voice({ ...call, isVerified: false, callerName: "Ören & Sons" }, PUBLIC_URL);
  const signed = keys.sign(spoken, { nowMs: Date.now(), random: systemRandom });

  it("is Twilio's algorithm with the signing key", () => {
    const [token = ""] = secrets["auth_tokens"] as string[];
    const params = Object.fromEntries(new URLSearchParams(spoken.body.toString()));
    expect(signed.headers[HEADER]).toBe(getExpectedTwilioSignature(token, spoken.url, params));
    expect(isGood(signed)).toBe(true);
  });

  it("is found under Twilio's name as well, but the own one counts", () => {
    const value = signed.headers[HEADER] ?? "";
    expect(isGood({ ...signed, headers: { "x-twilio-signature": value } })).toBe(true);
    expect(isGood({ ...signed, headers: { [HEADER]: "wrong", "x-twilio-signature": value } })).toBe(false);
    expect(isGood({ ...signed, headers: {} })).toBe(false);
  });

  it("fits no other field, value, URL or signature", () => {
    const text = spoken.body.toString();
    fc.assert(
      fc.property(
        fc.constantFrom("body", "url", "signature"),
        fc.nat(),
        fc.constantFrom(..."abcXYZ0189"),
        (where, at, to) => {
          const damage = (value: string, from = 0): string => {
            const index = from + (at % (value.length - from));
            return value.slice(0, index) + to + value.slice(index + 1);
          };
          const changed: Record<typeof where, SignedRequest> = {
            body: { ...signed, body: damage(text) },
            url: { ...signed, url: damage(signed.url, PUBLIC_URL.length + 1) },
            signature: { ...signed, headers: { [HEADER]: damage(signed.headers[HEADER] ?? "") } },
          };
          const form = (request: SignedRequest) => new URLSearchParams(request.body.toString()).toString();
          const isSame =
            form(changed[where]) === form(signed) &&
            changed[where].url === signed.url &&
            changed[where].headers[HEADER] === signed.headers[HEADER];
          fc.pre(!isSame);
          expect(isGood(changed[where])).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("a call", () => {
  it("of which the leg's own callback tells the SIP status, goes on to the next target", async () => {
    const call = await incoming();
    const heard = await speaker.ringThrough(call);
    const rang = voice.progress(call, { heard, state: "ringing", baseUrl: PUBLIC_URL });
    await speaker.send(legStatus(rang, { CallStatus: "busy", SipResultCode: "486", SequenceNumber: "2" }));
    const attempts = async () => (await speaker.record(call)).progress.attempts;
    await expect.poll(attempts).toMatchObject([{ sipStatus: 486, cause: "busy" }]);
    const answer = await speaker.send(voice.dialEnded(call, { heard, outcome: { kind: "busy" }, baseUrl: PUBLIC_URL }));
    expect(voice.hear(answer, call)).toMatchObject({ kind: "dial", target: SECOND });
  });

  it("has no verdict, for SignalWire passes none on", async () => {
    const call = await incoming();
    const request = legStatus(voice.voice(call, PUBLIC_URL), { StirVerstat: "TN-Validation-Passed-A" });
    expect((voice.hear(await speaker.send(request), call) as Dialled).kind).toBe("dial");
    expect((await speaker.record(call)).verstat).toBeNull();
  });

  it("in JSON is SWML's, another language: 415", async () => {
    const request = { ...voice.voice(await incoming(), PUBLIC_URL), contentType: "application/json" };
    expect((await speaker.send(request)).status).toBe(415);
  });
});
