/**
 * SIGTERM and SIGINT, sent to npm, to the service or to the whole process group: then one signal arrives twice. A repeat within 2 s is the same one; a
 * later one is somebody who will not wait.
 */
import type { Clock } from "../kernel/clock.js";

const SAME_SIGNAL_MS = 2_000;
const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** @param onFirst drain and stop · @param onForce exit now. @returns listens no more */
export function onTermination(input: {
  clock: Clock;
  onFirst: (signal: NodeJS.Signals) => void;
  onForce: (signal: NodeJS.Signals) => void;
}): () => void {
  const { clock, onFirst, onForce } = input;
  let firstAt: number | null = null;
  const handle = (signal: NodeJS.Signals): void => {
    const now = clock.monotonicMs();
    if (firstAt === null) {
      firstAt = now;
      onFirst(signal);
    } else if (now - firstAt > SAME_SIGNAL_MS) onForce(signal);
  };
  for (const signal of SIGNALS) process.on(signal, handle);
  return () => {
    for (const signal of SIGNALS) process.off(signal, handle);
  };
}
