/** Telnyx's signature, held against Telnyx's own package: what one side signs the other takes, what one side refuses the other refuses. */
import fc from "fast-check";
import { TelnyxWebhook } from "telnyx/lib/webhooks";
import { describe, expect, it } from "vitest";
import type { CarrierCredential } from "../../../src/account/carrier-credentials.store.js";
import { telnyxCallControlVoice } from "../../../src/dev/carrier-voices/telnyx-call-control-voice.js";
import type { SignedRequest } from "../../../src/dev/carrier-voices/carrier-voice.js";
import { telnyxKeys } from "../../../src/dev/carrier-voices/telnyx-keys.js";
import { telnyxTexmlVoice } from "../../../src/dev/carrier-voices/telnyx-texml-voice.js";
import { systemRandom } from "../../../src/kernel/random.js";
import {
  TELNYX_TOLERANCE_MS,
  telnyxVerstat,
  verifyTelnyx,
} from "../../../src/webhooks/inbound/signatures/telnyx-signature.js";

const CALL = {
  id: "428c31b6-abf3-3bc1-b7f4-5013ef9657c1",
  to: "+18885550100",
  from: "+14156739823",
  isVerified: true,
  callerName: "Ada",
};
const VOICES = [telnyxCallControlVoice, telnyxTexmlVoice];
const keys = telnyxKeys(systemRandom);
const publicKey = String(keys.credential["public_key"]);

function credential(secrets: Record<string, unknown> = keys.credential): CarrierCredential {
  return { id: "crd_1", carrier: "telnyx", accountId: null, intercept: "reject", secrets } as CarrierCredential;
}

function isOurs({ url, body, headers }: SignedRequest, options: { now?: number; secrets?: object } = {}): boolean {
  const request = { method: "POST", url, headers, rawBody: Buffer.from(body) } as const;
  const { now = Date.now(), secrets = keys.credential } = options;
  return verifyTelnyx(request, { credential: credential({ ...secrets }), now }) !== null;
}

async function isTheirs({ body, headers }: SignedRequest): Promise<boolean> {
  try {
    await new TelnyxWebhook(publicKey).verify(body.toString(), { ...headers });
    return true;
  } catch {
    return false;
  }
}

const signed = (voice = telnyxCallControlVoice, nowMs = Date.now()): SignedRequest =>
  keys.sign(voice.voice(CALL, "https://calls.example.com"), { nowMs, random: systemRandom });

/** In hex; empty for what is no base64 of any bytes. */
function bytesOf(signature: string): string {
  return /^[A-Za-z0-9+/]{86}==$/.test(signature) ? Buffer.from(signature, "base64").toString("hex") : "";
}

describe("Telnyx's signature", () => {
  it.each(VOICES)("$name: made by our voice, good for us and for Telnyx's package", async (voice) => {
    expect(isOurs(signed(voice))).toBe(true);
    expect(await isTheirs(signed(voice))).toBe(true);
  });

  it.each(VOICES)("$name: any change of body, time or signature is refused by both", async (voice) => {
    const good = signed(voice);
    const text = good.body.toString();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("body", "telnyx-timestamp", "telnyx-signature-ed25519"),
        fc.nat(),
        fc.integer({ min: 33, max: 126 }),
        async (where, at, code) => {
          const damage = (value: string): string => {
            const index = at % value.length;
            return value.slice(0, index) + String.fromCharCode(code) + value.slice(index + 1);
          };
          const headers = { ...good.headers, [where]: damage(good.headers[where] ?? "x") };
          const changed: SignedRequest = where === "body" ? { ...good, body: damage(text) } : { ...good, headers };
          // Base64 has spare bits at its end: another letter there may be the same signature.
          const [bytes, goodBytes] = [changed, good].map((one) =>
            bytesOf(one.headers["telnyx-signature-ed25519"] ?? ""),
          );
          const isSameHeader =
            changed.headers[where] === good.headers[where] || (where.includes("ed25519") && bytes === goodBytes);
          const isSame = changed.body === text && isSameHeader;
          fc.pre(!isSame);
          expect([isOurs(changed), await isTheirs(changed)]).toEqual([false, false]);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("is good for five minutes before and after, as in Telnyx's package", async () => {
    const seconds = TELNYX_TOLERANCE_MS / 1_000;
    const now = Math.floor(Date.now() / 1_000) * 1_000;
    for (const [ageS, isGood] of [
      [seconds, true],
      [seconds + 1, false],
      [-seconds, true],
      [-seconds - 1, false],
    ] as const) {
      expect(isOurs(signed(telnyxCallControlVoice, now - ageS * 1_000), { now })).toBe(isGood);
    }
    for (const ageS of [seconds + 60, -seconds - 60])
      expect(await isTheirs(signed(telnyxCallControlVoice, now - ageS * 1_000))).toBe(false);
  });

  it("is taken from either key while one is being replaced, and from no other", () => {
    const other = telnyxKeys(systemRandom).credential;
    expect(isOurs(signed(), { secrets: { ...other, previous: { public_key: publicKey } } })).toBe(true);
    expect(isOurs(signed(), { secrets: { ...keys.credential, previous: other } })).toBe(true);
    expect(isOurs(signed(), { secrets: other })).toBe(false);
  });

  it.each([["no key"], [""], [publicKey.slice(4)], [`${publicKey}AAAA`], ["A".repeat(43) + "="]])(
    "a public key that is none signs nothing: %s",
    (text) => {
      expect(isOurs(signed(), { secrets: { public_key: text } })).toBe(false);
    },
  );
});

describe("STIR/SHAKEN", () => {
  it.each([
    ["A", true, "TN-Validation-Passed-A"],
    ["B", true, "TN-Validation-Passed-B"],
    ["C", false, "TN-Validation-Failed-C"],
    ["", true, null],
    ["D", true, null],
    ["<script>", true, null],
  ])("%s, validated %s: %s", (level, isValidated, verstat) => {
    expect(telnyxVerstat(level, isValidated)).toBe(verstat);
  });
});
