/** One look at a part of the page: its slots, its lines of text, its attributes and its shadow roots. Called by watch-page.ts. */
import { readNumber } from "./phone-number.js";
import type { Settle } from "./settle.js";
import { eachTextRun, lineOf } from "./text-runs.js";

const SLOT = "data-ringmatch-number";
const SLOTS = `[${SLOT}]`;

/** Attributes that people see, hear or press. */
const READ = ["href", "aria-label", "title", "alt"];
const WITH_ATTRIBUTES = '[href^="tel:"i],[href^="sms:"i],[aria-label],[title],[alt]';
const LINK = /^(?:tel|sms):/i;

/** What may make a number appear, or forbid it. `ssr` leaves an Astro island when it is hydrated. */
export const WATCHED = [...READ, SLOT, "data-ringmatch-ignore", "contenteditable", "ssr"];

/** An element, a shadow root or the document: what can be searched. */
export type Part = Element | ShadowRoot;

export interface LookOptions extends Pick<Settle, "settle"> {
  readonly slotsOnly: boolean;
  /** A part holds a number: it is looked at again when others are to be shown. */
  onPlace(part: Part): void;
  onShadow(root: ShadowRoot): void;
}

/** @returns looks at everything in a part; `batch` tells one frame's looks from the next one's */
export function makeLook({ settle, slotsOnly, onPlace, onShadow }: LookOptions): (part: Part, batch: number) => void {
  const look = (part: Part, batch: number) => {
    for (const element of select(part, SLOTS)) {
      const cells: Text[] = [];
      const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) cells.push(walker.currentNode as Text);
      const slot = slotOf(element);
      if (slot && settle({ kind: "text", cells, element, slot }, batch)) onPlace(element);
    }
    if (!slotsOnly)
      eachTextRun(part, (cells) => {
        const element = cells[0]!.parentElement ?? (cells[0]!.parentNode as ShadowRoot).host;
        if (!element.closest(SLOTS) && settle({ kind: "text", cells, element, slot: "" }, batch))
          onPlace(lineOf(cells[0]!) as Part);
      });
    for (const element of select(part, WITH_ATTRIBUTES)) {
      const slot = slotOf(element.closest(SLOTS));
      if (slotsOnly && !slot) continue;
      for (const name of READ) {
        const cell = element.getAttributeNode(name);
        const kind = name === "href" ? "link" : "attribute";
        if (cell && (kind !== "link" || LINK.test(cell.value)) && settle({ kind, cells: [cell], element, slot }, batch))
          onPlace(element);
      }
    }
    for (const { shadowRoot } of select(part, "*"))
      if (shadowRoot) {
        onShadow(shadowRoot);
        look(shadowRoot, batch);
      }
  };
  return look;
}

/** The destination of a slot; "" where there is none. */
function slotOf(element: Element | null): string {
  return readNumber(element?.getAttribute(SLOT) ?? "");
}

/** With the part itself: an element that was added may be what is searched. */
function select(part: Part, selector: string): readonly Element[] {
  const below = [...part.querySelectorAll(selector)];
  return "matches" in part && part.matches(selector) ? [part, ...below] : below;
}
