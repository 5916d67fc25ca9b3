/** Our check of Plivo's signature V3, held against the carrier's own package. */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { validateV3Signature } from "plivo/dist/utils/v3Security.js";
import { describe, expect, it } from "vitest";
import { plivoVoice } from "../../../src/dev/carrier-voices/plivo-voice.js";
import { systemRandom } from "../../../src/kernel/random.js";
import type { CarrierRequest } from "../../../src/webhooks/inbound/carrier-adapter.js";
import { parseForm } from "../../../src/webhooks/inbound/reading/form-body.js";
import { plivoNonce } from "../../../src/webhooks/inbound/signatures/plivo-signature.js";

const TOKEN = "a token of the tests";
const NONCE = "05429567804466091622";
const BODY = "CallUUID=c1&To=18005550100&From=14155550100";
const URL_ = "https://calls.example.com/webhooks/plivo/dial?attempt=0&called=%2B18005550100&destination=%2B18005550111";

/** The two as different code sees the same bytes: ours raw, Plivo's own parsed by Node. */
function verdicts(sent: { url: string; body: string; nonce: string; signature: string; token?: string }): {
  ours: boolean;
  theirs: boolean;
} {
  const { url, body, nonce, signature, token = TOKEN } = sent;
  const headers = { "x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": nonce };
  const ours = plivoNonce(requestOf(url, body, headers), [token]) === nonce;
  const theirs = validateV3Signature("POST", url, nonce, token, signature, { ...parseForm(Buffer.from(body)) });
  return { ours, theirs };
}

function requestOf(url: string, body: string, headers: CarrierRequest["headers"]): CarrierRequest {
  return { method: "POST", url, headers, rawBody: Buffer.from(body) };
}

/** By the voice's own code, which shares nothing with the check. */
function sign(url: string, body: string): { nonce: string; signature: string; token: string } {
  const keys = plivoVoice.makeKeys(systemRandom);
  const request = { method: "POST", url, contentType: "application/x-www-form-urlencoded", body } as const;
  const { headers } = keys.sign(request, { nowMs: 0, random: systemRandom });
  const [token] = keys.credential["auth_tokens"] as [string];
  return {
    nonce: headers["x-plivo-signature-v3-nonce"] ?? "",
    signature: headers["x-plivo-signature-v3"] ?? "",
    token,
  };
}

const hmac = (text: string, token = TOKEN): string => createHmac("sha256", token).update(text).digest("base64");

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 });
/** Few names, so that some come twice. */
const pairs = fc.array(fc.tuple(fc.oneof(name, fc.constantFrom("To", "From", "a", "b")), text), { maxLength: 8 });
const encoded = (list: readonly (readonly [string, string])[]): string =>
  new URLSearchParams(list.map(([key, value]): [string, string] => [key, value])).toString();
const base = fc.constantFrom(
  "https://calls.example.com/webhooks/plivo/voice",
  "https://calls.example.com:8443/under/a/path/webhooks/plivo/dial",
  "http://10.0.0.1:8080/webhooks/plivo/status",
);
const urls = fc.tuple(base, pairs).map(([path, query]) => (query.length === 0 ? path : `${path}?${encoded(query)}`));

