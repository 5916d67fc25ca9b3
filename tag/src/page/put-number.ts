/** Writes one number in the place of another, as the page wrote the first. Pure. */
import type { Place } from "./find-numbers.js";
import { splitNumber } from "./phone-number.js";

/**
 * @param number E.164, what shall stand there
 * @returns what stands from the place's start to its end; with as many joints as before
 */
export function putNumber(
  text: string,
  [before, start, national, end]: Place,
  number: string,
  isLink: boolean,
): string {
  const [, country, digits] = splitNumber(number);
  let next = 0;
  // A number of another country or length fits no punctuation of the page's.
  return isLink || country !== splitNumber(before)[1] || number.length !== before.length
    ? number + text.slice(start, end).replace(/[^\0]/g, "")
    : text.slice(start, national) + text.slice(national, end).replace(/[\da-z]/gi, () => digits[next++] || "");
}

/** In a slot without any number: as people of North America write it; any other country's internationally. */
export function formatNumber(number: string): string {
  return number.replace(/^\+1(...)(...)/, "($1) $2-");
}
