/** The tester: a page's HTML in, what the tag would do with it out. The page is parsed without being run: no script, no picture, no request. */
import { type Candidate, gatherCandidates } from "./candidates.js";
import { isOnlyRemark, type PageProblem, problemsOf } from "./page-problems.js";
import { runTag } from "./run-tag.js";
import { type TagFacts, type Verdict, verdictOn } from "./verdict.js";

export interface PageReport {
  readonly problems: readonly PageProblem[];
  /** Nothing at all is swapped until the problems are solved. */
  readonly isStopped: boolean;
  readonly rows: readonly { readonly candidate: Candidate; readonly verdict: Verdict }[];
}

export interface GivenPage {
  readonly html: string;
  readonly url: string | null;
  readonly policyHeader: string | null;
}

export function testPage({ html, url, policyHeader }: GivenPage, facts: TagFacts): PageReport {
  const page = new DOMParser().parseFromString(html, "text/html");
  const known = [...facts.numbers, ...facts.notToReplace, ...facts.discovered, ...facts.ignored];
  const problems = problemsOf({ document: page, url, policyHeader }, facts);
  const candidates = gatherCandidates(page, known);
  // Last: it writes into the page.
  const run = runTag(page, facts);
  return {
    problems,
    isStopped: problems.some((problem) => !isOnlyRemark(problem)),
    rows: candidates.map((candidate) => ({ candidate, verdict: verdictOn(candidate, run, facts) })),
  };
}
