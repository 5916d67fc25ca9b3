/**
 * Finds known numbers in a text, however they are written there. Pure: the page's half of the tag and the installation tester both ask it.
 *
 * Rule: a place is a number of the book, digit by digit or letter by letter, and no part of anything longer. The book is looked up, never gone through:
 * its length costs nothing.
 */
import { countryOf, digitsOf, nationalOf } from "./phone-number.js";

/** Stands between the texts of two nodes that are read as one. No page's text holds it: HTML has no U+0000. */
export const JOINT = "\0";

/**
 * What may stand between two digits: spaces of all kinds, brackets, dots, slashes, hyphens and dashes (U+2010 to U+2015, U+2212), soft hyphens, bullets,
 * and the invisible (zero-width, direction marks).
 */
const BETWEEN = "[\\s\\0()./\\-\\xad\\xb7\\u200b-\\u2015\\u2022\\u202a-\\u202e\\u2060-\\u2069\\u2212]";

/** Between two digits at most: the indentation of markup that puts each part on a line of its own. */
const GAP = `${BETWEEN}{0,60}`;

/** How much of the text before a number can belong to it (an international prefix), or speak against it. */
const BEFORE_MAX = 40;

/** What no number follows: a word, an amount, `#8005550100`, `id=8005550100`, the rest of a longer one, +44 before 800 555 0100. */
const JOINED_BEFORE = /[\w#$€£=]$|\d[-.\u2010-\u2015\u2212]$|\+\W?(?:\d\W{0,3}){1,4}$/;

/** What follows no number: the rest of a longer one, an address, a word, but for an extension (`8005550100x12`). */
const JOINED_AFTER = /^(?:[-.\u2010-\u2015\u2212]?\d|[@_]|(?!x\d|ext)[a-z])/i;

/** Vanity letters that are part of an address: www.1800flowers.com */
const ADDRESS_BEFORE = /[a-z][-.]$/i;
const ADDRESS_AFTER = /^\.[a-z]/i;

const LETTER = /[a-z]/i;

/** A number in a text. */
export interface Place {
  /** E.164. */
  readonly number: string;
  /** Where it begins, with country code or trunk prefix as far as one is written. */
  readonly start: number;
  /** Where its national part begins. */
  readonly national: number;
  /** Behind its last character. */
  readonly end: number;
}

/** @param digits as many as a number of the book has; @returns E.164 */
type Read = ((digits: string) => string) | "";

export interface NumberBook {
  /** @param number E.164 */
  add(number: string): void;
  /**
   * @param read takes as many digits as a number of the book has for one that is not in it; gives E.164
   * @returns in order, never overlapping
   */
  find(text: string, read?: Read): readonly Place[];
}

export function makeNumberBook(): NumberBook {
  /** National digits → E.164. */
  const book = new Map<string, string>();
  /** By length, what a number of so many digits looks like. The first three are digits in vanity numbers, too. */
  const patterns: RegExp[] = [];

  const at = (text: string, from: number, read?: Read): Place | undefined => {
    for (const length in patterns) {
      const pattern = patterns[length]!;
      pattern.lastIndex = from;
      const written = pattern.exec(text)?.[0];
      if (written === undefined) continue;
      const digits = digitsOf(written);
      const number = book.get(digits) ?? (read && !LETTER.test(written) ? read(digits) : undefined);
      const place = number === undefined ? undefined : delimit(text, from, written, number);
      if (place) return place;
    }
    return undefined;
  };

  return {
    add(number) {
      const national = nationalOf(number);
      const { length } = national;
      book.set(national, number);
      patterns[length] ??= RegExp(`(?:\\d${GAP}){3}(?:[\\da-z]${GAP}){${length - 4}}[\\da-z]`, "iy");
    },
    find(text, read) {
      const places: Place[] = [];
      for (const digit = /\d/g; digit.test(text); ) {
        const place = at(text, digit.lastIndex - 1, read);
        if (place) {
          places.push(place);
          digit.lastIndex = place.end;
        }
      }
      return places;
    },
  };
}

/** Where the number begins and ends, undefined when it is part of something longer. */
function delimit(text: string, national: number, written: string, number: string): Place | undefined {
  const isVanity = LETTER.test(written);
  const rest = text.slice(national + written.length);
  // 1-800-MATTRESS has a letter more than anybody needs to dial.
  const surplus = isVanity ? /^[a-z]*/i.exec(rest)![0] : "";
  // A number in pieces must not go on in the next piece; a whole one may stand beside any other node.
  const close = (part: string) => (written.includes(JOINT) ? part.replace(/\0/g, "") : part);
  const after = close(rest.slice(surplus.length));
  if (JOINED_AFTER.test(after) || (isVanity && ADDRESS_AFTER.test(after))) return undefined;

  const country = countryOf(number);
  // North America has no trunk prefix but the country code itself; elsewhere 0, also behind the country code: +44 (0)20.
  const trunk = country === "1" ? "" : `(?:0${BETWEEN}*)?`;
  const prefix = RegExp(`[(+]*(?:(?:(?:\\+|00|011)${BETWEEN}*)?${country}${BETWEEN}*)?${trunk}[(]*$`);
  const before = text.slice(Math.max(0, national - BEFORE_MAX), national);
  // With what may be a prefix; if that was the end of another number (a ZIP code before it), without.
  for (const length of [prefix.exec(before)![0].length, 0]) {
    const outer = close(before.slice(0, before.length - length));
    if (!JOINED_BEFORE.test(outer) && !(isVanity && ADDRESS_BEFORE.test(outer)))
      return { number, start: national - length, national, end: national + written.length + surplus.length };
  }
  return undefined;
}
