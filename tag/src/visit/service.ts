/** Asks the service. Every failure is the same to us: no answer, and the page keeps what it shows. */
import { origin } from "./settings.js";

/** Later than this nobody waits for a number that changes under their eyes. */
const ANSWER_MS_MAX = 1_500;
/** One more after a failure of the network; not after an answer that came late or was an error: the service has enough to do then. */
const TRIES = 2;

/**
 * A simple request in the words of the Fetch standard: text/plain, no header of ours, so that no preflight goes before it.
 * @param body undefined: GET
 * @returns the answer's JSON, or undefined
 */
export async function ask(path: string, body?: object): Promise<unknown> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ANSWER_MS_MAX);
  try {
    for (let left = TRIES; left > 0; left--) {
      const response = await request(path, body, abort.signal);
      if (response) return response.ok ? await response.json() : undefined;
    }
  } catch {
    // No JSON, or not in time.
  } finally {
    clearTimeout(timer);
  }
  return undefined;
}

/** @returns undefined when the network failed */
async function request(path: string, body: object | undefined, signal: AbortSignal): Promise<Response | undefined> {
  try {
    return await fetch(origin + path, {
      signal,
      credentials: "omit",
      ...(body && { method: "POST", body: JSON.stringify(body) }),
    });
  } catch {
    return undefined;
  }
}

/** Sent even if the page goes away; nobody hears of its answer. */
export function tell(path: string, body: object): void {
  navigator.sendBeacon(origin + path, JSON.stringify(body));
}
