/** What is to stand in one line of text or one attribute: found in the page's own text, written when it does not stand there yet. Called by look.ts. */
import type { Shown } from "../page.js";
import { JOINT, makeNumberBook } from "./find-numbers.js";
import { makeHydrationGate } from "./hydration.js";
import { type Cell, pageText, write } from "./page-text.js";
import { readNumber, splitNumber } from "./phone-number.js";
import { formatNumber, putNumber } from "./put-number.js";

/** Where nothing is touched: no text of the page's, a person's own input, or somebody said so. Code is quoted, not dialled. */
const LEFT_ALONE = "head,textarea,option,code,[contenteditable]:not([contenteditable=false]),[data-ringmatch-ignore]";

/**
 * @param cells text nodes that are read as one, or one attribute; none in an empty slot
 * @param element what they are in
 * @param slot the destination that stands here by the page's own word, E.164; else ""
 */
export type Settle = (cells: readonly Cell[], element: Element, slot: string) => void;

/** From now on these are shown, and found when they come back: from a clone, a cache, a script that read the page. */
export type Show = (numbers: Shown) => void;

/**
 * @param standsFor promo number → destination, of what may stand on the page already
 * @param onNumber a number that was found, or is a slot's: its destination
 * @param onUnknown a tel: link's number that is not known, E.164 or ""
 * @param onWritten a framework has yet to take over the element when `isAwaited`; then nothing was written
 */
export function makeSettle(
  standsFor: Map<string, string>,
  numbers: readonly string[],
  onNumber: (destination: string, element: Element) => void,
  onUnknown: (number: string) => void,
  onWritten: (element: Element, isAwaited: boolean) => void,
): readonly [Settle, Show] {
  const [add, find] = makeNumberBook();
  const isAwaited = makeHydrationGate();
  let shown: Shown = new Map();
  standsFor.forEach((_, number) => add(number));
  numbers.forEach((number) => {
    add(number);
    standsFor.delete(number);
  });

  /** What is to stand in the cells. */
  const wanted = (
    page: readonly string[],
    element: Element,
    slot: string,
    attribute: string | undefined,
  ): readonly string[] => {
    const isLink = attribute === "href";
    const text = isLink ? readable(page[0]!) : page.join(JOINT);
    const places = find(text, slot && splitNumber(slot)[1]);
    let out = "";
    let from = 0;
    if (isLink && !places[0]) onUnknown(readNumber(text.slice(4).split(/[;?]/)[0]!));
    if ((!places[0] && !slot) || isLeftAlone(element)) return page;
    for (const place of places) {
      const [number, start, , end] = place;
      const meant = standsFor.get(number) || number;
      const target = shown.get(slot || meant) || meant;
      onNumber(slot || meant, element);
      if (target !== number && start >= from) {
        out += text.slice(from, start) + putNumber(text, place, target, isLink);
        from = end;
      }
    }
    if (from) return (out + text.slice(from)).split(JOINT);
    if (places[0] || attribute) return page;
    onNumber(slot, element);
    // Another text in a slot, a call to action, is better than the page's own number.
    const number = shown.get(slot) || (text.trim() ? "" : slot);
    return number ? [formatNumber(number), ...page.slice(1).map(() => "")] : page;
  };

  const settle: Settle = (cells, element, slot) => {
    const page = cells.map(pageText);
    const parts = wanted(page, element, slot, cells[0] && (cells[0] as Attr).name);
    if (parts.every((part, i) => cells[i] && part === cells[i].nodeValue)) return;
    const isTooEarly = isAwaited(element);
    if (!isTooEarly) {
      if (!cells[0]) element.append(parts[0]!);
      // A script wrote U+0000 into the page, or insists on its own text.
      else if (parts.length !== cells.length || !cells.filter((cell, i) => write(cell, parts[i]!, element))[0]) return;
    }
    onWritten(element, isTooEarly);
  };
  return [
    settle,
    (numbers) => {
      shown = numbers;
      numbers.forEach((number, destination) => {
        add(number);
        if (number !== destination) standsFor.set(number, destination);
      });
    },
  ];
}

/** A link's number as people write it: tel:%2B1%20800… Parameters stay as they are. */
function readable(href: string): string {
  return href.replace(/^[^;?]*/, (number) => number.replace(/%[2-7][\da-f]/gi, decodeURIComponent));
}

function isLeftAlone(element: Element | undefined): boolean {
  return !!element && (!!element.closest(LEFT_ALONE) || isLeftAlone((element.getRootNode() as ShadowRoot).host));
}
