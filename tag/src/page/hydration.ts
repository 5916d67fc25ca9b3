/**
 * Whether a framework has yet to take over the markup that a server rendered. Text changed before that is a mismatch: React throws the markup away and
 * complains, Vue complains. Asked only where a number is about to be written.
 *
 * Signs, as their sources and pages show them: React (17 and later) keeps `__reactProps$…` on each element it has taken; Vue 3 `__vue_app__` on the root,
 * Vue 2 takes `data-server-rendered` away; Nuxt has `isHydrating`; Astro takes `ssr` off its islands. Svelte compares no text.
 */

/** Roots of which it is known that something will hydrate them. */
const ROOTS = "#__next,#___gatsby,#__nuxt,[data-reactroot],[data-server-rendered],astro-island[ssr]";

/** Roots that hydrate where the server rendered them, which nothing tells: they are waited for until the page has loaded. */
const ROOTS_PERHAPS = "#root,#app";

/** A page that still loads is waited for at most this long: numbers matter more than a script that does not come. */
const LOADING_MS_MAX = 10_000;

/** After `load` all scripts have run; slow phones take seconds to hydrate. */
const HYDRATION_MS_MAX = 3000;

/** How often it is looked whether the framework is done. */
export const HYDRATION_POLL_MS = 50;

type Taken = Element &
  Record<string, { readonly dangerouslySetInnerHTML?: object; readonly $nuxt?: { readonly isHydrating?: boolean } }>;

const isLoaded = () => document.readyState === "complete";

let until = performance.now() + (isLoaded() ? HYDRATION_MS_MAX : LOADING_MS_MAX);
addEventListener("load", () => (until = performance.now() + HYDRATION_MS_MAX));

/** @returns whether to wait before writing into an element; never for longer than the limits above */
export function isAwaited(element: Element): boolean {
  const root = "__next_f" in self ? document.body : element.closest(isLoaded() ? ROOTS : `${ROOTS},${ROOTS_PERHAPS}`);
  if (!root || performance.now() > until) return false;
  const app = (root as Taken)["__vue_app__"];
  if (app) return !!app.$nuxt?.isHydrating;
  for (let taken: Element | null = element; taken; taken = taken.parentElement)
    // Elements inside of one that React has taken are React's, and not yet taken; but for HTML that it was given as a string.
    for (const key of Object.keys(taken))
      if (/^__reactProps/.test(key)) return taken !== element && !(taken as Taken)[key]!.dangerouslySetInnerHTML;
  return true;
}
