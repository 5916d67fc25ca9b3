/**
 * Finds known numbers in a text, however they are written there. Pure: the page's half of the tag and the installation tester both ask it.
 *
 * Rule: a place is a number of the book, digit by digit or letter by letter, and no part of anything longer. The book is looked up, never gone through:
 * its length costs nothing. Tuples instead of objects here and beside: what has no name in the minified file costs no bytes of the 4 kB.
 */
import { digitsOf, splitNumber } from "./phone-number.js";

/** Stands between the texts of two nodes that are read as one. No page's text holds it: HTML has no U+0000. */
export const JOINT = "\0";

/**
 * What may stand between two digits: spaces, ( ) - . / and everything that is not ASCII: typographic dashes and spaces, bullets, soft hyphens, direction
 * marks. Not , + * : and the like, nor letters.
 */
const BETWEEN = "[^!-'*-,0-~]";

/** Between two digits at most: the indentation of markup that puts each part on a line of its own. */
const GAP = `${BETWEEN}{0,60}`;

/** How much of the text before a number can belong to it (an international prefix), or speak against it. */
const BEFORE_MAX = 40;

/** What no number follows: a word, an amount, `#8005550100`, `id=8005550100`, the rest of a longer one, +44 before 800 555 0100. */
const JOINED_BEFORE = /[\w#$€£=]$|\d[-.\u2010-\u2212]$|\+\W?(\d\W{0,3}){1,4}$/;

/** What follows no number: the rest of a longer one, an address, a word, but for an extension (`8005550100x12`). */
const JOINED_AFTER = /^([-.\u2010-\u2212]?\d|[@_]|(?!x\d|ext)[a-z])/i;

/** Vanity letters that are part of an address: www.1800flowers.com */
const ADDRESS_BEFORE = /[a-z][-.]$/i;
const ADDRESS_AFTER = /^\.[a-z]/i;

const LETTER = /[a-z]/i;

/** A number in a text: where it begins with its country code or trunk prefix, if one is written, where its national part begins, and its end. */
export type Place = readonly [number: string, start: number, national: number, end: number];

export type AddNumber = (number: string) => void;

/**
 * @param country then digits of it that are as long as a number of the book count as a number, too; "" for none
 * @returns in order; they overlap where a number of the book is part of another
 */
export type FindNumbers = (text: string, country: string) => readonly Place[];

export function makeNumberBook(): readonly [AddNumber, FindNumbers] {
  /** National digits → E.164. */
  const book = new Map<string, string>();
  /** By length, what a number of so many digits looks like. The first three are digits in vanity numbers, too. */
  const patterns: RegExp[] = [];

  const add: AddNumber = (number) => {
    const [, , national] = splitNumber(number);
    // A mark that somebody else wrote into the page.
    if (!national) return;
    const { length } = national;
    book.set(national, number);
    patterns[length] = patterns[length] || RegExp(`(\\d${GAP}){3}([\\da-z]${GAP}){${length - 4}}[\\da-z]`, "gi");
  };
  const find: FindNumbers = (text, country) => {
    const places: Place[] = [];
    patterns.forEach((pattern) => {
      // The browser looks for what is long enough; that is most of the work, and most of what it finds is a number.
      pattern.lastIndex = 0;
      for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
        const [written] = match;
        const digits = digitsOf(written);
        const number = book.get(digits) || (country && !LETTER.test(written) && `+${country}${digits}`);
        const place = number && delimit(text, match.index, written, number);
        if (place) places.push(place);
        pattern.lastIndex = place ? place[3] : match.index + 1;
      }
    });
    return places.sort((one, other) => one[1] - other[1]);
  };
  return [add, find];
}

/** Where the number begins and ends, undefined when it is part of something longer. */
function delimit(text: string, national: number, written: string, number: string): Place | undefined {
  const isVanity = LETTER.test(written);
  const rest = text.slice(national + written.length);
  // 1-800-MATTRESS has a letter more than anybody needs to dial.
  const surplus = isVanity ? rest.search(/[^a-z]|$/i) : 0;
  const after = rest.slice(surplus);
  if (JOINED_AFTER.test(after) || (isVanity && ADDRESS_AFTER.test(after))) return undefined;

  const [, country] = splitNumber(number);
  // The trunk prefix 0, also behind the country code: +44 (0)20. North America has none.
  const trunk = `(0${BETWEEN}*){0,${+country > 1 ? 1 : 0}}`;
  const before = text.slice(Math.max(0, national - BEFORE_MAX), national);
  const prefix =
    before.length - before.search(RegExp(`[(+]*(((\\+|\\b00|\\b011)${BETWEEN}*)?${country}${BETWEEN}*)?${trunk}[(]*$`));
  // With what may be a prefix; if that was the end of another number (a ZIP code before it), without.
  for (const length of [prefix, 0]) {
    const outer = before.slice(0, before.length - length);
    if (!JOINED_BEFORE.test(outer) && !(isVanity && ADDRESS_BEFORE.test(outer)))
      return [number, national - length, national, national + written.length + surplus];
  }
  return undefined;
}
