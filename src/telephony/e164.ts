/** E.164 numbers (ITU-T E.164 §6): the only form a number has inside the service. Parsed once, at the edges. */
import {
  type CountryCode,
  getCountryCallingCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
} from "libphonenumber-js/min";
import { nanpAreaCode } from "./npa.js";

export type E164 = string & { readonly __e164: true };

const E164_PATTERN = /^\+[1-9]\d{6,14}$/;
/** Longer input is no phone number; the limit keeps the parser from reading novels. */
const INPUT_CHARS_MAX = 64;

/** Accepts exactly E.164 (`+18885550100`). A number of the North American plan must have ten digits and an area code 2XX–9XX. */
export function parseE164(text: string): E164 | null {
  if (!E164_PATTERN.test(text)) return null;
  if (text.startsWith("+1") && nanpAreaCode(text) === null) return null;
  return text as E164;
}

/**
 * Reads a number as people and carriers write it: `(888) 555-0100`, `1-888-555-0100`, `0018885550100`, `+1 888 555 0100`.
 * @param country ISO 3166 code for national forms and the country's own international prefix (011, 0011, 010 …), e.g. "US"
 * @returns null for anything that is no dialable number (letters, service codes, "anonymous")
 */
export function normalizeNumber(text: string, country = "US"): E164 | null {
  const trimmed = text.trim();
  if (trimmed.length === 0 || trimmed.length > INPUT_CHARS_MAX) return null;
  const exact = parseE164(trimmed);
  if (exact !== null) return exact;
  if (!/^[+\d\s().\u00a0\u2010-\u2015/-]+$/.test(trimmed)) return null;
  const home = countryOrUs(country);
  const parsed = parsePhoneNumberFromString(withoutDoubleZero(trimmed, home), home);
  if (parsed === undefined || !parsed.isPossible()) return null;
  return parseE164(parsed.number);
}

/** 00 is how carriers of every country write +; only where 00 begins the country's own, longer prefix (Australia's 0011) is that one taken off. */
function withoutDoubleZero(text: string, home: CountryCode): string {
  if (!text.startsWith("00")) return text;
  const abroad = parsePhoneNumberFromString(text, home);
  if (abroad?.isValid() === true && abroad.countryCallingCode !== getCountryCallingCode(home)) return abroad.number;
  return `+${text.slice(2)}`;
}

/** The last four digits, the only part of a caller's number shown by default. */
export function lastFour(number: string): string {
  return number.slice(-4);
}

function countryOrUs(country: string): CountryCode {
  return isSupportedCountry(country) ? country : "US";
}
