import { describe, expect, it } from "vitest";
import { ADDRESSES_MAX, createAddressLimit, PRESENTATIONS_PER_MINUTE_MAX } from "../../src/http/address-limit.js";
import { createTrustedAddresses } from "../../src/http/trusted-addresses.js";

function limitAt() {
  let now = 0;
  const isWithin = createAddressLimit({ monotonicMs: () => now });
  const take = (address: string, times: number) =>
    Array.from({ length: times }, () => isWithin(address)).filter(Boolean).length;
  return { take, wait: (ms: number) => (now += ms), known: () => isWithin.known() };
}

describe("createAddressLimit", () => {
  it("lets a burst through and then as many as a minute allows", () => {
    const { take, wait } = limitAt();
    expect(take("198.51.100.7", 100)).toBe(PRESENTATIONS_PER_MINUTE_MAX);
    wait(10_000);
    expect(take("198.51.100.7", 100)).toBe(PRESENTATIONS_PER_MINUTE_MAX / 6);
    wait(3_600_000);
    expect(take("198.51.100.7", 100)).toBe(PRESENTATIONS_PER_MINUTE_MAX);
  });

  it("counts addresses apart, an IPv6 network as one, and an IPv4 address the same in both notations", () => {
    const { take } = limitAt();
    expect(take("2001:db8:0:1::1", 20) + take("2001:db8:0:1:ffff::2", 20)).toBe(PRESENTATIONS_PER_MINUTE_MAX);
    expect(take("2001:db8:0:2::1", 20)).toBe(20);
    expect(take("198.51.100.7", 20) + take("::ffff:198.51.100.7", 20)).toBe(PRESENTATIONS_PER_MINUTE_MAX);
    expect(take("198.51.100.8", 20)).toBe(20);
  });

  it("forgets who was seen longest ago, not who is busy", () => {
    const { take } = limitAt();
    expect(take("198.51.100.7", 40)).toBe(PRESENTATIONS_PER_MINUTE_MAX);
    for (let i = 0; i < ADDRESSES_MAX; i++) {
      take(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 1);
      if (i === ADDRESSES_MAX - 10) expect(take("198.51.100.7", 1)).toBe(0);
    }
    expect(take("198.51.100.7", 1)).toBe(0);
    expect(take("10.0.0.0", 100)).toBe(PRESENTATIONS_PER_MINUTE_MAX);
  });
});

it("keeps no address in memory whose minute is over, once somebody else comes", () => {
  const { take, wait, known } = limitAt();
  take("198.51.100.7", 40);
  wait(30_000);
  take("198.51.100.8", 1);
  wait(31_000);
  take("198.51.100.9", 1);
  expect(known()).toBe(2);
  // Who is forgotten comes back as they would have been.
  expect(take("198.51.100.7", 40)).toBe(PRESENTATIONS_PER_MINUTE_MAX);
  wait(3_600_000);
  take("198.51.100.9", 1);
  expect(known()).toBe(1);
});

describe("createTrustedAddresses", () => {
  it("knows ranges of both families and mapped addresses", () => {
    const isTrusted = createTrustedAddresses(["127.0.0.0/8", "::1/128", "2001:db8::/32", "192.0.2.7/32"]);
    for (const address of ["127.0.0.1", "::ffff:127.5.5.5", "::1", "2001:db8:1::9", "192.0.2.7"]) {
      expect([address, isTrusted(address)]).toEqual([address, true]);
    }
    for (const address of ["128.0.0.1", "::2", "2001:db9::1", "192.0.2.8", "", "nonsense"]) {
      expect([address, isTrusted(address)]).toEqual([address, false]);
    }
  });

  it("names the range that is none", () => {
    expect(() => createTrustedAddresses(["10.0.0.0"])).toThrow(/PRESENT_TRUSTED_CIDRS: 10\.0\.0\.0 /);
  });
});
