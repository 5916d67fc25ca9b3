/** The texts of a page that a reader sees as one line, whatever elements they are spread over. */

/** Elements that do not end a line. */
const INLINE =
  /^(?:a|abbr|b|bd[io]|big|cite|code|data|del|dfn|em|font|i|ins|label|mark|nobr|q|s|small|span|strong|su[bp]|time|tspan|tt|u|var|wbr)$|-/;

/** Treated by the tag for themselves. */
const APART = "[data-ringmatch-ignore],[data-ringmatch-number],[contenteditable]";

/** No reader sees them as text; they are gone through on their own. */
const UNSEEN = /^(?:script|style|template|iframe)$/;

export function textLines(root: Node): (readonly Text[])[] {
  const lines: Text[][] = [];
  let line: Text[] = [];
  const end = (): void => {
    if (line.length > 0) lines.push(line);
    line = [];
  };
  const visit = (node: Node): void => {
    if (node.nodeType === Node.TEXT_NODE) return void line.push(node as Text);
    if (node.nodeType !== Node.ELEMENT_NODE && node.nodeType !== Node.DOCUMENT_NODE) return;
    const isInline = node.nodeType === Node.ELEMENT_NODE && isInlineElement(node as Element);
    if (!isInline) end();
    if (!UNSEEN.test((node as Element).localName ?? "")) for (const child of node.childNodes) visit(child);
    if (!isInline) end();
  };
  visit(root);
  end();
  return lines;
}

function isInlineElement(element: Element): boolean {
  return INLINE.test(element.localName) && !element.matches(APART);
}
