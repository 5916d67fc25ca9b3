/** What is to stand in one line of text or one attribute: found in the page's own text, written when it does not stand there yet. Called by look.ts. */
import type { Shown, WatchOptions } from "../page.js";
import { JOINT, makeNumberBook, type Place } from "./find-numbers.js";
import { isAwaited } from "./hydration.js";
import { type Cell, pageText, write } from "./page-text.js";
import { readNumber } from "./phone-number.js";
import { formatNumber, putNumber } from "./put-number.js";
import { textsIn } from "./text-runs.js";

/** Where nothing is touched: no text of the page's, a person's own input, or somebody said so. Code is quoted, not dialled. */
const LEFT_ALONE = "head,textarea,option,code,[contenteditable]:not([contenteditable=false]),[data-ringmatch-ignore]";

/** An attribute's name; "" for text. */
type Kind = string;

type Spot = Parameters<typeof settle>;

/** One page, one watch: what follows is the page's, not a caller's. */
export let options: WatchOptions;

export const book = makeNumberBook();

/** Promo number → destination; a destination → itself. */
const standsFor = new Map<string, string>();
export let shown: Shown = new Map();

/** What was found on the page, by its first cell or the empty slot: settled anew when other numbers are to stand there. */
const spots = new Map<Node, Spot>();

const told = new Set([""]);
/** Destinations to tell of, elements we wrote into, and those that a framework has yet to take over; whoever reads a list empties it. */
export const found: string[] = [];
export const swapped: Element[] = [];
export const awaited: Element[] = [];

/** From now on promo numbers are found in the place of their destinations. */
export function learn(promo: string, destination: string): void {
  book.add(promo);
  standsFor.set(promo, destination);
}

/**
 * From now on these are shown, and found when they come back: from a clone, a cache, a script that read the page. Called at every look at the clock: what
 * stays the same costs nothing but to forget what has left the page.
 * @returns whether there is a destination that was not looked for, one that a link told: it may stand elsewhere on the page
 */
export function show(numbers: Shown): boolean {
  let isNew = false;
  const isSame = `${[...numbers]}` === `${[...shown]}`;
  shown = numbers;
  numbers.forEach((promo, destination) => {
    isNew = isNew || !standsFor.has(destination);
    learn(destination, destination);
    learn(promo, destination);
  });
  eachSpot((spot) => isSame || settle(...spot));
  return isNew;
}

/** Forgets those that have left the page. */
export function eachSpot(visit: (spot: Spot) => void): void {
  spots.forEach((spot, node) => {
    if ((spot[3] ? spot[1] : node).isConnected) visit(spot);
    else spots.delete(node);
  });
}

/** To be called once, before all others. */
export function begin(given: WatchOptions): void {
  options = given;
}

function tell(destination: string): void {
  if (!told.has(destination)) found.push(destination);
  told.add(destination);
}

/**
 * @param cells text nodes that are read as one, or one attribute; none in an empty slot
 * @param element what they are in
 * @param slot the destination that stands here by the page's own word, E.164; else ""
 * @param kind the name of an attribute; "" for text
 */
export function settle(cells: readonly Cell[], element: Element, slot: string, kind: Kind): void {
  const page = cells.map(pageText);
  const isLink = kind === "href";
  const text = isLink ? readable(page[0]!) : page.join(JOINT);
  const numbers = book.find(text, slot);
  const isFree = (numbers[0] || slot || (isLink && options.discover)) && !isLeftAlone(element);
  if (isFree) spots.set(cells[0] || element, [cells, element, slot, kind]);
  const parts = isFree ? wanted(text, page, numbers, slot, kind) : page;
  if (parts.every((part, i) => cells[i] && part === cells[i].nodeValue)) return;
  if (isAwaited(element)) awaited.push(element);
  else if (!cells[0]) {
    element.append(parts[0]!);
    swapped.push(element);
    spots.delete(element);
    settle(textsIn(element), element, slot, kind);
  }
  // Unequal when a script wrote U+0000 into the page.
  else if (parts.length === cells.length && cells.filter((cell, i) => write(cell, parts[i]!, element))[0])
    swapped.push(element);
}

/** What is to stand in the cells, whose own text is the page's. */
function wanted(
  text: string,
  page: readonly string[],
  numbers: readonly Place[],
  slot: string,
  kind: Kind,
): readonly string[] {
  let out = "";
  let from = 0;
  if (!numbers[0] && !slot) tell(readNumber(text.split(/[:,;?&]/)[1]!));
  for (const place of numbers) {
    const [number, start, , end] = place;
    const meant = standsFor.get(number) || number;
    const target = shown.get(slot || meant) || meant;
    tell(slot || meant);
    if (target !== number && start >= from) {
      out += text.slice(from, start) + putNumber(text, place, target, kind === "href");
      from = end;
    }
  }
  if (from) return (out + text.slice(from)).split(JOINT);
  if (numbers[0] || kind) return page;
  tell(slot);
  // Another text in a slot, a call to action, is better than the page's own number.
  const number = shown.get(slot) || (text.trim() ? "" : slot);
  return number ? [formatNumber(number), ...page.slice(1).map(() => "")] : page;
}

/** A link's number as people write it: tel:%2B1%20800… Spaces and what is not ASCII dial nothing. Parameters stay as they are. */
function readable(href: string): string {
  return href.replace(/^[^;?&]*/, (number) =>
    number.replace(/%[2-7][\da-f]/gi, decodeURIComponent).replace(/\s|%[89a-f]./gi, ""),
  );
}

/** @returns something truthy: yes */
function isLeftAlone(element: Element | undefined): unknown {
  return element && (element.closest(LEFT_ALONE) || isLeftAlone((element.getRootNode() as ShadowRoot).host));
}
