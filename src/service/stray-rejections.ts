/**
 * A promise that fails where nobody waits for it would end the process, and with it every call that is up. What that work should have done is lost either
 * way: it is logged, as a fault of ours to be mended, and the calls go on. An exception that nobody caught still ends the process, since what it left half
 * done is unknown. Called by run-service.ts.
 */
import type { Log } from "../kernel/log.js";

/** Of this thread; the SIP edge's has its own rule (sip/edge/edge-thread.ts). */
export function outliveStrayRejections(log: Pick<Log, "error">): void {
  process.on("unhandledRejection", (reason) => {
    log.error("service.stray_rejection", { error: reason instanceof Error ? reason : String(reason) });
  });
}
