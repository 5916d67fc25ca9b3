/** Seeded ways to spoil a SIP message: bytes, separators, numbers, header lines, line ends, truncation, two messages in one. */

export interface Mutations {
  /** Uniform in 0 … limit - 1. */
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
}

export function mutations(seed: number): Mutations {
  let state = seed >>> 0;
  // Numerical Recipes' linear congruential generator; the high bits are the good ones.
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  return {
    below,
    pick: (from) => {
      const chosen = from[below(from.length)];
      if (chosen === undefined) throw new Error("there is nothing to pick from");
      return chosen;
    },
  };
}

type Mutator = (text: string, random: Mutations, others: readonly string[]) => string;

const PIECES = [
  ...[
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\n",
    "\r\n ",
    "\0",
    "\x7f",
    "\xff",
    "\t",
    " ",
    ";",
    ",",
    '"',
    "\\",
    "<",
    ">",
    ":",
    "@",
  ],
  ...["%", "%00", "=", "?", "[", "]", "z9hG4bK", ";tag=", ";tag=x", "tag=", ";lr", "SIP/2.0", "SIP/2.0/UDP ", "sip:"],
  ...["-1", "0", "256", "2147483648", "4294967296", "99999999999999999999", "A".repeat(300), ";x".repeat(200)],
  ...["Require: 100rel\r\n", "Max-Forwards: 0\r\n", "Content-Length: 5\r\n", "l: 0\r\n", "Via: SIP/2.0/UDP x\r\n"],
];

const linesOf = (text: string): string[] => text.split("\r\n");
const splice = (text: string, at: number, remove: number, insert: string): string =>
  text.slice(0, at) + insert + text.slice(at + remove);

const MUTATORS: readonly Mutator[] = [
  (text, random) => splice(text, random.below(text.length + 1), 0, random.pick(PIECES)),
  (text, random) => splice(text, random.below(text.length + 1), 1 + random.below(20), ""),
  (text, random) => splice(text, random.below(text.length + 1), 1, String.fromCharCode(random.below(256))),
  (text, random) => text.slice(0, random.below(text.length + 1)),
  (text, random) => {
    const lines = linesOf(text);
    lines.splice(random.below(lines.length), 1);
    return lines.join("\r\n");
  },
  (text, random) => {
    const lines = linesOf(text);
    lines.splice(random.below(lines.length), 0, random.pick(lines));
    return lines.join("\r\n");
  },
  (text, random) => {
    const lines = linesOf(text);
    const at = random.below(lines.length);
    lines[at] = (lines[at] ?? "").replace(/[:; ]/, (found) => `${found}\r\n\t`);
    return lines.join("\r\n");
  },
  (text, random, others) => {
    const lines = linesOf(text);
    lines.splice(1 + random.below(lines.length), 0, random.pick(linesOf(random.pick(others))));
    return lines.join("\r\n");
  },
  (text, random) => text.replace(/\d+/g, (digits) => (random.below(12) === 0 ? random.pick(PIECES) : digits)),
  (text, random) => {
    const at = random.below(text.length + 1);
    return splice(text, at, 0, text.slice(at, at + random.below(400)));
  },
  (text, random, others) => {
    const other = random.pick(others);
    return text.slice(0, random.below(text.length + 1)) + other.slice(random.below(other.length + 1));
  },
  (text, random) => (random.below(4) === 0 ? text.replaceAll("\r\n", random.pick(["\n", "\r", "\r\n\r\n"])) : text),
];

/** One to four spoilings of the text. */
export function mutate(text: string, random: Mutations, others: readonly string[]): string {
  let spoilt = text;
  for (let left = 1 + random.below(4); left > 0; left--) spoilt = random.pick(MUTATORS)(spoilt, random, others);
  return spoilt;
}
