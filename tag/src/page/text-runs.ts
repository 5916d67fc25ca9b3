/**
 * The texts of a page that are read as one line: `(800) <b>555</b>-0100`. The browser walks the text nodes itself, each is asked once whether a number may
 * begin in it, and what is around a text is looked at only then. (Passing over whole sections by their textContent took longer: measured.)
 */

/** Elements that do not end a line. Custom elements are inline unless their style says otherwise. */
const INLINE = /^([abiqsu]|abbr|bd[io]|em|font|ins|label|mark|nobr|small|span|strong|su[bp]|time|tspan)$|-/;

/** What is treated by itself, whatever the line around it says. */
const APART = "[data-ringmatch-ignore],[data-ringmatch-number],[contenteditable]";

/** Text that nobody sees, and that can be very long; and slots, which are looked at by themselves. All else is asked only where a number is. */
const NO_LINE = "script,style,noscript,[data-ringmatch-number]";

/** An element or a shadow root: what can be looked at. */
export type Part = Element | ShadowRoot;

export function textsIn(root: Node): readonly Text[] {
  const texts: Text[] = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  return texts;
}

export function elementOf(text: Text): Element {
  return text.parentElement || (text.parentNode as ShadowRoot).host;
}

/** The nearest part of the page around a node that is a line of its own, or more. */
export function lineOf(node: Node): Part {
  const { parentNode } = node;
  return parentNode && isInline(node) ? lineOf(parentNode) : (node as Part);
}

/** @returns also for text and comments, which have no name */
function isInline(node: Node): boolean {
  const { localName } = node as Element;
  return !localName || (INLINE.test(localName) && !(node as Element).matches(APART));
}

/** Calls `visit` with the text nodes of each line of a part in which a number may begin, from there on. */
export function eachLine(part: Node, mayBegin: RegExp, visit: (texts: readonly Text[]) => void): void {
  const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
  let text = walker.nextNode() as Text | null;
  while (text) {
    // The loop of a page's thousands of texts.
    while (text && !mayBegin.test(text.data)) text = walker.nextNode() as Text | null;
    if (!text) return;
    const run = [text];
    const line = lineOf(text);
    const isLine = !elementOf(text).closest(NO_LINE);
    while ((text = walker.nextNode() as Text | null) && isLine && lineOf(text) === line) run.push(text);
    if (isLine) visit(run);
  }
}
