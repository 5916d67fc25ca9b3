/** E.164 numbers taken apart and written, as small as a page can afford: no numbering plan but the lengths of country codes. Pure. */

/** ITU-T E.164 list of assigned country codes: one digit (1, 7), two digits (listed), else three. */
const COUNTRY = /^\+(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(?=\d)/;

/** Letters as on a telephone's keys (ITU-T E.161), from a to z. */
const KEYS = "22233344455566677778889999";

/** @returns the digits of the country code, "" if the number is none */
export function countryOf(number: string): string {
  return COUNTRY.exec(number)?.[1] ?? "";
}

/** @returns the digits after the country code */
export function nationalOf(number: string): string {
  return number.replace(COUNTRY, "");
}

/** Digits and keypad letters of a written number, as digits: `1-800-FLOWERS` → `18003569377`. */
export function digitsOf(written: string): string {
  return written.replace(/[^\da-z]/gi, "").replace(/\D/g, (letter) => KEYS[(letter.charCodeAt(0) | 32) - 97] ?? "");
}

/**
 * What somebody wrote as a number, read without knowing their country: with +, 00 or 011 as it says, else as a North American number.
 * @returns E.164, or "" when it cannot be told
 */
export function readNumber(written: string): string {
  const digits = digitsOf(written);
  const international = written.includes("+") ? digits : digits.replace(/^(?:011|00)/, "");
  if (international !== digits || written.includes("+"))
    return /^[1-9]\d{7,14}$/.test(international) ? `+${international}` : "";
  return /^1?[2-9]\d\d[2-9]\d{6}$/.test(digits) ? `+1${digits.slice(-10)}` : "";
}

/** As people of North America write it; any other country's number internationally. */
export function formatNumber(number: string): string {
  return number.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "($1) $2-$3");
}
