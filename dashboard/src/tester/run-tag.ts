/**
 * Lets the tag itself work on the inert page, with a number of its own for each tracked destination, and notes where it wrote. So what the tester says is
 * what the tag does, not what somebody once understood of it. The tag's page half is a function of what it finds in a browser (scripts/build-dashboard.mjs
 * makes it so), so it gets this document instead of ours, and a clock that need not be waited for.
 */
import type { WatchPage } from "../../../tag/src/page.js";

type Timer = () => void;
type Wait = (timer: (...given: readonly unknown[]) => void, ms: number, ...given: readonly unknown[]) => number;

/** `function(document, performance, setTimeout, clearTimeout, requestAnimationFrame, addEventListener)` */
declare const ringmatchPage: (
  document: Document,
  performance: { now(): number },
  setTimeout: Wait,
  clearTimeout: (id: number) => void,
  requestAnimationFrame: (timer: Timer) => number,
  addEventListener: () => void,
) => WatchPage;

/** Longer than the tag waits for any framework. */
const LATER_MS = 60_000;
/** Rounds of timers that set timers: the tag's own polls end by its clock. */
const ROUNDS_MAX = 5;

export interface TagRun {
  /** What the page had in each text and attribute before. */
  readonly before: ReadonlyMap<Node, string>;
  /** What it has after the tag's first look. */
  readonly at: ReadonlyMap<Node, string>;
  /** And when the page's framework had its time to take the page over. */
  readonly later: ReadonlyMap<Node, string>;
  /** Slots that held no number and got one. */
  readonly filled: ReadonlySet<Element>;
}

/** @param page is changed by it */
export function runTag(page: Document, input: { numbers: readonly string[]; slotsOnly: boolean }): TagRun {
  const { numbers, slotsOnly } = input;
  const timers: Timer[] = [];
  let now = 0;
  const push = (timer: Timer): number => timers.push(timer);
  const nothing = (): void => undefined;
  const wait: Wait = (timer, _ms, ...given) => push(() => timer(...given));
  const watchPage = ringmatchPage(page, { now: () => now }, wait, nothing, push, nothing);
  const before = snapshot(page);
  const texts = slotTexts(page);
  const watch = watchPage({
    ...{ numbers, slotsOnly, discover: false, shownBefore: new Map(), onFound: nothing, onSwapped: nothing },
  });
  watch.show(new Map(numbers.map((number, at) => [number, standIn(number, at)])));
  watch.scan();
  const at = snapshot(page);
  now = LATER_MS;
  for (let round = 0; round < ROUNDS_MAX && timers.length > 0; round++) for (const timer of timers.splice(0)) timer();
  watch.stop();
  const later = snapshot(page);
  const filled = new Set([...texts].filter(([slot, text]) => slot.textContent !== text).map(([slot]) => slot));
  return { before, at, later, filled };
}

/** Of the same length, so that it is written digit by digit as a promo number would be; no number anybody has. */
function standIn(number: string, at: number): string {
  const country = number.startsWith("+1") ? "+1" : number.slice(0, 3);
  return country + String(at).padStart(number.length - country.length, "0");
}

function slotTexts(page: Document): ReadonlyMap<Element, string> {
  return new Map([...page.querySelectorAll("[data-ringmatch-number]")].map((slot) => [slot, slot.textContent]));
}

function snapshot(page: Document): ReadonlyMap<Node, string> {
  const texts = new Map<Node, string>();
  const walker = page.createTreeWalker(page, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.nodeType === Node.TEXT_NODE) texts.set(node, node.nodeValue ?? "");
    else for (const attribute of (node as Element).attributes) texts.set(attribute, attribute.value);
  }
  return texts;
}
