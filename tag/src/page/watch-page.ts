/** The page's half of the tag: finds numbers on the page, shows others in their place, and keeps watching what the page becomes. Called by tag.ts. */
import type { WatchPage } from "../page.js";
import { watchChanges } from "./changes.js";
import { HYDRATION_POLL_MS } from "./hydration.js";
import { makeLook } from "./look.js";
import { makeSettle } from "./settle.js";
import { lineOf, type Part } from "./text-runs.js";

/**
 * On the root element: what stands on the page for what. A copy of the page that is kept somewhere (a shared cache, a file) is healed by it, whoever
 * looks at it next. One attribute that no framework owns, instead of one beside each number.
 */
const MARK = "data-ringmatch-shown";

export const watchPage: WatchPage = ({ numbers, slotsOnly, discover, shownBefore, onFound, onSwapped }) => {
  const root = document.documentElement;
  const told = new Set([""]);
  /** Parts of the page that hold numbers. */
  const places = new Set<Part>();
  let found: string[] = [];
  let isWritten = false;
  let mark = root.getAttribute(MARK) || "";

  const tell = (destination: string) => {
    if (!told.has(destination)) found.push(destination);
    told.add(destination);
  };
  const onLooked = () => {
    const destinations = found;
    const isSwapped = isWritten;
    found = [];
    isWritten = false;
    if (isSwapped) {
      root.setAttribute(MARK, mark);
      onSwapped();
    }
    if (destinations[0]) onFound(destinations);
  };
  const scan = () => {
    look(root);
    onLooked();
  };

  const standsFor = new Map(shownBefore);
  for (const pair of mark.split(" ")) {
    const [destination, number] = pair.split("=");
    if (number) standsFor.set(number, destination!);
  }
  const [settle, show] = makeSettle(
    standsFor,
    numbers,
    (destination, element) => {
      places.add(lineOf(element));
      tell(destination);
    },
    (number) => discover && tell(number),
    (element, isAwaited) => {
      if (isAwaited) setTimeout(changed, HYDRATION_POLL_MS, element);
      else isWritten = true;
    },
  );
  const look = makeLook(settle, slotsOnly, (shadow) => watch(shadow));
  const [watch, changed, stop] = watchChanges(look, onLooked);
  watch(document);
  scan();
  return {
    scan,
    show(shown) {
      mark = [...shown].map((pair) => pair.join("=")).join(" ");
      show(shown);
      places.forEach((part) => (part.isConnected ? look(part) : places.delete(part)));
      onLooked();
    },
    stop,
  };
};
