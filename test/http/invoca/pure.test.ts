import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hangupCauseOf } from "../../../src/http/invoca/hangup-cause.js";
import { chooseLocalNumbers } from "../../../src/http/invoca/local-center.js";
import { dashed, masked, nationalDigits } from "../../../src/http/invoca/national-number.js";
import { readSignalTime } from "../../../src/http/invoca/signal-time.js";
import { chooseColumns, DEFAULT_COLUMNS } from "../../../src/http/invoca/transaction-columns.js";
import { transactionIdOf, transactionKeyOf } from "../../../src/http/invoca/transaction-id.js";
import { instantOf, localText, objectText, xmlText } from "../../../src/http/invoca/zoned-time.js";
import { trackingUrlOf } from "../../../src/http/invoca/allocate.js";
import { regionOfZip } from "../../../src/telephony/zip-region.js";
import { ids } from "../../support/world.js";

const LA = "America/Los_Angeles";

describe("transaction ids", () => {
  it("fit Invoca's shape and lead back", () => {
    for (const prefix of ["call", "sig"] as const) {
      for (let i = 0; i < 200; i++) {
        const id = ids.next(prefix);
        const shown = transactionIdOf(id);
        expect(shown).toMatch(/^[0-9A-Z-]{1,32}$/);
        expect(transactionKeyOf(shown)?.id).toBe(id);
        expect(transactionKeyOf(` ${shown.toLowerCase()} `)?.id).toBe(id);
      }
    }
  });

  it("nothing else is one", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const key = transactionKeyOf(text);
        if (key !== null) expect(transactionIdOf(key.id)).toBe(text.trim().toUpperCase());
      }),
    );
    expect(transactionKeyOf("FE7F3A51-11111111")).toBeNull();
    expect(transactionKeyOf("")).toBeNull();
  });
});

describe("times", () => {
  const ONE_PM_PACIFIC = Date.parse("2016-04-11T20:00:00Z");
  it.each([
    ["1460404800", ONE_PM_PACIFIC],
    [1_460_404_800, ONE_PM_PACIFIC],
    ["1460404800123", ONE_PM_PACIFIC + 123],
    ["20160411200000007", ONE_PM_PACIFIC + 7],
    ["2016/04/11T23:00:00.000+03:00", ONE_PM_PACIFIC],
    ["2016/04/11T13:00:00.5-07:00", ONE_PM_PACIFIC + 500],
    ["2016-04-11T20:00:00Z", ONE_PM_PACIFIC],
    ["2016/04/11 13:00:00.000 PM", ONE_PM_PACIFIC],
    ["2016/04/11 01:00:00 PM", ONE_PM_PACIFIC],
    ["2016/04/11 12:00:00 AM", ONE_PM_PACIFIC - 13 * 3_600_000],
    ["2016/04/11 12:00:00.250 PM", ONE_PM_PACIFIC - 3_600_000 + 250],
    ["2016/02/30 12:00:00 PM", null],
    ["2016-04-11T24:00:00Z", null],
    ["0016-04-11T20:00:00Z", null],
    ["9999-12-31T23:59:59Z", Date.parse("9999-12-31T23:59:59Z")],
    ["9999-12-31T23:59:59-00:01", null],
    ["yesterday", null],
    ["14604048", null],
    ["", null],
  ])("%s", (text, at) => expect(readSignalTime(text, LA)).toBe(at));

  it("are written in the account's zone, summer and winter", () => {
    expect(localText(Date.parse("2019-01-24T14:43:15.900Z"), LA)).toBe("2019-01-24 06:43:15 -08:00");
    expect(xmlText(Date.parse("2019-07-24T13:43:15Z"), LA)).toBe("2019-07-24T06:43:15-07:00");
    expect(objectText(Date.parse("2023-10-19T10:49:21Z"), LA)).toBe("2023-10-19 03:49:21 -0700");
    expect(localText(Date.parse("2026-01-01T00:00:00Z"), "Asia/Kathmandu")).toBe("2026-01-01 05:45:00 +05:45");
  });

  it("a day begins at its own midnight, also when the clock changes", () => {
    const start = (day: string) => new Date(instantOf(Date.parse(day), LA)).toISOString();
    expect(start("2026-03-08")).toBe("2026-03-08T08:00:00.000Z");
    expect(start("2026-03-09")).toBe("2026-03-09T07:00:00.000Z");
    expect(start("2026-11-02")).toBe("2026-11-02T08:00:00.000Z");
  });
});

it("numbers are ten digits, or with dashes; others stay", () => {
  expect([nationalDigits("+18883906665"), dashed("+18883906665")]).toEqual(["8883906665", "888-390-6665"]);
  expect([nationalDigits("+442079460000"), dashed("+442079460000")]).toEqual(["442079460000", "+442079460000"]);
  expect([masked("1234"), masked("34")]).toEqual(["XXX-XXX-1234", "XXX-XXX-XX34"]);
});

