/**
 * The texts of a page that are read as one line: `(800) <b>555</b>-0100`. Called for every look at a part of the page, so it must cost next to nothing:
 * the browser walks the text nodes itself, and what is around them is looked at only from a digit on.
 */

/** Elements that do not end a line. Custom elements are inline unless their style says otherwise. */
const INLINE = /^([abiqsu]|abbr|bd[io]|em|font|ins|label|mark|nobr|small|span|strong|su[bp]|time|tspan)$|-/;

/** What is treated by itself, whatever the line around it says. */
const APART = "[data-ringmatch-ignore],[data-ringmatch-number],[contenteditable]";

/** Text that nobody sees, and that can be very long; and slots, which are looked at by themselves. All else is asked only where a number is. */
const NO_LINE = "script,style,noscript,[data-ringmatch-number]";

/** A whole number begins here, or the first part of one ends the text. Tested for every text of a page: all that follows is for the few that pass. */
export const WHOLE = /\d(\W*\w){6}/;
const PART = /\d\W*$/;

/** An element or a shadow root: what can be looked at. */
export type Part = Element | ShadowRoot;

export function textsIn(root: Node): readonly Text[] {
  const texts: Text[] = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  return texts;
}

/** The nearest part of the page around a node that is a line of its own, or more. */
export function lineOf(node: Node): Part {
  const { parentNode, localName } = node as Element;
  return parentNode && (!localName || (INLINE.test(localName) && !(node as Element).matches(APART)))
    ? lineOf(parentNode)
    : (node as Part);
}

export function elementOf(text: Text): Element {
  return text.parentElement || (text.parentNode as ShadowRoot).host;
}

/** Calls `visit` with the text nodes of each line below `root` that may hold a number, from where it begins on. */
export function eachTextRun(root: Node, visit: (nodes: readonly Text[]) => void): void {
  let run: Text[] = [];
  let line: Part | undefined;
  const end = () => {
    if (run[1] || (line && WHOLE.test(run[0]!.data))) visit(run);
    line = undefined;
    run = [];
  };
  for (const text of textsIn(root)) {
    if (line && line !== lineOf(text)) end();
    if (line || ((PART.test(text.data) || WHOLE.test(text.data)) && !elementOf(text).closest(NO_LINE))) {
      line = line || lineOf(text);
      run.push(text);
    }
  }
  end();
}
