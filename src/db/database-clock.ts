/**
 * The database's clock without asking for it, as read off its answers. Goes on by our monotonic one: ours of the wall may be set meanwhile. Calls that arrive
 * while the database is away are dated by it (route-call.ts), and pages that wait no more are told by it (allocation-batch.ts).
 */
import type { Clock, Instant } from "../kernel/clock.js";

/** Read off answers that came within this time; that is then how wrong it can be. */
const QUICK_ANSWER_MS = 20;

export class DatabaseClock {
  /** From our monotonic clock to the database's; null before. */
  private offsetMs: number | null = null;
  private isExact = false;

  constructor(private readonly clock: Pick<Clock, "now" | "monotonicMs">) {}

  /** @param sentMs monotonic, when it was asked; a slow answer says little about the time, and is only better than none */
  seen(databaseNow: Instant, sentMs: number): void {
    const isQuick = this.clock.monotonicMs() - sentMs <= QUICK_ANSWER_MS;
    if (this.offsetMs !== null && !isQuick) return;
    this.offsetMs = databaseNow - sentMs;
    this.isExact ||= isQuick;
  }

  /** As well as it is known; our own before anything is. */
  now(): Instant {
    if (this.offsetMs === null) return this.clock.now();
    return Math.round(this.clock.monotonicMs() + this.offsetMs);
  }

  /** A time of our monotonic clock by the database's; null until a quick answer told. */
  at(monotonicMs: number): Instant | null {
    return this.offsetMs !== null && this.isExact ? monotonicMs + this.offsetMs : null;
  }
}
