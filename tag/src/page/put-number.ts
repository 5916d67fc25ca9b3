/** Writes one number in the place of another, as the page wrote the first. Pure. */
import type { Place } from "./find-numbers.js";
import { countryOf, nationalOf } from "./phone-number.js";

/**
 * @param number E.164, what shall stand there
 * @param isLink then E.164 is written
 * @returns what stands from the place's start to its end; with as many joints as before
 */
export function putNumber(
  text: string,
  { number: before, start, national, end }: Place,
  number: string,
  isLink: boolean,
): string {
  const country = countryOf(number);
  const digits = nationalOf(number);
  if (isLink) return number;
  const written = text.slice(national, end);
  // A number of another country or length fits no punctuation of the page's.
  if (country !== countryOf(before) || digits.length !== nationalOf(before).length)
    return `+${country} ${digits}${text.slice(start, end).replace(/[^\0]/g, "")}`;
  let next = 0;
  return text.slice(start, national) + written.replace(/[\da-z]/gi, () => digits[next++] ?? "");
}
