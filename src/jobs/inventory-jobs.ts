/**
 * The motor of the carrier inventory: BullMQ jobs that go on with orders left in the middle, and compare carriers' lists with ours every hour. PostgreSQL
 * says what is due (number_order.next_run_at, carrier_reconcile.next_run_at); a job that is lost, early or doubled does no harm.
 */
import { z } from "zod";
import type { BuyDeps } from "../pool/buy-numbers.js";
import { listDueOrders } from "../pool/number-orders.store.js";
import { isReconcileDue, RECONCILE_EVERY_S, reconcileDue } from "../pool/reconcile-inventory.js";
import { runOrder } from "../pool/run-order.js";
import { JobQueue, type NewJob, type QueueKind, type QueuePlace } from "./job-queue.js";

const KIND: QueueKind = {
  name: "inventory",
  // An order and a comparison at once; carriers limit how much we may ask at a time.
  concurrency: 2,
  // An order's own waits are in the database; this is for a database that is away for a moment.
  attemptsMax: 3,
  backoffMs: 2_000,
  failedKeptMax: 200,
};
/** Orders left in the middle are picked up this soon. */
export const ORDERS_SWEEP_EVERY_MS = 5_000;
const SWEPT_MAX = 100;
/** Whether a comparison is due is asked with one sweep in so many: it reads every credential. */
const SWEEPS_A_LOOK = 12;
/** A job's share of an order; what is left is swept up again. */
const ORDER_BUDGET_MS = 120_000;

const jobData = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("order"), orderId: z.string() }),
  z.strictObject({ kind: z.literal("reconcile") }),
]);

export type InventoryJobsOptions = BuyDeps & QueuePlace;

export class InventoryJobs {
  private readonly queue: JobQueue;
  private sweeps = 0;

  constructor(private readonly options: InventoryJobsOptions) {
    this.queue = new JobQueue(options, KIND, ({ data }) => this.run(data));
  }

  start(): void {
    this.queue.start();
  }

  stop(): Promise<void> {
    return this.queue.stop();
  }

  /** Sends a job for everything that is due. The leader calls it every ORDERS_SWEEP_EVERY_MS. @throws when Redis is away */
  async sweepOnce(): Promise<void> {
    const everyMs = RECONCILE_EVERY_S * 1000;
    await this.queue.repeat({ id: "reconcile", name: "reconcile", data: { kind: "reconcile" }, everyMs });
    const tick = Math.floor(this.options.clock.now() / ORDERS_SWEEP_EVERY_MS);
    const orders = await listDueOrders(this.options.db, SWEPT_MAX);
    const jobs = orders.map((orderId) => jobOf({ kind: "order", orderId }, `order-${orderId}-${tick}`));
    const looks = this.sweeps++ % SWEEPS_A_LOOK === 0;
    if (looks && (await isReconcileDue(this.options))) jobs.push(jobOf({ kind: "reconcile" }, `reconcile-${tick}`));
    await this.queue.send(jobs);
  }

  private async run(data: object): Promise<void> {
    const job = jobData.parse(data);
    if (job.kind === "reconcile") return void (await reconcileDue(this.options));
    const { orderId } = job;
    const { state } = await runOrder(this.options, { orderId, budgetMs: ORDER_BUDGET_MS });
    this.options.log.info("order.worked_on", { orderId, state });
  }
}

function jobOf(data: z.infer<typeof jobData>, id: string): NewJob {
  return { name: data.kind, data, id };
}
