import { getCountries, getCountryCallingCode } from "libphonenumber-js/min";
import { describe, expect, it } from "vitest";
import { callingCodeOf } from "../../src/telephony/calling-code.js";

describe("callingCodeOf", () => {
  it.each(getCountries().map((country) => [country, `+${getCountryCallingCode(country)}`]))("%s: %s", (_, code) => {
    for (const rest of ["0000000", "9999999", "2079460018"]) expect(callingCodeOf(code + rest)).toBe(code);
  });

  it("codes of no country have three digits", () => {
    expect(callingCodeOf("+80012345678")).toBe("+800");
    expect(callingCodeOf("+883510000094")).toBe("+883");
  });
});
