/** What is to stand in one line of text or one attribute: found in the page's own text, written when it stands there not yet. Called by look.ts. */
import { JOINT, type Place } from "./find-numbers.js";
import { makeHydrationGate } from "./hydration.js";
import type { KnownNumbers } from "./known-numbers.js";
import { type Cell, makePageWriting } from "./page-writing.js";
import { countryOf, formatNumber, readNumber } from "./phone-number.js";
import { putNumber } from "./put-number.js";

/** Where nothing is touched: not shown as text, a person's own input, or somebody said so. Code is quoted, not dialled. */
const LEFT_ALONE =
  "head,script,style,noscript,template,iframe,textarea,select,datalist,code,[contenteditable]:not([contenteditable=false]),[data-ringmatch-ignore]";

export interface SettleOptions {
  readonly known: KnownNumbers;
  /** Tells of numbers in tel: links that are not known. */
  readonly discover: boolean;
  onDestination(destination: string): void;
  onWritten(): void;
  /** A framework has yet to take over what was found. */
  onAwaited(): void;
}

export interface Line {
  readonly kind: "text" | "attribute" | "link";
  /** Text nodes that are read as one, or one attribute. None in an empty slot. */
  readonly cells: readonly Cell[];
  /** What they are in. */
  readonly element: Element;
  /** The destination that stands here by the page's own word, E.164. */
  readonly slot: string;
}

export interface Settle {
  /** @returns whether a number of ours is in it */
  settle(line: Line, batch: number): boolean;
  isOurs(cell: Cell): boolean;
}

export function makeSettle({ known, discover, onDestination, onWritten, onAwaited }: SettleOptions): Settle {
  const { pageText, isOurs, write } = makePageWriting();
  const isAwaited = makeHydrationGate();

  /** What is to stand in the cells. */
  const wanted = (
    { kind, slot }: Line,
    page: readonly string[],
    text: string,
    places: readonly Place[],
  ): readonly string[] => {
    const isLink = kind === "link";
    let out = "";
    let from = 0;
    for (const place of places) {
      const { destination, target } = known.meaning(place.number, slot);
      onDestination(destination);
      if (target === place.number) continue;
      out += text.slice(from, place.start) + putNumber(text, place, target, isLink);
      from = place.end;
    }
    if (from) return (out + text.slice(from)).split(JOINT);
    if (places[0]) return page;
    if (isLink && discover) onDestination(readNumber(/^tel:([^;?,]*)/i.exec(text)?.[1] ?? ""));
    if (!slot || kind !== "text") return page;
    const { target } = known.meaning(slot, slot);
    onDestination(slot);
    // Another text in a slot, a call to action, is better than the page's own number.
    return target === slot && text.trim() ? page : [formatNumber(target), ...page.slice(1).map(() => "")];
  };

  const settle = (line: Line, batch: number) => {
    const { kind, cells, element, slot } = line;
    const page = cells.map(pageText);
    const text = kind === "link" ? readable(page[0]!) : page.join(JOINT);
    const places = known.find(text, slot && ((digits) => `+${countryOf(slot)}${digits}`));
    if (!places[0] && !slot && !(kind === "link" && discover) && !cells.some(isOurs)) return false;
    const parts = isLeftAlone(element) ? page : wanted(line, page, text, places);
    if (parts.every((part, i) => part === cells[i]?.nodeValue)) return true;
    if (isAwaited(element)) onAwaited();
    // A page's text with U+0000 in it, written by a script, cannot be told from two texts.
    else if (!cells[0]) element.append(parts[0]!);
    else if (
      parts.length !== cells.length ||
      cells.filter((cell, i) => write(cell, parts[i]!, element, batch)).length === 0
    )
      return true;
    else onWritten();
    return true;
  };
  return { settle, isOurs };
}

/** A link's number as people write it: tel:%2B1%20800… Parameters stay as they are. */
function readable(href: string): string {
  return href.replace(/^[^;?]*/, (number) => number.replace(/%[2-7][\da-f]/gi, decodeURIComponent));
}

function isLeftAlone(element: Element): boolean {
  for (let around: Element | undefined = element; around; around = (around.getRootNode() as Partial<ShadowRoot>).host)
    if (around.closest(LEFT_ALONE)) return true;
  return false;
}
