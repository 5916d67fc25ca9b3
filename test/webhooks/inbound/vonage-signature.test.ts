/** What a signed webhook of Vonage's binds: its body, or its query, and a nonce. The token itself: jwt-hs256.test.ts. */
import { createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { CarrierCredential } from "../../../src/account/carrier-credentials.store.js";
import { vonageSigned } from "../../../src/webhooks/inbound/vonage-signature.js";

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

  it("is bound to its very bytes, and brings its nonce", () => {
    expect(check({ method: "POST", body, claims: { payload_hash: sha256(body) } })).toEqual({ nonce: "n1" });
    expect(check({ method: "POST", body, claims: { payload_hash: sha256(body).toUpperCase() } })).not.toBeNull();
    expect(check({ method: "POST", body: `${body} `, claims: { payload_hash: sha256(body) } })).toBeNull();
  });

  it("without its hash, with another's or with none of a body is refused", () => {
    for (const payload_hash of [undefined, null, "", sha256(""), sha256("{}"), 7])
      expect(check({ method: "POST", body, claims: { payload_hash } })).toBeNull();
  });

  it("a token of a GET does not serve for it", () => {
    const query = '{"from":"14155550100"}';
    expect(check({ method: "POST", body, claims: { payload_hash: sha256(query) } })).toBeNull();
  });
});

describe("GET", () => {
  const url = `${ANSWER}?from=14155550100&to=18005550100&SipHeader_X-Name=Zo%C3%AB+B`;
  const query = '{"from":"14155550100","to":"18005550100","SipHeader_X-Name":"Zoë B"}';

  it("may be bound to its query in the order sent, to nothing, or not at all; never to anything else", () => {
    expect(check({ method: "GET", url, claims: { payload_hash: sha256(query) } })).toEqual({ nonce: "n1" });
    expect(check({ method: "GET", url, claims: { payload_hash: sha256("") } })).not.toBeNull();
    expect(check({ method: "GET", url, claims: {} })).not.toBeNull();
    for (const payload_hash of [null, "", sha256("{}"), sha256(`${query} `)])
      expect(check({ method: "GET", url, claims: { payload_hash } })).toBeNull();
  });

  it("a query that was hashed cannot be changed, reordered or added to", () => {
    const claims = { payload_hash: sha256(query) };
    for (const other of [
      url.replace("18005550100", "18005550101"),
      `${ANSWER}?to=18005550100&from=14155550100&SipHeader_X-Name=Zo%C3%AB+B`,
      `${url}&x=1`,
      ANSWER,
    ])
      expect(check({ method: "GET", url: other, claims })).toBeNull();
  });

  it("what our own callback URL had in it may be left out of the hash", () => {
    const whisper = "https://calls.example.com/webhooks/vonage/whisper?attempt=0&called=%2B18005550100";
    const claims = { payload_hash: sha256('{"from":"14155550100"}') };
    expect(check({ method: "GET", url: `${whisper}&from=14155550100`, claims })).not.toBeNull();
    expect(check({ method: "GET", url: `${whisper}&from=14155550101`, claims })).toBeNull();
  });
});

describe("secrets and nonces", () => {
  const request = { method: "GET", claims: {} } as const;

  it("either secret counts while one is being rotated, no other and no empty one", () => {
    const rotating = { signature_secret: "new one", previous: { signature_secret: SECRET } };
    expect(check(request, rotating)).not.toBeNull();
    expect(check({ ...request, secret: "new one" }, rotating)).not.toBeNull();
    expect(check({ ...request, secret: "third" }, rotating)).toBeNull();
    expect(check({ ...request, secret: "" }, { signature_secret: "" })).toBeNull();
    expect(check(request, {})).toBeNull();
  });

  it("a jti that is no short text is refused; without one there is no nonce", () => {
    for (const jti of [7, null, "", "a b", "x".repeat(129), {}])
      expect(check({ ...request, claims: { jti } })).toBeNull();
    expect(check({ ...request, claims: { jti: undefined } })).toEqual({ nonce: null });
  });

  it.each(["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer a.b.c"])("%o is no authorization", (header) => {
    expect(check({ ...request, header })).toBeNull();
  });

  it("the scheme's letters may be small", () => {
    expect(check({ ...request, header: authorization({}).replace("Bearer", "bearer") })).not.toBeNull();
  });
});
