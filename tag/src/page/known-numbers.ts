/** Which numbers are looked for, what each stands for, and what is to be shown in its place. */
import { makeNumberBook, type NumberBook } from "./find-numbers.js";
import type { Shown } from "../page.js";

export interface KnownNumbers extends Pick<NumberBook, "find"> {
  /** A destination to look for, or a promo number that may be found in its place. */
  learn(number: string, destination?: string): void;
  /** From now on these. */
  show(numbers: Shown): void;
  /** @param slot the destination, where the page names it; else "" */
  meaning(number: string, slot: string): { readonly destination: string; readonly target: string };
}

export function makeKnownNumbers(): KnownNumbers {
  const book = makeNumberBook();
  /** Promo number → destination. */
  const standsFor = new Map<string, string>();
  let shown: Shown = new Map();
  const learn = (number: string, destination = number) => {
    book.add(number);
    if (destination === number) standsFor.delete(number);
    else standsFor.set(number, destination);
  };
  return {
    find: book.find,
    learn,
    show(numbers) {
      shown = numbers;
      // They may come back from a clone, a cache or a script that read the page.
      numbers.forEach((number, destination) => learn(number, destination));
    },
    meaning(number, slot) {
      const meant = standsFor.get(number);
      const destination = slot || meant || number;
      return { destination, target: shown.get(destination) ?? meant ?? number };
    },
  };
}
