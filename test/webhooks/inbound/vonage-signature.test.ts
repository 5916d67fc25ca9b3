/** What a signed webhook of Vonage's binds: its body, or its query, a nonce and its time. */
import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CarrierCredential } from "../../../src/account/carrier-credentials.store.js";
import {
  CLOCK_SKEW_MAX_S,
  SIGNED_AGO_MAX_S,
  vonageSigned,
} from "../../../src/webhooks/inbound/signatures/vonage-signature.js";

const SECRET = "signature secret of the tests";
const NOW = 1_800_000_000_000;
const ANSWER = "https://calls.example.com/webhooks/vonage/voice";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");

function authorization(claims: object, secret = SECRET): string {
  const signed = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded({ iat: NOW / 1000, jti: "n1", ...claims })}`;
  return `Bearer ${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function check(
  sent: { method: "GET" | "POST"; url?: string; body?: string; claims?: object; secret?: string; header?: string },
  secrets: Readonly<Record<string, unknown>> = { signature_secret: SECRET },
) {
  const { method, url = ANSWER, body = "", claims = {}, secret } = sent;
  const credential = { id: "crd_1", carrier: "vonage", accountId: null, intercept: "reject", secrets };
  const headers = { authorization: sent.header ?? authorization(claims, secret) };
  const request = { method, url, headers, rawBody: Buffer.from(body) };
  return vonageSigned(request, { credential: credential as unknown as CarrierCredential, now: NOW });
}

describe("POST", () => {
  const body = '{"from":"14155550100","to":"18005550100"}';

  it("is bound to its very bytes, and brings its nonce", async () => {
    expect(await check({ method: "POST", body, claims: { payload_hash: sha256(body) } })).toEqual({ nonce: "n1" });
    expect(await check({ method: "POST", body, claims: { payload_hash: sha256(body).toUpperCase() } })).not.toBeNull();
    expect(await check({ method: "POST", body: `${body} `, claims: { payload_hash: sha256(body) } })).toBeNull();
  });

  it("without its hash, with another's or with none of a body is refused", async () => {
    for (const payload_hash of [undefined, null, "", sha256(""), sha256("{}"), 7])
      expect(await check({ method: "POST", body, claims: { payload_hash } })).toBeNull();
  });

  it("a token of a GET does not serve for it", async () => {
    const query = '{"from":"14155550100"}';
    expect(await check({ method: "POST", body, claims: { payload_hash: sha256(query) } })).toBeNull();
  });
});

describe("GET", () => {
  const url = `${ANSWER}?from=14155550100&to=18005550100&SipHeader_X-Name=Zo%C3%AB+B`;
  const query = '{"from":"14155550100","to":"18005550100","SipHeader_X-Name":"Zoë B"}';

  it("may be bound to its query in the order sent, to nothing, or not at all; never to anything else", async () => {
    expect(await check({ method: "GET", url, claims: { payload_hash: sha256(query) } })).toEqual({ nonce: "n1" });
    expect(await check({ method: "GET", url, claims: { payload_hash: sha256("") } })).not.toBeNull();
    expect(await check({ method: "GET", url, claims: {} })).not.toBeNull();
    for (const payload_hash of [null, "", sha256("{}"), sha256(`${query} `)])
      expect(await check({ method: "GET", url, claims: { payload_hash } })).toBeNull();
  });

  it("a query that was hashed cannot be changed, reordered or added to", async () => {
    const claims = { payload_hash: sha256(query) };
    for (const other of [
      url.replace("18005550100", "18005550101"),
      `${ANSWER}?to=18005550100&from=14155550100&SipHeader_X-Name=Zo%C3%AB+B`,
      `${url}&x=1`,
      ANSWER,
    ])
      expect(await check({ method: "GET", url: other, claims })).toBeNull();
  });

  it("what our own callback URL had in it may be left out of the hash", async () => {
    const whisper = "https://calls.example.com/webhooks/vonage/whisper?attempt=0&called=%2B18005550100";
    const claims = { payload_hash: sha256('{"from":"14155550100"}') };
    expect(await check({ method: "GET", url: `${whisper}&from=14155550100`, claims })).not.toBeNull();
    expect(await check({ method: "GET", url: `${whisper}&from=14155550101`, claims })).toBeNull();
  });
});

describe("secrets and nonces", () => {
  const request = { method: "GET", claims: {} } as const;

  it("either secret counts while one is being rotated, no other and no empty one", async () => {
    const rotating = { signature_secret: "new one", previous: { signature_secret: SECRET } };
    expect(await check(request, rotating)).not.toBeNull();
    expect(await check({ ...request, secret: "new one" }, rotating)).not.toBeNull();
    expect(await check({ ...request, secret: "third" }, rotating)).toBeNull();
    expect(await check({ ...request, secret: "" }, { signature_secret: "" })).toBeNull();
    expect(await check(request, {})).toBeNull();
  });

  it("a jti that is no short text is refused; without one there is no nonce", async () => {
    for (const jti of [7, null, "", "a b", "x".repeat(129), {}])
      expect(await check({ ...request, claims: { jti } })).toBeNull();
    expect(await check({ ...request, claims: { jti: undefined } })).toEqual({ nonce: null });
  });

  it.each(["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer a.b.c"])(
    "%o is no authorization",
    async (header) => {
      expect(await check({ ...request, header })).toBeNull();
    },
  );

  it("the scheme's letters may be small", async () => {
    expect(await check({ ...request, header: authorization({}).replace("Bearer", "bearer") })).not.toBeNull();
  });
});

describe("the token", () => {
  const S = 1000;
  const ago = (ms: number): number => (NOW - ms) / S;
  const isTaken = async (claims: object, header: object = { alg: "HS256", typ: "JWT" }): Promise<boolean> => {
    const signed = `${encoded(header)}.${encoded({ jti: "n1", ...claims })}`;
    const signature = createHmac("sha256", SECRET).update(signed).digest("base64url");
    return (await check({ method: "GET", header: `Bearer ${signed}.${signature}` })) !== null;
  };

  it("with any other character is refused", async () => {
    const [scheme, token = ""] = authorization({}).split(" ");
    await fc.assert(
      fc.asyncProperty(
        fc.nat(token.length - 1),
        fc.constantFrom("A", "z", "-", ".", "=", " ", "é"),
        async (at, put) => {
          fc.pre(token[at] !== put);
          const header = `${scheme} ${token.slice(0, at)}${put}${token.slice(at + 1)}`;
          expect(await check({ method: "GET", header })).toBeNull();
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([
    { alg: "none" },
    { alg: "HS384" },
    { alg: "hs256" },
    { alg: "RS256" },
    {},
    { alg: "HS256", crit: ["x"], x: 1 },
  ])("with the header %o is refused, though our secret signed it", async (header) => {
    expect(await isTaken({ iat: ago(0) }, { typ: "JWT", ...header })).toBe(false);
  });

  it("says when it was issued: at most five minutes ago and hardly ahead, but for a minute of skew", async () => {
    const skewMs = CLOCK_SKEW_MAX_S * S;
    const oldestMs = SIGNED_AGO_MAX_S * S + skewMs;
    expect(await isTaken({ iat: ago(oldestMs - S) })).toBe(true);
    expect(await isTaken({ iat: ago(oldestMs + S) })).toBe(false);
    expect(await isTaken({ iat: ago(S - skewMs) })).toBe(true);
    expect(await isTaken({ iat: ago(-S - skewMs) })).toBe(false);
    for (const iat of [undefined, null, String(NOW / S), -1]) expect(await isTaken({ iat })).toBe(false);
  });

  it("exp and nbf count when they are there", async () => {
    const iat = ago(0);
    const skewMs = CLOCK_SKEW_MAX_S * S;
    expect(await isTaken({ iat, exp: ago(-S), nbf: ago(S) })).toBe(true);
    expect(await isTaken({ iat, exp: ago(skewMs + S) })).toBe(false);
    expect(await isTaken({ iat, nbf: ago(-skewMs - S) })).toBe(false);
    for (const wrong of ["soon", null, true]) {
      expect(await isTaken({ iat, exp: wrong })).toBe(false);
      expect(await isTaken({ iat, nbf: wrong })).toBe(false);
    }
  });

  it("longer than any webhook's is refused, though it is signed", async () => {
    expect(await isTaken({ iat: ago(0), x: "y".repeat(4_000) })).toBe(false);
  });
});
