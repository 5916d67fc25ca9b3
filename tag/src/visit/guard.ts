/** The page must never hear of our mistakes, nor of a browser that refuses us something. Called around everything that a page or the browser calls. */

/** @returns what `action` does, or undefined when it failed */
export function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    // Blocked storage, a sandboxed frame, an element of the page that answers oddly: the page stays as it is, and its console clean.
    return undefined;
  }
}

export function guarded<A extends unknown[]>(action: (...args: A) => void): (...args: A) => void {
  return (...args) => attempt(() => action(...args));
}
