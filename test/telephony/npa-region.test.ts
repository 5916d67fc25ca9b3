import { parsePhoneNumberFromString } from "libphonenumber-js/max";
import { describe, expect, it } from "vitest";
import { classifyNumber } from "../../src/telephony/npa.js";
import { isDomesticNumber, npasBeside, type NpaRegion, regionsOfNpa } from "../../src/telephony/npa-region.js";

const EVERY_CODE = Array.from({ length: 800 }, (_, i) => String(200 + i));
const KNOWN = EVERY_CODE.filter((npa) => regionsOfNpa(npa).length > 0);
const countOf = (prefix: RegExp) =>
  KNOWN.filter((npa) => regionsOfNpa(npa).some((region) => prefix.test(region))).length;

describe("the table of area codes", () => {
  it("has the geographic codes of the whole plan", () => {
    expect(countOf(/^US-(?!AS|GU|MP|PR|VI)/)).toBe(371);
    expect(countOf(/^US-(AS|GU|MP|PR|VI)/)).toBe(6);
    expect(countOf(/^CA-/)).toBe(56);
    expect(countOf(/^[A-Z]{2}$/)).toBe(21);
    expect(KNOWN).toHaveLength(371 + 6 + 56 + 21);
  });

  it("covers the 50 states and the District, the territories, and Canada's provinces and territories", () => {
    const regions = new Set(KNOWN.flatMap((npa) => regionsOfNpa(npa)));
    const states = [...regions].filter((region) => /^US-(?!AS|GU|MP|PR|VI)/.test(region));
    const provinces = [...regions].filter((region) => region.startsWith("CA-"));
    expect([states.length, provinces.length]).toEqual([51, 13]);
  });

  it("gives a code one region, but for those that serve several", () => {
    const shared = KNOWN.filter((npa) => regionsOfNpa(npa).length > 1);
    expect(Object.fromEntries(shared.map((npa) => [npa, regionsOfNpa(npa)]))).toEqual({
      "782": ["CA-NS", "CA-PE"],
      "867": ["CA-NT", "CA-NU", "CA-YT"],
      "902": ["CA-NS", "CA-PE"],
    });
  });

  it("lists each code once in its region, and no toll-free, premium or service code", () => {
    for (const npa of KNOWN) {
      expect(npa).toMatch(/^[2-9]\d\d$/);
      expect(npa.endsWith("11")).toBe(false);
      expect(classifyNumber(`+1${npa}5550100`).type).toBe("local");
    }
    expect(regionsOfNpa("900")).toEqual([]);
    expect(regionsOfNpa("500")).toEqual([]);
    expect(npasBeside("415").length).toBe(new Set(npasBeside("415")).size);
  });

  it("misses no code under which the numbering library knows numbers, and has each in the library's country", () => {
    const missing: string[] = [];
    const misplaced: string[] = [];
    for (const npa of EVERY_CODE) {
      const number = parsePhoneNumberFromString(`+1${npa}2345678`);
      if (number?.isValid() !== true || !["US", "CA", "PR"].includes(number.country ?? "")) continue;
      if (!/FIXED_LINE|MOBILE/.test(number.getType() ?? "")) continue;
      const regions = regionsOfNpa(npa);
      if (regions.length === 0) missing.push(npa);
      else if (!regions.every((region) => region.startsWith(number.country === "CA" ? "CA-" : "US-")))
        misplaced.push(npa);
    }
    expect([missing, misplaced]).toEqual([[], []]);
  });
});

describe("regionsOfNpa", () => {
  // One code of each, from what everybody knows: capitals and largest cities.
  it.each<[string, NpaRegion]>([
    ["334", "US-AL"],
    ["907", "US-AK"],
    ["602", "US-AZ"],
    ["501", "US-AR"],
    ["415", "US-CA"],
    ["303", "US-CO"],
    ["860", "US-CT"],
    ["302", "US-DE"],
    ["202", "US-DC"],
    ["305", "US-FL"],
    ["404", "US-GA"],
    ["808", "US-HI"],
    ["208", "US-ID"],
    ["312", "US-IL"],
    ["317", "US-IN"],
    ["515", "US-IA"],
    ["316", "US-KS"],
    ["502", "US-KY"],
    ["504", "US-LA"],
    ["207", "US-ME"],
    ["410", "US-MD"],
    ["617", "US-MA"],
    ["313", "US-MI"],
    ["612", "US-MN"],
    ["601", "US-MS"],
    ["314", "US-MO"],
    ["406", "US-MT"],
    ["402", "US-NE"],
    ["702", "US-NV"],
    ["603", "US-NH"],
    ["201", "US-NJ"],
    ["505", "US-NM"],
    ["212", "US-NY"],
    ["704", "US-NC"],
    ["701", "US-ND"],
    ["614", "US-OH"],
    ["405", "US-OK"],
    ["503", "US-OR"],
    ["215", "US-PA"],
    ["401", "US-RI"],
    ["803", "US-SC"],
    ["605", "US-SD"],
    ["615", "US-TN"],
    ["512", "US-TX"],
    ["801", "US-UT"],
    ["802", "US-VT"],
    ["804", "US-VA"],
    ["206", "US-WA"],
    ["304", "US-WV"],
    ["414", "US-WI"],
    ["307", "US-WY"],
    ["787", "US-PR"],
    ["340", "US-VI"],
    ["671", "US-GU"],
    ["684", "US-AS"],
    ["670", "US-MP"],
    ["403", "CA-AB"],
    ["604", "CA-BC"],
    ["204", "CA-MB"],
    ["506", "CA-NB"],
    ["709", "CA-NL"],
    ["416", "CA-ON"],
    ["514", "CA-QC"],
    ["306", "CA-SK"],
    ["876", "JM"],
    ["809", "DO"],
    ["242", "BS"],
    ["441", "BM"],
  ])("%s is in %s", (npa, region) => {
    expect(regionsOfNpa(npa)).toEqual([region]);
  });
});

describe("npasBeside", () => {
  it("names the other codes of the state, overlays and far ends alike, ascending", () => {
    expect(npasBeside("206")).toEqual(["253", "360", "425", "509", "564"]);
    expect(npasBeside("628")).toContain("213");
    expect(npasBeside("628")).not.toContain("628");
    expect(npasBeside("782")).toEqual(["902"]);
  });

  it("knows none beside a state's only code, a code of the north of Canada, or no geographic code", () => {
    for (const npa of ["307", "867", "800", "411", "999"]) expect(npasBeside(npa)).toEqual([]);
  });

  it("is mutual", () => {
    for (const npa of KNOWN) for (const other of npasBeside(npa)) expect(npasBeside(other)).toContain(npa);
  });
});

describe("isDomesticNumber", () => {
  it.each(["+18005550100", "+14155550100", "+14165550100", "+17875550100", "+16715550100"])("%s is", (number) => {
    expect(isDomesticNumber(number)).toBe(true);
  });
  it.each([
    ["a Caribbean number that looks the same", "+18765550100"],
    ["a premium number", "+19005550100"],
    ["a premium exchange", "+14159765501"],
    ["a service code", "+14159115501"],
    ["an area code that nobody has", "+12115550100"],
    ["a number abroad", "+442079460100"],
  ])("%s is not", (_what, number) => {
    expect(isDomesticNumber(number)).toBe(false);
  });
});
