/**
 * Everything on a page that looks like a telephone number, wherever it stands: what the tag's own finder finds, and what only a person would take for one.
 * Reads, never writes; the page is an inert document.
 */
import { JOINT, makeNumberBook, type Place } from "../../../tag/src/page/find-numbers.js";
import { digitsOf, nationalOf, readNumber } from "../../../tag/src/page/phone-number.js";
import { eachTextRun } from "../../../tag/src/page/text-runs.js";

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
  /** The text nodes or the attribute that it stands in: what the tag would write to. */
  readonly cells: readonly Node[];
  /** A known number's digits, and more around them. */
  readonly isPartOfMore: boolean;
}

/** The tag reads these. What else has a number in it is shown as left. */
const READ_BY_TAG: ReadonlySet<string> = new Set(["href", "aria-label", "title", "alt"]);
const ALSO_LOOKED_AT = ["value", "placeholder", "content", "src", "data-phone", "data-number", "data-tel", "onclick"];
const WRITTEN_CHARS_MAX = 80;

/** A page of a hundred thousand numbers is a list of them; nobody reads further. */
const CANDIDATES_MAX = 1_000;

const ABROAD = /\+[1-9][\d\s().\-\u2010-\u2015/]{6,22}\d/g;
const VANITY =
  /(?<![A-Za-z0-9])(?:1[-. ]?)?\(?[2-9]\d\d\)?[-. ](?=[\d\-. ]*[A-Z])[A-Z0-9](?:[-. ]?[A-Z0-9]){6,10}(?![A-Za-z0-9])/g;
const DIGITS = /\d(?:[\s().\-\u2010-\u2015/\0]{0,3}\d){6,}/g;

interface Found {
  readonly start: number;
  readonly end: number;
  readonly number: string | null;
  readonly isPartOfMore: boolean;
}

/** @param known destinations of the account, tracked or not, E.164 */
export function gatherCandidates(page: Document, known: readonly string[]): Candidate[] {
  const find = finderOf(known);
  const gathered: Candidate[] = [];
  const add = (one: Candidate): void => {
    if (gathered.length < CANDIDATES_MAX) gathered.push(one);
  };
  for (const element of page.querySelectorAll("[data-ringmatch-number]")) add(slotOf(element));
  eachTextRun(page, (nodes) => {
    const element = nodes[0]?.parentElement ?? null;
    if (element === null || element.closest("[data-ringmatch-number]") !== null) return;
    for (const one of find.all(nodes.map(({ data }) => data).join(JOINT))) add(inText(nodes, element, one));
  });
  for (const element of page.querySelectorAll("*")) for (const one of inAttributes(element, find)) add(one);
  for (const one of inUnread(page, find)) add(one);
  return gathered;
}

type Finder = ReturnType<typeof finderOf>;

function finderOf(known: readonly string[]) {
  const book = makeNumberBook();
  for (const number of known) book.add(number);
  const any = makeNumberBook();
  // Any number of its country and length teaches the finder the shape of all of them.
  any.add("+12125550100");
  const nationals = known.map(nationalOf);
  const exact = (text: string): Found[] => book.find(text).map((place) => ({ ...placed(place), isPartOfMore: false }));
  return {
    /** Only numbers of the account: for scripts and the like, whose other digits mean nothing. */
    exact,
    all(text: string): readonly Found[] {
      const found = exact(text);
      const addAll = (more: readonly Found[]): void => {
        for (const one of more)
          if (!found.some((other) => one.start < other.end && other.start < one.end)) found.push(one);
      };
      addAll(
        matches(text, DIGITS)
          .filter(({ written }) => nationals.some((national) => digitsOf(written).includes(national)))
          .map(({ start, end }) => ({ start, end, number: null, isPartOfMore: true })),
      );
      const north = any
        .find(text, (digits) => `+1${digits}`)
        .map((place) => ({ ...placed(place), isPartOfMore: false }));
      addAll(north.filter(({ number }) => number !== null && readNumber(number) !== ""));
      for (const pattern of [ABROAD, VANITY]) {
        addAll(
          matches(text, pattern).flatMap(({ start, end, written }) => {
            const number = readNumber(written) || readNumber(digitsOf(written).slice(0, 10));
            return number === "" ? [] : [{ start, end, number, isPartOfMore: false }];
          }),
        );
      }
      return found.sort((a, b) => a.start - b.start);
    },
  };
}

