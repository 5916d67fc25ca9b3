/** Builds elements. Text becomes text nodes and nothing else, so whatever a campaign, a caller or a page is named, it is shown and never run. */

export type Child = Node | string | null;

/** @param attributes null leaves one out; true writes it empty */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string | boolean | null>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  setAttributes(made, attributes);
  made.append(...children.filter((child) => child !== null));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function drawing(
  name: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Node[]
): SVGElement {
  const made = document.createElementNS(SVG, name);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

/** What stands in the page's HTML under this id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no #${id}`);
  return found as T;
}

function setAttributes(made: Element, attributes: Readonly<Record<string, string | boolean | null>>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    made.setAttribute(name, value === true ? "" : value);
  }
}
