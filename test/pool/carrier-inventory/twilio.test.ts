import { afterAll, afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/kernel/clock.js";
import { type CarrierFault, asAppError } from "../../../src/pool/carrier-inventory/carrier-fault.js";
import { webhooksOf } from "../../../src/pool/carrier-inventory/number-webhooks.js";
import { TwilioCarrier } from "../../../src/pool/carrier-inventory/twilio.js";
import type { E164 } from "../../../src/telephony/e164.js";
import { ACCOUNT_SID, AUTH_TOKEN, startFakeTwilio } from "../../support/fake-twilio.js";

const fake = await startFakeTwilio();
afterAll(() => fake.stop());

const carrierWith = (tokens: readonly string[], url = fake.url, timeoutMs = 500) =>
  new TwilioCarrier({ accountSid: ACCOUNT_SID, tokens }, { apiUrl: url, now: systemClock.now, timeoutMs });
const carrier = carrierWith([AUTH_TOKEN]);

afterEach(() => {
  fake.setTokens([AUTH_TOKEN]);
  fake.refusePurchases(null);
  fake.setConcurrencyMax(Number.POSITIVE_INFINITY);
});

const faultOf = (work: Promise<unknown>): Promise<CarrierFault> =>
  work.then(
    () => expect.fail("nothing was thrown"),
    (error: CarrierFault) => error,
  );

const BASES = { publicBaseUrl: "https://calls.example.com/", fallbackBaseUrl: null };

const wanted = (number: string, mark = `ringmatch ${number}`) => ({
  number: number as E164,
  mark,
  webhooks: webhooksOf(BASES, { carrier: "twilio", number: number as E164 }),
});

describe("Twilio's stock", () => {
  it("is searched by area code", async () => {
    const numbers = await carrier.searchStock({ type: "local", npa: "628", callingCode: null, limit: 3 });
    expect(numbers).toEqual(["+16282010000", "+16282010001", "+16282010002"]);
    const asked = new URL(fake.seen.at(-1)?.path ?? "", fake.url);
    expect(asked.pathname).toBe(`/2010-04-01/Accounts/${ACCOUNT_SID}/AvailablePhoneNumbers/US/Local.json`);
    expect(Object.fromEntries(asked.searchParams)).toEqual({
      AreaCode: "628",
      VoiceEnabled: "true",
      ExcludeAllAddressRequired: "true",
      PageSize: "3",
    });
  });

  it("is searched in the country of the area code", async () => {
    await carrier.searchStock({ type: "local", npa: "416", callingCode: null, limit: 1 });
    expect(fake.seen.at(-1)?.path).toContain("/AvailablePhoneNumbers/CA/Local.json");
  });

  it.each([
    ["+44", "GB"],
    ["+7", "RU"],
    ["+212", "MA"],
  ])("without area codes is searched in the country: %s in %s", async (callingCode, country) => {
    fake.setStock(country, [`${callingCode}2079460018`]);
    const numbers = await carrier.searchStock({ type: "local", npa: null, callingCode, limit: 2 });
    expect(fake.seen.at(-1)?.path).toContain(`/AvailablePhoneNumbers/${country}/Local.json`);
    expect(fake.seen.at(-1)?.path).not.toContain("AreaCode");
    expect(numbers).toEqual([`${callingCode}2079460018`]);
  });

  it("of a code that is no country's is refused", async () => {
    const fault = await faultOf(carrier.searchStock({ type: "local", npa: null, callingCode: "+999", limit: 2 }));
    expect(fault).toMatchObject({ kind: "refused", message: "Twilio lists no numbers of +999." });
  });

  it("of toll-free numbers needs no area code", async () => {
    const numbers = await carrier.searchStock({ type: "toll_free", npa: null, callingCode: null, limit: 2 });
    expect(fake.seen.at(-1)?.path).toContain("/AvailablePhoneNumbers/US/TollFree.json");
    expect(numbers).toHaveLength(2);
  });

  it("may be empty, which is no fault", async () => {
    fake.setStock("909", []);
    expect(await carrier.searchStock({ type: "local", npa: "909", callingCode: null, limit: 5 })).toEqual([]);
  });
});

describe("buying at Twilio", () => {
  it("sets the mark and every webhook in one request", async () => {
    const outcome = await carrier.buy(wanted("+14152010001", "ringmatch oit_1"));
    const number = fake.owned.get("+14152010001");
    expect(outcome).toEqual({ kind: "bought", ref: number?.sid });
    expect(number).toMatchObject({
      friendly_name: "ringmatch oit_1",
      voice_url: "https://calls.example.com/webhooks/twilio/voice",
      status_callback: "https://calls.example.com/webhooks/twilio/status",
      voice_fallback_url: "https://calls.example.com/v1/numbers/%2B14152010001/fallback?carrier=twilio",
    });
    expect(fake.seen.at(-1)?.form.get("VoiceFallbackMethod")).toBe("GET");
  });

  it("again, of the same number, buys nothing more", async () => {
    await carrier.buy(wanted("+14152010002"));
    const before = fake.bought.length;
    expect((await carrier.buy(wanted("+14152010002"))).kind).toBe("bought");
    expect(fake.bought.length).toBe(before);
  });

  it("sets no webhook without a public address", async () => {
    await carrier.buy({ ...wanted("+14152010003"), webhooks: null });
    expect(fake.owned.get("+14152010003")?.voice_url).toBeNull();
    const none = { publicBaseUrl: null, fallbackBaseUrl: "https://static.example.com" };
    expect(webhooksOf(none, { carrier: "twilio", number: "+14152010003" as E164 })).toBeNull();
  });

  it("sets the file of the static host as the fallback, where there is one", async () => {
    const number = "+14152010004" as E164;
    const bases = { ...BASES, fallbackBaseUrl: "https://static.example.com/ringmatch/" };
    await carrier.buy({ number, mark: "ringmatch oit_4", webhooks: webhooksOf(bases, { carrier: "twilio", number }) });
    expect(fake.owned.get(number)).toMatchObject({
      voice_url: "https://calls.example.com/webhooks/twilio/voice",
      voice_fallback_url: "https://static.example.com/ringmatch/twilio/14152010004.xml",
    });
    expect(fake.seen.at(-1)?.form.get("VoiceFallbackMethod")).toBe("GET");
  });

  it("of a number that is gone is told from a refusal", async () => {
    fake.setStock("661", ["+16612010000"]);
    expect(await carrier.buy(wanted("+16612010009"))).toEqual({ kind: "taken" });
    fake.refusePurchases({ code: 21404, message: "Trial accounts are allowed only one Twilio number" });
    expect(await carrier.buy(wanted("+16612010000"))).toEqual({
      kind: "refused",
      reason: "Twilio answered 400 (21404): Trial accounts are allowed only one Twilio number",
    });
  });
});

describe("what goes wrong at Twilio says what to do", () => {
  const buy = () => carrier.buy(wanted("+13102010000"));

  it.each([
    ["a wrong token", () => fake.setTokens(["another"]), "credentials"],
    [
      "429",
      () => fake.fail("POST", "IncomingPhoneNumbers", { kind: "status", status: 429, retryAfter: "7" }),
      "rate_limited",
    ],
    ["500", () => fake.fail("POST", "IncomingPhoneNumbers", { kind: "status", status: 500 }), "unknown_outcome"],
    ["503", () => fake.fail("POST", "IncomingPhoneNumbers", { kind: "status", status: 503 }), "unknown_outcome"],
    ["a lost request", () => fake.fail("POST", "IncomingPhoneNumbers", { kind: "request_lost" }), "unknown_outcome"],
    ["a lost answer", () => fake.fail("POST", "IncomingPhoneNumbers", { kind: "answer_lost" }), "unknown_outcome"],
    ["silence", () => fake.fail("POST", "IncomingPhoneNumbers", { kind: "silent" }), "unknown_outcome"],
    [
      "an answer of somebody else",
      () => fake.fail("POST", "IncomingPhoneNumbers", { kind: "garbage" }),
      "unknown_outcome",
    ],
  ])("%s", async (_name, arrange, kind) => {
    arrange();
    const fault = await faultOf(buy());
    expect(fault.kind).toBe(kind);
    expect(fault.isTemporary).toBe(kind !== "credentials");
  });

  it("nobody at the address: surely not done", async () => {
    const gone = await startFakeTwilio();
    await gone.stop();
    const fault = await faultOf(carrierWith([AUTH_TOKEN], gone.url).buy(wanted("+13102010001")));
    expect(fault.kind).toBe("unreachable");
  });

  it("Retry-After is kept, in seconds and as a date", async () => {
    fake.fail("GET", "IncomingPhoneNumbers", { kind: "status", status: 429, retryAfter: "7" });
    expect((await faultOf(carrier.listOwned(null))).retryAfterMs).toBe(7000);
    const at = new Date(Date.now() + 60_000).toUTCString();
    fake.fail("GET", "IncomingPhoneNumbers", { kind: "status", status: 429, retryAfter: at });
    const { retryAfterMs } = await faultOf(carrier.listOwned(null));
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
    expect(asAppError(await faultOf(limited()))).toMatchObject({ code: "carrier_unavailable", retryAfterS: 7 });
  });

  const limited = () => {
    fake.fail("GET", "IncomingPhoneNumbers", { kind: "status", status: 429, retryAfter: "7" });
    return carrier.listOwned(null);
  };

  it("too many requests at a time are a rate limit", async () => {
    fake.setConcurrencyMax(0);
    expect((await faultOf(carrier.listOwned(null))).kind).toBe("rate_limited");
  });

  it("no fault shows the token", async () => {
    fake.setTokens(["another"]);
    const away = carrierWith([AUTH_TOKEN], "http://127.0.0.1:9");
    for (const work of [buy, () => carrier.listOwned(null), () => away.buy(wanted("+13102010002"))]) {
      const fault = await faultOf(work());
      expect(JSON.stringify([fault.message, fault.stack, fault.cause])).not.toContain(AUTH_TOKEN);
      expect(asAppError(fault)).toHaveProperty("code");
    }
  });

  it("the second token is used while the first is being replaced", async () => {
    fake.setTokens(["new-token"]);
    const rotating = carrierWith([AUTH_TOKEN, "new-token"]);
    expect((await rotating.buy(wanted("+13102010003"))).kind).toBe("bought");
  });
});

describe("numbers owned at Twilio", () => {
  it("are found by mark or by number, exactly", async () => {
    await carrier.buy(wanted("+15102010001", "ringmatch oit_a"));
    await carrier.buy(wanted("+15102010002", "ringmatch oit_ab"));
    const [found, ...others] = await carrier.findOwned({ mark: "ringmatch oit_a" });
    expect([found?.number, others]).toEqual(["+15102010001", []]);
    expect((await carrier.findOwned({ number: "+15102010002" as E164 })).map(({ mark }) => mark)).toEqual([
      "ringmatch oit_ab",
    ]);
    expect(await carrier.findOwned({ number: "+1510201000" as E164 })).toEqual([]);
  });

  it("are listed page by page, each once", async () => {
    for (let i = 0; i < 1_500; i++) fake.add(`+1520${2_000_000 + i}`);
    const first = await carrier.listOwned(null);
    expect(first.numbers).toHaveLength(1000);
    const second = await carrier.listOwned(first.next);
    expect(second.next).toBeNull();
    const all = [...first.numbers, ...second.numbers].map(({ number }) => number);
    expect(new Set(all)).toEqual(new Set(fake.owned.keys()));
    expect(all.length).toBe(fake.owned.size);
  });

  it("are configured and given back; what is gone is told", async () => {
    const { sid } = fake.add("+15302000000");
    const webhooks = wanted("+15302000000").webhooks;
    if (webhooks === null) throw new Error("there are webhooks");
    expect(await carrier.configure(sid, webhooks)).toBe(true);
    expect(fake.owned.get("+15302000000")?.voice_url).toBe(webhooks.voiceUrl);
    expect(await carrier.release(sid)).toBe(true);
    expect(fake.owned.has("+15302000000")).toBe(false);
    expect(await carrier.release(sid)).toBe(false);
    expect(await carrier.configure(sid, webhooks)).toBe(false);
  });

  it("show where their calls go", async () => {
    fake.add("+15402000000", { trunk_sid: "TK1" });
    fake.add("+15402000001", { voice_application_sid: "AP1" });
    const steeredBy = async (number: string) => (await carrier.findOwned({ number: number as E164 }))[0]?.steeredBy;
    expect(await steeredBy("+15402000000")).toBe("trunk");
    expect(await steeredBy("+15402000001")).toBe("application");
  });
});
