/** One look at a part of the page: its slots, its lines of text, its attributes and its shadow roots. Called by watch-page.ts. */
import { readNumber } from "./phone-number.js";
import { book, options, settle } from "./settle.js";
import { eachLine, elementOf, type Part, textsIn } from "./text-runs.js";

const SLOT = "data-ringmatch-number";
export const SLOTS = `[${SLOT}]`;

/** Attributes that people see, hear or press. */
const READ = ["href", "aria-label", "title", "alt"];
const WITH_ATTRIBUTES = '[href^="tel:"i],[href^="sms:"i],[aria-label],[title],[alt]';
const LINK = /^(tel|sms):/i;

/** All but frequent elements that cannot have a shadow root (DOM, "attach a shadow root"): each that is left has to be asked for its own. */
const HOSTS = ":not(a,b,br,button,em,i,img,input,label,li,link,meta,option,path,script,strong,svg,td,th,tr,ul)";

/** What may make a number appear, or forbid it. */
export const WATCHED = [...READ, SLOT, "data-ringmatch-ignore", "contenteditable"];

/**
 * Looks at everything in a part of the page.
 * @param onShadow is told of each shadow root in it
 */
export function look(part: Part, onShadow: (root: ShadowRoot) => void): void {
  if (!options.slotsOnly) eachLine(part, book.begin(), (texts) => settle(texts, elementOf(texts[0]!), "", "text"));
  each(part, `${SLOTS},${WITH_ATTRIBUTES}`, (element) => {
    const around = element.closest(SLOTS);
    const slot = around ? readNumber(around.getAttribute(SLOT)!) : "";
    if (slot && around === element) settle(textsIn(element), element, slot, "text");
    if (slot || !options.slotsOnly)
      for (const name of READ) {
        const value = element.getAttribute(name) || "";
        if (name !== "href" ? /\d/.test(value) : LINK.test(value))
          settle([element.getAttributeNode(name)!], element, slot, name === "href" ? "link" : "attribute");
      }
  });
  each(part, HOSTS, ({ shadowRoot }) => {
    if (!shadowRoot) return;
    onShadow(shadowRoot);
    look(shadowRoot, onShadow);
  });
}

/** The part itself, too: an element that was added may be what is searched. */
function each(part: Part, selector: string, visit: (element: Element) => void): void {
  if ("matches" in part && part.matches(selector)) visit(part);
  part.querySelectorAll(selector).forEach(visit);
}
