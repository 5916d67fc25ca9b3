/** Why a call was attributed as it was, as sentences: the reason, everybody considered, the runner-up, and what the probabilities rest on. */
import type { Call, Candidate, Explanation } from "../common/api-shapes.js";
import { type Child, element } from "../common/element.js";
import { phone, share, span } from "../common/format.js";

/** The rest of a number that many visitors saw says little. */
const CANDIDATES_MAX = 10;

export function explanationOf(explanation: Explanation, call: Call): HTMLElement {
  const { reason, candidates, runner_up: runnerUp, model } = explanation;
  const listed = candidates.slice(0, CANDIDATES_MAX);
  const more = candidates.length - listed.length;
  const items = [
    ...listed.map((one) => element("li", one.chosen ? { class: "chosen" } : {}, ...candidateWords(one))),
    ...(more > 0 ? [element("li", {}, `and ${more} earlier`)] : []),
  ];
  return element(
    "div",
    { class: "why" },
    element("p", {}, reason),
    items.length === 0 ? element("p", {}, "Nobody was considered.") : element("ol", {}, ...items),
    element("p", {}, runnerUp === null ? "There is no runner-up." : runnerUpWords(runnerUp)),
    element("p", { class: "small" }, modelWords(model)),
    element("p", { class: "small" }, routeWords(call)),
  );
}

function candidateWords(one: Candidate): Child[] {
  const visitor = element("code", {}, one.visitor_id);
  const what = one.within_retention ? `probability ${share(one.probability)}` : "outside retention";
  return [
    visitor,
    ` was shown the number ${span(one.age_ms)} before the call: ${what}${one.chosen ? ", chosen" : ""}.`,
  ];
}

function runnerUpWords(one: Candidate): string {
  return `Runner-up: ${one.visitor_id}, shown the number ${span(one.age_ms)} before the call, probability ${share(one.probability)}.`;
}

function modelWords({ kind, calls }: Explanation["model"]): string {
  return kind === "measured"
    ? `Probabilities by the pool's own call delays, measured from ${calls} ${calls === 1 ? "call" : "calls"}.`
    : "Probabilities by usual call delays: the pool has not measured its own yet.";
}

function routeWords({ destination_number: destination, attribution }: Call): string {
  const page = attribution.landing_page === null ? "" : ` Landing page: ${attribution.landing_page}`;
  return `${destination === null ? "Not routed." : `Routed to ${phone(destination)}.`}${page}`;
}
