/**
 * The motor of pool scaling: one repeatable BullMQ job a deployment that sends a look for every pool that is due, and looks sent at once when a pool
 * is exhausted. PostgreSQL holds when a pool is due (pool_scaling) and a look decides under the pool's lock, so a job that is lost, early or doubled
 * does no harm; the sweeper puts back a lost schedule and sends what is overdue.
 */
import { type Job, Queue, Worker } from "bullmq";
import type { Cluster, Redis } from "ioredis";
import { z } from "zod";
import type { Database } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import type { IdSource } from "../kernel/ids.js";
import type { Log } from "../kernel/log.js";
import { lookAtPool } from "../pool/autoscale-run.js";
import type { NumberBuyer } from "../pool/number-buyer.js";
import type { NumberSchedule } from "../pool/number-moves.js";
import { listDuePools } from "../pool/pool-scaling.store.js";
import type { ScaleDecision } from "../pool/scale-decisions.store.js";
import { takeUpOrders } from "../pool/take-up.js";
import { connectRedis } from "./redis.js";

const QUEUE = "pool-scaling";
/** All keys in one hash slot, so that Redis Cluster can run BullMQ's scripts. */
const PREFIX = "{ringmatch}";
const SCHEDULER = "due-pools";
const ROUND = "round";
const LOOK = "look";
/** The shortest interval_s that a pool can have. */
export const ROUND_EVERY_MS = 10_000;
/** Looks are short transactions; buying waits for a carrier. */
const CONCURRENCY = 4;
const ATTEMPTS_MAX = 3;
const BACKOFF_MS = 1_000;
/** Failed jobs are kept for a look, not for ever. */
const FAILED_KEPT_MAX = 1_000;
const SWEEP_EVERY_MS = 10_000;
/** A look that is this late, three rounds, is taken for lost. */
const OVERDUE_S = 30;
/** Pools a round sends; the longest overdue come first, the rest in the next round. */
const POOLS_A_ROUND = 1_000;
/** Closing waits for a running look, not for a Redis that went away. */
const CLOSE_MS_MAX = 5_000;
const ACTOR = "job:scaling";

const lookData = z.strictObject({ poolId: z.string() });
type LookData = z.infer<typeof lookData>;

export interface ScaleJobsOptions {
  readonly redisUrl: string;
  readonly db: Database;
  readonly ids: IdSource;
  readonly schedule: NumberSchedule;
  /** Null: pools grow from the inventory alone. */
  readonly buyer: NumberBuyer | null;
  readonly clock: Clock;
  readonly log: Log;
  /** False where another process has the jobs role: then looks are only sent. */
  readonly works: boolean;
  readonly onDecision?: (decision: ScaleDecision) => void;
  readonly roundEveryMs?: number;
  readonly sweepEveryMs?: number;
  readonly prefix?: string;
}

export class ScaleJobs {
  private readonly producer: Redis | Cluster;
  private readonly queue: Queue<LookData | Record<string, never>>;
  private worker: Worker | null = null;
  private consumer: Redis | Cluster | null = null;
  private sweeping: NodeJS.Timeout | null = null;
  private sweep: Promise<void> = Promise.resolve();

  constructor(private readonly options: ScaleJobsOptions) {
    const { redisUrl: url, log } = options;
    this.producer = connectRedis({ url, role: "producer", log });
    this.queue = new Queue(QUEUE, {
      connection: this.producer,
      prefix: options.prefix ?? PREFIX,
      defaultJobOptions: {
        attempts: ATTEMPTS_MAX,
        backoff: { type: "exponential", delay: BACKOFF_MS },
        removeOnComplete: true,
        removeOnFail: { count: FAILED_KEPT_MAX },
      },
    });
    this.queue.on("error", (error) => log.debug("scaling.queue_error", { error: messageOf(error) }));
  }

  get canBuy(): boolean {
    return this.options.buyer !== null;
  }

