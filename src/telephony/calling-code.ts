/**
 * The country calling code of a number. None is the beginning of another (ITU-T E.164 §6.2.1, list of assigned codes), so the digits alone tell it: one in
 * the world zones 1 and 7, two for those below, three for all the rest. What is not assigned yet is of three. Pure: no package, for rules and stores.
 */
const TWO_DIGITS: ReadonlySet<string> = new Set(
  "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98".split(
    " ",
  ),
);

/** @returns e.g. "+44", as the number begins */
export function callingCodeOf(e164: string): string {
  if (e164.startsWith("+1") || e164.startsWith("+7")) return e164.slice(0, 2);
  return e164.slice(0, TWO_DIGITS.has(e164.slice(1, 3)) ? 3 : 4);
}
