/** One look at a part of the page: its slots, its lines of text, its attributes and its shadow roots. Called by watch-page.ts. */
import { readNumber } from "./phone-number.js";
import type { Settle } from "./settle.js";
import { eachTextRun, elementOf, type Part, textsIn, WHOLE } from "./text-runs.js";

const SLOT = "data-ringmatch-number";
const SLOTS = `[${SLOT}]`;

/** Attributes that people see, hear or press. */
const READ = ["href", "aria-label", "title", "alt"];
const WITH_ATTRIBUTES = '[href^="tel:"i],[href^="sms:"i],[aria-label],[title],[alt]';
const LINK = /^(tel|sms):/i;

/** What may make a number appear, or forbid it. */
export const WATCHED = [...READ, SLOT, "data-ringmatch-ignore", "contenteditable"];

/** @returns looks at everything in a part of the page */
export function makeLook(
  settle: Settle,
  slotsOnly: boolean,
  onShadow: (root: ShadowRoot) => void,
): (part: Part) => void {
  const look = (part: Part) => {
    if (!slotsOnly) eachTextRun(part, (texts) => settle(texts, elementOf(texts[0]!), ""));
    each(part, `${SLOTS},${WITH_ATTRIBUTES}`, (element) => {
      const around = element.closest(SLOTS);
      const slot = around ? readNumber(around.getAttribute(SLOT)!) : "";
      if (slot && around === element) settle(textsIn(element), element, slot);
      if (slot || !slotsOnly)
        for (const name of READ) {
          const value = element.getAttribute(name) || "";
          if (WHOLE.test(value) && (name !== "href" || LINK.test(value)))
            settle([element.getAttributeNode(name)!], element, slot);
        }
    });
    each(part, "*", ({ shadowRoot }) => {
      if (!shadowRoot) return;
      onShadow(shadowRoot);
      look(shadowRoot);
    });
  };
  return look;
}

/** The part itself, too: an element that was added may be what is searched. */
function each(part: Part, selector: string, visit: (element: Element) => void): void {
  if ("matches" in part && part.matches(selector)) visit(part);
  part.querySelectorAll(selector).forEach(visit);
}
