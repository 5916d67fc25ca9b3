/**
 * Faults of ours that nobody caught. A promise that fails where nobody waits for it would end the process, and with it every call that is up: what that work
 * should have done is lost either way, so it is logged and the calls go on. After an exception it is unknown what was left half done: the service is taken
 * down, but in good order, so that calls are hung up and their records closed. Called by run-service.ts.
 */
import type { Log } from "../kernel/log.js";

/** What the fault broke may be what the end waits for. */
const END_MS_MAX = 30_000;
const EXIT_FAILED = 1;

/** Of this thread; the SIP edge's has its own rule (sip/edge/edge-thread.ts). */
export function outliveStrayRejections(log: Pick<Log, "error">): void {
  process.on("unhandledRejection", (reason) => {
    log.error("service.stray_rejection", { error: reason instanceof Error ? reason : String(reason) });
  });
}

/** @param end takes the service down and exits; called once, whatever else fails on the way */
export function endAfterStrayException(log: Pick<Log, "error">, end: () => void): void {
  let isEnding = false;
  process.on("uncaughtException", (error) => {
    log.error("service.stray_exception", { error });
    if (isEnding) return;
    isEnding = true;
    setTimeout(() => process.exit(EXIT_FAILED), END_MS_MAX).unref();
    end();
  });
}
