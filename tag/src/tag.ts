/**
 * The browser tag: what runs on a business's page. scripts/build-tag.mjs makes one function of this file and what it imports. Here: that it runs once, where
 * its settings come from, and `window.ringmatch`.
 */
import type { TagConfig } from "../../src/http/contract/tag-config.js";
import { tellConsent } from "./visit/consent.js";
import { attempt, guarded } from "./visit/guard.js";
import { ask } from "./visit/service.js";
import { setConfig, setOrigin } from "./visit/settings.js";
import { look, type Numbers, run, startVisit, stop } from "./visit/visit.js";
import { watchPage } from "./page/watch-page.js";

/** The argument of the function that the build makes: written there by `/tag.js`; undefined in the immutable file, which asks for it. */
declare const __config: TagConfig | undefined;

/** A call that waits for the tag, or is made when it is there: `["consent", {…}]`. */
type Call = readonly [name: "run" | "consent" | "pause", argument?: object];

declare global {
  interface Window {
    /** What the page wrote before us, or a tag that is there already. */
    ringmatch?: object;
  }
}

function start(): void {
  const before = (window.ringmatch || {}) as { readonly q?: Call[]; readonly run?: unknown };
  // Twice in a page, by hand and by a tag manager: the first one works.
  if (before.run) return;
  const script = document.currentScript as HTMLScriptElement;
  setOrigin(script.src);
  let settled: (numbers: Numbers) => void;
  const api = {
    run: guarded(run),
    pause: guarded(stop),
    consent: guarded((given: object) => {
      tellConsent(given as Record<string, unknown>);
      look();
    }),
    ready: new Promise<Numbers>((resolve) => (settled = resolve)),
    q: { push: guarded(([name, argument]: Call) => api[name](argument as object)) },
  };
  window.ringmatch = api;
  before.q?.forEach(api.q.push);
  const begin = (config: TagConfig | undefined): void => {
    if (!config || config.paused) return settled({});
    attempt(() => {
      setConfig(config);
      startVisit(watchPage, settled);
    });
  };
  if (__config) begin(__config);
  else void ask(`/tag/config?key=${script.dataset["key"]}`).then(begin as (answer: unknown) => void);
}

attempt(start);
