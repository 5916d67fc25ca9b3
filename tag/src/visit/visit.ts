/**
 * One page's visit: which numbers stand on the page now, and when the service is asked. Everything that happens (found numbers, consent, visibility, the
 * clock) ends in `check`, which puts right what is no longer so. The rule it keeps: a number stands only while its lock surely does.
 */
import type { PageWatch, WatchPage } from "../page.js";
import { allows, consents, isWithdrawn, watchDataLayer } from "./consent.js";
import { customData } from "./custom-data.js";
import { attempt, guarded } from "./guard.js";
import { forget, type Held, keep, recall, visitor } from "./kept.js";
import { sendable } from "./page-url.js";
import { ask, tell } from "./service.js";
import { config } from "./settings.js";
import { sourceNumbers } from "./source-numbers.js";

const PRESENTATIONS = "/v1/presentations";
const RENEW = `${PRESENTATIONS}/renew`;
/** As many as the service takes in one request. */
const NUMBERS_MAX = 20;
/** A page that navigates or grows without end must not take more than its share of the service. What is over waits for the next look. */
const ASKS_A_MINUTE_MAX = 10;
const MINUTE_MS = 60_000;
/** Looks at the clock at least so often while visible: timers stand still while a computer sleeps. A renewal that failed is tried again then. */
const LOOK_MS_MAX = 30_000;
const LOOK_MS_MIN = 1_000;
/**
 * A lock is at least twice `renew_after_s` long (contract of the service) and begins after the request was sent. A number is shown for 1.9 times that
 * long; the rest is for clocks that run slow.
 */
const SHOWN_RENEWALS = 1.9;
/** For what has no lock: an overflow number, or the page's own. */
const UNLOCKED_MS = 1_800_000;
/** A clock that went back further than it may drift between two looks was set: then no age is known any more. */
const CLOCK_BACK_MS = 1_000;
const E164 = /^\+\d{7,15}$/;

export type Numbers = Readonly<Record<string, string>>;

let watch: PageWatch | undefined;
let onSettled: (numbers: Numbers) => void;
/** Destinations on the page, and which of them this page view has asked for. */
const found = new Set<string>();
const asked = new Set<string>();
const held = new Map<string, Held>();
const shownBefore = new Map<string, string>();
let shown: ReadonlyMap<string, string> = new Map();
/** Answers to what was asked before the last withdrawal are not for us. */
let epoch = 0;
let waiting = 0;
let isStopped = false;
let isRenewing = false;
let hasLeft = false;
let timer: ReturnType<typeof setTimeout> | undefined;
let drift = -Infinity;
let minute = 0;
let asksThisMinute = 0;
let href: string;
let referrer: string;

/** @param settled called when it is known what stands on the page; the first time counts */
export function startVisit(watchPage: WatchPage, settled: (numbers: Numbers) => void): void {
  onSettled = settled;
  if (isStopped) return settle();
  href = location.href;
  referrer = document.referrer;
  watchDataLayer(guarded(check));
  for (const { number, destination } of config.sources) shownBefore.set(number, destination);
  if (isConsented()) remember();
  watch = watchPage({
    numbers: config.numbers,
    slotsOnly: config.slots_only,
    discover: config.discover,
    shownBefore,
    onFound: guarded((destinations) => {
      for (const destination of destinations) found.add(destination);
      check();
    }),
    onSwapped: guarded(() =>
      document.dispatchEvent(new CustomEvent("ringmatch:swapped", { detail: { numbers: inPlace() } })),
    ),
  });
  check();
  listen();
}

function listen(): void {
  const back = guarded(lookAgain);
  for (const name of ["visibilitychange", "prerenderingchange"]) document.addEventListener(name, back);
  for (const name of ["pageshow", "online"]) addEventListener(name, back);
  addEventListener("pagehide", guarded(leave));
  addEventListener("popstate", guarded(move));
  for (const name of ["pushState", "replaceState"] as const) {
    const own = history[name];
    history[name] = function (this: History, ...args) {
      own.apply(this, args);
      guarded(move)();
    };
  }
}

/** Something may have changed that is not seen otherwise: what could not be had is asked for again. */
export function lookAgain(): void {
  if (!isVisible()) return leave();
  hasLeft = false;
  if (!watch || isStopped) return;
  if (isConsented()) remember();
  for (const destination of found) if (!held.has(destination)) asked.delete(destination);
  check();
}

export function scan(): void {
  if (!watch || isStopped) return;
  watch.scan();
  lookAgain();
}

export function stop(): void {
  isStopped = true;
  clearTimeout(timer);
  if (!watch) return;
  show(new Map());
  settle();
  watch.stop();
}

export function check(): void {
  if (!watch || isStopped) return;
  watchDataLayer(guarded(check));
  clearTimeout(timer);
  if (!isConsented()) {
    withhold();
    return settle();
  }
  const { next, due } = expire();
  show(new Map([...held].flatMap(([destination, [promo]]) => (promo ? [[destination, promo]] : []))));
  if (isVisible()) {
    void askForNew();
    if (due.length > 0) void renew(due);
    timer = setTimeout(guarded(check), Math.max(LOOK_MS_MIN, Math.min(LOOK_MS_MAX, next)));
    if (waiting === 0 && document.readyState === "complete") settle();
  }
  if (Object.keys(inPlace()).length > 0) settle();
}

