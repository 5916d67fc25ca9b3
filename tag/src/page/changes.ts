/**
 * What changed on the page since the last frame, handed on once, before the next frame is painted. Called by watch-page.ts.
 *
 * Rule: what we wrote ourselves is no change, so that nothing we do calls us again.
 */
import { type Part, WATCHED } from "./look.js";
import type { Cell } from "./page-writing.js";
import { lineOf } from "./text-runs.js";

/** A page that nobody sees has no frames; it has time. */
const HIDDEN_MS = 250;

/** Of a frame's 16 ms: what is left of a giant change waits for the next. One part of it is always finished. */
const FRAME_MS_MAX = 6;

export interface ChangesOptions {
  isOurs(cell: Cell): boolean;
  look(part: Part): void;
  /** Everything of this frame was looked at. */
  onLooked(): void;
}

export interface Changes {
  watch(root: Node): void;
  stop(): void;
}

export function watchChanges({ isOurs, look, onLooked }: ChangesOptions): Changes {
  const pending = new Set<Node>();
  let isScheduled = false;

  const schedule = () => {
    if (isScheduled || !pending.size) return;
    isScheduled = true;
    if (document.hidden) setTimeout(run, HIDDEN_MS);
    else requestAnimationFrame(run);
  };
  const run = () => {
    isScheduled = false;
    const end = performance.now() + FRAME_MS_MAX;
    const looked = new Set<Node>();
    for (const node of pending) {
      if (performance.now() > end) break;
      pending.delete(node);
      const part = lineOf(node);
      if (!node.isConnected || isWithin(part, looked)) continue;
      looked.add(part);
      look(part as Part);
    }
    onLooked();
    schedule();
  };
  const observer = new MutationObserver((records) => {
    for (const { target, type, addedNodes, attributeName } of records) {
      const cell = type === "attributes" ? (target as Element).getAttributeNode(attributeName!) : (target as Text);
      if (type === "childList") addedNodes.forEach((node) => pending.add(node));
      else if (!cell || !isOurs(cell)) pending.add(target);
    }
    schedule();
  });
  return {
    watch(root) {
      observer.observe(root, { subtree: true, childList: true, characterData: true, attributeFilter: WATCHED });
    },
    stop() {
      observer.disconnect();
      pending.clear();
    },
  };
}

function isWithin(node: Node, parts: ReadonlySet<Node>): boolean {
  for (let around: Node | null = node; around; around = around.parentNode) if (parts.has(around)) return true;
  return false;
}
