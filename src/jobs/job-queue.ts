/**
 * A queue of BullMQ and the worker on it, as every motor of ours has one: it sends jobs, repeats them, and works on them where the process has the jobs
 * role. What is due stands in PostgreSQL; a job that is lost, early or doubled must do no harm, and a sweep sends a new one for what is overdue.
 */
import { Queue, Worker } from "bullmq";
import type { Cluster, Redis } from "ioredis";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { connectRedis } from "./redis.js";

/** All keys in one hash slot, so that Redis Cluster can run BullMQ's scripts. */
const PREFIX = "{ringmatch}";
/** Closing waits for a running job, not for a Redis that does not answer. */
const CLOSE_MS_MAX = 5_000;

/** What the composition root says, the same for every queue. */
export interface QueuePlace {
  readonly redisUrl: string;
  readonly log: Log;
  /** False where another process has the jobs role: then jobs are only sent. */
  readonly works: boolean;
  /** Of the keys in Redis; tests share a server. */
  readonly prefix?: string;
}

export interface QueueKind {
  readonly name: string;
  /** Jobs at a time in one process. */
  readonly concurrency: number;
  /** Of one job; the pause between them doubles, beginning with `backoffMs`. */
  readonly attemptsMax: number;
  readonly backoffMs: number;
  /** Failed jobs are kept for a look, not for ever. */
  readonly failedKeptMax: number;
}

export interface NewJob {
  readonly name: string;
  readonly data: object;
  /** A job with an id that the queue has is not sent again. */
  readonly id: string;
  readonly delayMs?: number;
}

export interface Schedule {
  readonly id: string;
  readonly name: string;
  readonly data: object;
  readonly everyMs: number;
  /** The queue's unless given. */
  readonly attemptsMax?: number;
}

export class JobQueue {
  private readonly producer: Redis | Cluster;
  private readonly queue: Queue<object>;
  private worker: Worker<object> | null = null;
  private consumer: Redis | Cluster | null = null;

  constructor(
    private readonly place: QueuePlace,
    private readonly kind: QueueKind,
    private readonly run: (job: { readonly name: string; readonly data: object }) => Promise<void>,
  ) {
    const { redisUrl: url, log, prefix = PREFIX } = place;
    this.producer = connectRedis({ url, role: "producer", log });
    this.queue = new Queue<object>(kind.name, {
      connection: this.producer,
      prefix,
      defaultJobOptions: {
        attempts: kind.attemptsMax,
        backoff: { type: "exponential", delay: kind.backoffMs },
        removeOnComplete: true,
        removeOnFail: { count: kind.failedKeptMax },
      },
    });
    this.queue.on("error", (error) => log.debug("jobs.queue_error", { queue: kind.name, error: messageOf(error) }));
  }

  start(): void {
    const { redisUrl: url, log, works, prefix = PREFIX } = this.place;
    if (!works) return;
    const { name: queue, concurrency } = this.kind;
    this.consumer = connectRedis({ url, role: "worker", log });
    this.worker = new Worker<object>(queue, (job) => this.run(job), {
      connection: this.consumer,
      prefix,
      concurrency,
    });
    this.worker.on("error", (error) => log.debug("jobs.worker_error", { queue, error: messageOf(error) }));
    this.worker.on("failed", (job, error) =>
      log.warn("jobs.failed", { queue, job: job?.id, attempt: job?.attemptsMade, error: messageOf(error) }),
    );
  }

  async stop(): Promise<void> {
    // Four queues that each waited in vain would outlast what an orchestrator gives a stop; what a job had begun is due as before.
    const isAway = this.producer.status !== "ready";
    const closed = Promise.allSettled([this.worker?.close(isAway), isAway ? undefined : this.queue.close()]);
    await Promise.race([closed, pause(CLOSE_MS_MAX)]);
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

  /** All of them, or, when Redis is away, none. @returns false then */
  async send(jobs: readonly NewJob[]): Promise<boolean> {
    if (jobs.length === 0) return true;
    try {
      await this.queue.addBulk(
        jobs.map(({ name, data, id, delayMs = 0 }) => ({ name, data, opts: { jobId: id, delay: delayMs } })),
      );
      return true;
    } catch (error) {
      const { name: queue } = this.kind;
      this.place.log.warn("jobs.not_sent", { queue, jobs: jobs.length, first: jobs[0]?.id, error: messageOf(error) });
      return false;
    }
  }

  /** One schedule a deployment, kept by its id; asking again changes nothing, and puts back a lost one. @throws when Redis is away */
  async repeat(schedule: Schedule): Promise<void> {
    const { id, name, data, everyMs: every, attemptsMax: attempts } = schedule;
    const known = await this.queue.getJobScheduler(id);
    // Writing it again would start its interval anew, and a deployment of many processes would never get a turn.
    if (known?.every === every) return;
    const opts = attempts === undefined ? {} : { attempts };
    await this.queue.upsertJobScheduler(id, { every }, { name, data, opts });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
