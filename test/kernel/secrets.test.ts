import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemRandom } from "../../src/kernel/random.js";
import { createSecrets } from "../../src/kernel/secrets.js";

const OLD = "the-older-key-of-the-service-long-enough";
const NEW = "the-newer-key-of-the-service-long-enough";
const make = (keys: string) => createSecrets(keys, systemRandom);
const unreadable = { code: "secret_unreadable" };

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return null;
}

describe("sealing", () => {
  it("opens what it sealed, whatever the text", () => {
    const secrets = make(NEW);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(secrets.open(secrets.seal(text))).toBe(text);
      }),
    );
  });

  it("never gives the same bytes twice, and none that hold the text", () => {
    const secrets = make(NEW);
    const sealed = Array.from({ length: 100 }, () => secrets.seal("+14155550123"));
    expect(new Set(sealed.map((s) => s.toString("hex"))).size).toBe(100);
    expect(sealed.some((s) => s.includes("4155550123"))).toBe(false);
  });

  it("refuses every changed bit and every cut", () => {
    const secrets = make(NEW);
    const sealed = secrets.seal("+14155550123");
    fc.assert(
      fc.property(fc.nat({ max: sealed.length * 8 - 1 }), (bit) => {
        const changed = Buffer.from(sealed);
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(thrownBy(() => secrets.open(changed))).toMatchObject(unreadable);
      }),
    );
    for (let length = 0; length < sealed.length; length++)
      expect(thrownBy(() => secrets.open(sealed.subarray(0, length)))).toMatchObject(unreadable);
  });

  it("after a rotation opens old and new, seals with the new, and forgets the old when it is no longer listed", () => {
    const [before, during, after] = [make(OLD), make(`${NEW},${OLD}`), make(NEW)];
    const old = before.seal("a");
    const fresh = during.seal("b");
    expect([during.open(old), during.open(fresh), after.open(fresh)]).toEqual(["a", "b", "b"]);
    expect(thrownBy(() => after.open(old))).toMatchObject(unreadable);
    expect(thrownBy(() => before.open(fresh))).toMatchObject(unreadable);
  });

  it("refuses a key that is short enough to guess, also one of several", () => {
    for (const keys of ["short", "", `${"n".repeat(16)},short`]) {
      expect(() => createSecrets(keys, systemRandom)).toThrowError(/at least 16 characters/);
    }
  });
});

describe("hashing", () => {
  it("is equal for the same caller and realm, through a rotation too, and differs between realms", () => {
    const caller = "+14155550123";
    const [before, during] = [make(OLD), make(`${NEW}, ${OLD}`)];
    expect(during.hash("acc_1", caller)).toEqual(before.hash("acc_1", caller));
    expect(before.hash("acc_1", caller)).toHaveLength(32);
    expect(before.hash("acc_2", caller)).not.toEqual(before.hash("acc_1", caller));
    expect(make(NEW).hash("acc_1", caller)).not.toEqual(before.hash("acc_1", caller));
  });
});
