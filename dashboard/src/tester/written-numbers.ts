/** Telephone numbers as people write them: read, and looked for in a text. Wider than the tag's own finder, which decides what is swapped; this one decides what is shown to a person. Pure. */

/** Letters as on a telephone's keys (ITU-T E.161), from a to z. */
const KEYS = "22233344455566677778889999";

/** What may stand between two digits; U+0000 stands between two nodes that are read as one. */
const GAP = "[\\s\\0().\\-/\\xad\\xb7\\u200b-\\u2015\\u2022\\u2060\\u2212]{0,6}";

const NORTH = new RegExp(
  `(?<![\\d$€£.,])(?:\\+?1${GAP})?\\(?[2-9](?:${GAP}\\d){2}${GAP}[2-9](?:${GAP}\\d){6}(?![\\d])`,
  "g",
);
const ABROAD = new RegExp(`(?:\\+|(?<!\\d)00)[1-9](?:${GAP}\\d){7,14}`, "g");
const VANITY =
  /(?<![A-Za-z0-9])(?:1[-. ]?)?\(?[2-9]\d\d\)?[-. ](?=[\d\-. ]*[A-Z])[A-Z0-9](?:[-. ]?[A-Z0-9]){6,10}(?![A-Za-z0-9])/g;

export interface WrittenNumber {
  readonly start: number;
  readonly end: number;
  /** E.164. */
  readonly number: string;
}

/** Digits and keypad letters, as digits. */
export function digitsOf(written: string): string {
  return written
    .replace(/[^\da-z]/gi, "")
    .replace(/\D/g, (letter) => KEYS[letter.toLowerCase().charCodeAt(0) - 97] ?? "");
}

/** With + or 00 as it says, else as a North American number. @returns E.164; null when it cannot be told */
export function readNumber(written: string): string | null {
  const digits = digitsOf(written);
  const isInternational = written.includes("+") || digits.startsWith("00");
  if (isInternational) {
    const all = digits.replace(/^00/, "");
    return /^[1-9]\d{7,14}$/.test(all) ? `+${all}` : null;
  }
  return /^1?[2-9]\d\d[2-9]\d{6}$/.test(digits) ? `+1${digits.slice(-10)}` : null;
}

/** @param known E.164; found in any notation, with letters and inside of longer digits, too */
export function makeFinder(known: readonly string[]) {
  const patterns = known.map((number) => ({ number, pattern: patternOf(number) }));
  const exact = (text: string): WrittenNumber[] => {
    const found: WrittenNumber[] = [];
    for (const { number, pattern } of patterns)
      addApart(
        found,
        matchesOf(text, pattern, () => number),
      );
    return found.sort((a, b) => a.start - b.start);
  };
  return {
    /** Known numbers alone: for scripts and the like, whose other digits mean nothing. */
    exact,
    all(text: string): readonly WrittenNumber[] {
      const found = exact(text);
      for (const pattern of [ABROAD, NORTH, VANITY]) addApart(found, matchesOf(text, pattern, readVanity));
      return found.sort((a, b) => a.start - b.start);
    },
  };
}

/** The digits before the national part belong to it when they are its country's. */
function patternOf(number: string): RegExp {
  const isNorth = /^\+1\d{10}$/.test(number);
  const digits = [...(isNorth ? number.slice(2) : number.slice(1))];
  const keys = digits.map((digit) => {
    const letters = [...KEYS].flatMap((key, at) => (key === digit ? String.fromCharCode(97 + at) : [])).join("");
    return `[${digit}${letters}${letters.toUpperCase()}]`;
  });
  const [first, second, third, ...rest] = keys.map((key, at) => (at < 3 ? (digits[at] ?? "") : key));
  const prefix = isNorth ? `(?:(?<!\\d)\\+?1${GAP})?` : "(?:\\+|00)";
  return new RegExp(`${prefix}\\(?\\0?${[first, second, third, ...rest].join(GAP)}`, "g");
}

function matchesOf(text: string, pattern: RegExp, read: (written: string) => string | null): WrittenNumber[] {
  return [...text.matchAll(pattern)].flatMap((match) => {
    const number = read(match[0]);
    return number === null ? [] : [{ start: match.index, end: match.index + match[0].length, number }];
  });
}

/** 1-800-MATTRESS has a letter more than anybody needs to dial. */
function readVanity(written: string): string | null {
  const digits = digitsOf(written);
  return readNumber(written) ?? readNumber(digits.slice(0, digits.startsWith("1") ? 11 : 10));
}

function addApart(found: WrittenNumber[], more: readonly WrittenNumber[]): void {
  for (const one of more) {
    if (!found.some((other) => one.start < other.end && other.start < one.end)) found.push(one);
  }
}
