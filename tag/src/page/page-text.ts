/**
 * Writes into text nodes and attributes, and remembers what the page itself had there: whatever we show, the page's own text can be put back to the letter.
 * Nodes are never added, moved or removed (but for the text of an empty slot): they are the framework's.
 */

/** `nodeValue` of either is its text: one way to read, write and remember. */
export type Cell = Text | Attr;

/** Then another script insists on its text, and gets its way: a page that flickers is worse than a number that is not swapped. */
const REWRITES_MAX = 20;

/** Of a cell: the page's text, what we wrote instead, and how often we had to write it again. Of an element: for nodes made anew in it. */
type Written = readonly [page: string, ours: string, rewrites: number];

const written = new WeakMap<Node, Written>();

/** What the page has there, without us. */
export function pageText(cell: Cell): string {
  return isOurs(cell) ? written.get(cell)![0] : cell.nodeValue!;
}

/** Whether what stands there was written by us. Null: nothing stands there. */
export function isOurs(node: Node | null): unknown {
  const last = written.get(node as Node);
  return last && last[1] === node!.nodeValue;
}

/** @returns whether anything was changed */
export function write(cell: Cell, text: string, element: Element): boolean {
  const stands = cell.nodeValue;
  const page = pageText(cell);
  const last = written.get(cell) || written.get(element);
  const rewrites = last && last[0] === page ? last[2] + +(last[1] !== stands) : 0;
  if (stands === text || rewrites > REWRITES_MAX) return false;
  for (const node of [cell, element]) written.set(node, [page, text, rewrites]);
  cell.nodeValue = text;
  return true;
}
