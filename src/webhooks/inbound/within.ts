/** Time limits of a webhook's steps. A caller hears silence while we think; what does not answer in time is done without (contract: 1 s in all). */
import { messageOf } from "../../kernel/errors.js";
import type { Log } from "../../kernel/log.js";

/** Choosing the credential takes up to three reads; beyond this the database counts as away and memory decides. */
export const CREDENTIAL_LIMIT_MS = 250;
/**
 * So much longer when memory does not know it either: without a credential there is no safe answer, and in a burst of calls a late one is better
 * than an error. Well below what carriers wait (3 to 15 s).
 */
export const CREDENTIAL_EXTRA_MS = 2_000;
/** Each other read or write on the way to an answer: a few ms when all is well. With the match's own 150 ms the sum stays below 1 s. */
export const STEP_LIMIT_MS = 100;
/** Where nobody waits for a phone to ring, an event is given longer to be on disk before the carrier is told that we have it. */
export const RECORD_LIMIT_MS = 2_000;

/**
 * @returns the result, or null when it failed or took too long; it may then still happen, so it must be harmless to do twice
 */
export async function within<T>(
  log: Log,
  limit: { readonly step: string; readonly ms: number },
  work: Promise<T>,
): Promise<{ readonly value: T } | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), limit.ms);
  });
  try {
    const done = await Promise.race([work.then((value) => ({ value })), late]);
    if (done === null) log.warn("webhook.step_late", { step: limit.step, limitMs: limit.ms });
    return done;
  } catch (error) {
    log.warn("webhook.step_failed", { step: limit.step, error: messageOf(error) });
    return null;
  } finally {
    clearTimeout(timer);
    // A failure after the limit was answered without it.
    work.catch(() => undefined);
  }
}
