/** Ctrl-C, SIGTERM and SIGHUP while a command runs: what it holds is given back, then the process ends. Used by with-database.ts. */
import { constants } from "node:os";
import { systemClock } from "../kernel/clock.js";
import { onTermination } from "../service/signals.js";

/** What a shell expects of a program that a signal ended: 130 for SIGINT. */
const EXIT_BY_SIGNAL = 128;

/**
 * @param close what must not stay behind; a second signal does not wait for it
 * @returns called when the command is done: signals are the system's again. It waits for an end that has begun, which it does not outlive
 */
export function endOnSignal(close: () => Promise<void>): () => Promise<void> {
  let ending: Promise<void> | null = null;
  const exitCode = (signal: NodeJS.Signals): number => EXIT_BY_SIGNAL + constants.signals[signal];
  const forget = onTermination({
    clock: systemClock,
    onFirst: (signal) => {
      ending = close().finally(() => process.exit(exitCode(signal)));
    },
    onForce: (signal) => process.exit(exitCode(signal)),
  });
  return async () => {
    forget();
    await ending;
  };
}