it.each([
  ["https://a.example/p", "https://a.example/p?sid=8&PPCPN=8"],
  ["http://a.example/p?q=%zz#top#x", "http://a.example/p?q=%zz&sid=8&PPCPN=8#top#x"],
  ["https://a.example/?sid=1&a=b&PPCPN=2&", "https://a.example/?a=b&sid=8&PPCPN=8"],
  ["https://a.example/?side=1&next=/x?sid=2", "https://a.example/?side=1&next=/x?sid=2&sid=8&PPCPN=8"],
  ["javascript:alert(1)", null],
  ["/relative", null],
])("tracking link of %s", (page, link) => expect(trackingUrlOf(page, "8")).toBe(link));

describe("local numbers", () => {
  const choose = (center?: object, preferences?: object, whitelist: string[] = []) =>
    chooseLocalNumbers({ center: center as never, preferences: preferences as never, whitelist });
  const local = (npa: string, npaFallback: string[]) => ({
    kind: "local",
    numbers: { numberType: "local", npa, npaFallback },
  });
  it.each([
    ["nothing", undefined, undefined, [], null],
    ["nothing but empty fields", { tn_prefix: "", zipcode: " " }, undefined, [], null],
    ["an area code", { tn_prefix: "805" }, undefined, [], local("805", ["same_state", "toll_free"])],
    [
      "an area code, and wait",
      { tn_prefix: "805" },
      { allocation_fallback_strategy: "Wait" },
      [],
      local("805", ["same_state", "wait"]),
    ],
    ["an area code and none beside it", { tn_prefix: "805" }, undefined, ["805"], local("805", ["toll_free"])],
    ["a ZIP code", { zipcode: "90210" }, undefined, [], local("209", ["same_state", "toll_free"])],
    [
      "a ZIP code and an area code of its state",
      { zipcode: "90210" },
      undefined,
      ["212", "310"],
      local("310", ["same_state", "toll_free"]),
    ],
    ["a city", { city: "Santa Barbara", state: "ca" }, undefined, [], local("209", ["same_state", "toll_free"])],
    ["coordinates", { latitude: 45, longitude: 45 }, undefined, [], { kind: "unknown_place", mayUseTollFree: true }],
    ["coordinates and an area code", { latitude: 45, longitude: 45 }, undefined, ["455"], local("455", ["toll_free"])],
    ["an unknown key", { planet: "Mars" }, undefined, [], { kind: "refused", message: "Invalid Key in Local Center." }],
    [
      "an unknown strategy",
      { tn_prefix: "805" },
      { allocation_fallback_strategy: "Hope" },
      [],
      { kind: "refused", message: expect.any(String) },
    ],
  ])("%s", (_name, center, preferences, whitelist, expected) =>
    expect(choose(center, preferences, whitelist)).toEqual(expected),
  );

  it.each([
    ["90210", "US-CA"],
    ["10001", "US-NY"],
    ["00501", "US-NY"],
    ["96201", null],
    ["02139-4307", "US-MA"],
    ["99501", "US-AK"],
    ["73301", "US-TX"],
    ["9021", null],
  ])("ZIP code %s", (zip, region) => expect(regionOfZip(zip)).toBe(region));
});

describe("columns", () => {
  it("by default Invoca's, utm_* and click ids, and what the rows have beside them", () => {
    const columns = chooseColumns({ include: [], exclude: [], found: ["site", "utm_source"] });
    expect(columns.slice(0, DEFAULT_COLUMNS.length)).toEqual(DEFAULT_COLUMNS);
    expect(columns).toContain("gclid");
    expect(columns.filter((name) => name === "utm_source")).toHaveLength(1);
    expect(columns.at(-1)).toBe("site");
    expect(columns).not.toContain("custom_data");
  });

  it("a name that is included is kept beside an excluded constant, and never against an excluded name", () => {
    const only = {
      include: ["transaction_id", "$invoca_custom_columns"],
      exclude: ["$invoca_default_columns"],
      found: ["site"],
    };
    expect(chooseColumns(only)).toEqual([
      "transaction_id",
      ...chooseColumns({ ...only, include: ["$invoca_custom_columns"], exclude: [] }),
    ]);
    expect(chooseColumns({ include: ["duration", "notes"], exclude: ["notes"], found: [] })).toEqual(["duration"]);
    const sources = chooseColumns({ include: ["$invoca_custom_source_columns"], exclude: [], found: ["site"] });
    expect(sources).toContain("site.source");
  });

  it("a custom field never takes a standard column's place", () => {
    const columns = chooseColumns({ include: ["$invoca_custom_columns"], exclude: [], found: ["transaction_id"] });
    expect(columns).not.toContain("transaction_id");
  });
});

it.each([
  ["completed", "caller", "200", "Caller: Hang-up"],
  ["completed", "callee", "200", "Destination: Hang-up"],
  ["completed", "system", "max_duration", "Invoca: Max Call Duration"],
  ["busy", null, "486", "Destination: Busy"],
  ["no_answer", null, "480", "Destination: No Answer"],
  ["failed", null, "404", "Destination: Number Not in Service"],
  ["failed", null, "503", "Destination: Error (503 or Fast Busy)"],
  ["canceled", "caller", null, "Caller: Hang-up"],
  ["intercepted", "system", null, "IVR: Hang-up"],
  ["ringing", null, null, null],
] as const)("a call that is %s by %s (%s)", (status, releasedBy, hangupCause, said) => {
  expect(hangupCauseOf({ status, releasedBy, hangupCause, answeredAt: null })).toBe(said);
});
