/**
 * One page's visit: which numbers stand on the page now, and when the service is asked. Everything that happens (found numbers, consent, visibility, the
 * clock) ends in `check`, which puts right what is no longer so. The rule it keeps: a number stands only while its lock surely does.
 */
import type { PageWatch, WatchPage } from "../page.js";
import { allowsVisitor, consents, isWithdrawn, watchDataLayer } from "./consent.js";
import { customData } from "./custom-data.js";
import { attempt, guarded } from "./guard.js";
import { type AllHeld, arrive, forget, type Held, keep, landing, recall, visitor } from "./kept.js";
import { sendable } from "./page-url.js";
import { ask } from "./service.js";
import { config, origin } from "./settings.js";
import { sourceNumbers } from "./source-numbers.js";

const PRESENTATIONS = "/v1/presentations";
const RENEW = `${PRESENTATIONS}/renew`;
/** As many as the service takes in one request. More wait for the answer to the first ones. */
const NUMBERS_MAX = 20;
/** A page that navigates or grows without end must not take more than its share of the service. What is over waits for the next look. */
const ASKS_A_MINUTE_MAX = 10;
const MINUTE_MS = 60_000;
/** Looks at the clock at least so often while visible: timers stand still while a computer sleeps. A renewal that failed is tried again then. */
const LOOK_MS_MAX = 30_000;
/**
 * A lock is at least twice `renew_after_s` long (contract of the service) and begins after the request was sent. A number is shown for 1.9 times that
 * long; the rest is for clocks that run slow.
 */
const SHOWN_RENEWALS = 1.9;
/** For what has no lock: an overflow number, or the page's own. There may be a number by then, or the service be back. */
const UNLOCKED_MS = 600_000;
/** A clock that went back further than it may drift between two looks was set: then no age is known any more. */
const CLOCK_BACK_MS = 1_000;
const E164 = /^\+\d{7,15}$/;
const NOTHING: Held = [null, null, 0, 0];

/** Of the service, as far as it can be believed. */
interface Presentation {
  readonly outcome: string;
  readonly promo_number: string;
  readonly presentation_id: string | null;
  readonly renew_after_s: number;
}
interface Answer {
  readonly visitor_id?: string;
  readonly presentations: readonly Presentation[];
}

/** Destination → the number in its place. */
export type Numbers = Record<string, string>;

let watch: PageWatch | undefined;
let onSettled: (numbers: Numbers) => void;
/** The destinations on the page, and which of them this page view has asked for. */
const found: string[] = [];
let asked: Record<string, boolean> = {};
/** Another object after a withdrawal: answers to what was asked before it are not for us. */
let held: AllHeld = {};
const shownBefore = new Map<string, string>();
let shown: Numbers = {};
let waiting = 0;
let asksThisMinute = 0;
let isStopped = false;
let hasLooked = false;
let hasLeft = false;
let timer: ReturnType<typeof setTimeout>;
let clock = 0;
let url = location.href;
let { referrer } = document;

const onChange = guarded(look);

/** @param settled called when it is known what stands on the page; the first time counts */
export function startVisit(watchPage: WatchPage, settled: (numbers: Numbers) => void): void {
  onSettled = settled;
  if (isStopped) return settled(shown);
  watchDataLayer(onChange);
  for (const { number, destination } of config.sources) shownBefore.set(number, destination);
  arrive({ url, referrer });
  remember();
  watch = watchPage({
    numbers: config.numbers,
    slotsOnly: config.slots_only,
    discover: config.discover,
    shownBefore,
    onFound: guarded((destinations) => {
      found.push(...destinations);
      check();
    }),
    onSwapped: guarded(() => {
      document.dispatchEvent(new CustomEvent("ringmatch:swapped", { detail: { numbers: shown } }));
    }),
  });
  // What this browser holds first: then one look at the page finds and swaps.
  check();
  hasLooked = true;
  watch.scan();
  check();
  // The first pageshow brings nothing new, but the page is complete then. Capturing: window hears what is told to the document alone.
  const onEvent = guarded((event: Event) => ((event as PageTransitionEvent).persisted === false ? check() : look()));
  for (const type of ["visibilitychange", "prerenderingchange", "pageshow", "online"])
    addEventListener(type, onEvent, true);
  addEventListener("pagehide", guarded(leave));
  addEventListener("popstate", guarded(move));
  for (const name of ["pushState", "replaceState"] as const) {
    const own = history[name];
    history[name] = (...args) => {
      own.apply(history, args);
      attempt(move);
    };
  }
}

/** Something may have changed that is not seen otherwise: what could not be had is asked for again. */
export function look(): void {
  remember();
  for (const destination of found) if (!waiting && !held[destination]) delete asked[destination];
  check();
  if (isVisible()) hasLeft = false;
  else leave();
}

export function run(): void {
  for (const destination in held) if (!waiting && !(held[destination] as Held)[0]) delete held[destination];
  watch?.scan();
  look();
}

/** Before startVisit as well. */
export function stop(): void {
  isStopped = true;
  if (!watch) return;
  show({});
  onSettled(shown);
  watch.stop();
  watch = undefined;
}

