/**
 * The motor of the carrier inventory: BullMQ jobs that go on with orders left in the middle, and compare carriers' lists with ours every hour. PostgreSQL
 * says what is due (number_order.next_run_at, carrier_reconcile.next_run_at); a job that is lost, early or doubled does no harm.
 */
import { Queue, Worker } from "bullmq";
import type { Cluster, Redis } from "ioredis";
import { z } from "zod";
import { messageOf } from "../kernel/errors.js";
import { listDueOrders } from "../pool/number-orders.store.js";
import { isReconcileDue, RECONCILE_EVERY_S, reconcileDue } from "../pool/reconcile-inventory.js";
import type { BuyDeps } from "../pool/buy-numbers.js";
import { runOrder } from "../pool/run-order.js";
import { connectRedis } from "./redis.js";

const QUEUE = "inventory";
const PREFIX = "{ringmatch}";
/** An order and a comparison at once; carriers limit how much we may ask at a time. */
const CONCURRENCY = 2;
/** An order's own waits are in the database; this is for a database that is away for a moment. */
const ATTEMPTS_MAX = 3;
const BACKOFF_MS = 2_000;
const FAILED_KEPT_MAX = 200;
/** Orders left in the middle are picked up this soon. */
const SWEEP_EVERY_MS = 5_000;
const SWEPT_MAX = 100;
/** Whether a comparison is due is asked with one sweep in so many: it reads every credential. */
const SWEEPS_A_LOOK = 12;
/** A job's share of an order; what is left is swept up again. */
const ORDER_BUDGET_MS = 120_000;
const CLOSE_MS_MAX = 5_000;

const jobData = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("order"), orderId: z.string() }),
  z.strictObject({ kind: z.literal("reconcile") }),
]);
type JobData = z.infer<typeof jobData>;

export interface InventoryJobsOptions extends BuyDeps {
  readonly redisUrl: string;
  /** False where another process has the jobs role. */
  readonly works: boolean;
  readonly sweepEveryMs?: number;
  readonly prefix?: string;
}

export class InventoryJobs {
  private readonly producer: Redis | Cluster;
  private readonly queue: Queue<JobData>;
  private worker: Worker<JobData> | null = null;
  private consumer: Redis | Cluster | null = null;
  private sweeping: NodeJS.Timeout | null = null;
  private sweep: Promise<void> = Promise.resolve();
  private isScheduled = false;
  private sweeps = 0;

  constructor(private readonly options: InventoryJobsOptions) {
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

  /** Sends a job for everything that is due. @returns how many; for tests, the timer calls it as well */
  async sweepOnce(): Promise<number> {
    await this.schedule();
    const tick = Math.floor(this.options.clock.now() / SWEEP_EVERY_MS);
    const orders = await listDueOrders(this.options.db, SWEPT_MAX);
    const sent = orders.map((orderId) => this.send({ kind: "order", orderId }, `order-${orderId}-${tick}`));
    const looks = this.sweeps++ % SWEEPS_A_LOOK === 0;
    if (looks && (await isReconcileDue(this.options))) sent.push(this.send({ kind: "reconcile" }, `reconcile-${tick}`));
    return (await Promise.all(sent)).filter(Boolean).length;
  }

  /** The hourly job of all processes; kept by its name, so asking again changes nothing. */
  private async schedule(): Promise<void> {
    if (this.isScheduled) return;
    try {
      const every = RECONCILE_EVERY_S * 1000;
      await this.queue.upsertJobScheduler("reconcile", { every }, { name: "reconcile", data: { kind: "reconcile" } });
      this.isScheduled = true;
    } catch (error) {
      this.options.log.warn("jobs.not_scheduled", { job: "reconcile", error: messageOf(error) });
    }
  }

  private async send(data: JobData, jobId: string): Promise<boolean> {
    try {
      await this.queue.add(data.kind, data, { jobId });
      return true;
    } catch (error) {
      this.options.log.warn("jobs.not_sent", { job: jobId, error: messageOf(error) });
      return false;
    }
  }

  private async run(data: JobData): Promise<void> {
    const job = jobData.parse(data);
    if (job.kind === "reconcile") return void (await reconcileDue(this.options));
    const { orderId } = job;
    const { state } = await runOrder(this.options, { orderId, budgetMs: ORDER_BUDGET_MS });
    this.options.log.info("order.worked_on", { orderId, state });
  }

  private sweepLater(delayMs: number): void {
    this.sweeping = setTimeout(() => {
      this.sweep = this.sweepOnce()
        .then(() => undefined)
        .catch((error: unknown) => this.options.log.warn("jobs.sweep_failed", { error: messageOf(error) }))
        .finally(() => {
          if (this.sweeping !== null) this.sweepLater(this.options.sweepEveryMs ?? SWEEP_EVERY_MS);
        });
    }, delayMs);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
