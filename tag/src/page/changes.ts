/**
 * What changed on the page since the last frame, handed on once, before the next frame is painted. Called by watch-page.ts.
 *
 * What we write is a change, too: its line is looked at once more, and nothing is found to write.
 */
import { WATCHED } from "./look.js";
import { lineOf, type Part } from "./text-runs.js";

/** A page that nobody sees has no frames; it has time. */
const HIDDEN_MS = 250;

/** Of a frame's 16 ms: what is left of a giant change waits for the next. One part of it is always finished. */
const FRAME_MS_MAX = 6;

/**
 * @param onLooked everything of this frame was looked at
 * @returns `watch` a root and all below it, but for shadow roots; `changed` has a node looked at in the next frame; `stop` all of it
 */
export function watchChanges(
  look: (part: Part) => void,
  onLooked: () => void,
): readonly [watch: (root: Node) => void, changed: (node: Node) => void, stop: () => void] {
  const pending = new Set<Part>();
  /** Added in this frame, and all in it with it: browsers that parse a page report every node. */
  const added = new Set<Node>();
  let isScheduled = false;
  let isStopped = false;

  const run = () => {
    const end = Date.now() + FRAME_MS_MAX;
    isScheduled = isStopped;
    added.clear();
    for (const part of pending) {
      if (Date.now() > end) break;
      pending.delete(part);
      look(part);
    }
    onLooked();
    schedule();
  };
  const schedule = () => {
    if (isScheduled || !pending.size) return;
    isScheduled = true;
    if (document.hidden) setTimeout(run, HIDDEN_MS);
    else requestAnimationFrame(run);
  };
  const changed = (node: Node) => {
    pending.add(lineOf(node));
    schedule();
  };
  const observer = new MutationObserver((records) => {
    for (const { target, type, addedNodes } of records) {
      if (type !== "childList") changed(target);
      addedNodes.forEach((node) => {
        if (!added.has(target)) changed(node);
        added.add(node);
      });
    }
  });
  return [
    (root) => observer.observe(root, { subtree: true, childList: true, characterData: true, attributeFilter: WATCHED }),
    changed,
    () => {
      observer.disconnect();
      pending.clear();
      isStopped = isScheduled = true;
    },
  ];
}
