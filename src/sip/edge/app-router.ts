/** Which app gets a new request: round robin among those that routed its method, skipping any that reads too slowly. */
import type { AppLink } from "./app-link.js";

export interface RoutableApp extends AppLink {
  readonly verbs: ReadonlySet<string>;
}

export interface AppRouter {
  add(app: RoutableApp): void;
  remove(app: RoutableApp): void;
  /** @param method as in the request line, any case; null when no connected app takes it */
  choose(method: string): AppLink | null;
  /** Apps are connected, have said what they take, and this is not among it. One that reads too slowly takes it all the same. */
  isTakenByNone(method: string): boolean;
}

export function createAppRouter(): AppRouter {
  const apps: RoutableApp[] = [];
  /** Verb → index after the app that was chosen last. Bounded by the verbs that apps routed. */
  const next = new Map<string, number>();
  return {
    add: (app) => void apps.push(app),
    remove(app) {
      const at = apps.indexOf(app);
      if (at !== -1) apps.splice(at, 1);
    },
    choose(method) {
      const verb = method.toLowerCase();
      const from = next.get(verb) ?? 0;
      for (let step = 0; step < apps.length; step++) {
        const at = (from + step) % apps.length;
        const app = apps[at];
        if (app?.isOpen !== true || app.isCongested || !app.verbs.has(verb)) continue;
        next.set(verb, at + 1);
        return app;
      }
      return null;
    },
    isTakenByNone(method) {
      const verb = method.toLowerCase();
      const ready = apps.filter(({ isOpen, verbs }) => isOpen && verbs.size > 0);
      return ready.length > 0 && ready.every(({ verbs }) => !verbs.has(verb));
    },
  };
}
