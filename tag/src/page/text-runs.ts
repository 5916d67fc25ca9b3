/** The texts of a page that are read as one line: `(800) <b>555</b>-0100`. */

/** Elements that do not end a line. Custom elements are inline unless their style says otherwise. */
const INLINE = /^([abiqsu]|abbr|bd[io]|em|font|ins|label|mark|nobr|small|span|strong|su[bp]|time|tspan)$|-/;

/** What is treated by itself, whatever the line around it says. */
const APART = "[data-ringmatch-ignore],[data-ringmatch-number],[contenteditable]";

/** An element or a shadow root: what can be looked at. */
export type Part = Element | ShadowRoot;

/** NodeFilter's names for what a walker shows, which no minifier shortens. */
const SHOW_TEXT = 4;
export const SHOW_ELEMENT = 1;

/** In order. A page has thousands: one plain loop. */
export function textsIn(root: Node): readonly Text[] {
  const texts: Text[] = [];
  const walker = document.createTreeWalker(root, SHOW_TEXT);
  for (let text: Node | null; (text = walker.nextNode()); ) texts.push(text as Text);
  return texts;
}

/** The nearest part of the page around a node that is a line of its own, or more. */
export function lineOf(node: Node): Part {
  const { parentNode, localName } = node as Element;
  // Text and comments have no name.
  return parentNode && (!localName || (INLINE.test(localName) && !(node as Element).matches(APART)))
    ? lineOf(parentNode)
    : (node as Part);
}

/** @returns those of `texts`, all of a part in order, that are read as one with the text at `index` */
export function lineAt(texts: readonly Text[], index: number): readonly Text[] {
  const line = lineOf(texts[index]!);
  const isIn = (text: Text | undefined) => text && lineOf(text) === line;
  let from = index;
  let to = index;
  while (isIn(texts[from - 1])) from--;
  while (isIn(texts[to])) to++;
  return texts.slice(from, to);
}
