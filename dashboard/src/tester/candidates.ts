/** Everything on a page that looks like a telephone number, wherever it stands. Reads, never writes; the page is an inert document. */
import { textLines } from "./text-lines.js";
import { makeFinder, readNumber, type WrittenNumber } from "./written-numbers.js";

/** Where the tag never looks, or writes nothing. */
export type Unread = "comment" | "script" | "json_ld" | "style" | "noscript" | "template" | "iframe" | "image" | "head";

export type Where =
  | { readonly kind: "text"; readonly isSplit: boolean }
  | { readonly kind: "link" }
  | { readonly kind: "slot" }
  | { readonly kind: "attribute"; readonly name: string }
  | { readonly kind: Unread };

export interface Candidate {
  /** As it stands there. */
  readonly written: string;
  /** E.164; null when nothing can be read from it. */
  readonly number: string | null;
  readonly where: Where;
  /** What it is in; null for comments. */
  readonly element: Element | null;
  /** The parts of text nodes or of an attribute that it stands in: where the tag would write. Empty: nowhere it could. */
  readonly parts: readonly Part[];
  /** Letters, digits or signs stand right beside it. */
  readonly isJoined: boolean;
}

export interface Part {
  readonly node: Node;
  readonly start: number;
  readonly end: number;
}

/** The tag reads these. What else has a number in it is shown as left. */
const READ_BY_TAG: ReadonlySet<string> = new Set(["href", "aria-label", "title", "alt"]);
const ALSO_LOOKED_AT = ["value", "placeholder", "content", "src", "data-phone", "data-number", "data-tel", "onclick"];
const WRITTEN_CHARS_MAX = 80;

/** A page of a hundred thousand numbers is a list of them; nobody reads further. */
const CANDIDATES_MAX = 1_000;

/** Between the texts of two nodes that are read as one. No page's text holds it: HTML has no U+0000. */
const JOINT = "\0";

const JOINED_BEFORE = /(?:[\w#$€£=]|\d[-.])+$/;
const JOINED_AFTER = /^(?:[-.]?\d|[@_]|(?!x\d|ext)[a-z])\w*/i;

type Finder = ReturnType<typeof makeFinder>;

/** @param known destinations of the account, tracked or not, E.164 */
export function gatherCandidates(page: Document, known: readonly string[]): Candidate[] {
  const find = makeFinder(known);
  const gathered: Candidate[] = [];
  const add = (one: Candidate): void => {
    if (gathered.length < CANDIDATES_MAX) gathered.push(one);
  };
  for (const element of page.querySelectorAll("[data-ringmatch-number]")) add(slotOf(element));
  for (const nodes of textLines(page)) {
    const text = nodes.map(({ data }) => data).join(JOINT);
    if (!/\d/.test(text) || nodes[0]?.parentElement?.closest("[data-ringmatch-number]")) continue;
    for (const one of find.all(text)) add(inText(nodes, text, one));
  }
  for (const element of page.querySelectorAll("*")) for (const one of inAttributes(element, find)) add(one);
  for (const one of inUnread(page, find)) add(one);
  return gathered;
}

function slotOf(element: Element): Candidate {
  const given = element.getAttribute("data-ringmatch-number") ?? "";
  return {
    written: shortened(element.textContent.trim() || given),
    number: readNumber(given),
    where: { kind: "slot" },
    element,
    parts: [],
    isJoined: false,
  };
}

/** The joints between the nodes count one character each. */
function inText(nodes: readonly Text[], text: string, { start, end, number }: WrittenNumber): Candidate {
  const parts: Part[] = [];
  let from = 0;
  for (const node of nodes) {
    const to = from + node.data.length;
    if (from < end && start < to) parts.push({ node, start: Math.max(0, start - from), end: Math.min(to, end) - from });
    from = to + JOINT.length;
  }
  const element = parts[0]?.node.parentElement ?? null;
  return {
    ...writtenAs(text, start, end),
    number,
    where: placeOf(element) ?? { kind: "text", isSplit: parts.length > 1 },
    element,
    parts,
  };
}

/** With what it is joined to. */
function writtenAs(text: string, start: number, end: number): Pick<Candidate, "written" | "isJoined"> {
  const before = JOINED_BEFORE.exec(text.slice(0, start))?.[0] ?? "";
  const after = JOINED_AFTER.exec(text.slice(end))?.[0] ?? "";
  const written = (before + text.slice(start, end) + after).replaceAll(JOINT, "");
  return { written: shortened(written), isJoined: before !== "" || after !== "" };
}

/** What the parser makes text of, though no reader sees it as such. */
function placeOf(element: Element | null): Where | null {
  if (element === null) return null;
  if (element.closest("noscript") !== null) return { kind: "noscript" };
  if (element.closest("head") !== null) return { kind: "head" };
  return null;
}

function inAttributes(element: Element, find: Finder): Candidate[] {
  return [...element.attributes].flatMap((attribute) => {
    const { name, value } = attribute;
    const isLink = name === "href" && /^\s*(?:tel|sms):/i.test(value);
    const isRead = isLink || (name !== "href" && READ_BY_TAG.has(name)) || ALSO_LOOKED_AT.includes(name);
    if (!isRead || (name === "src" && element.localName !== "img")) return [];
    if (isLink) return [linkOf(element, attribute)];
    const where: Where = placeOf(element) ?? (name === "src" ? { kind: "image" } : { kind: "attribute", name });
    return (name === "src" ? find.exact(value) : find.all(value)).map(({ start, end, number }) => ({
      ...writtenAs(value, start, end),
      number,
      where,
      element,
      parts: [{ node: attribute, start, end }],
    }));
  });
}

function linkOf(element: Element, attribute: Attr): Candidate {
  const { value } = attribute;
  return {
    written: shortened(value),
    number: readNumber(decoded(value.replace(/^\s*\w+:/, "").replace(/[;?&,].*$/, ""))),
    where: placeOf(element) ?? { kind: "link" },
    element,
    parts: [{ node: attribute, start: 0, end: value.length }],
    isJoined: false,
  };
}

function inUnread(page: Document, find: Finder): Candidate[] {
  const gathered: Candidate[] = [];
  const add = (text: string, kind: Unread, element: Element | null): void => {
    for (const { start, end, number } of find.exact(text)) {
      const written = shortened(text.slice(start, end));
      gathered.push({ written, number, where: { kind }, element, parts: [], isJoined: false });
    }
  };
  const comments = document.createTreeWalker(page, NodeFilter.SHOW_COMMENT);
  while (comments.nextNode()) add((comments.currentNode as Comment).data, "comment", null);
  for (const script of page.querySelectorAll("script")) {
    add(script.textContent, script.type === "application/ld+json" ? "json_ld" : "script", script);
  }
  for (const style of page.querySelectorAll("style")) add(style.textContent, "style", style);
  for (const template of page.querySelectorAll("template"))
    add(template.content.textContent ?? "", "template", template);
  for (const frame of page.querySelectorAll("iframe[srcdoc]")) add(frame.getAttribute("srcdoc") ?? "", "iframe", frame);
  return gathered;
}

function decoded(href: string): string {
  try {
    return decodeURIComponent(href);
  } catch (error) {
    // A % that escapes nothing.
    void error;
    return href;
  }
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > WRITTEN_CHARS_MAX ? `${line.slice(0, WRITTEN_CHARS_MAX)}…` : line;
}
