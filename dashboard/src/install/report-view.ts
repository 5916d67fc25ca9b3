/** The tester's report as a list and a table. */
import { element } from "../common/element.js";
import { phone } from "../common/format.js";
import { isOnlyRemark } from "../tester/page-problems.js";
import { problemWords, verdictWords, whereWords } from "../tester/report-words.js";
import type { PageReport } from "../tester/test-page.js";

/** Beyond this a person searches the page itself. */
const ROWS_SHOWN_MAX = 300;

export function reportView({ problems, isStopped, rows }: PageReport, numbers: readonly string[]): HTMLElement {
  const swapped = rows.filter(({ verdict }) => verdict.kind === "swapped").length;
  const items = problems.map((one) => element("li", { class: isOnlyRemark(one) ? null : "bad" }, problemWords(one)));
  return element(
    "div",
    {},
    element("p", { class: "summary" }, summary(swapped, rows.length, isStopped)),
    items.length === 0 ? null : element("ul", { class: "findings" }, ...items),
    rows.length === 0 ? null : table(rows.slice(0, ROWS_SHOWN_MAX), isStopped),
    rows.length > ROWS_SHOWN_MAX ? element("p", {}, `and ${rows.length - ROWS_SHOWN_MAX} more`) : null,
    element("p", { class: "small" }, looksFor(numbers)),
  );
}

function summary(swapped: number, all: number, isStopped: boolean): string {
  const found =
    all === 0 ? "No telephone number was found" : `${swapped} of ${all} places with a number would be swapped`;
  return isStopped ? `${found}; nothing is, until what is said in red is put right.` : `${found}.`;
}

function table(rows: PageReport["rows"], isStopped: boolean): HTMLElement {
  const head = ["As written", "Where", "Number", "Result", "Why"].map((name) => element("th", { scope: "col" }, name));
  const body = rows.map(({ candidate, verdict }) =>
    element(
      "tr",
      { class: verdict.kind },
      element("td", {}, candidate.written),
      element("td", {}, whereWords(candidate)),
      element("td", {}, candidate.number === null ? "–" : phone(candidate.number)),
      element(
        "td",
        {},
        element(
          "span",
          { class: verdict.kind === "swapped" ? (isStopped ? "badge stops" : "badge swapped") : "badge" },
          verdict.kind === "swapped" ? (isStopped ? "would be" : "swapped") : "left",
        ),
      ),
      element("td", {}, verdictWords(verdict, candidate)),
    ),
  );
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": "Numbers on the page" },
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)),
  );
}

function looksFor(numbers: readonly string[]): string {
  if (numbers.length === 0) return "The tag looks for no number: the account tracks no destination yet.";
  const shown = numbers.slice(0, 10).map(phone).join(", ");
  return `The tag looks for ${shown}${numbers.length > 10 ? ` and ${numbers.length - 10} more` : ""}.`;
}
