/**
 * The motor of draining and quarantine: BullMQ jobs, delayed until a number is due, that call advanceNumber. PostgreSQL holds the truth (next_check_at);
 * a job that is lost, early or doubled does no harm, and the sweeper sends a new one for whatever is overdue.
 */
import { Queue, Worker } from "bullmq";
import type { Cluster, Redis } from "ioredis";
import { z } from "zod";
import type { Database } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { advanceNumber, type NumberCheck, type NumberSchedule } from "../pool/number-moves.js";
import { listDueNumbers } from "../pool/numbers.store.js";
import { connectRedis } from "./redis.js";

const QUEUE = "numbers";
/** All keys in one hash slot, so that Redis Cluster can run BullMQ's scripts. */
const PREFIX = "{ringmatch}";
const CONCURRENCY = 8;
/** The database may be away for a moment; what still fails then is the sweeper's. */
const ATTEMPTS_MAX = 5;
const BACKOFF_MS = 1_000;
/** Failed jobs are kept for a look, not for ever. */
const FAILED_KEPT_MAX = 1_000;
/** Overdue numbers are looked for this often: within a minute of Redis's return all are on their way (contract). */
export const SWEEP_EVERY_MS = 10_000;
/** A job that is this late is taken for lost. */
const OVERDUE_S = 4;
const SWEPT_MAX = 1_000;
/** A rule so strict that it means "never" needs no job; should the rule change, the number is checked anew. */
const DELAY_MS_MAX = 10 * 365 * 86_400_000;
/** Closing waits for a running job, not for a Redis that went away. */
const CLOSE_MS_MAX = 5_000;

const jobData = z.strictObject({ e164: z.string(), ownershipEpoch: z.int() });
type JobData = z.infer<typeof jobData>;

export interface NumberJobsOptions {
  readonly redisUrl: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** False where another process has the jobs role: then jobs are only sent. */
  readonly works: boolean;
  readonly prefix?: string;
}

export class NumberJobs implements NumberSchedule {
  private readonly producer: Redis | Cluster;
  private readonly queue: Queue<JobData>;
  private worker: Worker<JobData> | null = null;
  private consumer: Redis | Cluster | null = null;

  constructor(private readonly options: NumberJobsOptions) {
    const { redisUrl: url, log } = options;
    this.producer = connectRedis({ url, role: "producer", log });
    this.queue = new Queue<JobData>(QUEUE, {
      connection: this.producer,
      prefix: options.prefix ?? PREFIX,
      defaultJobOptions: {
        attempts: ATTEMPTS_MAX,
        backoff: { type: "exponential", delay: BACKOFF_MS },
        removeOnComplete: true,
        removeOnFail: { count: FAILED_KEPT_MAX },
      },
    });
    this.queue.on("error", (error) => log.debug("jobs.queue_error", { error: messageOf(error) }));
  }

  start(): void {
    if (!this.options.works) return;
    const { redisUrl: url, log } = this.options;
    this.consumer = connectRedis({ url, role: "worker", log });
    this.worker = new Worker<JobData>(QUEUE, (job) => this.run(job.data), {
      connection: this.consumer,
      prefix: this.options.prefix ?? PREFIX,
      concurrency: CONCURRENCY,
    });
    this.worker.on("error", (error) => log.debug("jobs.worker_error", { error: messageOf(error) }));
    this.worker.on("failed", (job, error) =>
      log.warn("jobs.failed", { job: job?.id, attempt: job?.attemptsMade, error: messageOf(error) }),
    );
  }

  async stop(): Promise<void> {
    await Promise.race([Promise.allSettled([this.worker?.close(), this.queue.close()]), pause(CLOSE_MS_MAX)]);
    this.consumer?.disconnect();
    this.producer.disconnect();
  }

  async isUp(): Promise<boolean> {
    try {
      return (await this.producer.ping()) === "PONG";
    } catch (error) {
      void error;
      return false;
    }
  }

  checkLater(check: NumberCheck): void {
    const { e164, ownershipEpoch, delayMs } = check;
    if (delayMs > DELAY_MS_MAX) return;
    const dueAt = Math.round(this.options.clock.now() + delayMs);
    // The due time is part of the id: a changed rule must be able to bring a check forward, and BullMQ ignores an id it has.
    void this.send({ e164, ownershipEpoch }, { jobId: `check-${e164}-${ownershipEpoch}-${dueAt}`, delay: delayMs });
  }

  /** Sends a job for every overdue number. The leader calls it every SWEEP_EVERY_MS. @returns how many */
  async sweepOnce(): Promise<number> {
    const due = await listDueNumbers(this.options.db, { graceS: OVERDUE_S, limit: SWEPT_MAX });
    const minute = Math.floor(this.options.clock.now() / 60_000);
    const sent = await Promise.all(
      due.map((number) =>
        this.send(number, { jobId: `sweep-${number.e164}-${number.ownershipEpoch}-${minute}`, delay: 0 }),
      ),
    );
    const count = sent.filter(Boolean).length;
    if (count > 0) this.options.log.info("jobs.swept", { count });
    return count;
  }

  private async send(data: JobData, options: { jobId: string; delay: number }): Promise<boolean> {
    try {
      await this.queue.add("check-number", data, options);
      return true;
    } catch (error) {
      this.options.log.warn("jobs.not_sent", { job: options.jobId, error: messageOf(error) });
      return false;
    }
  }

  private async run(data: JobData): Promise<void> {
    const number = jobData.parse(data);
    const { db, log } = this.options;
    const advance = await advanceNumber({ db, schedule: this }, { ...number, actor: "job:numbers" });
    log.info("number.checked", { ...number, outcome: advance.kind });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
