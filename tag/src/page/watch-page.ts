/** The page's half of the tag: finds numbers on the page, shows others in their place, and keeps watching what the page becomes. Called by tag.ts. */
import type { WatchPage } from "../page.js";
import { MARK, report, stop, watch } from "./changes.js";
import { look } from "./look.js";
import { begin, learn, show } from "./settle.js";

export const watchPage: WatchPage = (options) => {
  const root = document.documentElement;
  const scan = () => {
    // The head has no lines, and can be long.
    look(document.body || root, watch);
    report();
  };
  begin(options);
  options.shownBefore.forEach((destination, promo) => learn(promo, destination));
  // What a copy of the page says of itself.
  for (const pair of (root.getAttribute(MARK) || "").split(" ")) {
    const [destination, promo] = pair.split("=") as [string, string];
    learn(promo, destination);
  }
  options.numbers.forEach((number) => learn(number, number));
  watch(document);
  return {
    scan,
    show(numbers) {
      if (show(numbers)) scan();
      else report();
    },
    stop,
  };
};
