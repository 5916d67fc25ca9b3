/**
 * What was started, in order; stopped in reverse. One part that fails to stop does not keep the others up. Who asks while it is being stopped waits for the
 * same end: one that took only the parts left would be done, and end the process, before the other's.
 */
import { withDeadline } from "../kernel/deadline.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";

/** Long enough for PostgreSQL's last checkpoint; a part that hangs longer is left behind. */
const STOP_MS_MAX = 30_000;

export class Stack {
  private readonly parts: { name: string; stop: () => Promise<void> | void }[] = [];
  private unwinding: Promise<void> | null = null;

  constructor(private readonly log: Log) {}

  push(name: string, stop: () => Promise<void> | void): void {
    this.parts.push({ name, stop });
  }

  unwind(): Promise<void> {
    this.unwinding ??= this.stopAll().finally(() => {
      this.unwinding = null;
    });
    return this.unwinding;
  }

  private async stopAll(): Promise<void> {
    for (let part = this.parts.pop(); part !== undefined; part = this.parts.pop()) {
      const { name, stop } = part;
      const late = (): Error => new Error(`did not stop within ${STOP_MS_MAX} ms`);
      try {
        await withDeadline(STOP_MS_MAX, Promise.resolve(stop()), late);
      } catch (error) {
        this.log.error("service.stop_failed", { part: name, error: messageOf(error) });
      }
    }
  }
}
