/** The tester's answers as sentences. */
import { phone } from "../common/format.js";
import type { Candidate, Where } from "./candidates.js";
import type { PageProblem } from "./page-problems.js";
import type { Left, Verdict } from "./verdict.js";

export function whereWords({ where, element }: Candidate): string {
  if (where.kind === "text") return where.isSplit ? "text, split over several elements" : "text";
  if (where.kind === "attribute") return `attribute ${where.name} of ${element?.localName ?? "an element"}`;
  return PLACES[where.kind];
}

const PLACES: Readonly<Record<Exclude<Where["kind"], "text" | "attribute">, string>> = {
  link: "link",
  slot: "slot (data-ringmatch-number)",
  comment: "comment",
  script: "script",
  json_ld: "JSON-LD",
  style: "style",
  noscript: "noscript",
  template: "template",
  iframe: "iframe",
  image: "image",
  head: "head",
};

export function verdictWords(verdict: Verdict, { number }: Candidate): string {
  if (verdict.kind === "left") return leftWords(verdict.why, number);
  const campaigns = verdict.campaignsOnly
    ? " For visitors of its pools' campaigns only: there is no automatic pool."
    : "";
  const later = verdict.isLater ? " Once the page's framework has taken it over." : "";
  return `${SWAPPED[verdict.how]}${later}${campaigns}`;
}

const SWAPPED: Readonly<Record<Extract<Verdict, { kind: "swapped" }>["how"], string>> = {
  text: "Its digits become the visitor's number's, the punctuation stays.",
  split: "It is put together from several elements; each keeps as many digits as it has.",
  link: "The link dials the visitor's number.",
  attribute: "Its digits become the visitor's number's.",
  slot: "The slot shows the visitor's number.",
};

function leftWords(why: Left, number: string | null): string {
  if (why === "not_tracked") {
    return `${phone(number)} is not a destination of the account. If it is the business's: POST /v1/destinations {"number":"${number}"}, and a pool for it.`;
  }
  return LEFT[why];
}

const LEFT: Readonly<Record<Exclude<Left, "not_tracked">, string>> = {
  not_a_number: "No telephone number can be read from it.",
  discovered:
    "The account has it as discovered: seen on a page, not tracked. PATCH the destination's status to tracked.",
  ignored_destination: "The account has it as ignored: pages keep it.",
  not_to_replace: "The account's tag leaves it alone (numbers_not_to_replace).",
  no_pool: "It is tracked, but there is no pool to take a visitor's number from: POST /v1/pools.",
  part_of_more: "It is part of something longer: a longer number, an address, an amount or an id.",
  slots_only: "The account's tag fills slots only (slots_only).",
  ignored_element: "It is inside an element with data-ringmatch-ignore.",
  editable: "It is inside of what people may edit (contenteditable).",
  input: "It is inside of a form field: what people type is theirs.",
  code: "It is inside of a code element: code is quoted, not dialled.",
  other_attribute: "The tag reads tel: and sms: links, aria-label, title and alt, no other attribute.",
  left_by_tag: "The tag does not take this for the number.",
  comment: "It is inside of a comment: nobody sees it.",
  script: "It is inside of a script: what it writes into the page is swapped there.",
  json_ld: "It is inside of JSON-LD, which is for search engines: they should know the business's own number.",
  style: "It is inside of a style sheet.",
  noscript: "It is inside of noscript: who sees it runs no tag.",
  template: "It is inside of a template: what is made of it is swapped there.",
  iframe: "It is inside of a frame: a document of its own, which needs the snippet itself.",
  image: "It may be in a picture; the tag changes text, not pictures.",
  head: "It is in the page's head, which is for search engines and tabs.",
};

export function problemWords(problem: PageProblem): string {
  switch (problem.kind) {
    case "snippet_missing":
      return problem.hasTagManager
        ? "The snippet is not in the HTML. The page has Google Tag Manager, which may bring it."
        : "The snippet is not in the page.";
    case "snippet_twice":
      return `The snippet is in the page ${problem.count} times. The first one works; take the others out.`;
    case "other_key":
      return `The snippet has another account's key: ${problem.key}`;
    case "other_service":
      return `The snippet loads the tag from another service: ${problem.origin}`;
    case "script_blocked":
      return `The page's content security policy does not let the tag load: ${problem.directive}`;
    case "requests_blocked":
      return `The page's content security policy does not let the tag ask for numbers: ${problem.directive}`;
    case "origin_not_allowed":
      return `The account's allowed_origins do not have this page's: ${problem.origin}`;
    case "paused":
      return "The account's tag is paused.";
    case "has_frames":
      return `The page has ${problem.count === 1 ? "a frame" : `${problem.count} frames`}: what is inside is another document, which the tag does not see.`;
  }
}
