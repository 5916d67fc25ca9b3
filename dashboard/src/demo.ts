/**
 * The strip of the demo page: what the tag did on it. It looks at the tag from outside, by `ringmatch.ready`, `ringmatch:swapped` and the answers that the
 * page's own fetch brings; so it stands before the tag in the page, as a script that is run at once. A page view that needed no request tells what the last one was answered.
 */
import { byId } from "./common/element.js";
import { phone, span, words } from "./common/format.js";

interface Presentation {
  readonly destination_number: string;
  readonly promo_number: string | null;
  readonly outcome: string;
  readonly locked_until: string | null;
}

interface LastAnswer {
  readonly visitor: string;
  readonly presentation: Presentation;
}

type Numbers = Readonly<Record<string, string>>;

const ITEM = "demo_last_answer";
const TICK_MS = 1_000;
/** A tag that was not heard of by then is blocked or away. */
const TAG_MS_MAX = 5_000;

const destination = document.currentScript?.dataset["destination"] ?? "";
let last = remembered();
let shown: string | null = null;
/** On this page view. */
let isAnswered = false;

listenToFetch();
document.addEventListener("ringmatch:swapped", (event) => {
  show((event as CustomEvent<{ numbers: Numbers }>).detail.numbers);
});
addEventListener("load", () => void whenReady());
setInterval(tick, TICK_MS);

async function whenReady(): Promise<void> {
  const { ringmatch } = window as { ringmatch?: { ready?: Promise<Numbers> } };
  if (ringmatch?.ready === undefined) {
    byId("shown").textContent = "the tag did not load: this is the page's own number";
    return;
  }
  const late = setTimeout(
    () => (byId("shown").textContent = "no answer yet: this is the page's own number"),
    TAG_MS_MAX,
  );
  show(await ringmatch.ready);
  clearTimeout(late);
}

function show(numbers: Numbers): void {
  // The tag may be quicker than the page.
  if (document.readyState === "loading") return document.addEventListener("DOMContentLoaded", () => show(numbers));
  shown = numbers[destination] ?? null;
  byId("shown").textContent = shown === null ? `${phone(destination)}, the page's own` : phone(shown);
  byId("how").textContent = `npm run call -- --to ${shown ?? destination}`;
  if (last !== null) {
    byId("visitor").textContent = last.visitor;
    byId("outcome").textContent = outcomeWords(last.presentation);
  }
  tick();
}

function tick(): void {
  const until = last?.presentation.locked_until ?? null;
  if (shown === null || until === null) return;
  const leftMs = Date.parse(until) - Date.now();
  byId("lock").textContent =
    leftMs > 0 ? `${span(leftMs)} more, and longer while you stay here` : "renewed while you stay here";
}

function outcomeWords({ outcome, promo_number: number }: Presentation): string {
  if (outcome === "presented") return "presented: a number of your own";
  if (outcome === "renewed") return "renewed: your number from before";
  if (outcome === "overflow") return `overflow: all numbers are taken, ${phone(number)} is shared`;
  return `${words(outcome)}: the page keeps its own number`;
}

function listenToFetch(): void {
  const own = window.fetch;
  window.fetch = async (...parameters) => {
    const response = await own(...parameters);
    const [address] = parameters;
    const { pathname } = new URL(address instanceof Request ? address.url : String(address), location.href);
    if (pathname === "/v1/presentations" && response.ok) await note(response.clone());
    return response;
  };
}

async function note(response: Response): Promise<void> {
  const { visitor_id: visitor, presentations } = (await response.json()) as {
    visitor_id: string;
    presentations: readonly Presentation[];
  };
  const presentation = presentations.find((one) => one.destination_number === destination);
  if (presentation === undefined) return;
  // Asked twice on one page view, the second answer only renews what the first one gave.
  const before = isAnswered && last?.presentation.promo_number === presentation.promo_number ? last.presentation : null;
  const outcome = before?.outcome ?? presentation.outcome;
  last = { visitor, presentation: { ...presentation, outcome } };
  isAnswered = true;
  try {
    localStorage.setItem(ITEM, JSON.stringify(last));
  } catch (error) {
    // Storage is refused: the next page view asks again anyway.
    void error;
  }
}

function remembered(): LastAnswer | null {
  try {
    return JSON.parse(localStorage.getItem(ITEM) ?? "null") as LastAnswer | null;
  } catch (error) {
    void error;
    return null;
  }
}
