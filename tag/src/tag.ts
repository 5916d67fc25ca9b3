/**
 * The browser tag: what runs on a business's page. scripts/build-tag.mjs makes one function of this file and what it imports. Here: that it runs once, where
 * its settings come from, and `window.ringmatch`.
 */
import type { TagConfig } from "../../src/http/contract/tag-config.js";
import { tellConsent } from "./visit/consent.js";
import { attempt, guarded } from "./visit/guard.js";
import { ask } from "./visit/service.js";
import { setConfig, setOrigin } from "./visit/settings.js";
import { check, type Numbers, scan, startVisit, stop } from "./visit/visit.js";
import { watchPage } from "./page/watch-page.js";

/** The argument of the function that the build makes: written there by `/tag.js`; undefined in the immutable file, which asks for it. */
declare const __config: TagConfig | undefined;

/** A call that waits for the tag, or is made when it is there: `["consent", {…}]`. */
type Call = readonly [name: string, argument?: unknown];

declare global {
  interface Window {
    /** What the page wrote before us, or a tag that is there already. */
    ringmatch?: { readonly q?: unknown; readonly run?: unknown };
  }
}

function start(): void {
  const before = window.ringmatch || {};
  // Twice in a page, by hand and by a tag manager: the first one works.
  if (before.run) return;
  // Some optimizers run scripts so that there is no current one.
  const script = (document.currentScript ||
    document.querySelector("script[src*='/tag.js?key='],script[data-key]")) as HTMLScriptElement;
  setOrigin(script.src);
  let settled: (numbers: Numbers) => void;
  const calls: Record<string, (argument?: unknown) => void> = {
    run: guarded(scan),
    consent: guarded((given: unknown) => {
      tellConsent(given);
      check();
    }),
    pause: guarded(stop),
  };
  const push = guarded(([name, argument]: Call) => calls[name]?.(argument));
  const ready = new Promise<Numbers>((resolve) => (settled = resolve));
  window.ringmatch = { ...calls, ready, q: { push } };
  for (const call of (before.q || []) as Iterable<Call>) push(call);
  const begin = (config: TagConfig | undefined): void => {
    if (!config || config.paused) return settled({});
    attempt(() => {
      setConfig(config);
      startVisit(watchPage, settled);
    });
  };
  if (__config) begin(__config);
  else void ask(`/tag/config?key=${script.getAttribute("data-key")}`).then((config) => begin(config as TagConfig));
}

attempt(start);
