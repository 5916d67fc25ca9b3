/** E.164 numbers taken apart and written, as small as a page can afford: no numbering plan but the lengths of country codes. Pure. */

/** ITU-T E.164, list of assigned country codes: one digit, the two-digit ones, else three. */
const COUNTRY = /^\+([17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|...)(.*)/;

/** Letters as on a telephone's keys (ITU-T E.161), from a to z. */
const KEYS = "22233344455566677778889999";

/** @returns the number, the digits of the country code, and those after it; nothing when it is no number */
export function splitNumber(number: string): readonly [number: string, country: string, national: string] {
  return (COUNTRY.exec(number) || []) as unknown as [string, string, string];
}

/** Digits and keypad letters of a written number, as digits: `1-800-FLOWERS` → `18003569377`. */
export function digitsOf(written: string): string {
  return written.replace(/\W/g, "").replace(/\D/g, (letter) => KEYS[parseInt(letter, 36) - 10]!);
}

/**
 * What somebody wrote as a number, read without knowing their country: with + as it says, else as a North American number.
 * @returns E.164, or "" when it cannot be told
 */
export function readNumber(written: string): string {
  const digits = digitsOf(written);
  if (written.includes("+")) return `+${digits}`;
  return /^1?[2-9]\d{9}$/.test(digits) ? `+1${digits.slice(-10)}` : "";
}
