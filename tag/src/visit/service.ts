/** Asks the service. Every failure is the same to us: no answer, and the page keeps what it shows. */
import { origin } from "./settings.js";

/** Later than this nobody waits for a number that changes under their eyes. */
const ANSWER_MS_MAX = 1_500;

/**
 * A simple request in the words of the Fetch standard: text/plain, no header of ours, so that no preflight goes before it. One more after a failure of
 * the network; not after an answer that came late or was an error: the service has enough to do then.
 * @param body undefined: GET
 * @returns the answer's JSON; something falsy: there was none
 */
export function ask(path: string, body?: object): Promise<unknown> {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), ANSWER_MS_MAX);
  const once = (): Promise<Response> =>
    fetch(origin + path, {
      signal: abort.signal,
      credentials: "omit",
      method: body ? "POST" : "GET",
      body: JSON.stringify(body),
    });
  return once()
    .catch(once)
    .then((response) => response.ok && response.json())
    .catch(() => 0);
}