function placed({ start, end, number }: Place): Omit<Found, "isPartOfMore"> {
  return { start, end, number };
}

function matches(text: string, pattern: RegExp): { start: number; end: number; written: string }[] {
  return [...text.matchAll(pattern)].map((match) => ({
    start: match.index,
    end: match.index + match[0].length,
    written: match[0],
  }));
}

function slotOf(element: Element): Candidate {
  const given = element.getAttribute("data-ringmatch-number") ?? "";
  const cells: Node[] = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) cells.push(walker.currentNode);
  const number = readNumber(given);
  return {
    written: shortened(element.textContent.trim() || given),
    number: number === "" ? null : number,
    where: { kind: "slot" },
    element,
    cells,
    isPartOfMore: false,
  };
}

/** The text nodes of the run that hold the place; the joints between them count one character each. */
function inText(nodes: readonly Text[], element: Element, { start, end, number, isPartOfMore }: Found): Candidate {
  const cells: Text[] = [];
  let from = 0;
  for (const node of nodes) {
    const to = from + node.data.length;
    if (from < end && start < to) cells.push(node);
    from = to + JOINT.length;
  }
  const text = nodes
    .map(({ data }) => data)
    .join(JOINT)
    .slice(start, end);
  return {
    written: shortened(text.replaceAll(JOINT, "")),
    number,
    where: placeOf(cells[0]?.parentElement ?? element) ?? { kind: "text", isSplit: cells.length > 1 },
    element: cells[0]?.parentElement ?? element,
    cells,
    isPartOfMore,
  };
}

/** What the parser makes text of, though no reader sees it as such. */
function placeOf(element: Element): Where | null {
  if (element.closest("noscript") !== null) return { kind: "noscript" };
  if (element.closest("head") !== null) return { kind: "head" };
  return null;
}

function inAttributes(element: Element, find: Finder): Candidate[] {
  const inside = element.closest("noscript") === null ? null : ({ kind: "noscript" } as const);
  return [...element.attributes].flatMap((attribute) => {
    const { name, value } = attribute;
    const isLink = name === "href" && /^(?:tel|sms):/i.test(value);
    if (!isLink && (name === "href" || !(READ_BY_TAG.has(name) || ALSO_LOOKED_AT.includes(name)))) return [];
    if (name === "src" && element.localName !== "img") return [];
    const text = isLink ? decoded(value) : value;
    const where: Where = name === "src" ? { kind: "image" } : isLink ? { kind: "link" } : { kind: "attribute", name };
    const all = find.all(text);
    const found = isLink && all.length === 0 ? [whole(text)] : all;
    return found
      .filter(({ isPartOfMore }) => name !== "src" || !isPartOfMore)
      .map(({ start, end, number, isPartOfMore }) => ({
        written: shortened(isLink ? value : text.slice(start, end)),
        number,
        where: inside ?? where,
        element,
        cells: [attribute],
        isPartOfMore,
      }));
  });
}

/** A link to something that is no number we can read is a candidate, too. */
function whole(text: string): Found {
  return { start: 0, end: text.length, number: null, isPartOfMore: false };
}

function inUnread(page: Document, find: Finder): Candidate[] {
  const gathered: Candidate[] = [];
  const add = (text: string, kind: Unread, element: Element | null): void => {
    for (const { start, end, number } of find.exact(text)) {
      const written = shortened(text.slice(start, end));
      gathered.push({ written, number, where: { kind }, element, cells: [], isPartOfMore: false });
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
    return decodeURIComponent(href.replace(/^\w+:/, ""));
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