describe("signature V3", () => {
  it("signs the URL, its sorted query, the sorted form and the nonce, each in its place", () => {
    const signed = {
      "https://c.example/v": { body: "", text: "https://c.example/v" },
      "https://c.example/v?": { body: "b=2&a=1", text: "https://c.example/v?a1b2" },
      "https://c.example/v?y=2&x=1": { body: "", text: "https://c.example/v?x=1&y=2" },
      "https://c.example/v?y=2&x=%2B1": { body: "b=&a=1+2", text: "https://c.example/v?x=+1&y=2.a1 2b" },
    };
    for (const [url, { body, text: plain }] of Object.entries(signed)) {
      const signature = hmac(`${plain}.${NONCE}`);
      expect(verdicts({ url, body, nonce: NONCE, signature }), url).toEqual({ ours: true, theirs: true });
    }
  });

  it("is taken and refused as Plivo's own package does, whatever is sent", () => {
    fc.assert(
      fc.property(urls, pairs, urls, pairs, (url, form, otherUrl, otherForm) => {
        const body = encoded(form);
        const { nonce, signature, token } = sign(url, body);
        expect(verdicts({ url, body, nonce, signature, token })).toEqual({ ours: true, theirs: true });
        for (const tampered of [
          { url: otherUrl, body },
          { url, body: encoded(otherForm) },
        ]) {
          const { ours, theirs } = verdicts({ ...tampered, nonce, signature, token });
          expect(ours).toBe(theirs);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("is refused with any other byte of signature, nonce, token, URL or body", () => {
    const { nonce, signature, token } = sign(URL_, BODY);
    const good = { url: URL_, body: BODY, nonce, signature, token };
    expect(verdicts(good).ours).toBe(true);
    const part = fc.constantFrom(
      "url" as const,
      "body" as const,
      "nonce" as const,
      "signature" as const,
      "token" as const,
    );
    fc.assert(
      fc.property(part, fc.nat(), fc.constantFrom("x", "7", "/"), (which, at, put) => {
        const value = good[which];
        const index = at % value.length;
        const other = value.slice(0, index) + put + value.slice(index + 1);
        fc.pre(other !== value);
        expect(verdicts({ ...good, [which]: other }).ours).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it("repeated names, empty values and letters beyond ASCII are signed as they are meant", () => {
    const body = "To=18005550100&a=%C3%A9&a=&a=b&empty=&CallerName=Zo%C3%AB+%26+Co%20%3D%F0%9F%98%80";
    const signature = hmac(
      `https://calls.example.com/v?x=é&x=ü.CallerNameZoë & Co =😀To18005550100aabaéempty.${NONCE}`,
    );
    const url = "https://calls.example.com/v?x=%C3%BC&x=%C3%A9";
    expect(verdicts({ url, body, nonce: NONCE, signature })).toEqual({ ours: true, theirs: true });
  });
});

describe("headers", () => {
  const signature = hmac(`https://c.example/v?To18005550100.${NONCE}`);
  const check = (headers: CarrierRequest["headers"], tokens: readonly string[] = [TOKEN]) =>
    plivoNonce(requestOf("https://c.example/v", "To=18005550100", headers), tokens);
  const nonce = { "x-plivo-signature-v3-nonce": NONCE };

  it("any of a list of signatures counts, and the main account's as well", () => {
    expect(check({ ...nonce, "x-plivo-signature-v3": `AAAA,${signature}` })).toBe(NONCE);
    expect(check({ ...nonce, "x-plivo-signature-v3": `${signature}, AAAA` })).toBe(NONCE);
    expect(check({ ...nonce, "x-plivo-signature-v3": "AAAA", "x-plivo-signature-ma-v3": signature })).toBe(NONCE);
    expect(check({ ...nonce, "x-plivo-signature-v3": "AAAA,,", "x-plivo-signature-ma-v3": "" })).toBeNull();
  });

  it("nothing counts without a nonce, without a token, or in another header", () => {
    expect(check({ "x-plivo-signature-v3": signature })).toBeNull();
    expect(check({ "x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": "" })).toBeNull();
    expect(check({ ...nonce, "x-plivo-signature-v3": signature }, [])).toBeNull();
    expect(check({ ...nonce, "x-plivo-signature-v2": signature })).toBeNull();
    expect(check({ ...nonce, "x-plivo-signature-v3": signature }, ["other", TOKEN])).toBe(NONCE);
  });

  it("a nonce longer than any of Plivo's is none, even when it is signed", () => {
    const long = "9".repeat(129);
    const signed = hmac(`https://c.example/v?To18005550100.${long}`);
    expect(check({ "x-plivo-signature-v3": signed, "x-plivo-signature-v3-nonce": long })).toBeNull();
  });

  it("a query that cannot be decoded is refused, not thrown at", () => {
    const headers = { ...nonce, "x-plivo-signature-v3": signature };
    expect(plivoNonce(requestOf("https://c.example/v?x=%zz", "To=1", headers), [TOKEN])).toBeNull();
  });
});
