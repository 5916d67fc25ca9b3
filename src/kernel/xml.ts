/**
 * Writes little XML documents: elements, attributes, text. Everything that comes in as text is escaped, so that a name or a URL
 * can never become markup. For documents that have no writer of their own: carriers, and the Invoca-compatible API.
 */

/** Markup that is safe already, which plain text never is. */
export interface XmlElement {
  readonly xml: string;
}

/** Left out where the value is null. */
export type XmlAttributes = Readonly<Record<string, string | number | boolean | null>>;

/** @param children text is escaped */
export function element(
  name: string,
  attributes: XmlAttributes = {},
  children: readonly (XmlElement | string)[] = [],
): XmlElement {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => ` ${key}="${escaped(String(value))}"`)
    .join("");
  const inner = children.map((child) => (typeof child === "string" ? escapedText(child) : child.xml)).join("");
  return { xml: inner === "" ? `<${name}${written}/>` : `<${name}${written}>${inner}</${name}>` };
}

/** A whole document, in UTF-8. */
export function xmlDocument(root: XmlElement): string {
  return `<?xml version="1.0" encoding="UTF-8"?>${root.xml}`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Control characters and halves of surrogate pairs have no place in XML 1.0 (§2.2), not even as references; a parser would refuse the whole document. */
const NO_CHARACTER = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

function escaped(text: string): string {
  return text.replace(NO_CHARACTER, "").replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/** Quotes mean nothing between tags, and what people write stays readable. */
function escapedText(text: string): string {
  return text.replace(NO_CHARACTER, "").replace(/[&<>]/g, (character) => ENTITIES[character] ?? "");
}
