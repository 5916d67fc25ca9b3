/**
 * Timers of one duration. What is added later is due later, so the queue is a linked list and one system timer serves all of it: setting and cancelling
 * is a few field writes. Most timers of a call never run, and as a system timer each cost 0.3 kB and 1 us. Made by timers.ts createScheduler.
 */
import type { Clock } from "../../kernel/clock.js";

/** A queue looks at most every so often, so a timer may run this much late: a hundredth of its duration, never more than 4 ms. */
const SLACK_MS_MAX = 4;
/** setTimeout takes no more. */
const SLEEP_MS_MAX = 2 ** 31 - 1;

export interface TimerQueueIo {
  readonly clock: Clock;
  run(act: () => void): void;
  /** Nothing is pending and no system timer runs. */
  onIdle(): void;
}

export class TimerQueue {
  private readonly ms: number;
  private readonly io: TimerQueueIo;
  private readonly slackMs: number;
  private first: QueuedTimer | null = null;
  private last: QueuedTimer | null = null;
  private timeout: NodeJS.Timeout | null = null;

  constructor(ms: number, io: TimerQueueIo) {
    this.ms = ms;
    this.io = io;
    this.slackMs = Math.min(SLACK_MS_MAX, ms / 100);
  }

  add(act: () => void): QueuedTimer {
    const timer = new QueuedTimer(this, act, this.io.clock.monotonicMs() + this.ms, this.last);
    if (this.last === null) this.first = timer;
    else this.last.next = timer;
    this.last = timer;
    if (this.timeout === null) this.sleep(this.ms);
    return timer;
  }

  /** Only timers that are in this queue come here. The system timer stays: it finds what is left, or nothing. */
  remove(timer: QueuedTimer): void {
    if (timer.previous === null) this.first = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next === null) this.last = timer.previous;
    else timer.next.previous = timer.previous;
    timer.previous = null;
    timer.next = null;
  }

  stop(): void {
    if (this.timeout !== null) clearTimeout(this.timeout);
    this.timeout = null;
  }

  private sleep(ms: number): void {
    this.timeout = setTimeout(() => this.wake(), Math.min(ms, SLEEP_MS_MAX));
    // The sockets keep the process alive, not a timer J of a call that is over.
    this.timeout.unref();
  }

  private wake(): void {
    const now = this.io.clock.monotonicMs();
    while (this.first !== null && this.first.dueMs <= now) {
      const act = this.first.take();
      if (act !== null) this.io.run(act);
    }
    if (this.first !== null) return this.sleep(Math.max(this.slackMs, Math.ceil(this.first.dueMs - now)));
    this.timeout = null;
    this.io.onIdle();
  }
}

/** A pending timer and its own handle (timers.ts Timer). Once it ran or was cancelled it holds nothing, whoever still holds it. */
class QueuedTimer {
  readonly dueMs: number;
  previous: QueuedTimer | null;
  next: QueuedTimer | null = null;
  private readonly queue: TimerQueue;
  private act: (() => void) | null;

  constructor(queue: TimerQueue, act: () => void, dueMs: number, previous: QueuedTimer | null) {
    this.queue = queue;
    this.act = act;
    this.dueMs = dueMs;
    this.previous = previous;
  }

  cancel(): void {
    this.take();
  }

  /** Out of the queue; null when it was out already. */
  take(): (() => void) | null {
    const { act } = this;
    if (act === null) return null;
    this.act = null;
    this.queue.remove(this);
    return act;
  }
}
