/** What others changed on the page since the last frame, handed on once, before the next frame is painted. Called by watch-page.ts. */
import { HYDRATION_POLL_MS } from "./hydration.js";
import { look, SLOTS, WATCHED } from "./look.js";
import { isOurs } from "./page-text.js";
import { awaited, found, options, shown, swapped } from "./settle.js";
import { lineOf, type Part } from "./text-runs.js";

/**
 * On the root element: what stands on the page for what. A copy of the page that is kept somewhere (a shared cache, a file) is healed by it, whoever
 * looks at it next. One attribute that no framework owns, instead of one beside each number.
 */
export const MARK = "data-ringmatch-shown";

/** A page that nobody sees has no frames; it has time. */
const HIDDEN_MS = 250;

/** Of a frame's 16 ms: what is left of a giant change waits for the next. One part of it is always finished. */
const FRAME_MS_MAX = 6;

const pending = new Set<Part>();
/** Added in this frame, and all in it with it: browsers that parse a page report every node. */
const added = new Set<Node>();
let isScheduled = false;
let isStopped = false;

const observer = new MutationObserver((records) => {
  for (const { target, type, attributeName, addedNodes } of records) {
    if (type !== "childList" && !isOurs(attributeName ? (target as Element).getAttributeNode(attributeName) : target))
      changed(target);
    addedNodes.forEach((node) => {
      if (!added.has(target)) changed(node);
      added.add(node);
    });
  }
});

/** Watches a root and all below it, but for shadow roots. */
export function watch(root: Node): void {
  observer.observe(root, { subtree: true, childList: true, characterData: true, attributeFilter: WATCHED });
}

export function stop(): void {
  observer.disconnect();
  pending.clear();
  isStopped = isScheduled = true;
}

/** What was looked at is told, marked, and asked for again where a framework was not ready. Told first: the answer decides what the mark names. */
export function report(): void {
  if (found[0]) options.onFound(found.splice(0));
  if (swapped.splice(0)[0]) {
    document.documentElement.setAttribute(MARK, [...shown].map((pair) => pair.join("=")).join(" "));
    options.onSwapped();
  }
  awaited.splice(0).forEach((element) => setTimeout(changed, HYDRATION_POLL_MS, element));
}

function changed(node: Node): void {
  const line = lineOf(node);
  pending.add((line as Partial<Element>).closest?.(SLOTS) || line);
  if (isScheduled) return;
  isScheduled = true;
  if (document.hidden) setTimeout(run, HIDDEN_MS);
  else requestAnimationFrame(run);
}

function run(): void {
  const end = performance.now() + FRAME_MS_MAX;
  isScheduled = isStopped;
  added.clear();
  for (const part of pending) {
    if (performance.now() > end) {
      changed(part);
      break;
    }
    pending.delete(part);
    look(part, watch);
  }
  report();
}