function check(): void {
  if (!watch) return;
  clearTimeout(timer);
  const now = Date.now();
  const ahead = now - performance.now();
  const isBack = ahead < clock - CLOCK_BACK_MS;
  const isConsented = allowsVisitor();
  clock = ahead;
  if (isBack || !isConsented) {
    held = {};
    asked = {};
    waiting = 0;
    if (isWithdrawn()) forget();
    else if (isConsented) keep(visitor(), held);
  }
  const numbers = isConsented ? {} : sourceNumbers();
  const due: string[] = [];
  let next = LOOK_MS_MAX;
  for (const destination in held) {
    const [promo, id, sentAt, renewMs] = held[destination] as Held;
    const age = now - sentAt;
    const end = renewMs * SHOWN_RENEWALS;
    if (age >= 0 && age < end) {
      // Of what other pages held nothing is told or renewed here.
      const isHere = !hasLooked || found.includes(destination);
      if (isHere && promo) numbers[destination] = promo;
      if (isHere && id && age >= renewMs) due.push(destination);
      next = Math.min(next, (age < renewMs ? renewMs : end) - age);
    } else {
      delete held[destination];
      delete asked[destination];
    }
  }
  show(numbers);
  if (!hasLooked || !isVisible()) return;
  if (isConsented) {
    askFor(due);
    timer = setTimeout(guarded(check), next);
  }
  if (!waiting && document.readyState === "complete") onSettled(shown);
}

function show(numbers: Numbers): void {
  shown = numbers;
  (watch as PageWatch).show(new Map(Object.entries(numbers)));
}

function askFor(due: readonly string[]): void {
  const numbers = found.filter((destination) => !asked[destination]).slice(0, NUMBERS_MAX);
  if (numbers[0] && asksThisMinute < ASKS_A_MINUTE_MAX) {
    asksThisMinute++;
    setTimeout(() => asksThisMinute--, MINUTE_MS);
    for (const destination of numbers) asked[destination] = true;
    const page = sendable({ url, referrer });
    const start = landing();
    void send(PRESENTATIONS, numbers, {
      ...self(),
      numbers,
      page: { ...page, visible: true, landing: JSON.stringify(start) !== JSON.stringify(page) ? start : undefined },
      custom_data: customData(page.url),
      consent: consents(),
    });
  } else if (due[0] && !waiting) void send(RENEW, due, renewal(due));
}

async function send(path: string, destinations: readonly string[], body: object): Promise<void> {
  const asker = held;
  const sentAt = Date.now();
  waiting++;
  const answer = (await ask(path, body)) as Answer;
  if (asker !== held) return;
  waiting--;
  const isTaken = attempt(() => {
    answer.presentations.forEach((one, at) => {
      const destination = destinations[at] as string;
      const [promo, id, , renewMs] = held[destination] || NOTHING;
      held[destination] =
        path === PRESENTATIONS
          ? [
              (E164.exec(one.promo_number) || NOTHING)[0],
              one.presentation_id,
              sentAt,
              one.renew_after_s > 0 ? one.renew_after_s * 1_000 : UNLOCKED_MS,
            ]
          : [promo, id, sentAt, one.outcome === "renewed" ? renewMs : 0];
    });
    remember(answer.visitor_id);
    return true;
  });
  // A renewal that failed is tried again at the next look, not at once.
  if (isTaken || path === PRESENTATIONS) check();
}

function self(): object {
  return { tag_key: config.key, visitor_id: visitor() };
}

function renewal(destinations: readonly string[]): object {
  return {
    ...self(),
    presentation_ids: destinations.map((destination) => (held[destination] as Held)[1]).slice(0, NUMBERS_MAX),
  };
}

/** The lock starts anew when the visitor looks away, so that it is theirs for longest while they dial. Sent even if the page goes away; nobody hears of an answer. */
function leave(): void {
  const own = found.filter((destination) => (held[destination] || NOTHING)[1]);
  if (watch && !hasLeft && own[0]) navigator.sendBeacon(origin + RENEW, JSON.stringify(renewal(own)));
  hasLeft = true;
}

/** A single-page application went to another page: that is a page view. */
function move(): void {
  const from = url;
  url = location.href;
  if (!watch || (!arrive({ url, referrer: from }) && new URL(from).pathname === location.pathname)) return;
  referrer = from;
  asked = {};
  run();
}

/** What other pages and tabs were answered since; they may have been of another version of the tag. */
function remember(id?: string): void {
  if (!allowsVisitor()) return;
  attempt(() => {
    const known = recall();
    for (const destination in known) {
      const one = known[destination] as Held;
      if (!one[0]) continue;
      shownBefore.set(one[0], destination);
      if (one[2] > (held[destination] || NOTHING)[2]) held[destination] = one;
    }
  });
  // Nothing of a page that nobody sees, but for what was answered meanwhile.
  if (id || isVisible()) keep(id || visitor(), held);
}

function isVisible(): boolean {
  return document.visibilityState === "visible" && !(document as { prerendering?: boolean }).prerendering;
}
