/**
 * Writes into text nodes and attributes, and remembers what the page itself had there: whatever we show, the page's own text can be put back to the letter.
 * The only place of the tag that changes a page. Nodes are never added, moved or removed (but for the text of an empty slot): they are the framework's.
 */

/** `nodeValue` of either is its text; one way to read, write and remember. */
export type Cell = Text | Attr;

/** Then another script insists on its text, and gets its way: a page that flickers is worse than a number that is not swapped. */
export const REWRITES_MAX = 10;

interface Written {
  readonly page: string;
  readonly ours: string;
}

interface Fight {
  readonly page: string;
  readonly batch: number;
  readonly rounds: number;
}

export interface PageWriting {
  /** What the page has there, without us. */
  pageText(cell: Cell): string;
  /** Whether what stands there was written by us, or put back. */
  isOurs(cell: Cell): boolean;
  /**
   * @param owner the element the cell is in: who writes its text back may do so with new nodes
   * @param batch rounds of a fight are counted once a batch
   * @returns whether anything was changed
   */
  write(cell: Cell, text: string, owner: Node, batch: number): boolean;
}

export function makePageWriting(): PageWriting {
  const cells = new WeakMap<Node, Written>();
  const fights = new WeakMap<Node, Fight>();
  const isOurs = (cell: Cell) => cells.get(cell)?.ours === cell.nodeValue;
  const pageText = (cell: Cell) => (isOurs(cell) ? cells.get(cell)!.page : cell.nodeValue!);

  return {
    isOurs,
    pageText,
    write(cell, text, owner, batch) {
      const page = pageText(cell);
      if (cell.nodeValue === text) return false;
      if (!isOurs(cell)) {
        const key = cells.has(cell) ? cell : owner;
        const last = fights.get(key);
        const rounds = last?.page === page ? last.rounds + (last.batch === batch ? 0 : 1) : 0;
        if (rounds > REWRITES_MAX) return false;
        fights.set(key, { page, batch, rounds });
      }
      cells.set(cell, { page, ours: text });
      cell.nodeValue = text;
      return true;
    },
  };
}
