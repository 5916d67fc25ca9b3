/** How networks spell a call, and which calls they are told: the pure rules. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isGa4EventName } from "../../../../src/account/outgoing/ga4-names.js";
import { consentTo } from "../../../../src/attribution/exports/ad-consent.js";
import { changeOf } from "../../../../src/webhooks/outbound/conversions/conversion-change.js";
import {
  clientIdOf,
  ga4Event,
  type Ga4Payload,
  isTaken,
  sessionIdOf,
} from "../../../../src/webhooks/outbound/conversions/ga4-event.js";
import { googleAdsEvent } from "../../../../src/webhooks/outbound/conversions/google-ads-event.js";
import { metaEvent } from "../../../../src/webhooks/outbound/conversions/meta-event.js";
import { customText, type TellableCall } from "../../../../src/webhooks/outbound/conversions/tellable-call.js";

const AT = Date.UTC(2026, 10, 23, 17, 42, 0, 123);
const call: TellableCall = {
  callId: "call_1",
  receivedAt: AT,
  outcome: "matched",
  status: "completed",
  talkMs: 93_400,
  touch: { gclid: "gclid-1", fbclid: "fbclid_1" },
  conversion: true,
  revenue: 120.5,
  currency: "EUR",
  visitorId: "vis_1",
  presentedAt: AT - 60_000,
  customData: {
    ga_client_id: "GA1.1.1234567.1700000000",
    session: "GS1.1.1700000001.3.1",
    fbp: "fb.1.1700000000000.987654321",
  },
  consent: { ad_user_data: "granted", ad_personalization: "denied" },
};
const ga4Settings = { event_name: "phone_call", client_id_field: "ga_client_id", session_id_field: "session" };
const googleSettings = {
  operating_account_id: "1234567890",
  login_account_id: null,
  conversion_action_id: "77",
  validate_only: false,
  min_talk_s: null,
};
const metaSettings = { event_name: "Lead", fbp_field: "fbp", test_event_code: null, min_talk_s: null };
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const metaOf = (changes: Partial<TellableCall>, caller: string | null = null, settings = {}) =>
  metaEvent({ call: { ...call, ...changes }, settings: { ...metaSettings, ...settings }, caller, sha256 });

describe("consent", () => {
  it.each([
    ["granted", "granted"],
    ["GRANTED ", "granted"],
    [true, "granted"],
    [1, "granted"],
    ["yes", "granted"],
    ["denied", "denied"],
    ["Denied", "denied"],
    [false, "denied"],
    [0, "denied"],
    ["0", "denied"],
    ["no", "denied"],
    [null, "unknown"],
    ["", "unknown"],
    [2, "unknown"],
    ["later", "unknown"],
  ])("%j means %s", (given, answer) => {
    expect(consentTo({ ad_storage: given }, "ad_storage")).toBe(answer);
    expect(consentTo({ ad_storage: given }, "ad_user_data")).toBe("unknown");
  });

  it("is unknown where none was given, whatever objects inherit", () => {
    expect(consentTo(null, "ad_storage")).toBe("unknown");
    expect(consentTo(Object.create({ ad_storage: "denied" }), "ad_storage")).toBe("unknown");
  });
});

describe("Google Analytics", () => {
  it("gets the browser's client id, session, time, value and consent", () => {
    expect(ga4Event(call, ga4Settings)).toEqual({
      kind: "event",
      who: "1234567.1700000000",
      at: AT,
      payload: {
        client_id: "1234567.1700000000",
        timestamp_micros: AT * 1000,
        consent: { ad_user_data: "GRANTED", ad_personalization: "DENIED" },
        events: [
          {
            name: "phone_call",
            params: {
              session_id: "1700000001",
              engagement_time_msec: 93_400,
              call_id: "call_1",
              talk_seconds: 93,
              value: 120.5,
              currency: "EUR",
            },
          },
        ],
      },
    });
  });

  it("gets nothing without a client id, and no consent block where nothing is known", () => {
    const bare = { ...call, customData: { ga_client_id: 12.5 } };
    expect(ga4Event(bare, ga4Settings)).toEqual({ kind: "skipped", reason: "no_client_id" });
    const silent = ga4Event({ ...call, consent: { ad_user_data: "later" }, revenue: null, talkMs: null }, ga4Settings);
    expect(silent).toMatchObject({ kind: "event", payload: { events: [{ params: { engagement_time_msec: 1 } }] } });
    expect(JSON.stringify(silent)).not.toMatch(/consent|value|currency|talk/);
  });

  it.each([
    ["GA1.1.1234567.1700000000", "1234567.1700000000"],
    ["GA1.2-2.1234567.1700000000", "1234567.1700000000"],
    ["1234567.1700000000", "1234567.1700000000"],
    ["own-id", "own-id"],
    ["with space", null],
    ["x".repeat(101), null],
  ])("reads the client id of %s", (text, expected) => expect(clientIdOf(text)).toBe(expected));

  it.each([
    ["1700000001", "1700000001"],
    ["GS1.1.1700000001.3.1.1700000009.0.0.0", "1700000001"],
    ["GS2.1.s1700000001$o3$g1", "1700000001"],
    ["abc", null],
  ])("reads the session id of %s", (text, expected) => expect(sessionIdOf(text)).toBe(expected));

  it.each([
    ["phone_call", true],
    ["session_start", false],
    ["ga_call", false],
    ["9calls", false],
    ["a".repeat(40), true],
    ["a".repeat(41), false],
    ["phone call", false],
  ])("takes an event named %s: %s", (name, isFine) => expect(isGa4EventName(name)).toBe(isFine));

  it("is never sent what it would drop", () => {
    const payload = (params: Record<string, string | number>): Ga4Payload => ({
      client_id: "1.2",
      timestamp_micros: 1,
      events: [{ name: "phone_call", params }],
    });
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, n]));
    expect(isTaken(payload(many(25)))).toBe(true);
    expect(isTaken(payload(many(26)))).toBe(false);
    expect(isTaken(payload({ text: "x".repeat(100) }))).toBe(true);
    expect(isTaken(payload({ text: "x".repeat(101) }))).toBe(false);
    expect(isTaken(payload({ ga_x: 1 }))).toBe(false);
    expect(isTaken(payload({ value: Number.NaN }))).toBe(false);
    expect(ga4Event({ ...call, callId: "c".repeat(101) }, ga4Settings)).toEqual({
      kind: "skipped",
      reason: "invalid_event",
    });
  });

  it("whatever pages put into custom data, is sent a client id that fits, or nothing", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("ga_client_id", "session"), fc.anything()), (customData) => {
        const made = ga4Event({ ...call, customData }, ga4Settings);
        if (made.kind === "skipped") return;
        const { client_id: clientId, events } = made.payload as Ga4Payload;
        expect(clientId).toMatch(/^[\x21-\x7e]{1,100}$/);
        expect(String(events[0].params["session_id"] ?? "0")).toMatch(/^\d+$/);
      }),
    );
  });
});

describe("Google Ads", () => {
  it("gets the click id, the call's id as transaction, value and consent", () => {
    expect(googleAdsEvent(call, googleSettings)).toEqual({
      kind: "event",
      who: "gclid=gclid-1",
      at: AT,
      payload: {
        destinations: [
          {
            operatingAccount: { accountType: "GOOGLE_ADS", accountId: "1234567890" },
            loginAccount: { accountType: "GOOGLE_ADS", accountId: "1234567890" },
            productDestinationId: "77",
          },
        ],
        events: [
          {
            transactionId: "call_1",
            eventTimestamp: "2026-11-23T17:42:00.123Z",
            eventSource: "PHONE",
            adIdentifiers: { gclid: "gclid-1" },
            conversionValue: 120.5,
            currency: "EUR",
            consent: { adUserData: "CONSENT_GRANTED", adPersonalization: "CONSENT_DENIED" },
          },
        ],
        validateOnly: false,
      },
    });
  });

  it("gets one click id of several, and nothing without any", () => {
    const of = (touch: Record<string, string>) =>
      googleAdsEvent({ ...call, touch }, { ...googleSettings, login_account_id: "9876543210" });
    expect(of({ wbraid: "w", gbraid: "b" })).toMatchObject({
      payload: {
        destinations: [{ loginAccount: { accountId: "9876543210" } }],
        events: [{ adIdentifiers: { gbraid: "b" } }],
      },
    });
    expect(of({ msclkid: "m" })).toEqual({ kind: "skipped", reason: "no_click_id" });
  });
});

describe("Meta", () => {
  it("gets seconds, the call's id, the click and hashes, the number only when told it", () => {
    const made = metaOf({}, "+14155550123");
    expect(made).toEqual({
      kind: "event",
      who: "fbclid_1 fb.1.1700000000000.987654321",
      at: AT,
      payload: {
        data: [
          {
            event_name: "Lead",
            event_time: Math.floor(AT / 1000),
            event_id: "call_1",
            action_source: "phone_call",
            user_data: {
              fbc: `fb.1.${AT - 60_000}.fbclid_1`,
              fbp: "fb.1.1700000000000.987654321",
              ph: [sha256("14155550123")],
              external_id: [sha256("vis_1")],
            },
            custom_data: { value: 120.5, currency: "EUR" },
          },
        ],
      },
    });
    expect(JSON.stringify(metaOf({}))).not.toContain('"ph"');
  });

  it("needs a click id or the browser's, and a purchase a value", () => {
    const nothing = { touch: {}, customData: { fbp: "fb.1.x" } };
    expect(metaOf(nothing)).toEqual({ kind: "skipped", reason: "no_click_id" });
    expect(metaOf({ touch: {} })).toMatchObject({ kind: "event" });
    expect(metaOf({ revenue: null }, null, { event_name: "Purchase" })).toEqual({
      kind: "skipped",
      reason: "no_value",
    });
    expect(metaOf({}, null, { test_event_code: "TEST1" })).toMatchObject({ payload: { test_event_code: "TEST1" } });
  });

  it("whatever a page says, is sent no click id that would break the form of fbc", () => {
    fc.assert(
      fc.property(fc.record({ fbclid: fc.string() }), (touch) => {
        const made = metaOf({ touch });
        const { data } = (made as { payload: { data: { user_data: { fbc?: string } }[] } }).payload;
        expect(data[0]?.user_data.fbc ?? "fb.1.1234567890123.x").toMatch(/^fb\.1\.\d{13}\.[\w.-]+$/);
      }),
    );
  });
});

describe("a conversion that was told", () => {
  const told = { who: "a", value: 10, currency: "USD" };
  it.each([
    [null, null, true, "nothing"],
    [null, told, false, "tell"],
    [told, told, true, "nothing"],
    [told, told, false, "nothing"],
    [told, { ...told, value: 11 }, true, "tell"],
    [told, { ...told, value: 11 }, false, "cannot_be_restated"],
    [told, { ...told, currency: "EUR" }, true, "tell"],
    [told, { ...told, who: "b" }, true, "cannot_be_restated"],
    [told, { ...told, who: "b", value: 11 }, true, "tell"],
    [told, { who: "a", value: null, currency: null }, true, "cannot_be_restated"],
    [{ who: "a", value: null, currency: null }, told, true, "tell"],
    [told, null, true, "cannot_be_taken_back"],
  ])("%j, now %j (restatable: %s): %s", (before, now, canRestate, expected) => {
    const change = changeOf({ told: before, now, canRestate });
    expect(change.kind === "skipped" ? change.reason : change.kind).toBe(expected);
  });
});

it("of several values of a custom field, the latest text counts", () => {
  const of = (value: unknown) => customText({ ...call, customData: { f: value } }, "f");
  expect(of(["a", "b"])).toBe("b");
  expect(of(" a ")).toBe("a");
  expect(of(["a", 1])).toBe(null);
  expect(of([])).toBe(null);
  expect(customText({ ...call, customData: {} }, "constructor")).toBe(null);
});
