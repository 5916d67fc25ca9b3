/**
 * The durations of RFC 3261 §17 (table 4) and the scheduler that all edge code gets its timers from. Tests shrink T1; nothing else in the
 * edge names a number of milliseconds that belongs to the protocol.
 */
import type { Clock } from "../../kernel/clock.js";
import { TimerQueue } from "./timer-queue.js";

export interface SipTimers {
  /** T1, round-trip estimate; every other timer is built from it. */
  readonly t1Ms: number;
  /** T2, the longest retransmission interval of requests other than INVITE and of INVITE responses. */
  readonly t2Ms: number;
  /** T4, the longest a message stays in the network. */
  readonly t4Ms: number;
  /** Timer D: how long a failed INVITE's retransmitted answers are acknowledged; at least 32 s over UDP. */
  readonly timerDMs: number;
  /** Timer C of a proxy: how long a called phone may ring without saying so again; more than 3 minutes (§16.6 step 11). */
  readonly timerCMs: number;
  /** The app must send its first frame for an INVITE within this time, else the caller gets 503 (drachtio-server: 64 s of silence). */
  readonly appSilentMs: number;
  /** A second of a Session-Expires header; 1000 but in tests, because RFC 4028 allows no session below 90 of them. */
  readonly sessionSecondMs: number;
}

export const DEFAULT_SIP_TIMERS: SipTimers = {
  t1Ms: 500,
  t2Ms: 4_000,
  t4Ms: 5_000,
  timerDMs: 32_000,
  timerCMs: 185_000,
  appSilentMs: 5_000,
  sessionSecondMs: 1_000,
};

/** Timers B, F, H, J, L and M, and the life of an unacknowledged 2xx: 64*T1. */
export function transactionTimeoutMs(timers: SipTimers): number {
  return 64 * timers.t1Ms;
}

export interface Timer {
  cancel(): void;
}

export interface Scheduler {
  after(ms: number, act: () => void): Timer;
}

/**
 * `stop` ends every pending timer, so that nothing runs once the edge closes its sockets. A timer runs up to 4 ms late (timer-queue.ts).
 * @param run carries out what is due and never throws; the edge gives one that survives our own faults
 */
export function createScheduler(clock: Clock, run: (act: () => void) => void): Scheduler & { stop(): void } {
  let stopped = false;
  /** By duration; as many as there are pending timers of different durations. */
  const queues = new Map<number, TimerQueue>();
  const openQueue = (ms: number): TimerQueue => {
    const queue = new TimerQueue(ms, {
      clock,
      run: (act) => {
        if (!stopped) run(act);
      },
      onIdle: () => queues.delete(ms),
    });
    queues.set(ms, queue);
    return queue;
  };
  return {
    after: (ms, act) => (queues.get(ms) ?? openQueue(ms)).add(act),
    stop() {
      stopped = true;
      for (const queue of queues.values()) queue.stop();
    },
  };
}
