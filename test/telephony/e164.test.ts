import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lastFour, normalizeNumber, parseE164 } from "../../src/telephony/e164.js";
import { classifyNumber, nanpAreaCode } from "../../src/telephony/npa.js";

const digit = fc.integer({ min: 0, max: 9 });
const nanp = fc
  .tuple(
    fc.integer({ min: 2, max: 9 }),
    digit,
    digit,
    fc.integer({ min: 2, max: 9 }),
    fc.array(digit, { minLength: 6, maxLength: 6 }),
  )
  .map(([a, b, c, d, rest]) => `${a}${b}${c}${d}${rest.join("")}`);

describe("normalizeNumber", () => {
  it("reads a North American number however it is written", () => {
    fc.assert(
      fc.property(nanp, (ten) => {
        const [npa, exchange, line] = [ten.slice(0, 3), ten.slice(3, 6), ten.slice(6)];
        const forms = [
          `+1${ten}`,
          `1${ten}`,
          ten,
          `(${npa}) ${exchange}-${line}`,
          `${npa}.${exchange}.${line}`,
          `1-${npa}-${exchange}-${line}`,
          ` +1 ${npa} ${exchange} ${line} `,
          `001${ten}`,
          `${npa}\u2011${exchange}\u00a0${line}`,
        ];
        for (const form of forms) expect([form, normalizeNumber(form)]).toEqual([form, `+1${ten}`]);
      }),
    );
  });

  it("gives E.164 or nothing for any text, and E.164 stays what it is", () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."0123456789+-() .".split("")) }));
    fc.assert(
      fc.property(text, fc.constantFrom("US", "GB", "DE", "xx", ""), (input, country) => {
        const number = normalizeNumber(input, country);
        if (number === null) return;
        expect(number).toMatch(/^\+[1-9]\d{6,14}$/);
        expect(parseE164(number)).toBe(number);
        expect(normalizeNumber(number, country)).toBe(number);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["020 7946 0018", "GB", "+442079460018"],
    ["0044 20 7946 0018", "US", "+442079460018"],
    ["+49 (30) 901820", "US", "+4930901820"],
  ])("reads %s of %s", (text, country, expected) => {
    expect(normalizeNumber(text, country)).toBe(expected);
  });

  it.each([
    "",
    " ",
    "anonymous",
    "1-800-FLOWERS",
    "*67",
    "911",
    "+",
    "+1",
    "+0123456789",
    "+18005550100x",
    "1".repeat(65),
    "sip:a@b",
    "+1800555010\u0660",
  ])("is nothing: %j", (text) => {
    expect(normalizeNumber(text)).toBeNull();
  });
});

describe("parseE164", () => {
  it.each(["+18005550100", "+442079460018", "+4930901820"])("takes %s", (text) => expect(parseE164(text)).toBe(text));

  it.each([
    "18005550100",
    "+1800555010",
    "+180055501000",
    "+11005550100",
    "+1 8005550100",
    "+18005550100\n",
    "+1234567890123456",
  ])("refuses %j", (text) => expect(parseE164(text)).toBeNull());
});

describe("number types", () => {
  it("are toll-free exactly for the toll-free area codes", () => {
    fc.assert(
      fc.property(nanp, (ten) => {
        const npa = ten.slice(0, 3);
        const isTollFree = ["800", "822", "833", "844", "855", "866", "877", "888"].includes(npa);
        expect(classifyNumber(`+1${ten}`)).toEqual({ type: isTollFree ? "toll_free" : "local", npa });
      }),
    );
    expect(classifyNumber("+18885550100").type).toBe("toll_free");
  });

  it("outside North America are local without an area code", () => {
    expect(classifyNumber("+442079460018")).toEqual({ type: "local", npa: null });
    expect(nanpAreaCode("+442079460018")).toBeNull();
  });

  it("shows the last four digits", () => expect(lastFour("+14155550123")).toBe("0123"));
});
