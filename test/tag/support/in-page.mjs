/** Runs in the page, beside the page's half of the tag: bundled with it by page-half.ts. */
import { watchPage } from "../../../tag/src/page/watch-page.ts";

/** Markup of the body with shadow roots; comparable between two pages of one browser. */
function markup(node = document.body) {
  if (!(node instanceof Element)) {
    if (node instanceof Text) return JSON.stringify(node.data);
    return node instanceof Comment ? `<!--${node.data}-->` : [...node.childNodes].map(markup).join("");
  }
  const shadow = node.shadowRoot ? `#shadow{${markup(node.shadowRoot)}}` : "";
  const attributes = [...node.attributes].map(({ name, value }) => ` ${name}=${JSON.stringify(value)}`).join("");
  return `\n<${node.localName}${attributes}>${shadow}${[...node.childNodes].map((child) => markup(child)).join("")}</>`;
}

/** Watches, with everything told in `live`. */
function start({ numbers, slotsOnly = false, discover = false, shownBefore = [], shown = [] }) {
  const live = { found: [], swaps: 0 };
  live.watch = watchPage({
    numbers,
    slotsOnly,
    discover,
    shownBefore: new Map(shownBefore),
    onFound: (destinations) => live.found.push([...destinations]),
    onSwapped: () => live.swaps++,
  });
  live.watch.scan();
  if (shown.length > 0) live.watch.show(new Map(shown));
  window.live = live;
}

/** Types of all changes to the page, in its shadow roots too, while `act` runs. */
function changesOf(act) {
  const observer = new MutationObserver(() => undefined);
  const observe = (root) => {
    observer.observe(root, { subtree: true, childList: true, characterData: true, attributes: true });
    for (const { shadowRoot } of root.querySelectorAll("*")) if (shadowRoot) observe(shadowRoot);
  };
  observe(document);
  act();
  const types = observer.takeRecords().map(({ type }) => type);
  observer.disconnect();
  return types;
}

/** Ours is surely over in the third. */
const frames = () =>
  new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))));

Object.assign(window, { watchPage, start, markup, changesOf, frames });