  start(): void {
    if (!this.options.works) return;
    const { redisUrl: url, log } = this.options;
    this.consumer = connectRedis({ url, role: "worker", log });
    this.worker = new Worker(QUEUE, (job) => this.run(job), {
      connection: this.consumer,
      prefix: this.options.prefix ?? PREFIX,
      concurrency: CONCURRENCY,
    });
    this.worker.on("error", (error) => log.debug("scaling.worker_error", { error: messageOf(error) }));
    this.worker.on("failed", (job, error) =>
      log.warn("scaling.failed", { job: job?.id, attempt: job?.attemptsMade, error: messageOf(error) }),
    );
    this.sweepLater(0);
  }

  async stop(): Promise<void> {
    if (this.sweeping !== null) clearTimeout(this.sweeping);
    this.sweeping = null;
    await this.sweep;
    await Promise.race([Promise.allSettled([this.worker?.close(), this.queue.close()]), pause(CLOSE_MS_MAX)]);
    this.consumer?.disconnect();
    this.producer.disconnect();
  }

  /** Looks at these pools as soon as a worker is free. Losing it only delays: the pools are due in the database. */
  soon(poolIds: readonly string[]): void {
    const second = Math.floor(this.options.clock.now() / 1000);
    void this.send(poolIds, `soon-${second}`);
  }

  /** Puts a lost schedule back and sends a look for every overdue pool. @returns how many; for tests, the timer calls it as well */
  async sweepOnce(): Promise<number> {
    await this.ensureSchedule();
    const count = await this.sendDue(OVERDUE_S, "sweep");
    if (count > 0) this.options.log.info("scaling.swept", { count });
    return count;
  }

  private async run(job: Job): Promise<void> {
    if (job.name === ROUND) {
      await this.sendDue(0, "round");
      return;
    }
    const { poolId } = lookData.parse(job.data);
    try {
      await this.look(poolId);
    } catch (error) {
      if (!(error instanceof AppError && error.code === "not_found")) throw error;
      this.options.log.info("scaling.pool_gone", { poolId });
    }
  }

  private async look(poolId: string): Promise<void> {
    const { buyer, log } = this.options;
    const onDecision = (decision: ScaleDecision): void => {
      this.options.onDecision?.(decision);
      const { id, trigger, outcome, code, added, removed, onOrder } = decision;
      log.info("pool.scaled", { poolId, decision: id, trigger, outcome, code, added, removed, onOrder });
    };
    const deps = { ...this.options, canBuy: this.canBuy, onDecision };
    await lookAtPool(deps, { poolId, by: "job", actor: ACTOR });
    await takeUpOrders({ ...deps, buyer }, poolId);
  }

  private async ensureSchedule(): Promise<void> {
    const every = this.options.roundEveryMs ?? ROUND_EVERY_MS;
    const known = await this.queue.getJobScheduler(SCHEDULER);
    // Writing it again would start its interval anew, and a deployment of many processes would never get a round.
    if (known?.every === every) return;
    await this.queue.upsertJobScheduler(SCHEDULER, { every }, { name: ROUND, data: {}, opts: { attempts: 1 } });
  }

  private async sendDue(graceS: number, kind: "round" | "sweep"): Promise<number> {
    const poolIds = await listDuePools(this.options.db, { graceS, limit: POOLS_A_ROUND });
    const second = Math.floor(this.options.clock.now() / 1000);
    return (await this.send(poolIds, `${kind}-${second}`)) ? poolIds.length : 0;
  }

  private async send(poolIds: readonly string[], mark: string): Promise<boolean> {
    if (poolIds.length === 0) return true;
    try {
      await this.queue.addBulk(
        poolIds.map((poolId) => ({ name: LOOK, data: { poolId }, opts: { jobId: `look-${poolId}-${mark}` } })),
      );
      return true;
    } catch (error) {
      this.options.log.warn("scaling.not_sent", { pools: poolIds.length, error: messageOf(error) });
      return false;
    }
  }

  private sweepLater(delayMs: number): void {
    this.sweeping = setTimeout(() => {
      this.sweep = this.sweepOnce()
        .then(() => undefined)
        .catch((error: unknown) => this.options.log.warn("scaling.sweep_failed", { error: messageOf(error) }))
        .finally(() => {
          if (this.sweeping !== null) this.sweepLater(this.options.sweepEveryMs ?? SWEEP_EVERY_MS);
        });
    }, delayMs);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
