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

/** With more beginnings than this, area codes for the most part, any three digits are looked at: a longer list would cost more than it spares. */
const HEADS_MAX = 40;

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

export interface NumberBook {
  /** @param number E.164 */
  readonly add: (number: string) => void;
  /**
   * Where the national parts of numbers begin in the texts of a part of the page, read without anything between them, in order. What stands beside a number
   * there can be of another line: whether it is part of something longer, `find` tells.
   */
  readonly within: (texts: string) => readonly number[];
  /**
   * @param slot then any digits that are as long as this number's, E.164, count as a number of its country, too; "" for none
   * @returns in order; they overlap where a number of the book is part of another
   */
  readonly find: (text: string, slot: string) => readonly Place[];
}

export function makeNumberBook(): NumberBook {
  /** National digits → E.164. */
  const book = new Map<string, string>();
  /** First digits of the numbers; digits in vanity numbers, too. */
  const heads = new Set<string>();
  const lengths = new Set<number>();
  /** How the numbers of each length look. */
  let patterns: readonly RegExp[] = [];

  const add = (number: string) => {
    const [, , national] = splitNumber(number);
    // A mark that somebody else wrote into the page.
    if (!national) return;
    book.set(national, number);
    heads.add(national.slice(0, 3));
    lengths.add(national.length);
    patterns = [];
  };
  const search = (text: string, more: readonly RegExp[] = []) => {
    // Made here, not as each number is added: most of a long list begin alike.
    if (!patterns[0]) {
      const begin = [...(heads.size > HEADS_MAX ? [["\\d", "\\d", "\\d"]] : heads)]
        .map((head) => [...head].join(GAP))
        .join("|");
      patterns = [...lengths].map((length) => RegExp(`(?:${begin})(?:${GAP}[\\da-zA-Z]){${length - 3}}`, "g"));
    }
    const written: (readonly [start: number, text: string, digits: string])[] = [];
    // Each search ends without a match: the next one begins at the start.
    for (const pattern of [...patterns, ...more])
      for (let match: RegExpExecArray | null; (match = pattern.exec(text)); ) {
        written.push([match.index, match[0], digitsOf(match[0])]);
        pattern.lastIndex = match.index + 1;
      }
    return written.sort((one, other) => one[0] - other[0]);
  };
  const within: NumberBook["within"] = (texts) =>
    search(texts).flatMap(([start, , digits]) => (book.has(digits) ? start : []));
  const find: NumberBook["find"] = (text, slot) => {
    const [, country, national] = splitNumber(slot);
    const inSlot = national ? [RegExp(`\\d(?:${GAP}\\d){${national.length - 1}}`, "g")] : [];
    return search(text, inSlot).flatMap(([start, written, digits]) => {
      const number = book.get(digits) || (national && !LETTER.test(written) && `+${country}${digits}`);
      return number ? delimit(text, start, written, number) : [];
    });
  };
  return { add, within, find };
}

/** Where the number begins and ends; nothing when it is part of something longer. */
function delimit(text: string, national: number, written: string, number: string): readonly Place[] {
  const isVanity = LETTER.test(written);
  const rest = text.slice(national + written.length);
  // 1-800-MATTRESS has a letter more than anybody needs to dial.
  const surplus = isVanity ? rest.search(/[^a-z]|$/i) : 0;
  const after = rest.slice(surplus);
  if (JOINED_AFTER.test(after) || (isVanity && ADDRESS_AFTER.test(after))) return [];

  const [, country] = splitNumber(number);
  // The trunk prefix 0, also behind the country code: +44 (0)20. North America has none.
  const trunk = `(0${BETWEEN}*){0,${+(+country > 1)}}`;
  const before = text.slice(0, national).slice(-BEFORE_MAX);
  const prefix =
    before.length - before.search(RegExp(`[(+]*(((\\+|\\b00|\\b011)${BETWEEN}*)?${country}${BETWEEN}*)?${trunk}[(]*$`));
  // With what may be a prefix; if that was the end of another number (a ZIP code before it), without.
  for (const length of [prefix, 0]) {
    const outer = before.slice(0, before.length - length);
    if (!JOINED_BEFORE.test(outer) && !(isVanity && ADDRESS_BEFORE.test(outer)))
      return [[number, national - length, national, national + written.length + surplus]];
  }
  return [];
}
