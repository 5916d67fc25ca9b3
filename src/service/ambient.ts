/** What every part of the service is given instead of reaching for it. */
import type { Clock } from "../kernel/clock.js";
import type { Log } from "../kernel/log.js";
import type { Random } from "../kernel/random.js";

export interface Ambient {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Aborted when the process is told to stop: a start that waits for somebody else gives up. */
  readonly stopping?: AbortSignal;
}
