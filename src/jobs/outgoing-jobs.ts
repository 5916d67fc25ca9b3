/**
 * The motor of outgoing deliveries: BullMQ jobs that say "this endpoint has something to send", and nothing more. A job a delivery would fill Redis while a
 * receiver is away, and each would have to ask whether it is its turn. PostgreSQL says what is due (outgoing_delivery.next_attempt_at); a job that is
 * lost, early or doubled does no harm, and the sweep sends one for whatever is overdue.
 */
import { z } from "zod";
import { listDueEndpoints, purgeDeliveries } from "../account/outgoing/deliveries.store.js";
import type { Database } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import type { Leader } from "./leader.js";
import { JobQueue, type NewJob, type QueueKind, type QueuePlace } from "./job-queue.js";

const KIND: QueueKind = {
  name: "outgoing",
  // Endpoints at a time. A receiver that hangs holds a place for 5 s, and then, its breaker open, for 5 s a minute.
  concurrency: 32,
  // The attempts of a delivery are in the database; this is for a database that is away for a moment.
  attemptsMax: 3,
  backoffMs: 1_000,
  failedKeptMax: 200,
};
/** How late an event may be for want of a look into the outbox. */
export const RELAY_EVERY_MS = 200;
/** After Redis lost its jobs, what is due is on its way this soon after its return. */
export const OUTGOING_SWEEP_EVERY_MS = 5_000;
const SWEPT_MAX = 1_000;
/** Redis refused a job: the relay asks it again this much later, the sweep in between does the rest. */
const REDIS_REST_MS = 5_000;
/** What is due later than this is found by the sweep; fewer jobs lie around. */
const DELAY_MS_MAX = 10 * 60_000;
/** Events a turn of the relay takes at most; the rest in the next turn. */
const BATCHES_A_TURN = 20;
const PURGE_EVERY_MS = 10 * 60_000;
const PURGES_A_TURN = 20;

const jobData = z.strictObject({ endpointId: z.string() });

export interface OutgoingJobsOptions extends QueuePlace {
  readonly db: Database;
  readonly clock: Clock;
  /** @returns ms until the endpoint has something to do again; null: nothing waits */
  readonly deliver: (endpointId: string, stopped: AbortSignal) => Promise<number | null>;
  /** @returns whether there may be more, and whom it made deliveries for */
  readonly relay: () => Promise<{ readonly isFull: boolean; readonly endpointIds: ReadonlySet<string> }>;
}

export class OutgoingJobs {
  private readonly queue: JobQueue;
  private readonly stopping = new AbortController();
  private redisRestsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: OutgoingJobsOptions) {
    this.queue = new JobQueue(options, KIND, ({ data }) => this.run(data));
  }

  start(): void {
    this.queue.start();
  }

  /** What is on its way is finished; what waits stays due. */
  stop(): Promise<void> {
    this.stopping.abort();
    return this.queue.stop();
  }

  keepWith(leader: Pick<Leader, "runEvery">): void {
    const { db } = this.options;
    leader.runEvery({ name: "relay events", everyMs: RELAY_EVERY_MS, work: (signal) => this.relayAll(signal) });
    leader.runEvery({ name: "sweep deliveries", everyMs: OUTGOING_SWEEP_EVERY_MS, work: () => this.sweepOnce() });
    leader.runEvery({ name: "purge deliveries", everyMs: PURGE_EVERY_MS, work: (signal) => purgeAll(db, signal) });
  }

  /** Sends a job for this endpoint. Losing it only delays. */
  soon(endpointId: string): void {
    void this.send([endpointId], 0);
  }

  /** Sends a job for every endpoint with something overdue. The leader calls it. @returns how many */
  async sweepOnce(): Promise<number> {
    const endpointIds = await listDueEndpoints(this.options.db, SWEPT_MAX);
    return (await this.send(endpointIds, 0)) ? endpointIds.length : 0;
  }

  /** Everything that is in the outbox, but for a turn's share. */
  async relayAll(signal: AbortSignal): Promise<void> {
    for (let batch = 0; batch < BATCHES_A_TURN && !signal.aborted; batch++) {
      const { isFull, endpointIds } = await this.options.relay();
      if (this.options.clock.monotonicMs() >= this.redisRestsUntilMs) await this.send([...endpointIds], 0);
      if (!isFull) return;
    }
  }

  private async run(data: object): Promise<void> {
    const { endpointId } = jobData.parse(data);
    const nextMs = await this.options.deliver(endpointId, this.stopping.signal);
    if (nextMs !== null && nextMs <= DELAY_MS_MAX) await this.send([endpointId], nextMs);
  }

  private async send(endpointIds: readonly string[], delayMs: number): Promise<boolean> {
    // The time is part of the id: BullMQ ignores an id that it has, and a job may be needed while another one is ending.
    const dueAt = Math.ceil((this.options.clock.now() + delayMs) / RELAY_EVERY_MS);
    const isSent = await this.queue.send(endpointIds.map((endpointId) => jobOf(endpointId, { dueAt, delayMs })));
    if (!isSent) this.redisRestsUntilMs = this.options.clock.monotonicMs() + REDIS_REST_MS;
    return isSent;
  }
}

function jobOf(endpointId: string, { dueAt, delayMs }: { dueAt: number; delayMs: number }): NewJob {
  return { name: "deliver", data: { endpointId }, id: `deliver-${endpointId}-${dueAt}`, delayMs };
}

async function purgeAll(db: Database, signal: AbortSignal): Promise<void> {
  for (let turn = 0; turn < PURGES_A_TURN && !signal.aborted; turn++) if ((await purgeDeliveries(db)) === 0) return;
}
