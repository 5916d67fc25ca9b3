import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CLOCK_SKEW_MAX_MS, SIGNED_AGO_MAX_MS, verifyHs256 } from "../../../src/webhooks/inbound/jwt-hs256.js";

/** The example of jwt.io. */
const EXAMPLE =
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
const EXAMPLE_SECRET = "your-256-bit-secret";
const EXAMPLE_MS = 1_516_239_022_000;

const SECRET = "a secret of the tests";
const NOW = 1_800_000_000_000;
const S = 1000;

const encoded = (part: string | object): string =>
  Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");

function tokenOf(claims: string | object, header: string | object = { typ: "JWT", alg: "HS256" }): string {
  const signed = `${encoded(header)}.${encoded(claims)}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

const check = (token: string) => verifyHs256(token, { secret: SECRET, now: NOW });
const fresh = { iat: NOW / S };

describe("a token", () => {
  it("of the published example is read with its secret, and with no other", () => {
    expect(verifyHs256(EXAMPLE, { secret: EXAMPLE_SECRET, now: EXAMPLE_MS })).toEqual({
      sub: "1234567890",
      name: "John Doe",
      iat: 1_516_239_022,
    });
    expect(verifyHs256(EXAMPLE, { secret: `${EXAMPLE_SECRET} `, now: EXAMPLE_MS })).toBeNull();
  });

  it("with any other character is refused", () => {
    const token = tokenOf({ ...fresh, jti: "n" });
    expect(check(token)).toMatchObject({ jti: "n" });
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom("A", "z", "-", ".", "=", " ", "é"), (at, put) => {
        fc.pre(token[at] !== put);
        expect(check(token.slice(0, at) + put + token.slice(at + 1))).toBeNull();
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["none", ""],
    ["HS384", ""],
    ["hs256", ""],
    ["RS256", ""],
  ])("of the algorithm %s is refused, though our secret signed it", (alg) => {
    expect(check(tokenOf(fresh, { typ: "JWT", alg }))).toBeNull();
    expect(check(tokenOf(fresh, { typ: "JWT" }))).toBeNull();
  });

  it("that names an extension, or holds no JSON objects, is refused", () => {
    expect(check(tokenOf(fresh, { alg: "HS256", crit: ["b64"], b64: false }))).toBeNull();
    for (const other of ["null", "[]", "{", "1", ""]) {
      expect(check(tokenOf(other))).toBeNull();
      expect(check(tokenOf(fresh, other))).toBeNull();
    }
  });

  it.each(["", ".", "..", "a.b", "a.b.c.d", `${"x".repeat(9_000)}.b.c`])("%# that is none is refused", (token) => {
    expect(check(token)).toBeNull();
    expect(check(`${tokenOf(fresh)}.`)).toBeNull();
  });

  it("longer than any webhook's is refused, though it is signed", () => {
    expect(check(tokenOf({ ...fresh, x: "y".repeat(4_000) }))).toBeNull();
  });
});

describe("time", () => {
  const at = (changes: object) => check(tokenOf({ ...fresh, ...changes })) !== null;
  const ago = (ms: number) => (NOW - ms) / S;

  it("a token says when it was issued, at most five minutes ago and hardly ahead", () => {
    expect(at({ iat: ago(SIGNED_AGO_MAX_MS) })).toBe(true);
    expect(at({ iat: ago(SIGNED_AGO_MAX_MS + S) })).toBe(false);
    expect(at({ iat: ago(-CLOCK_SKEW_MAX_MS) })).toBe(true);
    expect(at({ iat: ago(-CLOCK_SKEW_MAX_MS - S) })).toBe(false);
    for (const iat of [undefined, null, String(NOW / S), Number.MAX_VALUE, -1]) expect(at({ iat })).toBe(false);
  });

  it("exp and nbf count when they are there", () => {
    expect(at({ exp: ago(-S), nbf: ago(S) })).toBe(true);
    expect(at({ exp: ago(CLOCK_SKEW_MAX_MS + S) })).toBe(false);
    expect(at({ nbf: ago(-CLOCK_SKEW_MAX_MS - S) })).toBe(false);
    for (const wrong of ["soon", null, true]) {
      expect(at({ exp: wrong })).toBe(false);
      expect(at({ nbf: wrong })).toBe(false);
    }
  });
});
