/**
 * The texts of a page that are read as one line: `(800) <b>555</b>-0100`. Called for every look at a part of the page, so it must cost next to nothing:
 * the browser walks the text nodes itself, and neighbours are looked at only behind a digit.
 */

/** Elements that do not end a line. Custom elements are inline unless their style says otherwise. */
const INLINE =
  /^(?:a|abbr|b|bd[io]|big|cite|data|del|dfn|em|font|i|ins|label|mark|nobr|q|s|small|span|strong|su[bp]|time|tspan|tt|u|var|wbr)$|-/;

/** What is treated by itself, whatever the line around it says. */
const APART = "[data-ringmatch-ignore],[data-ringmatch-number],[contenteditable]";

/** A run of this many nodes or more is no number: coloured source code, for one. It is cut there. */
const RUN_NODES_MAX = 40;

const DIGIT = /\d/;

/** Text that nobody sees, and that can be very long. What else is left alone is asked only where a number is. */
const UNSEEN = /^(?:script|style|noscript)$/;

/** Calls `visit` with the text nodes of each line below `root` that holds a digit. */
export function eachTextRun(root: Node, visit: (nodes: readonly Text[]) => void): void {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let run: Text[] = [];
  for (let node = walker.nextNode() as Text | null; node; node = walker.nextNode() as Text | null) {
    const last = run[run.length - 1];
    if (last && (run.length > RUN_NODES_MAX || !isSameLine(last, node))) {
      visit(run);
      run = [];
    }
    if (run[0] || (DIGIT.test(node.data) && !UNSEEN.test((node.parentNode as Element).localName))) run.push(node);
  }
  if (run[0]) visit(run);
}

/** The nearest element around a node that is a line of its own (or more); the shadow root when there is none below it. */
export function lineOf(node: Node): Node {
  let around = node;
  while (isInline(around) && around.parentNode) around = around.parentNode;
  return around;
}

/** Whether nothing between two text nodes, the second the next of the first, ends the line. */
function isSameLine(from: Node, to: Node): boolean {
  let node: Node = from;
  while (node !== to) {
    if (node.nextSibling) {
      node = node.nextSibling;
      while (node !== to && node.firstChild && isInline(node)) node = node.firstChild;
    } else if (node.parentNode) node = node.parentNode;
    else return false;
    if (!isInline(node)) return false;
  }
  return true;
}

function isInline(node: Node): boolean {
  if (node.nodeType === Node.ELEMENT_NODE)
    return INLINE.test((node as Element).localName) && !(node as Element).matches(APART);
  return node.nodeType !== Node.DOCUMENT_FRAGMENT_NODE;
}
