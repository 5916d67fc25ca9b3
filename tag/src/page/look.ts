/** One look at a part of the page: its slots, its lines of text, its attributes and its shadow roots. Called by watch-page.ts. */
import { readNumber } from "./phone-number.js";
import { book, eachSpot, options, settle } from "./settle.js";
import { lineAt, type Part, SHOW_ELEMENT, textsIn } from "./text-runs.js";

const SLOT = "data-ringmatch-number";
export const SLOTS = `[${SLOT}]`;

/** Attributes that people see, hear or press. */
const READ = ["href", "aria-label", "title", "alt"];
const WITH_ATTRIBUTES = '[href*="tel:"i],[href*="sms:"i],[aria-label],[title],[alt]';
/** Browsers take no notice of spaces before it. */
const LINK = /^\s*(tel|sms):/i;

/** Text that nobody sees, and slots, which are looked at by themselves. */
const NO_LINE = "script,style,noscript,[data-ringmatch-number]";

/** What may make a number appear, or forbid it. */
export const WATCHED = [...READ, SLOT, "data-ringmatch-ignore", "contenteditable"];

/**
 * Looks at everything in a part of the page.
 * @param onShadow is told of each shadow root in it
 */
export function look(part: Part, onShadow: (root: ShadowRoot) => void): void {
  if (!options.slotsOnly) lookAtLines(part);
  each(part, `${SLOTS},${WITH_ATTRIBUTES}`, (element) => {
    const around = element.closest(SLOTS);
    const slot = around ? readNumber(around.getAttribute(SLOT)!) : "";
    if (slot && around === element) settle(textsIn(element), element, slot, "");
    if (slot || !options.slotsOnly)
      // Of an attribute that is not there they read "null".
      for (const name of READ)
        if ((name === "href" ? LINK : /\d/).test(element.getAttribute(name)!))
          settle([element.getAttributeNode(name)!], element, slot, name);
  });
  // No selector knows them, and to leave out elements which cannot have any takes longer. Thousands: one plain loop.
  const walker = document.createTreeWalker(part, SHOW_ELEMENT);
  for (let node: Node | null = part; node; node = walker.nextNode()) {
    const { shadowRoot } = node as Element;
    if (!shadowRoot) continue;
    onShadow(shadowRoot);
    look(shadowRoot, onShadow);
  }
}

/**
 * Each line that a number begins in. All text of the part is searched as one string; only where numbers are in it are its text nodes counted through, by
 * their lengths alone, and only around a number is it asked what is one line. (Reading each text by itself took twice as long, passing over sections by
 * their own textContent longer than counting: measured.)
 */
function lookAtLines(part: Part): void {
  const due = new Set<Node>();
  // What was found here before, too: a number in several texts, of which the page wrote one anew beside ours, is none as it stands.
  eachSpot(([cells]) => cells.forEach((cell) => part.contains(cell) && due.add(cell)));
  const starts = book.within(part.textContent);
  const texts = due.size + starts.length ? textsIn(part) : [];
  let end = 0;
  let next = 0;
  texts.forEach((text) => {
    end += text.length;
    for (; starts[next]! < end; next++) due.add(text);
  });
  due.forEach((text) => {
    const element = text.parentElement || (text.parentNode as ShadowRoot).host;
    if (element.closest(NO_LINE)) return;
    const line = lineAt(texts, texts.indexOf(text as Text));
    line.forEach((one) => due.delete(one));
    settle(line, element, "", "");
  });
}

/** The part itself, too: an element that was added may be what is searched. */
function each(part: Part, selector: string, visit: (element: Element) => void): void {
  if ((part as Partial<Element>).matches?.(selector)) visit(part as Element);
  part.querySelectorAll(selector).forEach(visit);
}
