import { describe, expect, it } from "vitest";
import type { CarrierCredential } from "../../../src/account/carrier-credentials.store.js";
import {
  CACHED_CREDENTIAL_TTL_MS,
  CACHED_CREDENTIALS_MAX,
  CredentialCache,
} from "../../../src/webhooks/inbound/hosting.js";
import { ids } from "../../support/world.js";

const credential = (): CarrierCredential => ({
  id: ids.next("crd"),
  carrier: "twilio",
  accountId: null,
  secrets: {},
  intercept: "reject",
});

class HandClock {
  ms = 0;
  monotonicMs(): number {
    return this.ms;
  }
}

describe("remembered credentials", () => {
  it("are those last put, by carrier and number", () => {
    const cache = new CredentialCache(new HandClock());
    const [one, two] = [credential(), credential()];
    cache.put("twilio", "+18885550100", one);
    cache.put("twilio", "+18885550100", two);
    expect(cache.get("twilio", "+18885550100")).toBe(two);
    expect(cache.get("signalwire", "+18885550100")).toBe(null);
    expect(cache.get("twilio", "+18885550101")).toBe(null);
  });

  it("are forgotten after their time, which each confirmation starts again", () => {
    const clock = new HandClock();
    const cache = new CredentialCache(clock);
    cache.put("twilio", "a", credential());
    clock.ms = CACHED_CREDENTIAL_TTL_MS - 1;
    cache.put("twilio", "a", credential());
    clock.ms = 2 * CACHED_CREDENTIAL_TTL_MS - 2;
    expect(cache.get("twilio", "a")).not.toBe(null);
    clock.ms++;
    expect(cache.get("twilio", "a")).toBe(null);
  });

  it("are forgotten when a credential was changed", () => {
    const cache = new CredentialCache(new HandClock());
    cache.put("twilio", "a", credential());
    cache.clear();
    expect(cache.get("twilio", "a")).toBe(null);
  });

  it("are bounded; the one confirmed longest ago goes first", () => {
    const cache = new CredentialCache(new HandClock());
    const one = credential();
    for (let i = 0; i < CACHED_CREDENTIALS_MAX; i++) cache.put("twilio", String(i), one);
    cache.put("twilio", "0", one);
    cache.put("twilio", "new", one);
    expect(cache.get("twilio", "0")).toBe(one);
    expect(cache.get("twilio", "1")).toBe(null);
    expect(cache.get("twilio", "2")).toBe(one);
  });
});
