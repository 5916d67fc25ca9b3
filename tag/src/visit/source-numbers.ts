/** What a visitor without consent is shown: the static numbers of the source that the address of their landing names. Nothing is remembered. */
import { own } from "./kept.js";
import { config } from "./settings.js";

/** @returns destination → number; of several sources the one that names most */
export function sourceNumbers(): Record<string, string> {
  const numbers: Record<string, string> = {};
  const weights: Record<string, number> = {};
  for (const { destination, number, touch } of config.sources) {
    const wanted = Object.entries(touch);
    if (
      wanted.length > (weights[destination] || 0) &&
      wanted.every(([name, value]) => new URL(own.url).searchParams.get(name) === value)
    ) {
      weights[destination] = wanted.length;
      numbers[destination] = number;
    }
  }
  return numbers;
}