/** Without consent nothing is asked or kept. */
function withhold(): void {
  epoch++;
  waiting = 0;
  asked.clear();
  held.clear();
  if (isWithdrawn()) forget();
  show(sourceNumbers());
}

/** Drops what may have lost its lock. */
function expire(): { readonly next: number; readonly due: string[] } {
  const now = Date.now();
  const ahead = now - performance.now();
  if (ahead < drift - CLOCK_BACK_MS) {
    asked.clear();
    held.clear();
    keep(visitor(), held);
  }
  drift = ahead;
  const due: string[] = [];
  let next = LOOK_MS_MAX;
  for (const [destination, [, id, sentAt, renewMs]] of held) {
    const age = now - sentAt;
    const end = renewMs * SHOWN_RENEWALS;
    if (!(age >= 0 && age < end)) {
      held.delete(destination);
      asked.delete(destination);
    } else if (age < renewMs) next = Math.min(next, renewMs - age);
    else {
      next = Math.min(next, end - age);
      if (id) due.push(destination);
    }
  }
  return { next, due };
}

function show(numbers: ReadonlyMap<string, string>): void {
  const text = JSON.stringify([...numbers]);
  const isSame = text === JSON.stringify([...shown]);
  shown = numbers;
  if (watch && !isSame) watch.show(numbers);
}

function inPlace(): Numbers {
  return Object.fromEntries([...shown].filter(([destination]) => found.has(destination)));
}

function settle(): void {
  onSettled(inPlace());
}

async function askForNew(): Promise<void> {
  const numbers = [...found].filter((destination) => !asked.has(destination)).slice(0, NUMBERS_MAX);
  const now = Date.now();
  if (Math.abs(now - minute) > MINUTE_MS) {
    minute = now;
    asksThisMinute = 0;
  }
  if (numbers.length === 0 || asksThisMinute >= ASKS_A_MINUTE_MAX) return;
  asksThisMinute++;
  waiting++;
  for (const number of numbers) asked.add(number);
  const from = epoch;
  const id = visitor();
  save(id);
  const url = sendable(location.href);
  const answer = ask(PRESENTATIONS, {
    tag_key: config.key,
    visitor_id: id,
    numbers,
    page: { url, referrer: sendable(referrer), visible: true },
    custom_data: customData(url),
    consent: consents(),
  });
  void askForNew();
  const given = await answer;
  if (from !== epoch || isStopped) return;
  waiting--;
  attempt(() => take(given, numbers, now));
  check();
  if (waiting === 0) settle();
}

function take(answer: unknown, numbers: readonly string[], sentAt: number): void {
  const { visitor_id: id, presentations } = answer as { visitor_id: string; presentations: Record<string, unknown>[] };
  if (!/^vis_\w+$/.test(id)) return;
  numbers.forEach((number, at) => {
    const {
      promo_number: promo,
      presentation_id: presentation,
      renew_after_s: renewAfterS,
    } = presentations[at] as never;
    const renewMs = presentation ? renewAfterS * 1_000 : UNLOCKED_MS;
    if (renewMs > 0) held.set(number, [E164.test(promo) ? promo : null, presentation || null, sentAt, renewMs]);
  });
  save(id);
}

async function renew(due: readonly string[]): Promise<void> {
  if (isRenewing) return;
  isRenewing = true;
  const from = epoch;
  const sentAt = Date.now();
  const some = due.slice(0, NUMBERS_MAX);
  const answer = await ask(RENEW, renewal(some));
  isRenewing = false;
  if (from !== epoch || isStopped || !answer) return;
  attempt(() => {
    const { presentations } = answer as { presentations: { outcome: unknown }[] };
    some.forEach((destination, at) => {
      const [promo, id, , renewMs] = held.get(destination) as Held;
      const isRenewed = (presentations[at] as { outcome: unknown }).outcome === "renewed";
      // What is lost is over at once, and newer than what other tabs know.
      held.set(destination, isRenewed ? [promo, id, sentAt, renewMs] : [null, null, sentAt, 0]);
    });
    save(visitor());
  });
  check();
}

function save(id: string): void {
  remember();
  keep(id, held);
}

function renewal(destinations: readonly string[]): object {
  const ids = destinations.map((destination) => (held.get(destination) as Held)[1]);
  return { tag_key: config.key, visitor_id: visitor(), presentation_ids: ids };
}

/** The lock starts anew when the visitor looks away, so that it is theirs for longest while they dial. */
function leave(): void {
  clearTimeout(timer);
  const own = [...held]
    .filter(([, [, id]]) => id)
    .map(([destination]) => destination)
    .slice(0, NUMBERS_MAX);
  if (hasLeft || isStopped || own.length === 0) return;
  hasLeft = true;
  tell(RENEW, renewal(own));
}

/** A single-page application went to another page: that is a page view. */
function move(): void {
  const from = href;
  href = location.href;
  if (!watch || isStopped || new URL(from).pathname === location.pathname) return;
  referrer = from;
  asked.clear();
  watch.scan();
  check();
}

/** What other pages and tabs were answered since. */
function remember(): void {
  for (const [destination, entry] of Object.entries(recall())) {
    const [promo, , sentAt] = entry;
    const own = held.get(destination);
    if (promo) shownBefore.set(promo, destination);
    if (!own || own[2] < sentAt) held.set(destination, entry);
  }
}

function isConsented(): boolean {
  return allows("analytics_storage");
}

function isVisible(): boolean {
  return document.visibilityState === "visible" && !(document as { prerendering?: boolean }).prerendering;
}
