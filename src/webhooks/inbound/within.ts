/** Time limits of a webhook's steps. A caller hears silence while we think; what does not answer in time is done without (contract: 1 s in all). */
import { withDeadline } from "../../kernel/deadline.js";
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
  const late = new Error("late");
  try {
    return { value: await withDeadline(limit.ms, work, () => late) };
  } catch (error) {
    if (error === late) log.warn("webhook.step_late", { step: limit.step, limitMs: limit.ms });
    else log.warn("webhook.step_failed", { step: limit.step, error: messageOf(error) });
    return null;
  }
}
